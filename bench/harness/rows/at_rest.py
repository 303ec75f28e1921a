"""B6: a million tasks at rest: half cron, half one-time, none due. Only with --million."""

import itertools
import os
import time

from ..case import ours
from ..processes import CpuWatch, memory
from ..server import NEVER, Server, task
from ..stats import Figure, percentile

ID, TITLE = "B6", "tasks at rest"
TASKS = Figure("tasks", digits=0)
LOAD = Figure("created", "/s", 0)
DISK = Figure("on disk", "bytes per task", 0)
RESIDENT, AFTER = Figure("resident after loading", "MiB"), Figure("after a restart", "MiB")
IDLE = Figure("idle CPU", "% of a core", 2)
READY, FIRST = Figure("start → ready", "s", 2), Figure("start → first due run", "s", 2)
PAGE = Figure("list page p99", "ms")


def cases():
    return [ours(_measure)]


def _bodies(count):
    for i in range(count):
        if i % 2:
            yield task(f"rest-{i}", "stamp", NEVER)
        else:
            # The 29th of February at some time of day, which is not today.
            yield task(f"rest-{i}", "stamp", f"{i % 60} {i // 60 % 24} 29 2 *", recurring=True)


def _size(place):
    files = (os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names)
    return sum(os.stat(file).st_blocks * 512 for file in files)


def _load(server, count):
    requests = (server.request("POST", "/admin/scheduler", body) for body in _bodies(count))
    seconds = 0.0
    while part := list(itertools.islice(requests, 20_000)):
        seconds += server.many(part, lanes=64)[1]
    return seconds


def _measure(lab):
    count = lab.scaled(1_000_000, 100)
    place = lab.fresh_directory("million")
    with Server(lab, place) as server:
        figures = {TASKS: count, LOAD: count / _load(server, count)}
        time.sleep(5)
        figures[RESIDENT] = memory(server.pid)[0]
        soon = int(time.time() * 1000) + 3000
        first = server.create([task("first", "stamp", soon)])[0]["first"]
        # It falls due while the server is down.
    figures[DISK] = _size(place / "data") / count
    time.sleep(max(0.0, soon / 1000 - time.time()))
    began = time.time() * 1000
    with Server(lab, place) as server:
        figures[READY] = server.ready_after
        figures[FIRST] = (server.result_of(first, within=120)["start"] - began) / 1000
        pages = [server.request("GET", f"/admin/scheduler?limit=20&skip={skip}") for skip in range(0, 4000, 20)]
        answers, _ = server.many(pages, lanes=1)
        figures[PAGE] = percentile([seconds * 1000 for *_, seconds in answers], 0.99)
        time.sleep(2)
        watch = CpuWatch(server.pid)
        time.sleep(5 if lab.quick else 60)
        cpu, wall = watch.read()
        return figures | {IDLE: 100 * cpu / wall, AFTER: memory(server.pid)[0]}

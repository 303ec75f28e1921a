"""C3: three nodes on one database are killed, stopped and cut off at random moments under load: is anything lost?

Once, and only when it is asked for: `--kills 1000`, for `--minutes` at the most. Each node suffers by itself, so that
at times none works. The load: frequent tasks of each rule for overlap, some with retries, whose handlers tell a
diary of their start and end; and one-time tasks that are made all the time through whichever node answers.
"""

import contextlib
import random
import sys
import threading
import time
from collections import Counter

from .. import account
from ..case import ours
from ..diary import diary
from ..faults import Node, suffer
from ..install import Missing
from ..postgres import Database, database
from ..relay import relay
from ..server import task
from ..stats import Figure

ID, TITLE, ONCE = "C3", "three nodes that are killed, stopped and cut off at random moments", True
LEASE, PLACES, INTERVAL = 3000, 4, 400
#: Seconds within which everything that goes on is to be over once all nodes work.
SETTLES = 120
SETTINGS = {
    "CLUSTER__LEASE": LEASE,
    "RUNNERS__MIN": PLACES,
    "RUNNERS__MAX": PLACES,
    "NET__ALLOW": "127.0.0.1",
    "SECRET_KEY": "5e" * 32,
}
RULES = {
    "skip": {"overlap": "skip"},
    "allow": {"overlap": "allow"},
    "queue": {"overlap": "queue", "misfire": "all"},
    "retried": {"overlap": "skip", "maxRetries": 5, "retryDelay": 1000},
}
FAULTS, SECONDS = Figure("faults", digits=0), Figure("within", "s", 0)
RUNS, BROKEN = Figure("runs", digits=0), Figure("of them broken off", digits=0)
PLANNED, MADE = Figure("planned times", digits=0), Figure("acknowledged one-time tasks", digits=0)
LOST, DOUBLED, OVERLAPPING, STUCK = (Figure(name, digits=0) for name in ("lost", "doubled", "overlapping", "stuck"))
OTHER = Figure("otherwise wrong", digits=0)


def cases():
    return [ours(_measure, system="isochron, three nodes")]


class Maker:
    """Makes one-time tasks through a node until it is told to stop."""

    def __init__(self, node, number, url, stop):
        self.node, self.number, self.url, self.stop = node, number, url, stop
        #: Names that were acknowledged, and that were refused; those without an answer may be there.
        self.made, self.refused = set(), {}
        self.errors = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        chance, count = random.Random(self.number), 0
        while not self.stop.wait(chance.uniform(0.2, 0.8)):
            count += 1
            name = f"once-{self.number}-{count}"
            due = int(time.time() * 1000) + chance.randrange(4000)
            params = {"url": self.url, "ms": chance.choice([0, 100, 300])}
            body = task(name, "diary", due, params=params, tags=["once"], maxRetries=10, retryDelay=1000)
            try:
                status, answer = self.node.server.ask("POST", "/admin/scheduler", body)
            except (OSError, ValueError):
                continue
            if status not in (201, 503):
                self.errors.append(f"{name}: {status} {answer}")
            else:
                self.made.add(name) if status == 201 else self.refused.update({name: answer})


def _measure(lab):
    chance = random.Random(lab.seed)
    print(f"C3: --seed {lab.seed}", file=sys.stderr)
    with contextlib.ExitStack() as stack:
        store, book = stack.enter_context(database(lab)), stack.enter_context(diary(lab))
        nodes = []
        for number in range(3):
            link = stack.enter_context(relay(store.port))
            settings = {"STORE__URL": Database.url_at(link.port)} | SETTINGS
            nodes.append(Node(lab, f"node-{number}", link, random.Random(chance.random()), settings))
            stack.callback(nodes[-1].stop)
        often = _make_often(nodes[0].server, book.url)
        stop = threading.Event()
        makers = [Maker(node, number, book.url, stop) for number, node in enumerate(nodes)]
        began = time.monotonic()
        try:
            errors = suffer(nodes, lab.kills, lab.minutes * 60)
        finally:
            seconds = time.monotonic() - began
            stop.set()
            for maker in makers:
                maker.thread.join()
        wrong = account.Account(other=errors + [error for maker in makers for error in maker.errors])
        wrong.other += [why for node in nodes for why in node.refusals]
        if not errors:
            records = _settle(wrong, [node.server for node in nodes], often)
            planned = _hold_against(wrong, nodes[0].server, records, often, makers, book.lines())
        for text in wrong.wrong()[:40]:
            print(f"C3: {text}", file=sys.stderr)
        if errors:
            raise Missing("; ".join(errors))
    done = sum((node.done for node in nodes), Counter())
    runs = [row for rows in records.values() for row in rows if row["status"] != "skipped"]
    return (
        {FAULTS: done.total(), SECONDS: seconds}
        | {Figure(kind, digits=0): count for kind, count in done.items()}
        | {RUNS: len(runs), BROKEN: sum(row["status"] == "failed" for row in runs), PLANNED: planned}
        | {MADE: sum(len(maker.made) for maker in makers), LOST: len(wrong.lost), DOUBLED: len(wrong.doubled)}
        | {OVERLAPPING: len(wrong.overlapping), STUCK: len(wrong.stuck), OTHER: len(wrong.other)}
    )


def _make_often(server, url):
    """The frequent tasks, by name."""
    found = {}
    for rule, more in RULES.items():
        for ms in (0, 150, 300):
            name = f"{rule}-{ms}"
            params = {"url": url, "ms": ms}
            body = task(name, "diary", f"every {INTERVAL}ms", recurring=True, keepExecutions=10_000, params=params, **more)
            status, answer = server.ask("POST", "/admin/scheduler", body)
            if status != 201:
                raise Missing(f"{status}: {answer}")
            found[name] = answer["task"]
    return found


def _settle(wrong, servers, often):
    """Lets everything end, and returns all executions by the name of their task, as each server tells them."""
    until = time.monotonic() + SETTLES
    for server in servers:
        while server.ask("GET", "/ready")[0] != 200 and time.monotonic() < until:
            time.sleep(0.2)
    _catch_up(wrong, servers[0], often, until)
    for made in often.values():
        servers[0].ask("POST", f"/admin/scheduler/{made['_key']}/actions/pause")
    left = True
    while left and time.monotonic() < until:
        time.sleep(0.5)
        left = {
            status: total
            for status in ("running", "active", "retry-scheduled")
            if (total := servers[0].total(status))
        }
    if left:
        wrong.stuck.append(f"{SETTLES} s after the last fault there are still tasks: {left}")
    tasks = {each["name"]: each["_key"] for each in servers[0].tasks()}
    records = {name: _rows(servers[0], key) for name, key in tasks.items()}
    for server in servers[1:]:
        if {each["name"]: each["_key"] for each in server.tasks()} != tasks:
            wrong.other.append("the servers tell of different tasks")
        for name in often:
            if _rows(server, tasks[name]) != records[name]:
                wrong.other.append(f"{name}: the servers tell of different executions")
    return records


def _catch_up(wrong, server, often, until):
    """Waits until no run of the frequent tasks waits for long, nor goes on for long."""
    for name, made in often.items():
        while True:
            found, long_ago = _task(server, made), time.time() * 1000 - 10_000
            old = [run for run in found["waiting"] + found["executions"] if run["scheduledFor"] < long_ago]
            old = [run for run in old if run.get("status", "running") == "running"]
            if not old:
                break
            if time.monotonic() > until:
                wrong.stuck.append(f"{name}: {old[0]}")
                break
            time.sleep(0.5)


def _task(server, made):
    return server.ask("GET", f"/admin/scheduler/{made['_key']}")[1]["task"]


def _rows(server, key):
    rows, total = [], 1
    while len(rows) < total:
        path = f"/admin/scheduler/{key}/executions?limit=50&skip={len(rows)}"
        page = server.ask("GET", path)[1]
        total = page["totalExecutions"]
        rows += page["executions"]
        if not page["executions"]:
            break
    return rows


def _hold_against(wrong, server, records, often, makers, lines):
    """Checks everything; returns how many planned times the frequent tasks had."""
    planned = 0
    for name, made in often.items():
        # A run may wait for the task to go on.
        waiting = [run["scheduledFor"] for run in _task(server, made)["waiting"]]
        account.planned_times(wrong, name, records[name], waiting, made["createdAt"], INTERVAL)
        planned += sum(row["skippedCount"] if row["status"] == "skipped" else row["attempt"] == 1 for row in records[name])
    for maker in makers:
        for name in maker.made:
            if name not in records:
                wrong.lost.append(f"{name}: acknowledged, and not there")
            elif not any(row["status"] == "completed" for row in records[name]):
                wrong.lost.append(f"{name}: never completed: {[row['status'] for row in records[name]]}")
        there = maker.refused.keys() & records.keys()
        wrong.other += [f"{name}: there, though refused: {maker.refused[name]}" for name in there]
    for name, rows in records.items():
        account.attempts(wrong, name, rows)
    account.diary(wrong, records, lines)
    return planned

"""C2: eight nodes with a run each are killed one after the other: how long until another one starts the next attempt.

A lease of ten seconds, and a heartbeat of ten seconds for pg-boss, the least that it takes. isochron waits a second
between two attempts, the least that it takes; when it has closed the first one is told beside. A node that starts
again in its data directory takes over from itself. Nobody tells graphile-worker of a process that is gone: it waits
four hours, so what is measured is how soon it goes on once an operator has named the process, who does so at once.
"""

import os
import random
import signal
import time

from .. import peers
from ..case import ours, theirs
from ..crew import crew
from ..install import Missing
from ..nodes import nodes
from ..server import NEVER, task
from ..stats import Figure, percentile

ID, TITLE = "C2", "takeover from killed nodes, lease or heartbeat 10 s"
LEASE = 10_000
#: Milliseconds that the first attempts would take.
LONG = 3_000_000
P50, P99 = Figure("kill → next attempt p50", "s", 2), Figure("p99", "s", 2)
CLOSED_50, CLOSED_99 = Figure("kill → run closed p50", "s", 2), Figure("p99 ", "s", 2)
#: What an operator says of the processes that are gone.
UNLOCK = "SELECT graphile_worker.force_unlock_workers(ARRAY['{}'])"
LOCKED = "SELECT locked_by FROM graphile_worker.jobs WHERE locked_at IS NOT NULL ORDER BY locked_at"


def cases():
    return [
        ours(_by_another, system="isochron, another node"),
        ours(_by_a_restart, system="isochron, started again"),
        theirs(peers.GRAPHILE, _peer, suffix=", told by hand at once"),
        theirs(peers.PG_BOSS_BEATS, _peer),
    ]


def _kills(lab):
    return 3 if lab.quick else 8


def _pause(lab, number):
    """Seconds until the next kill."""
    return random.Random(f"{lab.repetition} {number}").uniform(0.3, 1.5)


def _now():
    return time.time() * 1000


def _figures(waits, closed=()):
    figures = {P50: percentile(waits, 0.5), P99: percentile(waits, 0.99)}
    return figures | ({CLOSED_50: percentile(closed, 0.5), CLOSED_99: percentile(closed, 0.99)} if closed else {})


def _hold(cluster):
    """A server with one place, in which a run stays: the server, and the key of the task."""
    server = cluster.add(RUNNERS__MIN=1, RUNNERS__MAX=1)
    name = f"hold-{len(cluster.servers)}"
    body = task(name, "hold", NEVER, params={"ms": LONG}, timeout=3_600_000, maxRetries=1, retryDelay=1000)
    key = server.create([body])[0][name]
    server.ask("POST", f"/admin/scheduler/{key}/actions/run")
    until = time.monotonic() + 10
    while not any(run["progress"] for run in server.executions(key)):
        if time.monotonic() > until:
            raise Missing("a run did not begin within 10 s")
        time.sleep(0.02)
    return server, key


def _by_another(lab):
    with nodes(lab, 0, CLUSTER__LEASE=LEASE) as cluster:
        victims = [_hold(cluster) for _ in range(_kills(lab))]
        survivor, killed = cluster.add(), {}
        for number, (server, key) in enumerate(victims):
            time.sleep(_pause(lab, number))
            os.kill(server.pid, signal.SIGKILL)
            killed[key] = _now()
        return _figures(*zip(*(_until_next(survivor, key, since) for key, since in killed.items())))


def _by_a_restart(lab):
    with nodes(lab, 0, CLUSTER__LEASE=LEASE) as cluster:
        waits = []
        for server, key in [_hold(cluster) for _ in range(_kills(lab))]:
            os.kill(server.pid, signal.SIGKILL)
            since = _now()
            server.process.wait()
            again = cluster.add(server.place, RUNNERS__MIN=1, RUNNERS__MAX=1)
            waits.append(_until_next(again, key, since))
        return _figures(*zip(*waits))


def _until_next(server, key, since):
    """Seconds from a moment until the next attempt began, and until the first was closed."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        runs = server.executions(key)
        if done := [run["result"]["start"] for run in runs if run["result"]]:
            closed = next(run["updatedAt"] for run in runs if run["reason"] == "lost")
            return (done[0] - since) / 1000, (closed - since) / 1000
        time.sleep(0.05)
    raise Missing("nobody took over within 60 s")


def _peer(lab, peer):
    with crew(lab, peer, 0, handler="hold", lanes=1, params={"ms": LONG}) as these:
        victims = []
        for number in range(_kills(lab)):
            victims.append(driver := these.add())
            # All others of them have a run.
            driver.tell(offsets=[0], lead=0)
            _wait_for(lambda: driver.begun, "a run did not begin")
        survivor = these.add()
        locked = these.database.ask(LOCKED).split() if peer == peers.GRAPHILE else []
        killed = []
        for number, driver in enumerate(victims):
            time.sleep(_pause(lab, number))
            driver.process.kill()
            killed.append(_now())
            if locked:
                these.database.ask(UNLOCK.format(locked[number]))
        _wait_for(lambda: len(survivor.starts) == len(victims), "nobody took over")
        # In whatever order: the time of all of them together is the same.
        starts = sorted(start for _, start in survivor.starts)
        return _figures([(start - since) / 1000 for start, since in zip(starts, killed)])


def _wait_for(condition, what, within=60):
    until = time.monotonic() + within
    while not condition():
        if time.monotonic() > until:
            raise Missing(f"{what} within {within} s")
        time.sleep(0.02)

"""One-time runs at planned moments: what B4 and B5 have in common."""

import time

from . import peers
from .install import Missing
from .processes import CpuWatch
from .server import Server, task
from .stats import CPU, Figure, percentile

LATE_50, LATE_99 = Figure("due → first line p50", "ms"), Figure("p99", "ms")
LOST, DOUBLED = Figure("lost", digits=0), Figure("doubled", digits=0)
#: How many places a run started before one that was due earlier, beyond the runs at a time.
AHEAD = Figure("out of due order by", "places", 0)
LANES = 8


def figures(dues, starts, cpu):
    """The figures of runs: `starts[i]` are the moments at which that of `dues[i]` was started."""
    late = [ran[0] - due for due, ran in zip(dues, starts) if ran]
    return {
        CPU: cpu / len(dues) * 1000,
        LATE_50: percentile(late, 0.50),
        LATE_99: percentile(late, 0.99),
        LOST: sum(not ran for ran in starts),
        DOUBLED: sum(len(ran) > 1 for ran in starts),
    }


def out_of_order(dues, starts):
    """How many runs that were due earlier had not started yet, at most, when a run did."""
    ran = sorted((start[0], due) for due, start in zip(dues, starts) if start)
    # Ties are no order; equal moments take the places of each other.
    order = sorted(dues)
    first = {}
    for place, due in enumerate(order):
        first.setdefault(due, place)
    return max(0, max((first[due] - place for place, (_, due) in enumerate(ran)), default=0) - LANES)


def isochron(lab, offsets, lead):
    """Runs `stamp` at the offsets, milliseconds after a moment `lead` ms away."""
    with Server(lab) as server:
        zero = int(time.time() * 1000) + lead
        dues = [zero + offset for offset in offsets]
        server.create(task(f"due-{i}", "stamp", due) for i, due in enumerate(dues))
        if time.time() * 1000 > zero:
            raise Missing(f"the tasks were not created within {lead} ms")
        watch = CpuWatch(server.pid)
        server.wait_until_over(max(dues), within=60)
        cpu, _ = watch.read()
        runs = {each["name"]: [run["result"] for run in each["executions"]] for each in server.tasks()}
        starts = [[run["start"] for run in runs[f"due-{i}"] if run] for i in range(len(dues))]
        return dues, starts, cpu


def peer(lab, which, offsets, lead):
    """The same for a peer."""
    work = {"handler": "stamp", "params": {}, "lanes": LANES, "offsets": offsets, "lead": lead}
    with peers.driver(lab, which, "due", **work) as driver:
        told, cpu, _ = driver.go()
    if told["planned"] > told["dues"][0]:
        raise Missing(f"the runs were not planned within {lead} ms")
    return told["dues"], told["starts"], cpu

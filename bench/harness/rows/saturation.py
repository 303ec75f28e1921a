"""B2: a handler that computes for 10 ms, as often as two cores can, beside one that is due every second.

The share is the handler's own time, taken alone on the same system, times the runs, of the two
cores' time: what is missing from 100 % went into everything around the handler. On a machine that
does something else too, only the handler's share of the CPU time that was had means anything.
"""

from .. import peers
from ..case import ours, theirs
from ..processes import CpuWatch
from ..server import Server, task
from ..stats import CPU, RATE, Figure, percentile

ID, TITLE = "B2", "10 ms of CPU, saturated, with a one-second neighbour"
SHARE = Figure("share of the ideal", "%", 0)
CPU_SHARE = Figure("handler's share of the CPU time", "%", 0)
ALONE = Figure("handler alone", "ms")
LATE = Figure("neighbour's lateness p50", "ms")
LATEST = Figure("p99", "ms")
LANES = 8
#: About 10 ms of `spin`.
ROUNDS = 5_000_000


def cases():
    found = [ours(_isochron)]
    found += [theirs(peer, _peer) for peer in (peers.BREE, peers.BULLMQ, peers.BULLMQ_SANDBOXED, peers.NODE_CRON)]
    return found


def _seconds(lab):
    return 2 if lab.quick else 6


def _figures(lab, runs, cpu, wall, alone, late):
    # The quickest of ten: a busy machine only ever adds.
    alone = min(alone)
    return {
        CPU: cpu / runs * 1000,
        RATE: runs / wall,
        SHARE: 100 * runs * alone / 1000 / (wall * lab.cores),
        CPU_SHARE: 100 * runs * alone / 1000 / cpu,
        ALONE: alone,
        LATE: percentile(late, 0.50),
        LATEST: percentile(late, 0.99),
    }


def _isochron(lab):
    with Server(lab) as server:
        keys = server.by_hand("spin", LANES, params={"rounds": ROUNDS})
        server.run_by_hand(keys[:1], runs=10)
        alone = [run["result"]["ms"] for run in server.executions(keys[0])]
        neighbour = server.create([task("neighbour", "stamp", "every 1s", recurring=True)])[0]["neighbour"]
        watch = CpuWatch(server.pid)
        answers, took = server.run_by_hand(keys, seconds=_seconds(lab))
        cpu, _ = watch.read()
        ran = [run for run in server.executions(neighbour) if run["result"]]
        late = [run["result"]["start"] - run["scheduledFor"] for run in ran]
        return _figures(lab, len(answers), cpu, took, alone, late)


def _peer(lab, peer):
    work = {"handler": "spin", "params": {"rounds": ROUNDS}, "lanes": LANES, "seconds": _seconds(lab)}
    with peers.driver(lab, peer, "saturate", **work) as driver:
        told, cpu, wall = driver.go()
    return _figures(lab, told["runs"], cpu, wall, told["alone"], told["late"])

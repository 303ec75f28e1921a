"""B2: a handler that computes for 10 ms, as often as two cores can, beside one that is due every second.

The share is the handler's own time, taken alone on the same system, times the runs, of the two
cores' time: what is missing from 100 % went into everything around the handler. On a machine that
does something else too, only the handler's share of the CPU time that was had means anything.
"""

from .. import peers
from ..case import ours, theirs
from ..processes import CpuWatch
from ..server import NEVER, Server, task
from ..stats import CPU, RATE, Figure, percentile

ID, TITLE = "B2", "10 ms of CPU, saturated, with a one-second neighbour"
SHARE = Figure("share of the ideal", "%", 0)
CPU_SHARE = Figure("handler's share of the CPU time", "%", 0)
ALONE = Figure("handler alone", "ms")
LATE = Figure("neighbour's lateness p50", "ms")
LATEST = Figure("p99", "ms")
LANES = 8
#: What `spin` is to take, alone and at its quickest.
WANTED_MS = 10


def cases():
    found = [ours(_isochron)]
    found += [theirs(peer, _peer) for peer in (peers.BREE, peers.BULLMQ, peers.BULLMQ_SANDBOXED, peers.NODE_CRON)]
    return found


def _seconds(lab):
    return 2 if lab.quick else 6


def _alone(server, rounds):
    """What ten runs of `spin` took, in ms."""
    body = task(f"alone-{rounds}", "spin", NEVER, params={"rounds": rounds})
    (key,) = server.create([body])[0].values()
    server.run_by_hand([key], runs=10)
    return [run["result"]["ms"] for run in server.executions(key)]


def _rounds(lab):
    """How many rounds make 10 ms on this machine, found once: the same work for every system."""
    if lab.spin_rounds is None:
        rounds = 4_000_000
        with Server(lab) as server:
            # The first rounds are slow ones, so the second guess starts from the first.
            for _ in range(2):
                rounds = round(rounds * WANTED_MS / min(_alone(server, rounds)))
        lab.spin_rounds = rounds
    return lab.spin_rounds


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
    rounds = _rounds(lab)
    with Server(lab) as server:
        alone = _alone(server, rounds)
        keys = server.by_hand("spin", LANES, params={"rounds": rounds})
        neighbour = server.create([task("neighbour", "stamp", "every 1s", recurring=True)])[0]["neighbour"]
        watch = CpuWatch(server.pid)
        answers, took = server.run_by_hand(keys, seconds=_seconds(lab))
        cpu, _ = watch.read()
        ran = [run for run in server.executions(neighbour) if run["result"]]
        late = [run["result"]["start"] - run["scheduledFor"] for run in ran]
        return _figures(lab, len(answers), cpu, took, alone, late)


def _peer(lab, peer):
    work = {"handler": "spin", "params": {"rounds": _rounds(lab)}, "lanes": LANES, "seconds": _seconds(lab)}
    with peers.driver(lab, peer, "saturate", **work) as driver:
        told, cpu, wall = driver.go()
    return _figures(lab, told["runs"], cpu, wall, told["alone"], told["late"])

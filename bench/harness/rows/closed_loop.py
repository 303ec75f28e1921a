"""B1: a trivial handler in a closed loop, 2 and 8 at a time.

For isochron every run is a request that answers when the run's end is on disk, so a run waits for
two syncs, and its latency has them. The client is not part of isochron and not in its CPU time; the
other systems are libraries, so their few lines of loop are.
"""

from .. import peers
from ..case import ours, theirs
from ..processes import CpuWatch
from ..server import Server
from ..stats import CPU, RATE, Figure, percentile

ID, TITLE = "B1", "trivial handler, closed loop"
P50, P99 = Figure("p50", "ms"), Figure("p99", "ms")
CLIENT = Figure("client CPU-s per 1,000", digits=2)
PARAMS = {"n": 1}

#: How many runs are enough for each, by what they cost.
RUNS = {
    peers.FORK: 80,
    peers.BREE: 120,
    peers.ISOLATED_VM: 1000,
    peers.PISCINA: 20000,
    peers.BULLMQ_SANDBOXED: 1000,
    peers.GRAPHILE: 1000,
}
OUR_RUNS = 2000


def cases():
    found = []
    for lanes in (2, 8):
        found.append(ours(_isochron, system=f"isochron × {lanes}", lanes=lanes))
        found += [theirs(peer, _peer, suffix=f" × {lanes}", lanes=lanes) for peer in RUNS]
    return found


def summarize(runs, cpu, wall, ms):
    return {
        CPU: cpu / runs * 1000,
        RATE: runs / wall,
        P50: percentile(ms, 0.50),
        P99: percentile(ms, 0.99),
    }


def _isochron(lab, lanes):
    runs = lab.scaled(OUR_RUNS)
    with Server(lab) as server:
        keys = server.by_hand("trivial", lanes, params=PARAMS)
        server.run_by_hand(keys, runs=10 * lanes)
        watch, client = CpuWatch(server.pid), lab.own_cpu()
        answers, took = server.run_by_hand(keys, runs=runs)
        cpu, _ = watch.read()
        figures = summarize(runs, cpu, took, [seconds * 1000 for *_, seconds in answers])
        return figures | {CLIENT: (lab.own_cpu() - client) / runs * 1000}


def _peer(lab, peer, lanes):
    runs = lab.scaled(RUNS[peer])
    with peers.driver(lab, peer, "closed", handler="trivial", params=PARAMS, runs=runs, lanes=lanes) as driver:
        told, cpu, wall = driver.go()
    return summarize(runs, cpu, wall, told["ms"])

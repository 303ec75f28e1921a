"""K1: `ctx.kv.set` one after the other, by one handler and by eight at a time.

Each set is on the disk when its promise resolves, so one handler waits for a sync each time, and those of
eight share syncs. No peer keeps state.
"""

import json

from ..case import ours
from ..processes import CpuWatch
from ..server import Server
from ..stats import Figure

ID, TITLE = "K1", "ctx.kv.set in a loop, durable"
SETS = Figure("sets/s", digits=0)
COST = Figure("CPU-s per 1,000 sets", digits=2)


def cases():
    return [ours(_isochron, system=f"isochron × {lanes}", lanes=lanes) for lanes in (1, 8)]


def _isochron(lab, lanes):
    ms = 1000 if lab.quick else 5000
    with Server(lab) as server:
        server.run_by_hand(server.by_hand("trivial", lanes), runs=10 * lanes)
        keys = server.by_hand("keep", lanes, params={"ms": ms})
        watch = CpuWatch(server.pid)
        answers, _ = server.run_by_hand(keys, runs=lanes)
        cpu, _ = watch.read()
        results = [json.loads(body)["execution"]["result"] for _, body, _ in answers]
    sets = sum(result["sets"] for result in results)
    rate = sum(1000 * result["sets"] / result["ms"] for result in results)
    return {SETS: rate, COST: cpu / sets * 1000}

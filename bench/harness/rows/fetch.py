"""F1: a handler with one request to loopback in a closed loop, 2 at a time.

Node's `fetch` is in the handlers of child_process.fork (a fresh process), piscina (threads that are used
again, with connections that are used again) and Node itself (the handler is called in the process of the loop:
the price of its `fetch`, with nothing around it). For isochron the server makes the request, and its
CPU time is in the figure; that of the server which answers is in none.
"""

from .. import peers
from ..case import ours, theirs
from ..origin import origin
from ..processes import CpuWatch
from ..server import Server
from .closed_loop import summarize

ID, TITLE = "F1", "a handler with one request to loopback, closed loop, 2 at a time"
RUNS = {peers.FORK: 80, peers.PISCINA: 5000, peers.NODE: 5000}
OUR_RUNS = 1000
LANES = 2


def cases():
    return [ours(_isochron)] + [theirs(peer, _peer) for peer in RUNS]


def _isochron(lab):
    runs = lab.scaled(OUR_RUNS)
    with origin() as url, Server(lab, NET__ALLOW="127.0.0.1") as server:
        keys = server.by_hand("fetch", LANES, params={"url": url})
        server.run_by_hand(keys, runs=10 * LANES)
        watch = CpuWatch(server.pid)
        answers, took = server.run_by_hand(keys, runs=runs)
        cpu, _ = watch.read()
        return summarize(runs, cpu, took, [seconds * 1000 for *_, seconds in answers])


def _peer(lab, peer):
    runs = lab.scaled(RUNS[peer])
    with origin() as url:
        params = {"url": url}
        with peers.driver(lab, peer, "closed", handler="fetch", params=params, runs=runs, lanes=LANES) as driver:
            told, cpu, wall = driver.go()
    return summarize(runs, cpu, wall, told["ms"])

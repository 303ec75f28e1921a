"""B7: the API at 64 connections: create, get, list, run.

A client in one thread sends and reads; when its own CPU time comes near a whole core, the figure is
the client's and not the server's, which the table shows.
"""

import itertools

from ..case import ours
from ..processes import CpuWatch
from ..server import NEVER, Server, task
from ..stats import CPU, Figure, percentile

ID, TITLE = "B7", "the API at 64 connections"
REQUESTS, P99 = Figure("requests/s", digits=0), Figure("p99", "ms")
CLIENT = Figure("client's share of a core", "%", 0)
LANES = 64
#: Tasks that are there, for everything but creating.
TASKS = 500


def cases():
    return [
        ours(_measure, system="isochron, create", count=4000, request=_create),
        ours(_measure, system="isochron, get", count=10_000, request=_get),
        ours(_measure, system="isochron, list of 20", count=2000, request=_list),
        ours(_measure, system="isochron, run", count=500, request=_run),
    ]


def _create(server, _keys, number):
    return server.request("POST", "/admin/scheduler", task(f"api-{number}", "stamp", NEVER))


def _get(server, keys, number):
    return server.request("GET", f"/admin/scheduler/{keys[number % len(keys)]}")


def _list(server, _keys, number):
    return server.request("GET", f"/admin/scheduler?limit=20&skip={number * 20 % TASKS}")


def _run(server, keys, number):
    return server.request("POST", f"/admin/scheduler/{keys[number % len(keys)]}/actions/run")


def _measure(lab, count, request):
    count = lab.scaled(count)
    with Server(lab) as server:
        keys = server.by_hand("stamp", TASKS)
        requests = [request(server, keys, number) for number in itertools.islice(itertools.count(), count)]
        watch, client = CpuWatch(server.pid), lab.own_cpu()
        answers, took = server.many(requests, LANES)
        cpu, _ = watch.read()
        return {
            CPU: cpu / count * 1000,
            REQUESTS: count / took,
            P99: percentile([seconds * 1000 for *_, seconds in answers], 0.99),
            CLIENT: 100 * (lab.own_cpu() - client) / took,
        }

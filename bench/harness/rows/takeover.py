"""C2: one of two nodes is killed in the middle of a run: how long until its run is closed, so that a retry may start.

With a lease of ten seconds, by the other node, and by a restart on the data directory of the killed one.
"""

import os
import signal
import time

from ..case import ours
from ..install import Missing
from ..nodes import nodes
from ..server import NEVER, Server, task
from ..stats import Figure

ID, TITLE = "C2", "takeover from a killed node, lease 10 s"
LEASE = 10_000
OTHER, AGAIN = Figure("by the other node", "s", 2), Figure("by a restart in its directory", "s", 2)


def cases():
    return [ours(_measure)]


def _measure(lab):
    return {OTHER: _take_over(lab, restarts=False), AGAIN: _take_over(lab, restarts=True)}


def _take_over(lab, restarts):
    with nodes(lab, 2, CLUSTER__LEASE=LEASE) as cluster:
        long = task("long", "wait", NEVER, params={"ms": 3_000_000}, timeout=3_600_000)
        key = cluster.servers[0].create([long])[0]["long"]
        cluster.servers[0].ask("POST", f"/admin/scheduler/{key}/actions/run")
        victim, other = _who_runs(cluster, key)
        os.kill(victim.pid, signal.SIGKILL)
        since = time.monotonic()
        if not restarts:
            return _until_lost(other, key, since)
        victim.process.wait()
        settings = {"STORE__URL": cluster.url, "RUNNERS__MIN": 2, "RUNNERS__MAX": 2, "CLUSTER__LEASE": LEASE}
        with Server(lab, place=victim.place, **settings):
            return _until_lost(other, key, since)


def _who_runs(cluster, key):
    """The server with the run, and the other one."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        running = [run["node"] for run in cluster.servers[0].executions(key) if run["status"] == "running"]
        names = {node["id"]: node["name"] for node in cluster.servers[0].ask("GET", "/admin/nodes")[1]["nodes"]}
        if running:
            index = int(names[running[0]].rsplit("-", 1)[1])
            return cluster.servers[index], cluster.servers[1 - index]
        time.sleep(0.01)
    raise Missing("the run did not start within 10 s")


def _until_lost(server, key, since):
    while time.monotonic() - since < 60:
        if any(run["reason"] == "lost" for run in server.executions(key)):
            return time.monotonic() - since
        time.sleep(0.01)
    raise Missing("nobody took over within 60 s")

"""B3: many handlers that wait on a one-second timer at once; what memory each of them holds.

Memory is private memory, by smaps. isochron's is that of all its runners, divided by them: each has a
run. A thread's cannot be told from its process's, so bree's is what the process has more than at rest,
at its highest, divided by the runs that had not ended then. Those that were still starting hold less
than they will, so this is the least that it can be.
"""

import itertools
import threading
import time

from .. import peers
from ..case import ours, theirs
from ..install import Missing
from ..processes import CpuWatch, private_of_tree
from ..server import Server, task
from ..stats import CPU, Figure, percentile

ID, TITLE = "B3", "handlers waiting on a 1 s timer at once"
DONE = Figure("done", digits=0)
AT_ONCE = Figure("most at once", digits=0)
OVERRUN = Figure("overrun of the timer p99", "ms")
MEMORY = Figure("private memory per run", "MiB", 2)
TOOK = Figure("all done after", "s", 2)
WAIT = 1000


def cases():
    return [ours(_isochron), theirs(peers.BREE, _bree)]


class Sampler:
    """Private memory of processes, with the moments at which it was read."""

    def __init__(self, read):
        self.read = read
        self.samples = []

    def __call__(self):
        self.samples.append((time.time() * 1000, self.read()))

    def per_run(self, results, rest):
        """MiB per run that has not ended, when there is the most memory."""
        ends = [run["start"] + run["ms"] for run in results]
        left = [(private, sum(moment < end for end in ends)) for moment, private in self.samples]
        private, runs = max(((private, runs) for private, runs in left if runs), default=(0, 0))
        if not runs:
            raise Missing("no run was left when memory was read")
        return (private - rest) / runs


def _most_at_once(results):
    edges = [(run["start"], 1) for run in results] + [(run["start"] + run["ms"], -1) for run in results]
    return max(itertools.accumulate(edge for _, edge in sorted(edges)))


def _figures(results, took, cpu, per_run):
    return {
        CPU: cpu / len(results) * 1000,
        DONE: len(results),
        AT_ONCE: _most_at_once(results),
        OVERRUN: percentile([run["ms"] - WAIT for run in results], 0.99),
        MEMORY: per_run,
        TOOK: took,
    }


def _isochron(lab):
    count = lab.scaled(200)
    with Server(lab, RUNNERS__MIN=count, RUNNERS__MAX=count) as server:
        due = int(time.time() * 1000) + 2000
        server.create(task(f"wait-{i}", "wait", due, params={"ms": WAIT}) for i in range(count))
        watch = CpuWatch(server.pid)
        sampler = Sampler(server.private_of_runners)
        timer = threading.Timer(max(0.0, due / 1000 + 0.7 - time.time()), sampler)
        timer.start()
        server.wait_until_over(due + WAIT, within=60)
        timer.join()
        cpu, _ = watch.read()
        results = [run["result"] for each in server.tasks() for run in each["executions"] if run["result"]]
        ends = [run["start"] + run["ms"] for run in results]
        return _figures(results, (max(ends) - due) / 1000, cpu, sampler.per_run(results, rest=0.0))


def _bree(lab, peer):
    count = lab.scaled(200)
    work = {"handler": "wait", "params": {"ms": WAIT}, "lanes": count}
    with peers.driver(lab, peer, "together", **work) as driver:
        pid = driver.process.pid
        rest = private_of_tree(pid)
        sampler = Sampler(lambda: private_of_tree(pid))
        told, cpu, wall = driver.go(sampler)
    results = [run for run in told["results"] if run]
    return _figures(results, wall, cpu, sampler.per_run(results, rest))

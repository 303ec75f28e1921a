"""B8: memory of the server and of a runner at rest, and what 10,000 runs add to it."""

import time

from ..case import ours
from ..processes import memory
from ..server import Server
from ..stats import Figure

ID, TITLE = "B8", "memory"
ONCE = True
SERVER, PRIVATE = Figure("server at rest, resident", "MiB"), Figure("private", "MiB")
RUNNER = Figure("runner at rest, private", "MiB")
RUNS = Figure("after runs", digits=0)
SERVER_AFTER, RUNNER_AFTER = Figure("server", "MiB more", 1), Figure("runner", "MiB more", 1)


def cases():
    return [ours(_measure)]


def _measure(lab):
    runs = lab.scaled(10_000)
    with Server(lab) as server:
        keys = server.by_hand("trivial", 8, params={"n": 1})
        # As many runners, each with a run behind it, as there will be later.
        server.run_by_hand(keys, runs=200)
        time.sleep(2)
        resident, private = memory(server.pid)
        runner = server.private_per_runner()
        server.run_by_hand(keys, runs=runs)
        time.sleep(2)
        return {
            SERVER: resident,
            PRIVATE: private,
            RUNNER: runner,
            RUNS: runs,
            SERVER_AFTER: memory(server.pid)[0] - resident,
            RUNNER_AFTER: server.private_per_runner() - runner,
        }

"""Several isochron on one PostgreSQL: what C1, C2 and C4 have in common."""

import contextlib
import subprocess
import time
from pathlib import Path

from . import services
from .processes import CpuWatch
from .server import Server, task

#: Runs at once of each node.
PLACES = 2


@contextlib.contextmanager
def nodes(lab, count, **settings):
    """PostgreSQL and so many servers on it."""
    with services.postgres(lab) as (pid, where), contextlib.ExitStack() as stack:
        settings = {"STORE__URL": where["url"], "RUNNERS__MIN": PLACES, "RUNNERS__MAX": PLACES} | settings
        servers = [stack.enter_context(Server(lab, CLUSTER__NAME=f"node-{i}", **settings)) for i in range(count)]
        yield Cluster(lab, pid, where["url"], servers)


class Cluster:
    """Servers that share a database."""

    def __init__(self, lab, database, url, servers):
        self.lab, self.database, self.url, self.servers = lab, database, url, servers

    def watch(self):
        """The CPU time of all servers and of the database from now on."""
        return CpuWatch(self.database, *(server.pid for server in self.servers))

    def transactions(self):
        """The transactions that the database has ended so far. The question itself is one."""
        program, environment = self.lab.peers.service(*services.POSTGRES)
        # Figures of other connections come a moment later.
        question = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        command = [Path(program).resolve().parent / "psql", "-At", "-c", question, self.url]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, env=environment or None).stdout)

    def stamps(self, offsets, lead):
        """Runs `stamp` at the offsets, milliseconds after a moment `lead` ms away: dues, starts, CPU seconds."""
        zero = int(time.time() * 1000) + lead
        dues = [zero + offset for offset in offsets]
        self.servers[0].create(task(f"due-{i}", "stamp", due) for i, due in enumerate(dues))
        watch = self.watch()
        self.servers[0].wait_until_over(max(dues), within=120)
        cpu, _ = watch.read()
        runs = {each["name"]: [run["result"] for run in each["executions"]] for each in self.servers[0].tasks()}
        return dues, [[run["start"] for run in runs[f"due-{i}"] if run] for i in range(len(dues))], cpu

"""Several isochron on one PostgreSQL: what the rows of many nodes have in common."""

import contextlib
import time

from .install import Missing
from .postgres import database
from .processes import CpuWatch
from .server import Server, task

#: Runs at once of each node.
PLACES = 2


@contextlib.contextmanager
def nodes(lab, count, store=None, url=None, **settings):
    """So many servers on a database, which is made unless it is given; `url` leads to it another way."""
    with contextlib.ExitStack() as stack:
        store = store or stack.enter_context(database(lab))
        cluster = Cluster(lab, store, url or store.url, stack, settings)
        for _ in range(count):
            cluster.add()
        yield cluster


class Cluster:
    """Servers that share a database."""

    def __init__(self, lab, store, url, stack, settings):
        self.lab, self.database, self.stack, self.servers = lab, store, stack, []
        self.settings = {"STORE__URL": url, "RUNNERS__MIN": PLACES, "RUNNERS__MAX": PLACES} | settings

    def add(self, place=None, **more):
        """One more server, or one that starts again in the directory of another."""
        name = f"node-{len(self.servers)}"
        server = Server(self.lab, place, **{"CLUSTER__NAME": name} | self.settings | more)
        self.servers.append(self.stack.enter_context(server))
        return server

    def ended(self):
        """How many servers have ended by themselves."""
        return sum(server.process.poll() is not None for server in self.servers)

    def watch(self):
        """The CPU time of all servers and of the database from now on."""
        return CpuWatch(self.database.pid, *(server.pid for server in self.servers))

    def plan(self, offsets, lead):
        """Plans `stamp` at the offsets, milliseconds after a moment `lead` ms away: the moments."""
        zero = int(time.time() * 1000) + lead
        dues = [zero + offset for offset in offsets]
        self.servers[0].create(task(f"due-{i}", "stamp", due) for i, due in enumerate(dues))
        if time.time() * 1000 > zero:
            raise Missing(f"the tasks were not created within {lead} ms")
        return dues

    def starts(self, dues, within=120):
        """The moments at which each of the planned runs was started, once all are over."""
        time.sleep(max(0.0, max(dues) / 1000 - time.time()))
        until = time.monotonic() + within
        # The database may have been away.
        while self.servers[0].ask("GET", "/ready")[0] != 200 and time.monotonic() < until:
            time.sleep(0.2)
        self.servers[0].wait_until_over(max(dues), within)
        runs = {each["name"]: [run["result"] for run in each["executions"]] for each in self.servers[0].tasks()}
        return [[run["start"] for run in runs[f"due-{i}"] if run] for i in range(len(dues))]

    def stamps(self, offsets, lead):
        """Both: the moments, the starts, and the CPU seconds from the planning to the last run."""
        dues = self.plan(offsets, lead)
        watch = self.watch()
        self.servers[0].wait_until_over(max(dues), within=120)
        cpu, _ = watch.read()
        return dues, self.starts(dues), cpu

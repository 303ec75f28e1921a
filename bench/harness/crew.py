"""Several processes of one peer on one PostgreSQL, as `nodes` has it for isochron."""

import contextlib
import sys
import time

from . import peers
from .install import Missing
from .nodes import PLACES
from .postgres import database
from .processes import CpuWatch

#: Seconds without a start after which what has not started is lost.
PATIENCE = 20


@contextlib.contextmanager
def crew(lab, peer, count, store=None, url=None, **options):
    """So many processes of a peer; see `nodes`."""
    with contextlib.ExitStack() as stack:
        store = store or stack.enter_context(database(lab))
        made = Crew(lab, peer, store, url or store.url, stack, {"handler": "stamp", "lanes": PLACES} | options)
        try:
            # The first makes the tables.
            for number in range(count):
                made.add(waits=number == 0)
            for driver in made.drivers[1:]:
                driver.wait("ready")
            yield made
        finally:
            made.kill()


class Crew:
    """Processes that share a database."""

    def __init__(self, lab, peer, store, url, stack, options):
        self.lab, self.peer, self.database, self.stack = lab, peer, store, stack
        self.options = {"url": url, "params": {}} | options
        self.drivers = []

    def add(self, waits=True, **more):
        """One more process."""
        made = peers.process(self.lab, self.peer, "share", **self.options | more)
        driver = self.stack.enter_context(made)
        self.drivers.append(driver)
        if waits:
            driver.wait("ready")
        return driver

    def kill(self):
        """Ends all processes; nothing of theirs is needed any more."""
        for driver in self.drivers:
            driver.process.kill()

    def watch(self):
        """The CPU time of all processes and of the database from now on."""
        return CpuWatch(self.database.pid, *(driver.process.pid for driver in self.drivers))

    def plan(self, offsets, lead):
        """Plans the handler at the offsets, milliseconds after a moment `lead` ms away: the moments."""
        told = self.drivers[0].tell(offsets=offsets, lead=lead)
        if told["planned"] > told["dues"][0]:
            raise Missing(f"the runs were not planned within {lead} ms")
        return told["dues"]

    def ended(self):
        """How many processes have ended by themselves."""
        return sum(driver.process.poll() is not None for driver in self.drivers)

    def starts(self, dues):
        """The moments at which each of the planned runs was started, once all have or no more do.

        A process that has ended is started again, as a supervisor does.
        """
        since, before, revived = time.monotonic(), -1, 0
        while True:
            while revived < self.ended():
                driver = [driver for driver in self.drivers if driver.process.poll() is not None][revived]
                print(f"{self.peer.system} ended: {driver.last_words()}", file=sys.stderr)
                self.add(waits=False)
                revived += 1
            found = [[] for _ in dues]
            for driver in self.drivers:
                for index, start in list(driver.starts):
                    found[index].append(start)
            ran = sum(map(bool, found))
            if ran > before or time.time() * 1000 < max(dues):
                since, before = time.monotonic(), ran
            if ran == len(dues) or time.monotonic() - since > PATIENCE:
                return found
            time.sleep(0.2)

    def stamps(self, offsets, lead):
        """Both: the moments, the starts, and the CPU seconds from the planning to the last run."""
        dues = self.plan(offsets, lead)
        watch = self.watch()
        starts = self.starts(dues)
        cpu, _ = watch.read()
        time.sleep(0.5)
        return dues, self.starts(dues) if all(starts) else starts, cpu

"""A node to which something bad happens again and again, at random moments."""

import os
import signal
import threading
import time
from collections import Counter

from . import relay as links
from .install import Missing
from .processes import tree
from .server import Server

#: What happens, and how often beside the others.
KINDS = {"killed": 45, "replaced": 43, "stopped": 3, "frozen": 3, "cut off": 3, "silent": 3}
#: Seconds that a node works between two faults: usually little, and at times so long that it may take over from others.
WORKS, LONG, SHARE_OF_LONG = (0.2, 1.2), (5.0, 8.0), 0.2
#: Seconds that it stays killed, and that any other fault lasts: the longest are more than twice the lease.
KILLED, OTHER = (0.0, 0.8), (0.1, 7.0)


class Node:
    """A server behind a link to the database."""

    def __init__(self, lab, name, link, chance, settings):
        self.lab, self.link, self.chance = lab, link, chance
        self.settings = {"CLUSTER__NAME": name} | settings
        self.place = lab.fresh_directory(name)
        #: Why it did not start.
        self.refusals = []
        self.server = self._start()
        self.done = Counter()

    def suffer(self, goes_on):
        """Suffers as long as `goes_on()`; works when it returns."""
        while goes_on():
            time.sleep(self.chance.uniform(*(LONG if self.chance.random() < SHARE_OF_LONG else WORKS)))
            (kind,) = self.chance.choices(list(KINDS), KINDS.values())
            self._suffer(kind)
            self.done[kind] += 1

    def stop(self):
        """Ends it."""
        self.server.__exit__()

    def _suffer(self, kind):
        if kind in ("killed", "replaced"):
            os.kill(self.server.pid, signal.SIGKILL)
            self.server.process.wait()
            time.sleep(self.chance.uniform(*KILLED))
            if kind == "replaced":
                self.place = self.lab.fresh_directory("node")
            self.server = self._start()
        elif kind in ("stopped", "frozen"):
            # Its runners go on, or stand still with it.
            pids = tree(self.server.pid) if kind == "frozen" else [self.server.pid]
            self._signal(pids, signal.SIGSTOP)
            time.sleep(self.chance.uniform(*OTHER))
            self._signal(pids, signal.SIGCONT)
        else:
            self.link.set(links.CUT if kind == "cut off" else links.SILENT)
            time.sleep(self.chance.uniform(*OTHER))
            self.link.set(links.WORKS)

    def _start(self):
        """Starts it, again if it ends at once, as a supervisor does."""
        for _ in range(5):
            try:
                return Server(self.lab, self.place, **self.settings)
            except Missing as missing:
                self.refusals.append(f"{self.settings['CLUSTER__NAME']}: {missing}")
        raise Missing(self.refusals[-1])

    @staticmethod
    def _signal(pids, which):
        for pid in pids:
            try:
                os.kill(pid, which)
            except ProcessLookupError:
                pass


def suffer(nodes, most, seconds):
    """All nodes suffer, each by itself, until so many faults have been or so many seconds are over."""
    until = time.monotonic() + seconds

    def goes_on():
        return sum(node.done.total() for node in nodes) < most and time.monotonic() < until

    errors = []

    def run(node):
        try:
            node.suffer(goes_on)
        except Exception as error:
            errors.append(f"{node.settings['CLUSTER__NAME']}: {type(error).__name__}: {error}")

    threads = [threading.Thread(target=run, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors

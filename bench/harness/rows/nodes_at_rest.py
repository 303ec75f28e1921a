"""C4: four nodes on one PostgreSQL: what they ask of it when there is nothing to do, and how late runs are then.

The database counts transactions; a question outside of one is a transaction of its own.
"""

import random
import time

from .. import due
from ..case import ours
from ..nodes import nodes
from ..stats import Figure

ID, TITLE = "C4", "four nodes at rest, and one-time tasks at random moments"
NODES = 4
ASKED = Figure("transactions of each node at rest", "/s", 2)


def cases():
    return [ours(_measure)]


def _measure(lab):
    chance = random.Random(lab.repetition)
    count, over, rest = (10, 2000, 5) if lab.quick else (40, 5000, 20)
    with nodes(lab, NODES) as cluster:
        time.sleep(3)
        before, began = cluster.transactions(), time.monotonic()
        time.sleep(rest)
        asked = (cluster.transactions() - before) / (time.monotonic() - began) / NODES
        dues, starts, cpu = cluster.stamps(sorted(chance.randrange(over) for _ in range(count)), lead=1500)
    return due.figures(dues, starts, cpu) | {ASKED: asked}

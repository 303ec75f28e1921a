"""C1: 2,000 one-time tasks due in the same second, on one PostgreSQL shared by 1, 2 and 4 nodes with two runners each.

CPU time is that of all servers and of the database, from when the tasks are planned until the last has run.
"""

from .. import due
from ..case import ours
from ..nodes import nodes
from ..stats import RATE, Figure

ID, TITLE = "C1", "one-time tasks due in the same second, shared by nodes"
DRAIN = Figure("drained in", "s", 2)


def cases():
    return [ours(_measure, system=f"isochron, nodes: {count}", count=count) for count in (1, 2, 4)]


def _measure(lab, count):
    many = lab.scaled(2000)
    offsets = [i * 1000 // many for i in range(many)]
    with nodes(lab, count) as cluster:
        dues, starts, cpu = cluster.stamps(offsets, lead=3000 + many * 4)
    ran = [start[0] for start in starts if start]
    drain = (max(ran) - dues[0]) / 1000
    figures = due.figures(dues, starts, cpu)
    return figures | {RATE: len(ran) / drain, DRAIN: drain}

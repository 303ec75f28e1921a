"""C1: 2,000 one-time tasks due in the same second, on one PostgreSQL shared by 1, 2, 4 and 8 nodes with two runs each.

A node of a peer is a process that runs two handlers at a time. CPU time is that of all nodes and of the database,
from when the tasks are planned until the last has run.
"""

from .. import due, peers
from ..case import ours, theirs
from ..crew import crew
from ..nodes import nodes
from ..stats import RATE, Figure

ID, TITLE = "C1", "one-time tasks due in the same second, shared by nodes"
COUNTS = (1, 2, 4, 8)
DRAIN = Figure("drained in", "s", 2)
#: Tasks that are planned in a millisecond, at the least.
PACE = 0.5


def cases():
    found = []
    for count in COUNTS:
        found.append(ours(_measure, system=f"isochron, nodes: {count}", among=nodes, count=count))
        for peer in (peers.GRAPHILE, peers.PG_BOSS):
            found.append(theirs(peer, _peer, suffix=f", nodes: {count}", count=count))
    return found


def _measure(lab, among, count):
    many = lab.scaled(2000)
    offsets = [i * 1000 // many for i in range(many)]
    with among(lab, count) as these:
        dues, starts, cpu = these.stamps(offsets, lead=3000 + int(many / PACE))
    ran = [start[0] for start in starts if start]
    drain = (max(ran) - dues[0]) / 1000
    figures = due.figures(dues, starts, cpu)
    return figures | {RATE: len(ran) / drain, DRAIN: drain}


def _peer(lab, peer, count):
    return _measure(lab, lambda lab, count: crew(lab, peer, count), count)

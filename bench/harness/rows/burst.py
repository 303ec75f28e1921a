"""B4: 10,000 one-time tasks due in the same second, ten in every millisecond.

CPU time counts from when they are planned until the last has run, so it has no part in planning them.
"""

from .. import due, peers
from ..case import ours, theirs
from ..stats import RATE, Figure

ID, TITLE = "B4", "one-time tasks due in the same second"
DRAIN = Figure("drained in", "s", 2)


def cases():
    found = [ours(_measure, run=due.isochron, pace=1500)]
    for peer in (peers.BULLMQ_EVERYSEC, peers.BULLMQ, peers.GRAPHILE):
        found.append(theirs(peer, _peer))
    return found


def _measure(lab, run, pace):
    count = lab.scaled(10_000)
    offsets = [i * 1000 // count for i in range(count)]
    dues, starts, cpu = run(lab, offsets=offsets, lead=3000 + count * 1000 // pace)
    ran = [start[0] for start in starts if start]
    drain = (max(ran) - dues[0]) / 1000
    figures = due.figures(dues, starts, cpu)
    return figures | {RATE: len(ran) / drain, DRAIN: drain, due.AHEAD: due.out_of_order(dues, starts)}


def _peer(lab, peer):
    return _measure(lab, lambda lab, **work: due.peer(lab, peer, **work), pace=5000)

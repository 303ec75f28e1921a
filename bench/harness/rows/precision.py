"""B5: one-time tasks at random moments on an idle machine; how late the handler's first line is.

Two hundred over five repetitions. The moments are the same for every system of a repetition.
"""

import random

from .. import due, peers
from ..case import ours, theirs

ID, TITLE = "B5", "one-time tasks at random moments, idle"
#: Per repetition, over so many milliseconds.
COUNT, OVER = 40, 5000


def cases():
    found = [ours(_isochron)]
    for peer in (peers.BREE, peers.CRONER, peers.BULLMQ, peers.GRAPHILE, peers.PG_BOSS):
        found.append(theirs(peer, _peer))
    return found


def _offsets(lab):
    chance = random.Random(lab.repetition)
    count, over = (10, 2000) if lab.quick else (COUNT, OVER)
    return sorted(chance.randrange(over) for _ in range(count))


def _isochron(lab):
    return due.figures(*due.isochron(lab, _offsets(lab), lead=1500))


def _peer(lab, peer):
    return due.figures(*due.peer(lab, peer, _offsets(lab), lead=1500))

"""C5: the database of three nodes is away for five seconds, or a synchronous standby takes its place, under a steady load.

One-time tasks are due all the time. The seconds count from when the database takes changes again. For a failover
the primary crashes and the standby is promoted a second later. isochron knows the addresses of both; the peers' library
knows one, so a relay leads them to the standby as soon as it is promoted. A node
that ends is started again, as a supervisor does.
"""

import contextlib
import time

from .. import peers
from ..case import ours, theirs
from ..crew import crew
from ..due import DOUBLED, LOST
from ..nodes import nodes
from ..postgres import Database, database, synchronous_pair
from ..relay import relay
from ..stats import Figure

ID, TITLE = "C5", "three nodes under a steady load, while the database is away for 5 s or fails over"
NODES = 3
#: Tasks a second; milliseconds of the load, and of it before the outage; seconds that the database is away.
RATE, OVER, BEFORE, AWAY = 60, 25_000, 8_000, 5
#: Milliseconds in which the rate is counted, and the share of it that is to be reached.
WINDOW, SHARE = 500, 0.9
#: A run is late by so many milliseconds: more than graphile-worker's poll of 2 s.
LATE = 3000
FIRST = Figure("back → first run", "s", 2)
REACHED = Figure(f"90 % of {RATE} runs/s", "s", 2)
CAUGHT_UP = Figure("nothing late by 3 s", "s", 2)
ENDED = Figure("nodes that ended", digits=0)


def cases():
    found = []
    for outage, what in ((_restart, "5 s away"), (_fail_over, "failover")):
        found.append(ours(_isochron, system=f"isochron, {what}", outage=outage))
        for peer in (peers.GRAPHILE, peers.PG_BOSS):
            found.append(theirs(peer, _peer, suffix=f", {what}", outage=outage))
    return found


@contextlib.contextmanager
def _restart(lab):
    """A database, its ports, and how it goes: returns once it is back."""
    with database(lab) as store:

        def go(_):
            since = time.monotonic()
            store.stop()
            time.sleep(max(0.0, AWAY - (time.monotonic() - since)))
            store.start()

        yield store, (store.port,), go


@contextlib.contextmanager
def _fail_over(lab):
    with synchronous_pair(lab) as (primary, standby):

        def go(link):
            primary.crash()
            time.sleep(1)
            standby.ask("SELECT pg_promote()")
            if link:
                link.lead_to(standby.port)

        yield primary, (primary.port, standby.port), go


def _isochron(lab, outage):
    with outage(lab) as (store, ports, go):
        with nodes(lab, NODES, store=store, url=Database.url_at(*ports)) as these:
            return _measure(lab, these, lambda: go(None))


def _peer(lab, peer, outage):
    with outage(lab) as (store, (port, *_), go), relay(port) as link:
        with crew(lab, peer, NODES, store=store, url=Database.url_at(link.port)) as these:
            return _measure(lab, these, lambda: go(link))


def _measure(lab, these, go):
    rate = RATE // 2 if lab.quick else RATE
    dues = these.plan([i * 1000 // rate for i in range(OVER * rate // 1000)], lead=3000 + OVER * rate // 1000 * 2)
    time.sleep(max(0.0, (dues[0] + BEFORE) / 1000 - time.time()))
    go()
    back = time.time() * 1000
    starts = these.starts(dues)
    after = sorted(start for ran in starts for start in ran if start >= back)
    late = [ran[0] for due, ran in zip(dues, starts) if ran and ran[0] - due > LATE]
    return {
        FIRST: (after[0] - back) / 1000 if after else None,
        REACHED: _reached(after, back, SHARE * rate * WINDOW / 1000),
        CAUGHT_UP: max(0.0, (max(late, default=back) - back) / 1000),
        LOST: sum(not ran for ran in starts),
        DOUBLED: sum(len(ran) > 1 for ran in starts),
        ENDED: these.ended(),
    }


def _reached(starts, back, wanted):
    """Seconds until there are so many starts in a window; None if there never are."""
    for number, start in enumerate(starts):
        last = number + int(wanted) - 1
        if last < len(starts) and starts[last] - start < WINDOW:
            return (start - back) / 1000
    return None

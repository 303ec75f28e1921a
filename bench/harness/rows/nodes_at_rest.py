"""C4: four nodes on one PostgreSQL at rest: what they ask of it when there is nothing to do, and how late runs are then.

The database counts the statements, those that begin and end a transaction among them.
"""

import random
import time

from .. import due, peers
from ..case import ours, theirs
from ..crew import crew
from ..nodes import nodes
from ..postgres import database
from ..stats import Figure

ID, TITLE = "C4", "four nodes at rest, and one-time tasks at random moments"
NODES = 4
STATEMENTS = Figure("statements of each node at rest", "/s", 2)
TRANSACTIONS = Figure("transactions", "/s", 2)
COUNTED = """SELECT sum(calls)::bigint, (SELECT xact_commit + xact_rollback FROM pg_stat_database
    WHERE datname = current_database()) FROM pg_stat_statements"""


def cases():
    found = [ours(_measure, among=nodes)]
    return found + [theirs(peer, _peer) for peer in (peers.GRAPHILE, peers.PG_BOSS)]


def _measure(lab, among):
    chance = random.Random(lab.repetition)
    count, over, rest = (10, 2000, 5) if lab.quick else (40, 5000, 20)
    with database(lab, [("shared_preload_libraries", "pg_stat_statements")]) as store:
        store.ask("CREATE EXTENSION pg_stat_statements")
        with among(lab, NODES, store=store) as these:
            time.sleep(10)  # What a start asks is over.
            before, began = _counted(store), time.monotonic()
            time.sleep(rest)
            after = _counted(store)
            each = (time.monotonic() - began) * NODES
            dues, starts, cpu = these.stamps(sorted(chance.randrange(over) for _ in range(count)), lead=3000)
    statements, transactions = ((late - early) / each for early, late in zip(before, after))
    return due.figures(dues, starts, cpu) | {STATEMENTS: statements, TRANSACTIONS: transactions}


def _counted(store):
    """Statements and transactions so far; a question about them is counted with the next."""
    return tuple(map(int, store.ask(COUNTED).split("|")))


def _peer(lab, peer):
    return _measure(lab, lambda lab, count, **more: crew(lab, peer, count, **more))

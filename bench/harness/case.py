"""A case: one system doing the work of one row."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

#: How isochron runs handlers and what it keeps: an isolate for every run, on disk before it is told.
OURS = ("F isolate", "D2")


@dataclass(frozen=True)
class Case:
    """`measure(lab)` gives a dict of figures, or raises `Missing`."""

    system: str
    isolation: str
    durability: str
    measure: Callable


def ours(measure, system="isochron", **options):
    """isochron itself."""
    return Case(system, *OURS, partial(measure, **options) if options else measure)


def theirs(peer, measure, suffix="", **options):
    """A peer; `measure` is called with it."""
    return Case(peer.system + suffix, peer.isolation, peer.durability, partial(measure, peer=peer, **options))

"""Consensus: in each slot at most one value is chosen, and once chosen it stays.

This is all that a user of the log relies on.  It knows no acceptors and no ballots.
"""

from ..checker.language import Set, State, action, implies, init, invariant, require, safety
from .sorts import Slot, Value


class Consensus(State):
    chosen: Set[Slot, Value]


@init
def nothing() -> Consensus:
    return Consensus()


@action
def choose(now: Consensus, s: Slot, v: Value) -> Consensus:
    require(not any((s, w) in now.chosen for w in Value))
    return now.but(chosen=now.chosen | {(s, v)})


@invariant
@safety
def agreement(now: Consensus) -> bool:
    """In a slot, at most one value is chosen."""
    return all(
        implies((s, v) in now.chosen and (s, w) in now.chosen, v == w)
        for s in Slot
        for v in Value
        for w in Value
    )

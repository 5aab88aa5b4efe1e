"""Consensus: in each slot at most one value is chosen, and what is chosen stays chosen.

This is all that a user of a replicated log relies on.  There are no acceptors here, no ballots and no messages:
choosing is one indivisible act, done by nobody in particular.  The other specifications earn the right to be
called consensus by refining this one (`refinement/voting_is_consensus.py`, `refinement/multipaxos_is_voting.py`).
"""

from ..checker.language import Set, State, action, implies, init, invariant, require, safety
from .sorts import Slot, Value


class Consensus(State):
    chosen: Set[Slot, Value]


@init
def nothing() -> Consensus:
    """Nothing is chosen yet."""
    return Consensus()


@action
def choose(now: Consensus, s: Slot, v: Value) -> Consensus:
    """v is chosen in a slot where nothing was."""
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

"""What the specifications speak of.

How many there are of each is said by an instance, never here; the proof is for any number.
"""

from ..checker.language import Many, Sort, axiom


class Acceptor(Sort):
    """One that promises and accepts."""


class Quorum(Many[Acceptor]):
    """A set of acceptors large enough to choose."""


class Phase1(Many[Acceptor]):
    """A set of acceptors large enough to lead, where that may be another than to choose (`flexible.py`)."""


class Phase2(Many[Acceptor]):
    """A set of acceptors large enough to choose, but perhaps not to lead."""


class Ballot(Sort, ordered=True):
    """An attempt to lead; each belongs to one proposer, and later attempts are greater."""


class Slot(Sort):
    """A position in the log."""


class Value(Sort):
    """A command."""


@axiom
def quorums_meet() -> bool:
    """Any two quorums have a member in common."""
    return all(any(a in r for a in q) for q in Quorum for r in Quorum)


@axiom
def phases_meet() -> bool:
    """Every quorum of phase 1 has a member in common with every quorum of phase 2."""
    return all(any(a in r for a in q) for q in Phase1 for r in Phase2)

"""Flexible Multi-Paxos is flexible voting, by the same view that makes Multi-Paxos voting.

The states are the same, and so are the steps, but for the quorum that leads.
"""

from ..checker.language import step
from ..spec import flexible, flexible_voting
from ..spec.multipaxos import MultiPaxos
from ..spec.sorts import Ballot, Phase1, Slot, Value
from ..spec.voting import Voting
from . import multipaxos_is_voting
from .multipaxos_is_voting import votes

keeps = [
    multipaxos_is_voting.votes,
    multipaxos_is_voting.prepare,
    multipaxos_is_voting.promise,
    multipaxos_is_voting.accept,
]


@step(of=flexible.propose)
def propose(now: MultiPaxos, q: Phase1, s: Slot, b: Ballot, v: Value) -> Voting:
    """The quorum of phase 1 that promised is the one that left, and its reports tell how it voted."""
    return flexible_voting.propose(votes(now), q, s, b, v)

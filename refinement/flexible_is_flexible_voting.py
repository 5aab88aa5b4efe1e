"""Flexible Multi-Paxos is flexible voting, by the same view that makes Multi-Paxos voting.

The image is that of `multipaxos_is_voting`, for the states are the same; the steps differ in the quorum that leads.
"""

from ..checker.language import image, step
from ..spec import flexible, flexible_voting
from ..spec.multipaxos import MultiPaxos
from ..spec.sorts import Acceptor, Ballot, Phase1, Slot, Value
from ..spec.voting import Voting
from . import multipaxos_is_voting


@image
def votes(now: MultiPaxos) -> Voting:
    """An acceptance is a vote; prepares, promises, reports and logs are not seen from above."""
    return multipaxos_is_voting.votes(now)


@step(of=flexible.prepare)
def prepare(now: MultiPaxos, b: Ballot) -> Voting:
    """A ballot is opened: nobody has voted or left for that."""
    return votes(now)


@step(of=flexible.promise)
def promise(now: MultiPaxos, a: Acceptor, b: Ballot) -> Voting:
    """To promise b is to leave every ballot before it."""
    return flexible_voting.leave(votes(now), a, b)


@step(of=flexible.propose)
def propose(now: MultiPaxos, q: Phase1, s: Slot, b: Ballot, v: Value) -> Voting:
    """The quorum of phase 1 that promised is the one that left, and its reports tell how it voted."""
    return flexible_voting.propose(votes(now), q, s, b, v)


@step(of=flexible.accept)
def accept(now: MultiPaxos, a: Acceptor, s: Slot, b: Ballot, v: Value) -> Voting:
    """To accept is to vote."""
    return flexible_voting.vote(votes(now), a, s, b, v)

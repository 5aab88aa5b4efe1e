"""Multi-Paxos with checkpoints is voting, by the same view that makes Multi-Paxos voting.

To take a checkpoint, to install one and to truncate a log changes no vote: an acceptance that is forgotten
was sent all the same.  What must be shown is that a leader is not misled by it, which is the step `propose`.
"""

from ..checker.language import image, step
from ..spec import checkpoint as checkpointing
from ..spec import multipaxos, voting
from ..spec.checkpoint import Checkpointed
from ..spec.sorts import Acceptor, Ballot, Quorum, Slot, Value
from ..spec.voting import Voting
from . import multipaxos_is_voting


@image
def votes(now: Checkpointed) -> Voting:
    """An acceptance is a vote; what is promised, reported, logged or checkpointed is not seen from above."""
    return multipaxos_is_voting.votes(now)


@step(of=multipaxos.prepare)
def prepare(now: Checkpointed, b: Ballot) -> Voting:
    """A ballot is opened: nobody has voted or left for that."""
    return votes(now)


@step(of=checkpointing.promise)
def promise(now: Checkpointed, a: Acceptor, b: Ballot) -> Voting:
    """To promise b is to leave every ballot before it."""
    return voting.leave(votes(now), a, b)


@step(of=checkpointing.propose)
def propose(now: Checkpointed, q: Quorum, s: Slot, b: Ballot, v: Value) -> Voting:
    """The reports tell how the quorum voted, in a slot that nobody's checkpoint covers."""
    return voting.propose(votes(now), q, s, b, v)


@step(of=multipaxos.accept)
def accept(now: Checkpointed, a: Acceptor, s: Slot, b: Ballot, v: Value) -> Voting:
    """To accept is to vote."""
    return voting.vote(votes(now), a, s, b, v)


@step(of=checkpointing.checkpoint)
def checkpoint(now: Checkpointed, a: Acceptor, q: Quorum, s: Slot, b: Ballot, v: Value) -> Voting:
    """A checkpoint is no vote."""
    return votes(now)


@step(of=checkpointing.install)
def install(now: Checkpointed, a: Acceptor, s: Slot) -> Voting:
    """Nor is somebody else's."""
    return votes(now)


@step(of=checkpointing.truncate)
def truncate(now: Checkpointed, a: Acceptor, s: Slot) -> Voting:
    """A log forgets, and the votes stand."""
    return votes(now)

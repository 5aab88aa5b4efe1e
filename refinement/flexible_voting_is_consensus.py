"""Flexible voting is consensus: what is chosen is what a quorum of phase 2 voted for, and nothing else is seen.

The quorums of phase 1 are needed to prove it and are not mentioned: nobody above knows how a leader came to lead.
"""

from ..checker.language import image, step
from ..spec import consensus, flexible_voting, voting
from ..spec.consensus import Consensus
from ..spec.sorts import Acceptor, Ballot, Phase1, Slot, Value
from ..spec.voting import Voting


@image
def decisions(now: Voting) -> Consensus:
    """What a quorum of phase 2 voted for in one ballot."""
    return Consensus(chosen={(s, v) for s in Slot for v in Value if flexible_voting.chosen(now, s, v)})


@step(of=voting.leave)
def leave(now: Voting, a: Acceptor, b: Ballot) -> Consensus:
    """Leaving decides nothing."""
    return decisions(now)


@step(of=flexible_voting.propose)
def propose(now: Voting, q: Phase1, s: Slot, b: Ballot, v: Value) -> Consensus:
    """Nor does proposing."""
    return decisions(now)


@step(of=voting.vote)
def vote(now: Voting, a: Acceptor, s: Slot, b: Ballot, v: Value) -> Consensus:
    """A vote may be the last that a quorum of phase 2 lacked; then v is chosen.  Any other vote changes nothing."""
    return consensus.choose(decisions(now), s, v)

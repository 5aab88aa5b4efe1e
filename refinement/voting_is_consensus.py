"""Voting is consensus: look at what is chosen, and forget who voted and when.

Almost everything that happens in `voting` is invisible here.  Only a vote can complete a quorum, and when it does,
a value is chosen; that nothing else was chosen in that slot before is what `voting`'s invariants are for.
"""

from ..checker.language import image, step
from ..spec import consensus, voting
from ..spec.consensus import Consensus
from ..spec.sorts import Acceptor, Ballot, Quorum, Slot, Value
from ..spec.voting import Voting


@image
def decisions(now: Voting) -> Consensus:
    """What a quorum voted for in one ballot."""
    return Consensus(chosen={(s, v) for s in Slot for v in Value if voting.chosen(now, s, v)})


@step(of=voting.leave)
def leave(now: Voting, a: Acceptor, b: Ballot) -> Consensus:
    """Leaving decides nothing."""
    return decisions(now)


@step(of=voting.propose)
def propose(now: Voting, q: Quorum, s: Slot, b: Ballot, v: Value) -> Consensus:
    """Nor does proposing."""
    return decisions(now)


@step(of=voting.vote)
def vote(now: Voting, a: Acceptor, s: Slot, b: Ballot, v: Value) -> Consensus:
    """A vote may be the last that a quorum lacked; then v is chosen.  Any other vote changes nothing."""
    return consensus.choose(decisions(now), s, v)

"""Multi-Paxos is voting: look at the acceptances and what was left, and forget who told whom.

`voting` is safe because a value is proposed only when the votes of a quorum allow it.  In `multipaxos` nobody sees
those votes: the leader goes by reports, which are copies of logs, which are memories of acceptances.  So the whole
burden of Multi-Paxos is in one line of what follows, the step `propose`: what the leader concludes from the reports
that it has is what `voting` would have it conclude from the votes themselves.

Preparing changes no vote.  Promising is leaving.  The rest is the same act under the same name.
"""

from ..checker.language import image, step
from ..spec import multipaxos, voting
from ..spec.multipaxos import MultiPaxos
from ..spec.sorts import Acceptor, Ballot, Quorum, Slot, Value
from ..spec.voting import Voting


@image
def votes(now: MultiPaxos) -> Voting:
    """An acceptance is a vote; prepares, promises, reports and logs are not seen from above."""
    return Voting(left=now.left, proposed=now.proposed, voted=now.accepted)


@step(of=multipaxos.prepare)
def prepare(now: MultiPaxos, b: Ballot) -> Voting:
    """A ballot is opened: nobody has voted or left for that."""
    return votes(now)


@step(of=multipaxos.promise)
def promise(now: MultiPaxos, a: Acceptor, b: Ballot) -> Voting:
    """To promise b is to leave every ballot before it."""
    return voting.leave(votes(now), a, b)


@step(of=multipaxos.propose)
def propose(now: MultiPaxos, q: Quorum, s: Slot, b: Ballot, v: Value) -> Voting:
    """The quorum that promised is the quorum that left, and its reports tell how it voted."""
    return voting.propose(votes(now), q, s, b, v)


@step(of=multipaxos.accept)
def accept(now: MultiPaxos, a: Acceptor, s: Slot, b: Ballot, v: Value) -> Voting:
    """To accept is to vote."""
    return voting.vote(votes(now), a, s, b, v)

"""Flexible voting: a value is chosen by one kind of quorum and looked for by another, and only the two must meet.

This is `voting` with its quorums told apart.  To choose a value takes a quorum of phase 2; to propose one takes a
quorum of phase 1 that has left the earlier ballots.  The argument of `voting` has a proposer's quorum meet those that
may have chosen before, and no other two: within a ballot only one value is proposed, and proposers need not know of
each other.  So four acceptors may choose in pairs if leaders ask three, and twenty in fives if leaders ask sixteen.

What speaks of no quorum is kept: the state, leaving, voting and two invariants are `voting`'s own (`docs/OVERLAYS.md`).
The observation is that of Howard, Malkhi and Spiegelman, "Flexible Paxos: Quorum Intersection Revisited" (2016).
"""

from ..checker.language import action, implies, invariant, safety
from . import voting
from .sorts import Ballot, Phase1, Phase2, Slot, Value, phases_meet
from .voting import Voting

assumes = [phases_meet]
keeps = [
    voting.silence,
    voting.leave,
    voting.vote,
    voting.one_proposal,
    voting.votes_follow_proposals,
]


def chosen(now: Voting, s: Slot, v: Value) -> bool:
    """A quorum of phase 2 voted for v in one ballot."""
    return any(all((a, s, b, v) in now.voted for a in q) for q in Phase2 for b in Ballot)


@action
def propose(now: Voting, q: Phase1, s: Slot, b: Ballot, v: Value) -> Voting:
    """v becomes what is voted for in b, as a quorum of phase 1 allows it.

    If none of it voted, no earlier ballot can choose: any quorum of phase 2 has a member among them.
    """
    return now.after(voting.propose, q, s, b, v)


@safety
def agreement(now: Voting) -> bool:
    """In a slot, at most one value is chosen."""
    return all(
        implies(chosen(now, s, v) and chosen(now, s, w), v == w) for s in Slot for v in Value for w in Value
    )


@safety
def validity(now: Voting) -> bool:
    """What is chosen was proposed."""
    return all(
        implies(chosen(now, s, v), any((s, b, v) in now.proposed for b in Ballot))
        for s in Slot
        for v in Value
    )


@invariant
def proposals_are_safe(now: Voting) -> bool:
    """Once v is proposed in b, no earlier ballot can choose another value.

    In every quorum of phase 2 somebody has left the earlier ballot without voting for the other value there.
    """
    return all(
        implies(
            (s, b, v) in now.proposed and c < b and v != w,
            any((a, c) in now.left and (a, s, c, w) not in now.voted for a in q),
        )
        for s in Slot
        for b in Ballot
        for c in Ballot
        for v in Value
        for w in Value
        for q in Phase2
    )

"""Flexible voting: a value is chosen by one kind of quorum and looked for by another, and only the two must meet.

This is `voting` with its quorums told apart.  To choose a value takes a quorum of phase 2; to propose one takes a
quorum of phase 1 that has left the earlier ballots.  The argument of `voting` has a proposer's quorum meet those that
may have chosen before, and no other two: within a ballot only one value is proposed, and proposers need not know of
each other.  So four acceptors may choose in pairs if leaders ask three, and twenty in fives if leaders ask sixteen.

What speaks of no quorum is not said again: the state and two invariants are `voting`'s own.  Actions are said again,
because an action is read where it stands; a test holds each to `voting`'s, quorums apart.
The observation is that of Howard, Malkhi and Spiegelman, "Flexible Paxos: Quorum Intersection Revisited" (2016).
"""

from ..checker.language import action, implies, init, invariant, require, safety
from . import voting
from .sorts import Acceptor, Ballot, Phase1, Phase2, Slot, Value, phases_meet
from .voting import Voting

assumes = [phases_meet]


# What one may say of a state ---------------------------------------------------------------


def chosen(now: Voting, s: Slot, v: Value) -> bool:
    """A quorum of phase 2 voted for v in one ballot."""
    return any(all((a, s, b, v) in now.voted for a in q) for q in Phase2 for b in Ballot)


def fresh(now: Voting, q: Phase1, s: Slot, b: Ballot) -> bool:
    """Nobody in q voted before b."""
    return not any((a, s, c, w) in now.voted and c < b for a in q for c in Ballot for w in Value)


def silent(now: Voting, q: Phase1, s: Slot, c: Ballot, b: Ballot) -> bool:
    """Nobody in q voted after c and before b."""
    return not any((a, s, d, w) in now.voted and c < d < b for a in q for d in Ballot for w in Value)


def last(now: Voting, q: Phase1, s: Slot, b: Ballot, v: Value) -> bool:
    """Before b, the last vote of anybody in q was for v."""
    return any((a, s, c, v) in now.voted and c < b and silent(now, q, s, c, b) for a in q for c in Ballot)


# What may happen ---------------------------------------------------------------------------


@init
def silence() -> Voting:
    """Nobody has voted, and nobody has left."""
    return Voting()


@action
def leave(now: Voting, a: Acceptor, b: Ballot) -> Voting:
    """a leaves every ballot before b."""
    return now.but(left=now.left | {(a, c) for c in Ballot if c < b})


@action
def propose(now: Voting, q: Phase1, s: Slot, b: Ballot, v: Value) -> Voting:
    """v becomes what is voted for in b, as a quorum of phase 1 allows it.

    If none of it voted, no earlier ballot can choose: any quorum of phase 2 has a member among them.
    """
    require(all((a, c) in now.left for a in q for c in Ballot if c < b))
    require(not any((s, b, w) in now.proposed for w in Value))
    require(fresh(now, q, s, b) or last(now, q, s, b, v))
    return now.but(proposed=now.proposed | {(s, b, v)})


@action
def vote(now: Voting, a: Acceptor, s: Slot, b: Ballot, v: Value) -> Voting:
    """a votes for what was proposed, in a ballot that it has not left; with that it leaves the earlier ones."""
    require((s, b, v) in now.proposed)
    require((a, b) not in now.left)
    return now.but(
        voted=now.voted | {(a, s, b, v)},
        left=now.left | {(a, c) for c in Ballot if c < b},
    )


# What must hold ----------------------------------------------------------------------------


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
def one_proposal(now: Voting) -> bool:
    """In a ballot, at most one value is proposed for a slot."""
    return voting.one_proposal(now)


@invariant
def votes_follow_proposals(now: Voting) -> bool:
    """Only what was proposed in a ballot is voted for in it."""
    return voting.votes_follow_proposals(now)


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

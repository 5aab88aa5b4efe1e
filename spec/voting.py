"""Voting: why Multi-Paxos is safe, said without a message.

Acceptors vote in ballots, and leave ballots for good.  A value is chosen once a quorum has voted for it in one
ballot, so the danger is that two ballots choose differently.  It is averted when a value is *proposed*: only after
a quorum has left every earlier ballot, and only a value that no earlier ballot can choose against any more.  Since
any two quorums meet, whoever might still have chosen otherwise would need one of those who left.

How a leader comes to know how its quorum voted is not said here; `multipaxos` says it.
The idea is that of the voting algorithm in Lamport's "Byzantizing Paxos by Refinement" (2011), for many slots.
"""

from ..checker.language import Set, State, action, implies, init, invariant, require, safety
from .sorts import Acceptor, Ballot, Quorum, Slot, Value, quorums_meet

assumes = [quorums_meet]


class Voting(State):
    left: Set[Acceptor, Ballot]  # (a, b): a votes in b no more
    proposed: Set[Slot, Ballot, Value]  # in a ballot, votes are for what was proposed in it
    voted: Set[Acceptor, Slot, Ballot, Value]


# What one may say of a state ---------------------------------------------------------------


def chosen(now: Voting, s: Slot, v: Value) -> bool:
    """A quorum voted for v in one ballot."""
    return any(all((a, s, b, v) in now.voted for a in q) for q in Quorum for b in Ballot)


def fresh(now: Voting, q: Quorum, s: Slot, b: Ballot) -> bool:
    """Nobody in q voted before b."""
    return not any((a, s, c, w) in now.voted and c < b for a in q for c in Ballot for w in Value)


def silent(now: Voting, q: Quorum, s: Slot, c: Ballot, b: Ballot) -> bool:
    """Nobody in q voted after c and before b."""
    return not any((a, s, d, w) in now.voted and c < d < b for a in q for d in Ballot for w in Value)


def last(now: Voting, q: Quorum, s: Slot, b: Ballot, v: Value) -> bool:
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
def propose(now: Voting, q: Quorum, s: Slot, b: Ballot, v: Value) -> Voting:
    """v becomes what is voted for in b.

    All of q have left the earlier ballots, so what they voted there is all they will ever have voted there.  If none
    voted, no earlier ballot can choose: any quorum has a member among them.  Else the last of their votes decides: a
    value chosen earlier would have been proposed again in every ballot since, the last one included.
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
    return all(
        implies((s, b, v) in now.proposed and (s, b, w) in now.proposed, v == w)
        for s in Slot
        for b in Ballot
        for v in Value
        for w in Value
    )


@invariant
def votes_follow_proposals(now: Voting) -> bool:
    """Only what was proposed in a ballot is voted for in it."""
    return all(
        implies((a, s, b, v) in now.voted, (s, b, v) in now.proposed)
        for a in Acceptor
        for s in Slot
        for b in Ballot
        for v in Value
    )


@invariant
def proposals_are_safe(now: Voting) -> bool:
    """Once v is proposed in b, no earlier ballot can choose another value.

    In every quorum somebody has left the earlier ballot without voting for the other value there, and will not now.
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
        for q in Quorum
    )

"""The duel of Basic Paxos: leaders that overtake each other for ever, and choose nothing.

Ballots here have no numbers, only an order of arrival: what is known of a leader is whether its ballot is the latest,
and who stands by it.  So they never run out, the graph is small, and a livelock is a cycle in it.  Which value is
proposed makes no difference to whether one is chosen, so there are no values.

    quorate check docs/examples/duel.py --liveness

Fairness does not end the duel, be it ever so strong.  Patience does: a `prepare` that is possible only while nobody
leads, which is what time-outs, back-off and leases are for.
"""

from quorate.checker.language import (
    Liveness,
    Many,
    Set,
    Sort,
    State,
    action,
    axiom,
    eventually,
    init,
    invariant,
    liveness,
    require,
)


class Acceptor(Sort):
    """One that promises and accepts."""


class Quorum(Many[Acceptor]):
    """A set of acceptors large enough to choose."""


class Leader(Sort):
    """One that opens ballots."""


@axiom
def quorums_meet() -> bool:
    """Any two quorums have a member in common."""
    return all(any(a in r for a in q) for q in Quorum for r in Quorum)


assumes = [quorums_meet]


class Duel(State):
    latest: Set[Leader]  # whose ballot is the highest
    joined: Set[Acceptor, Leader]  # who stands by the last ballot of a leader
    proposed: Set[Leader]  # who has proposed in its last ballot
    accepted: Set[Acceptor, Leader]  # who accepted in it


@init
def silence() -> Duel:
    """Nobody has opened a ballot."""
    return Duel()


@action
def prepare(now: Duel, m: Leader) -> Duel:
    """m loses patience, and opens a ballot above that of the other."""
    require((m,) not in now.latest)
    return now.but(
        latest={(m,)},
        joined=now.joined - {(a, m) for a in Acceptor},
        proposed=now.proposed - {(m,)},
        accepted=now.accepted - {(a, m) for a in Acceptor},
    )


@action
def promise(now: Duel, a: Acceptor, m: Leader) -> Duel:
    """a joins the latest ballot and leaves the one before."""
    require((m,) in now.latest)
    return now.but(joined=now.joined - {(a, n) for n in Leader} | {(a, m)})


@action
def propose(now: Duel, q: Quorum, m: Leader) -> Duel:
    """With a quorum behind it, m proposes."""
    require(all((a, m) in now.joined for a in q))
    return now.but(proposed=now.proposed | {(m,)})


@action
def accept(now: Duel, a: Acceptor, m: Leader) -> Duel:
    """a accepts, unless it has joined another ballot meanwhile."""
    require((m,) in now.proposed)
    require((a, m) in now.joined)
    return now.but(accepted=now.accepted | {(a, m)})


@invariant
def nobody_stands_by_two(now: Duel) -> bool:
    """An acceptor has joined one ballot at most."""
    return not any(
        (a, m) in now.joined and (a, n) in now.joined and m != n
        for a in Acceptor
        for m in Leader
        for n in Leader
    )


def something_chosen(now: Duel) -> bool:
    """A quorum accepted in one ballot."""
    return any(all((a, m) in now.accepted for a in q) for q in Quorum for m in Leader)


@liveness(weak=[prepare, propose, accept], strong=[promise])
def something_is_chosen() -> Liveness:
    """In the end a value is chosen."""
    return eventually(something_chosen)

"""Multi-Paxos: phase 1 of a ballot once for all slots, phase 2 once per slot.

Whoever opens a ballot asks every acceptor to join it (1a).  An acceptor that joins promises to accept in no smaller
ballot and reports its log (1b).  With a quorum of promises the opener leads: in each slot it may propose what the
reports leave it, for any number of slots and without asking again (2a).  Acceptors accept what was proposed (2b),
and what a quorum has accepted in one ballot is chosen.

The network is the state itself: the set of everything that was ever sent.  A lost message is one that nobody acts
on, a repeated one may be acted on twice, a late one is acted on late.  A process is what it has on disk: an acceptor
remembers what it left and, for each slot, only its latest acceptance; a leader knows nothing but promises.  So a
crash needs no action of its own: a crashed process is one that does nothing for a while.

The names in the margin are those of Lamport, "Paxos Made Simple" (2001).
"""

from ..checker.language import (
    Liveness,
    Set,
    State,
    action,
    eventually,
    implies,
    init,
    invariant,
    leads_to,
    liveness,
    require,
    safety,
)
from .sorts import Acceptor, Ballot, Quorum, Slot, Value, quorums_meet

assumes = [quorums_meet]


class MultiPaxos(State):
    # sent
    prepared: Set[Ballot]  # 1a
    promised: Set[Acceptor, Ballot]  # 1b
    reported: Set[Acceptor, Ballot, Slot, Ballot, Value]  # ... of b by a: in s it accepted, at c, v
    proposed: Set[Slot, Ballot, Value]  # 2a
    accepted: Set[Acceptor, Slot, Ballot, Value]  # 2b
    # on the disks of the acceptors
    left: Set[Acceptor, Ballot]  # (a, b): a accepts in b no more
    log: Set[Acceptor, Slot, Ballot, Value]  # the latest acceptance in each slot


# What one may say of a state ---------------------------------------------------------------


def chosen(now: MultiPaxos, s: Slot, v: Value) -> bool:
    """A quorum accepted v in one ballot."""
    return any(all((a, s, b, v) in now.accepted for a in q) for q in Quorum for b in Ballot)


def joined(now: MultiPaxos, a: Acceptor, b: Ballot) -> bool:
    """a promised b, or accepted in it."""
    return (a, b) in now.promised or any((a, s, b, v) in now.accepted for s in Slot for v in Value)


def free(now: MultiPaxos, q: Quorum, s: Slot, b: Ballot) -> bool:
    """Nobody in q reports an acceptance in s."""
    return not any((a, b, s, c, v) in now.reported for a in q for c in Ballot for v in Value)


def forced(now: MultiPaxos, q: Quorum, s: Slot, b: Ballot, v: Value) -> bool:
    """v is what q reports in s with the highest ballot."""
    return any((a, b, s, c, v) in now.reported and topmost(now, q, s, b, c) for a in q for c in Ballot)


def topmost(now: MultiPaxos, q: Quorum, s: Slot, b: Ballot, c: Ballot) -> bool:
    """Nobody in q reports, in s, a ballot above c."""
    return not any((a, b, s, d, w) in now.reported and c < d for a in q for d in Ballot for w in Value)


# What may happen ---------------------------------------------------------------------------


@init
def silence() -> MultiPaxos:
    """Nothing was sent, and every disk is empty."""
    return MultiPaxos()


@action
def prepare(now: MultiPaxos, b: Ballot) -> MultiPaxos:
    """Phase 1a: somebody opens ballot b.  A ballot is opened once, and never again after a restart."""
    require((b,) not in now.prepared)
    return now.but(prepared=now.prepared | {(b,)})


@action
def promise(now: MultiPaxos, a: Acceptor, b: Ballot) -> MultiPaxos:
    """Phase 1b: a joins b, reports its log, and accepts in no smaller ballot from here on."""
    require((b,) in now.prepared)
    require((a, b) not in now.left)
    require(not joined(now, a, b))
    return now.but(
        promised=now.promised | {(a, b)},
        reported=now.reported
        | {(a, b, s, c, v) for s in Slot for c in Ballot for v in Value if (a, s, c, v) in now.log},
        left=now.left | {(a, c) for c in Ballot if c < b},
    )


@action
def propose(now: MultiPaxos, q: Quorum, s: Slot, b: Ballot, v: Value) -> MultiPaxos:
    """Phase 2a: the leader of b proposes, once a slot, what its quorum's reports leave it.

    Where nobody reports anything it is free to propose what it likes, a client's command or a no-op.  Where somebody
    does, it must assume that the report with the highest ballot was chosen, even if only one acceptor reports it.
    """
    require(all((a, b) in now.promised for a in q))
    require(not any((s, b, w) in now.proposed for w in Value))
    require(free(now, q, s, b) or forced(now, q, s, b, v))
    return now.but(proposed=now.proposed | {(s, b, v)})


@action
def accept(now: MultiPaxos, a: Acceptor, s: Slot, b: Ballot, v: Value) -> MultiPaxos:
    """Phase 2b: a accepts what was proposed, in a ballot that it has not left.

    This, too, leaves the smaller ballots, promised or not.  The log forgets what it held in s.
    """
    require((s, b, v) in now.proposed)
    require((a, b) not in now.left)
    return now.but(
        accepted=now.accepted | {(a, s, b, v)},
        log=now.log - {(a, s, c, w) for c in Ballot for w in Value} | {(a, s, b, v)},
        left=now.left | {(a, c) for c in Ballot if c < b},
    )


# What must hold ----------------------------------------------------------------------------
#
# That proposals are safe is proved of voting, which this refines.  Here it remains to say that logs and reports are
# what they claim to be: true, latest and full.


@safety
def agreement(now: MultiPaxos) -> bool:
    """In a slot, at most one value is chosen."""
    return all(
        implies(chosen(now, s, v) and chosen(now, s, w), v == w) for s in Slot for v in Value for w in Value
    )


@safety
def validity(now: MultiPaxos) -> bool:
    """What is chosen was proposed."""
    return all(
        implies(chosen(now, s, v), any((s, b, v) in now.proposed for b in Ballot))
        for s in Slot
        for v in Value
    )


@invariant
def promises_leave(now: MultiPaxos) -> bool:
    """A promise closes the smaller ballots."""
    return all(
        implies((a, b) in now.promised and c < b, (a, c) in now.left)
        for a in Acceptor
        for b in Ballot
        for c in Ballot
    )


@invariant
def acceptances_leave(now: MultiPaxos) -> bool:
    """So does an acceptance."""
    return all(
        implies((a, s, b, v) in now.accepted and c < b, (a, c) in now.left)
        for a in Acceptor
        for s in Slot
        for b in Ballot
        for v in Value
        for c in Ballot
    )


@invariant
def logs_are_true(now: MultiPaxos) -> bool:
    """What a log holds was accepted."""
    return all(
        implies((a, s, b, v) in now.log, (a, s, b, v) in now.accepted)
        for a in Acceptor
        for s in Slot
        for b in Ballot
        for v in Value
    )


@invariant
def logs_are_latest(now: MultiPaxos) -> bool:
    """Nothing was accepted after what a log holds."""
    return all(
        implies((a, s, b, v) in now.log and (a, s, c, w) in now.accepted, c <= b)
        for a in Acceptor
        for s in Slot
        for b in Ballot
        for v in Value
        for c in Ballot
        for w in Value
    )


@invariant
def logs_are_full(now: MultiPaxos) -> bool:
    """Where a accepted, its log holds something."""
    return all(
        implies(
            any((a, s, b, v) in now.accepted for b in Ballot for v in Value),
            any((a, s, b, v) in now.log for b in Ballot for v in Value),
        )
        for a in Acceptor
        for s in Slot
    )


@invariant
def reports_are_true(now: MultiPaxos) -> bool:
    """What a reports in b it accepted; and it promised b."""
    return all(
        implies((a, b, s, c, v) in now.reported, (a, b) in now.promised and (a, s, c, v) in now.accepted)
        for a in Acceptor
        for b in Ballot
        for s in Slot
        for c in Ballot
        for v in Value
    )


@invariant
def reports_are_latest(now: MultiPaxos) -> bool:
    """What a reports in b is older than b, and between the two it accepts nothing."""
    return all(
        implies(
            (a, b, s, c, v) in now.reported,
            c < b and not any((a, s, d, w) in now.accepted and c < d < b for d in Ballot for w in Value),
        )
        for a in Acceptor
        for b in Ballot
        for s in Slot
        for c in Ballot
        for v in Value
    )


@invariant
def reports_are_full(now: MultiPaxos) -> bool:
    """Where a accepted before b, its promise of b reports something."""
    return all(
        implies(
            (a, b) in now.promised
            and any((a, s, c, v) in now.accepted and c < b for c in Ballot for v in Value),
            any((a, b, s, c, v) in now.reported for c in Ballot for v in Value),
        )
        for a in Acceptor
        for b in Ballot
        for s in Slot
    )


# What must come of it ----------------------------------------------------------------------
#
# Nothing here helps safety, nor is needed for it.  A higher ballot preempts a leader, so of no ballot is it sure that
# it chooses; but the last one does.  An instance has a last ballot, and that is all it assumes of leader election:
# that duels end.  Where propose is not served fairly they do not: `quorate check --liveness --unfair propose`.


def decided(now: MultiPaxos, s: Slot) -> bool:
    """Something is chosen in s."""
    return any(chosen(now, s, v) for v in Value)


def proposed_in(now: MultiPaxos, s: Slot, b: Ballot) -> bool:
    """The leader of b has proposed in s."""
    return any((s, b, v) in now.proposed for v in Value)


def chosen_or_preempted(now: MultiPaxos, s: Slot, b: Ballot) -> bool:
    """A quorum accepted in s what b proposed, or somebody left b for a higher ballot."""
    return any((a, b) in now.left for a in Acceptor) or any(
        all((a, s, b, v) in now.accepted for a in q) for q in Quorum for v in Value
    )


def every_ballot_won(now: MultiPaxos) -> bool:
    """Each ballot had its quorum of promises, one leader after the other."""
    return all(any(all((a, b) in now.promised for a in q) for q in Quorum) for b in Ballot)


def every_slot_decided(now: MultiPaxos) -> bool:
    """Something is chosen in each slot."""
    return all(decided(now, s) for s in Slot)


@liveness(weak=[accept])
def a_leader_that_is_not_preempted_chooses(s: Slot, b: Ballot) -> Liveness:
    """What a leader proposes is chosen, unless a higher ballot comes between."""
    return leads_to(proposed_in, chosen_or_preempted, s, b)


@liveness(weak=[propose, accept])
def a_duel_has_a_winner() -> Liveness:
    """When each ballot has had its leader, the last of them is not preempted and fills every slot."""
    return leads_to(every_ballot_won, every_slot_decided)


@liveness(weak=[prepare, promise, propose, accept])
def every_slot_is_decided(s: Slot) -> Liveness:
    """In the end something is chosen in every slot."""
    return eventually(decided, s)

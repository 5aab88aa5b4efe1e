"""Flexible Multi-Paxos: a leader asks a quorum of phase 1, a value is chosen by a quorum of phase 2.

This is `multipaxos` with its quorums told apart, an overlay: the state, what it means to have joined a ballot, and
all that must hold of promises, logs and reports are `multipaxos`'s own, for none of it speaks of quorums.  New are what
it takes to lead (a quorum of phase 1) and what it takes to choose (one of phase 2).  The first is rare and the second
is every command, so a cluster may choose in smaller quorums than majorities, and pay for it when a leader fails.

Actions are said again, because an action is read where it stands; a test holds each to `multipaxos`'s, quorums apart.
How such a file is written is told in `docs/OVERLAYS.md`.
"""

from ..checker.language import action, implies, init, invariant, require, safety
from . import multipaxos
from .multipaxos import MultiPaxos, joined
from .sorts import Acceptor, Ballot, Phase1, Phase2, Slot, Value, phases_meet

assumes = [phases_meet]


# What one may say of a state ---------------------------------------------------------------


def chosen(now: MultiPaxos, s: Slot, v: Value) -> bool:
    """A quorum of phase 2 accepted v in one ballot."""
    return any(all((a, s, b, v) in now.accepted for a in q) for q in Phase2 for b in Ballot)


def free(now: MultiPaxos, q: Phase1, s: Slot, b: Ballot) -> bool:
    """Nobody in q reports an acceptance in s."""
    return not any((a, b, s, c, v) in now.reported for a in q for c in Ballot for v in Value)


def forced(now: MultiPaxos, q: Phase1, s: Slot, b: Ballot, v: Value) -> bool:
    """v is what q reports in s with the highest ballot."""
    return any((a, b, s, c, v) in now.reported and topmost(now, q, s, b, c) for a in q for c in Ballot)


def topmost(now: MultiPaxos, q: Phase1, s: Slot, b: Ballot, c: Ballot) -> bool:
    """Nobody in q reports, in s, a ballot above c."""
    return not any((a, b, s, d, w) in now.reported and c < d for a in q for d in Ballot for w in Value)


# What may happen ---------------------------------------------------------------------------


@init
def silence() -> MultiPaxos:
    """Nothing was sent, and every disk is empty."""
    return MultiPaxos()


@action
def prepare(now: MultiPaxos, b: Ballot) -> MultiPaxos:
    """Phase 1a: somebody opens ballot b."""
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
def propose(now: MultiPaxos, q: Phase1, s: Slot, b: Ballot, v: Value) -> MultiPaxos:
    """Phase 2a: the leader of b proposes, once a slot, what the reports of its quorum of phase 1 leave it."""
    require(all((a, b) in now.promised for a in q))
    require(not any((s, b, w) in now.proposed for w in Value))
    require(free(now, q, s, b) or forced(now, q, s, b, v))
    return now.but(proposed=now.proposed | {(s, b, v)})


@action
def accept(now: MultiPaxos, a: Acceptor, s: Slot, b: Ballot, v: Value) -> MultiPaxos:
    """Phase 2b: a accepts what was proposed, in a ballot that it has not left."""
    require((s, b, v) in now.proposed)
    require((a, b) not in now.left)
    return now.but(
        accepted=now.accepted | {(a, s, b, v)},
        log=now.log - {(a, s, c, w) for c in Ballot for w in Value} | {(a, s, b, v)},
        left=now.left | {(a, c) for c in Ballot if c < b},
    )


# What must hold ----------------------------------------------------------------------------
#
# Of what is chosen, with quorums of phase 2; the rest word for word as in `multipaxos`.


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
    return multipaxos.promises_leave(now)


@invariant
def acceptances_leave(now: MultiPaxos) -> bool:
    """So does an acceptance."""
    return multipaxos.acceptances_leave(now)


@invariant
def logs_are_true(now: MultiPaxos) -> bool:
    """What a log holds was accepted."""
    return multipaxos.logs_are_true(now)


@invariant
def logs_are_latest(now: MultiPaxos) -> bool:
    """Nothing was accepted after what a log holds."""
    return multipaxos.logs_are_latest(now)


@invariant
def logs_are_full(now: MultiPaxos) -> bool:
    """Where a accepted, its log holds something."""
    return multipaxos.logs_are_full(now)


@invariant
def reports_are_true(now: MultiPaxos) -> bool:
    """What a reports in b it accepted before b; and it promised b."""
    return multipaxos.reports_are_true(now)


@invariant
def reports_are_latest(now: MultiPaxos) -> bool:
    """Between what it reports in b, and b, it accepts nothing."""
    return multipaxos.reports_are_latest(now)


@invariant
def reports_are_full(now: MultiPaxos) -> bool:
    """Where a accepted before b, its promise of b reports something."""
    return multipaxos.reports_are_full(now)

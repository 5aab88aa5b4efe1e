"""Multi-Paxos with checkpoints: an acceptor that has on disk what a slot led to may forget what it accepted there.

This is `multipaxos`, an overlay.  A checkpoint is the state machine as some slots left it, and so it stands for the
values that were chosen in them: it is taken of chosen slots alone, or installed from somebody who took one.  What it
covers an acceptor may truncate from its log, once it is on disk and not before.  A promise then cannot report those
slots any more; it says instead that a checkpoint covers them, and a leader that hears so proposes nothing there: what
was chosen is known, and is to be had as a checkpoint.  So a covered slot is not an empty one, and that is all of it.

A checkpoint is a set of slots here.  That implementations checkpoint a prefix, with all sessions of clients in it, is
theirs to see to, and the trace format's (`docs/trace-format.md`).
"""

from ..checker.language import Set, action, implies, init, invariant, require, safety
from . import multipaxos
from .multipaxos import MultiPaxos, forced, free, joined
from .sorts import Acceptor, Ballot, Quorum, Slot, Value, quorums_meet

assumes = [quorums_meet]


class Checkpointed(MultiPaxos):
    # sent
    covered: Set[Acceptor, Ballot, Slot]  # ... of b by a: its checkpoint covers s
    snapshots: Set[Slot]  # a checkpoint that covers s, from whoever took one
    # on the disks of the acceptors
    checkpoints: Set[Acceptor, Slot]  # a's checkpoint covers s


# What one may say of a state ---------------------------------------------------------------


def chosen(now: Checkpointed, s: Slot, v: Value) -> bool:
    """A quorum accepted v in one ballot."""
    return any(all((a, s, b, v) in now.accepted for a in q) for q in Quorum for b in Ballot)


# What may happen ---------------------------------------------------------------------------


@init
def silence() -> Checkpointed:
    """Nothing was sent, and every disk is empty."""
    return Checkpointed()


@action
def prepare(now: Checkpointed, b: Ballot) -> Checkpointed:
    """Phase 1a: somebody opens ballot b."""
    require((b,) not in now.prepared)
    return now.but(prepared=now.prepared | {(b,)})


@action
def promise(now: Checkpointed, a: Acceptor, b: Ballot) -> Checkpointed:
    """Phase 1b: a joins b, reports its log, and says which slots its checkpoint covers."""
    require((b,) in now.prepared)
    require((a, b) not in now.left)
    require(not joined(now, a, b))
    return now.but(
        promised=now.promised | {(a, b)},
        reported=now.reported
        | {(a, b, s, c, v) for s in Slot for c in Ballot for v in Value if (a, s, c, v) in now.log},
        covered=now.covered | {(a, b, s) for s in Slot if (a, s) in now.checkpoints},
        left=now.left | {(a, c) for c in Ballot if c < b},
    )


@action
def propose(now: Checkpointed, q: Quorum, s: Slot, b: Ballot, v: Value) -> Checkpointed:
    """Phase 2a: the leader of b proposes, once a slot, what its quorum's reports leave it.

    Where somebody's checkpoint covers the slot, reports may say nothing, and nothing is proposed: it is chosen.
    """
    require(all((a, b) in now.promised for a in q))
    require(not any((s, b, w) in now.proposed for w in Value))
    require(not any((a, b, s) in now.covered for a in q))
    require(free(now, q, s, b) or forced(now, q, s, b, v))
    return now.but(proposed=now.proposed | {(s, b, v)})


@action
def accept(now: Checkpointed, a: Acceptor, s: Slot, b: Ballot, v: Value) -> Checkpointed:
    """Phase 2b: a accepts what was proposed, in a ballot that it has not left, also where its checkpoint covers it."""
    require((s, b, v) in now.proposed)
    require((a, b) not in now.left)
    return now.but(
        accepted=now.accepted | {(a, s, b, v)},
        log=now.log - {(a, s, c, w) for c in Ballot for w in Value} | {(a, s, b, v)},
        left=now.left | {(a, c) for c in Ballot if c < b},
    )


@action
def checkpoint(now: Checkpointed, a: Acceptor, q: Quorum, s: Slot, b: Ballot, v: Value) -> Checkpointed:
    """a writes down, durably, what v led to in s, which q chose in b; and others may have it."""
    require(all((c, s, b, v) in now.accepted for c in q))
    return now.but(snapshots=now.snapshots | {(s,)}, checkpoints=now.checkpoints | {(a, s)})


@action
def install(now: Checkpointed, a: Acceptor, s: Slot) -> Checkpointed:
    """a gets somebody's checkpoint, a snapshot, and makes it its own, durably."""
    require((s,) in now.snapshots)
    return now.but(checkpoints=now.checkpoints | {(a, s)})


@action
def truncate(now: Checkpointed, a: Acceptor, s: Slot) -> Checkpointed:
    """a forgets what it accepted in s, which its checkpoint covers."""
    require((a, s) in now.checkpoints)
    return now.but(log=now.log - {(a, s, c, w) for c in Ballot for w in Value})


# What must hold ----------------------------------------------------------------------------
#
# Of what is chosen, and of logs and reports, what must hold in `multipaxos`; but a log is full, and so is a report,
# only where no checkpoint stands in for it.


@safety
def agreement(now: Checkpointed) -> bool:
    """In a slot, at most one value is chosen."""
    return all(
        implies(chosen(now, s, v) and chosen(now, s, w), v == w) for s in Slot for v in Value for w in Value
    )


@safety
def validity(now: Checkpointed) -> bool:
    """What is chosen was proposed."""
    return all(
        implies(chosen(now, s, v), any((s, b, v) in now.proposed for b in Ballot))
        for s in Slot
        for v in Value
    )


@safety
def logs_keep_what_is_chosen(now: Checkpointed) -> bool:
    """Where one who helped to choose has not truncated its log, it holds what was chosen, and nothing else.

    In every quorum there is one who helped.  Where it has truncated, it has a checkpoint.  So nothing chosen is lost.
    """
    return all(
        implies(a in q and all((c, s, b, v) in now.accepted for c in q) and (a, s, d, w) in now.log, v == w)
        for a in Acceptor
        for q in Quorum
        for s in Slot
        for b in Ballot
        for d in Ballot
        for v in Value
        for w in Value
    )


@safety
def covered_is_chosen(now: Checkpointed) -> bool:
    """Where a promise says that a checkpoint covers the slot, something is chosen: a leader may leave it alone."""
    return all(
        implies((a, b, s) in now.covered, any(chosen(now, s, v) for v in Value))
        for a in Acceptor
        for b in Ballot
        for s in Slot
    )


@invariant
def snapshots_are_of_the_chosen(now: Checkpointed) -> bool:
    """Where anybody ever took a checkpoint, something is chosen; by agreement that is what the checkpoint has."""
    return all(implies((s,) in now.snapshots, any(chosen(now, s, v) for v in Value)) for s in Slot)


@invariant
def checkpoints_come_from_somewhere(now: Checkpointed) -> bool:
    """What a checkpoint covers somebody took a checkpoint of."""
    return all(implies((a, s) in now.checkpoints, (s,) in now.snapshots) for a in Acceptor for s in Slot)


@invariant
def covers_are_true(now: Checkpointed) -> bool:
    """Where a promise says that a checkpoint covers the slot, it does."""
    return all(
        implies((a, b, s) in now.covered, (a, s) in now.checkpoints)
        for a in Acceptor
        for b in Ballot
        for s in Slot
    )


@invariant
def promises_leave(now: Checkpointed) -> bool:
    """A promise closes the smaller ballots."""
    return multipaxos.promises_leave(now)


@invariant
def acceptances_leave(now: Checkpointed) -> bool:
    """So does an acceptance."""
    return multipaxos.acceptances_leave(now)


@invariant
def logs_are_true(now: Checkpointed) -> bool:
    """What a log holds was accepted."""
    return multipaxos.logs_are_true(now)


@invariant
def logs_are_latest(now: Checkpointed) -> bool:
    """Nothing was accepted after what a log holds."""
    return multipaxos.logs_are_latest(now)


@invariant
def logs_are_full(now: Checkpointed) -> bool:
    """Where a accepted, its log holds something, or its checkpoint does."""
    return all(
        implies(
            any((a, s, b, v) in now.accepted for b in Ballot for v in Value),
            any((a, s, b, v) in now.log for b in Ballot for v in Value) or (a, s) in now.checkpoints,
        )
        for a in Acceptor
        for s in Slot
    )


@invariant
def reports_are_true(now: Checkpointed) -> bool:
    """What a reports in b it accepted before b; and it promised b."""
    return multipaxos.reports_are_true(now)


@invariant
def reports_are_latest(now: Checkpointed) -> bool:
    """Between what it reports in b, and b, it accepts nothing."""
    return multipaxos.reports_are_latest(now)


@invariant
def reports_are_full(now: Checkpointed) -> bool:
    """Where a accepted before b, its promise of b reports something, or says that its checkpoint covers the slot."""
    return all(
        implies(
            (a, b) in now.promised
            and any((a, s, c, v) in now.accepted and c < b for c in Ballot for v in Value),
            any((a, b, s, c, v) in now.reported for c in Ballot for v in Value) or (a, b, s) in now.covered,
        )
        for a in Acceptor
        for b in Ballot
        for s in Slot
    )

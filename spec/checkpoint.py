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
from .multipaxos import MultiPaxos, chosen
from .sorts import Acceptor, Ballot, Quorum, Slot, Value, quorums_meet

assumes = [quorums_meet]
keeps = [
    multipaxos.prepare,
    multipaxos.accept,
    multipaxos.agreement,
    multipaxos.validity,
    multipaxos.promises_leave,
    multipaxos.acceptances_leave,
    multipaxos.logs_are_true,
    multipaxos.logs_are_latest,
    multipaxos.reports_are_true,
    multipaxos.reports_are_latest,
]


class Checkpointed(MultiPaxos):
    # sent
    covered: Set[Acceptor, Ballot, Slot]  # ... of b by a: its checkpoint covers s
    snapshots: Set[Slot]  # a checkpoint that covers s, from whoever took one
    # on the disks of the acceptors
    checkpoints: Set[Acceptor, Slot]  # a's checkpoint covers s


# What may happen ---------------------------------------------------------------------------


@init
def silence() -> Checkpointed:
    """Nothing was sent, and every disk is empty."""
    return Checkpointed()


@action
def promise(now: Checkpointed, a: Acceptor, b: Ballot) -> Checkpointed:
    """Phase 1b: a joins b, reports its log, and says which slots its checkpoint covers."""
    then = now.after(multipaxos.promise, a, b)
    return then.but(covered=then.covered | {(a, b, s) for s in Slot if (a, s) in now.checkpoints})


@action
def propose(now: Checkpointed, q: Quorum, s: Slot, b: Ballot, v: Value) -> Checkpointed:
    """Phase 2a: the leader of b proposes, once a slot, what its quorum's reports leave it.

    Where somebody's checkpoint covers the slot, reports may say nothing, and nothing is proposed: it is chosen.
    """
    require(not any((a, b, s) in now.covered for a in q))
    return now.after(multipaxos.propose, q, s, b, v)


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

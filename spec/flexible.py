"""Flexible Multi-Paxos: a leader asks a quorum of phase 1, a value is chosen by a quorum of phase 2.

This is `multipaxos` with its quorums told apart, an overlay: the state, three of four actions and all that must hold
of promises, logs and reports are `multipaxos`'s own, for none of it speaks of quorums.  Said anew is what it takes to
lead (a quorum of phase 1) and what it takes to choose (one of phase 2).  The first is rare and the second is every
command, so a cluster may choose in smaller quorums than majorities, and pay for it when a leader fails.

How such a file is written is told in `docs/OVERLAYS.md`.
"""

from ..checker.language import action, implies, safety
from . import multipaxos
from .multipaxos import MultiPaxos
from .sorts import Ballot, Phase1, Phase2, Slot, Value, phases_meet

assumes = [phases_meet]
keeps = [
    multipaxos.silence,
    multipaxos.prepare,
    multipaxos.promise,
    multipaxos.accept,
    multipaxos.promises_leave,
    multipaxos.acceptances_leave,
    multipaxos.logs_are_true,
    multipaxos.logs_are_latest,
    multipaxos.logs_are_full,
    multipaxos.reports_are_true,
    multipaxos.reports_are_latest,
    multipaxos.reports_are_full,
]


def chosen(now: MultiPaxos, s: Slot, v: Value) -> bool:
    """A quorum of phase 2 accepted v in one ballot."""
    return any(all((a, s, b, v) in now.accepted for a in q) for q in Phase2 for b in Ballot)


@action
def propose(now: MultiPaxos, q: Phase1, s: Slot, b: Ballot, v: Value) -> MultiPaxos:
    """Phase 2a: the leader of b proposes, once a slot, what the reports of its quorum of phase 1 leave it."""
    return now.after(multipaxos.propose, q, s, b, v)


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

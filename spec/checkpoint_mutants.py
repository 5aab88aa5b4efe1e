"""Small edits of `checkpoint.py`, each of which forgets what it should not, or believes what it should not."""

from ..checker.mutant import Mutant

PAIR = {"acceptor": 2, "ballot": 2, "slot": 1, "value": 2}
COVERED = "        covered=now.covered | {(a, b, s) for s in Slot if (a, s) in now.checkpoints},\n"

MUTANTS = [
    Mutant(
        "truncate_without_checkpoint",
        "A log is truncated where no checkpoint stands in for it.",
        "    require((a, s) in now.checkpoints)\n",
        "",
        breaks="logs_are_full",
        steps=6,
        explorer=PAIR,
        prover=("truncate", "logs_are_full"),
    ),
    Mutant(
        "truncated_is_reported_empty",
        "A promise says nothing of what a checkpoint covers, as if nothing had been accepted there.",
        COVERED,
        "",
        breaks="reports_are_full",
        steps=10,
        explorer=PAIR,
        prover=("promise", "reports_are_full"),
    ),
    Mutant(
        "leader_takes_covered_for_empty",
        "A leader proposes what it likes where a checkpoint covers the slot.",
        "    require(not any((a, b, s) in now.covered for a in q))\n",
        "",
        breaks="logs_keep_what_is_chosen",
        steps=15,
        explorer=PAIR,
        prover=("propose", "fresh(now, q, s, b) or last(now, q, s, b, v)"),
    ),
    Mutant(
        "leader_heeds_one_checkpoint",
        "A leader stays away only from what the checkpoints of all its quorum cover.",
        "require(not any((a, b, s) in now.covered for a in q))",
        "require(not all((a, b, s) in now.covered for a in q))",
        breaks="logs_keep_what_is_chosen",
        steps=13,
        explorer={**PAIR, "acceptor": 3},
        prover=("propose", "fresh(now, q, s, b) or last(now, q, s, b, v)"),
    ),
    Mutant(
        "leader_ignores_reports",
        "A leader proposes what it likes, whatever its quorum accepted before.",
        "    require(free(now, q, s, b) or forced(now, q, s, b, v))\n",
        "",
        breaks="logs_keep_what_is_chosen",
        steps=11,
        explorer=PAIR,
        prover=("propose", "fresh(now, q, s, b) or last(now, q, s, b, v)"),
    ),
    Mutant(
        "checkpoint_of_what_is_not_chosen",
        "One acceptance is enough for a checkpoint.",
        "require(all((c, s, b, v) in now.accepted for c in q))",
        "require(any((c, s, b, v) in now.accepted for c in q))",
        breaks="snapshots_are_of_the_chosen",
        steps=6,
        explorer=PAIR,
        prover=("checkpoint", "snapshots_are_of_the_chosen"),
    ),
    Mutant(
        "install_from_nobody",
        "A checkpoint is installed that nobody has.",
        "    require((s,) in now.snapshots)\n",
        "",
        breaks="checkpoints_come_from_somewhere",
        steps=1,
        explorer=PAIR,
        prover=("install", "checkpoints_come_from_somewhere"),
    ),
    Mutant(
        "install_forgets_promises",
        "Whoever installs a checkpoint starts afresh, and has forgotten which ballots it left.",
        "    require((s,) in now.snapshots)\n    return now.but(",
        "    require((s,) in now.snapshots)\n    return now.but(left=now.left - {(a, b) for b in Ballot}, ",
        breaks="promises_leave",
        steps=8,
        explorer=PAIR,
        prover=("install", "promises_leave"),
    ),
]

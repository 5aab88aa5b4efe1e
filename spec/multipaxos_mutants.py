"""Small edits of `multipaxos.py`, each of which breaks it: what keeps the explorer and the prover honest.

Each says what it spoils, in which instance a state shows it (sizes of the sorts, for `quorate check --mutant`), and
which obligation the prover can no longer discharge.  Two are harmless to agreement and yet refused, because they are
another system than the one that is proved.
"""

from ..checker.mutant import Mutant

SMALL = {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}
THREE_BALLOTS = {"acceptor": 3, "ballot": 3, "slot": 1, "value": 2}

LEAVE = "        left=now.left | {(a, c) for c in Ballot if c < b},\n"
REPORT = """        reported=now.reported
        | {(a, b, s, c, v) for s in Slot for c in Ballot for v in Value if (a, s, c, v) in now.log},
"""
ACCEPTED = "        log=now.log - {(a, s, c, w) for c in Ballot for w in Value} | {(a, s, b, v)},\n"

MUTANTS = [
    Mutant(
        "leader_ignores_reports",
        "The leader proposes what it likes, whatever its quorum accepted before.",
        "    require(free(now, q, s, b) or forced(now, q, s, b, v))\n",
        "",
        breaks="agreement",
        steps=12,
        explorer=SMALL,
        prover=("propose", "fresh(now, q, s, b) or last(now, q, s, b, v)"),
    ),
    Mutant(
        "leader_takes_any_report",
        "The leader re-proposes any reported value, not the one with the highest ballot.",
        "(a, b, s, c, v) in now.reported and topmost(now, q, s, b, c) for a",
        "(a, b, s, c, v) in now.reported for a",
        breaks="agreement",
        steps=17,
        explorer=THREE_BALLOTS,
        prover=("propose", "fresh(now, q, s, b) or last(now, q, s, b, v)"),
    ),
    Mutant(
        "leader_takes_lowest_report",
        "The leader re-proposes the reported value with the lowest ballot.",
        "now.reported and c < d for",
        "now.reported and d < c for",
        breaks="agreement",
        steps=17,
        explorer=THREE_BALLOTS,
        prover=("propose", "fresh(now, q, s, b) or last(now, q, s, b, v)"),
    ),
    Mutant(
        "leader_needs_one_promise",
        "One promise out of the quorum is enough to lead.",
        "require(all((a, b) in now.promised for a in q))",
        "require(any((a, b) in now.promised for a in q))",
        breaks="agreement",
        steps=10,
        explorer=SMALL,
        prover=("propose", "all((a, c) in now.left for a in q for c in Ballot if c < b)"),
    ),
    Mutant(
        "leader_proposes_twice",
        "The leader proposes two values in one slot of its ballot.",
        "    require(not any((s, b, w) in now.proposed for w in Value))\n",
        "",
        breaks="agreement",
        steps=9,
        explorer=SMALL,
        prover=("propose", "not any((s, b, w) in now.proposed for w in Value)"),
    ),
    Mutant(
        "promise_reports_nothing",
        "A promise carries no log.",
        REPORT,
        "",
        breaks="reports_are_full",
        steps=7,
        explorer=SMALL,
        prover=("promise", "reports_are_full"),
    ),
    Mutant(
        "promise_leaves_nothing",
        "An acceptor that promised goes on accepting in smaller ballots.",
        REPORT + LEAVE,
        REPORT,
        breaks="promises_leave",
        steps=2,
        explorer=SMALL,
        prover=("promise", "promises_leave"),
    ),
    Mutant(
        "promise_again",
        "An acceptor promises a ballot that it joined already: harmless to agreement, and another system.",
        "    require(not joined(now, a, b))\n",
        "",
        breaks="reports_are_latest",
        steps=6,
        explorer=SMALL,
        prover=("promise", "reports_are_latest"),
    ),
    Mutant(
        "accept_below_promise",
        "An acceptor accepts in a ballot that it has left.",
        "    require((s, b, v) in now.proposed)\n    require((a, b) not in now.left)\n",
        "    require((s, b, v) in now.proposed)\n",
        breaks="reports_are_full",
        steps=7,
        explorer=SMALL,
        prover=("accept", "(a, b) not in now.left"),
    ),
    Mutant(
        "accept_raises_no_promise",
        "Accepting in a ballot does not leave the smaller ones.",
        ACCEPTED + LEAVE,
        ACCEPTED,
        breaks="acceptances_leave",
        steps=5,
        explorer=SMALL,
        prover=("accept", "acceptances_leave"),
    ),
    Mutant(
        "accept_unproposed",
        "An acceptor accepts what nobody proposed.",
        "    require((s, b, v) in now.proposed)\n",
        "",
        breaks="validity",
        steps=2,
        explorer=SMALL,
        prover=("accept", "(s, b, v) in now.proposed"),
    ),
    Mutant(
        "log_keeps_everything",
        "The log keeps older acceptances too: harmless to agreement, and another system.",
        "log=now.log - {(a, s, c, w) for c in Ballot for w in Value} | {(a, s, b, v)}",
        "log=now.log | {(a, s, b, v)}",
        breaks="logs_are_latest",
        steps=10,
        explorer=SMALL,
        prover=("accept", "logs_are_latest"),
    ),
    Mutant(
        "quorums_need_not_meet",
        "Nothing is assumed of quorums, so two of them may be strangers to each other.",
        "assumes = [quorums_meet]\n",
        "assumes = []\n",
        breaks="agreement",
        steps=8,
        explorer=SMALL,
        prover=("propose", "proposals_are_safe"),
    ),
]

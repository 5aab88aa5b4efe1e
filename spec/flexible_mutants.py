"""Small edits of `flexible.py`, each of which has a leader miss a choice."""

from ..checker.mutant import Mutant

SPLIT = {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2, "phase1": 1, "phase2": 3}

MUTANTS = [
    Mutant(
        "phases_need_not_meet",
        "Nothing is assumed of quorums, so those who lead may not hear of those who chose.",
        "assumes = [phases_meet]\n",
        "assumes = []\n",
        breaks="agreement",
        steps=10,
        explorer={**SPLIT, "phase2": 2},
        prover=("propose", "proposals_are_safe"),
    ),
    Mutant(
        "chosen_by_phase1",
        "A quorum of phase 1 is taken for enough to choose, though two of them need not meet.",
        "for a in q) for q in Phase2 for b in Ballot)",
        "for a in q) for q in Phase1 for b in Ballot)",
        breaks="agreement",
        steps=8,
        explorer=SPLIT,
        prover=("invariant", "agreement"),
    ),
    Mutant(
        "leader_ignores_reports",
        "The leader proposes what it likes, whatever its quorum of phase 1 accepted before.",
        "    return now.after(multipaxos.propose, q, s, b, v)\n",
        "    return now.but(reported=set()).after(multipaxos.propose, q, s, b, v).but(reported=now.reported)\n",
        breaks="agreement",
        steps=12,
        explorer=SPLIT,
        prover=("propose", "fresh(now, q, s, b) or last(now, q, s, b, v)"),
    ),
]

"""Small edits of `flexible_voting.py`, each of which has a proposer miss a choice."""

from ..checker.mutant import Mutant

SPLIT = {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2, "phase1": 1, "phase2": 3}

MUTANTS = [
    Mutant(
        "phases_need_not_meet",
        "Nothing is assumed of quorums, so those who propose may not hear of those who chose.",
        "assumes = [phases_meet]\n",
        "assumes = []\n",
        breaks="proposals_are_safe",
        steps=2,
        explorer={**SPLIT, "phase2": 2},
        prover=("propose", "proposals_are_safe"),
    ),
    Mutant(
        "chosen_by_phase1",
        "A quorum of phase 1 is taken for enough to choose, though two of them need not meet.",
        "for a in q) for q in Phase2 for b in Ballot)",
        "for a in q) for q in Phase1 for b in Ballot)",
        breaks="agreement",
        steps=5,
        explorer=SPLIT,
        prover=("invariant", "agreement"),
    ),
    Mutant(
        "propose_anything",
        "A value is proposed whatever the quorum of phase 1 voted for before.",
        "    return now.after(voting.propose, q, s, b, v)\n",
        "    return now.but(voted=set()).after(voting.propose, q, s, b, v).but(voted=now.voted)\n",
        breaks="proposals_are_safe",
        steps=4,
        explorer=SPLIT,
        prover=("propose", "proposals_are_safe"),
    ),
]

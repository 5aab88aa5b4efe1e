"""Small edits of `voting.py`, each of which breaks it: what keeps the explorer and the prover honest."""

from ..checker.mutant import Mutant

SMALL = {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}

MUTANTS = [
    Mutant(
        "propose_before_leaving",
        "A value is proposed though its quorum may still vote in earlier ballots.",
        "    require(all((a, c) in now.left for a in q for c in Ballot if c < b))\n",
        "",
        breaks="proposals_are_safe",
        steps=1,
        explorer=SMALL,
        prover=("propose", "proposals_are_safe"),
    ),
    Mutant(
        "propose_twice",
        "Two values are proposed in one ballot.",
        "    require(not any((s, b, w) in now.proposed for w in Value))\n",
        "",
        breaks="one_proposal",
        steps=2,
        explorer=SMALL,
        prover=("propose", "one_proposal"),
    ),
    Mutant(
        "propose_anything",
        "A value is proposed whatever was voted for before.",
        "    require(fresh(now, q, s, b) or last(now, q, s, b, v))\n",
        "",
        breaks="proposals_are_safe",
        steps=5,
        explorer=SMALL,
        prover=("propose", "proposals_are_safe"),
    ),
    Mutant(
        "propose_any_vote",
        "The leader goes by any earlier vote of its quorum, not by the last.",
        "(a, s, c, v) in now.voted and c < b and silent(now, q, s, c, b) for a",
        "(a, s, c, v) in now.voted and c < b for a",
        breaks="proposals_are_safe",
        steps=8,
        explorer={"acceptor": 3, "ballot": 3, "slot": 1, "value": 2},
        prover=("propose", "proposals_are_safe"),
    ),
    Mutant(
        "vote_unproposed",
        "An acceptor votes for what nobody proposed.",
        "    require((s, b, v) in now.proposed)\n",
        "",
        breaks="votes_follow_proposals",
        steps=1,
        explorer=SMALL,
        prover=("vote", "votes_follow_proposals"),
    ),
    Mutant(
        "vote_after_leaving",
        "An acceptor votes in a ballot that it has left.",
        "    require((a, b) not in now.left)\n",
        "",
        breaks="proposals_are_safe",
        steps=5,
        explorer=SMALL,
        prover=("vote", "proposals_are_safe"),
    ),
    Mutant(
        "quorums_need_not_meet",
        "Nothing is assumed of quorums, so two of them may be strangers to each other.",
        "assumes = [quorums_meet]\n",
        "assumes = []\n",
        breaks="proposals_are_safe",
        steps=2,
        explorer=SMALL,
        prover=("propose", "proposals_are_safe"),
    ),
]

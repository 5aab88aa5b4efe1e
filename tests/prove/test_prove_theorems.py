"""Theorems beside agreement: validity, that a chosen value stays chosen, and both of them for flexible quorums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from quorate.checker.language import axiom
from quorate.checker.mutant import Mutant
from quorate.checker.mutation import mutate
from quorate.checker.prove.obligation import Obligation
from quorate.checker.prove.proof import obligations, prove
from quorate.checker.prove.solving import Z3, Outcome
from quorate.checker.refinement import Tower
from quorate.checker.specification import Function, Specification
from quorate.checker.term import Field, Union
from quorate.refinement.tower import FLOORS, tower
from quorate.spec.sorts import Phase1, Phase2

TOWERS = ["multipaxos", "flexible"]
VOTING = {"multipaxos": "voting", "flexible": "flexible_voting"}


def refutations(asked: Tower) -> list[tuple[str, str, str]]:
    """What fails of a tower, each with a counterexample that stands up."""
    outcomes = [Z3().discharge(o) for o in obligations(asked) if not o.skipped]
    assert {o.result for o in outcomes} <= {"proved", "failed"}
    failed = [o for o in outcomes if o.result == "failed"]
    for outcome in failed:
        assert outcome.counterexample is not None
        assert outcome.counterexample.refuted() == ""
    return [(o.obligation.level, o.obligation.action, o.obligation.conjunct) for o in failed]


def owed(asked: Tower, level: str, conjunct: str) -> Sequence[Obligation]:
    """The obligations of a level that concern a conjunct."""
    return [o for o in obligations(asked) if (o.level, o.conjunct) == (level, conjunct)]


def proved(o: Obligation) -> Outcome:
    outcome = Z3().discharge(o)
    assert outcome.result == "proved", str(o)
    return outcome


# Validity ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOWERS)
def test_what_is_chosen_was_proposed(name: str) -> None:
    """Proved of voting, from its invariants; below, it is the same formula read through the image."""
    above = VOTING[name]
    (asked,) = owed(tower(name), above, "validity")
    proved(asked)
    (below,) = owed(tower(name), f"{name} is {above}", "validity")
    assert below.skipped == f"read through votes it is {above}.validity"


@pytest.mark.parametrize("name", VOTING.values())
def test_validity_needs_that_votes_follow_proposals(name: str) -> None:
    assert (name, "invariant", "validity") in refutations(tower(name).without("votes_follow_proposals"))


# A chosen value stays chosen -----------------------------------------------------------------


def test_consensus_only_adds_to_what_is_chosen() -> None:
    """So whatever refines it never un-chooses: this is what it means that a chosen value stays chosen."""
    (step,) = Specification.of(FLOORS["consensus"].specification).steps.values()
    after = step.then["chosen"]
    assert isinstance(after, Union)
    assert isinstance(after.left, Field)
    assert after.left.name == "chosen"


@pytest.mark.parametrize("name", VOTING.values())
def test_a_chosen_value_stays_chosen(name: str) -> None:
    """A vote forgets nothing that was chosen, and no other step touches what is."""
    level = f"{name} is consensus"
    (vote,) = owed(tower(name), level, "chosen forgets nothing")
    assert (vote.action, vote.skipped) == ("vote", "")
    proved(vote)
    still = {o.action: o.skipped for o in owed(tower(name), level, "changes nothing")}
    assert still == {action: f"{action} changes nothing in consensus" for action in ("leave", "propose")}


FORGETTING = {
    "voting": (
        "voted=now.voted | {(a, s, b, v)}",
        "voted=now.voted - {(a, s, c, w) for c in Ballot for w in Value} | {(a, s, b, v)}",
    ),
    "flexible_voting": (
        "    voting.vote,\n    voting.one_proposal,\n    voting.votes_follow_proposals,\n]\n",
        """    voting.one_proposal,
    voting.votes_follow_proposals,
]

from .sorts import Acceptor


@action
def vote(now: Voting, a: Acceptor, s: Slot, b: Ballot, v: Value) -> Voting:
    earlier = {(a, s, c, w) for c in Ballot for w in Value}
    return now.but(voted=now.voted - earlier).after(voting.vote, a, s, b, v)
""",
    ),
}


@pytest.mark.parametrize("name", VOTING.values())
def test_votes_that_are_forgotten_unchoose(name: str) -> None:
    spec = Specification.of(FLOORS[name].specification)
    forgetful = Mutant(
        "forgetful",
        "A vote takes the place of the earlier ones.",
        *FORGETTING[name],
        breaks="agreement",
        steps=0,
        explorer={},
        prover=("vote", "chosen forgets nothing"),
    )
    failed = refutations(tower(name, mutate(spec, forgetful)))
    assert (f"{name} is consensus", "vote", "chosen forgets nothing") in failed


# Flexible quorums ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_the_flexible_tower_is_proved(seed: int) -> None:
    proof = prove(tower("flexible"), Z3(seed))
    assert [str(o.obligation) for o in proof.objections()] == []
    assert (proof.verdict, proof.count("proved"), proof.count("skipped")) == ("proved", 44, 40)


@pytest.mark.parametrize("seed", range(3))
def test_the_tower_with_checkpoints_is_proved(seed: int) -> None:
    proof = prove(tower("checkpoint"), Z3(seed))
    assert proof.verdict == "proved"


@pytest.mark.parametrize("invariant", [f.__name__ for f in tower("checkpoint").floors[0].invariants])
def test_the_tower_with_checkpoints_needs_every_invariant(invariant: str) -> None:
    """Of what fails one obligation is looked for: others may take long to refute."""
    owed_below = (o for o in obligations(tower("checkpoint").without(invariant)) if not o.skipped)
    asked = [o for o in owed_below if o.level.startswith("checkpoint") and o.action != "checkpoint"]
    found = (Z3(seconds_max=60.0).discharge(o) for o in asked)
    failed = next(o for o in found if o.result == "failed")
    assert failed.counterexample is not None
    assert failed.counterexample.refuted() == ""


def test_of_flexible_quorums_only_the_meeting_of_phases_is_assumed() -> None:
    told = {h.name for o in obligations(tower("flexible")) if not o.skipped for h in o.hypotheses}
    assert "phases_meet" in told
    assert "quorums_meet" not in told


@axiom
def each_phase_meets_itself() -> bool:
    """Two quorums of one phase have a member in common."""
    return all(any(a in r for a in q) for q in Phase1 for r in Phase1) and all(
        any(a in r for a in q) for q in Phase2 for r in Phase2
    )


def assuming(name: str, axioms: tuple[Function, ...]) -> Tower:
    """A tower whose lowest floor assumes something else."""
    spec = Specification.of(FLOORS[name].specification)
    return tower(name, replace(spec, assumes=axioms))


def test_that_each_phase_meets_itself_would_not_do() -> None:
    failed = refutations(assuming("flexible", (each_phase_meets_itself,)))
    assert failed == [("flexible_voting", "propose", "proposals_are_safe")]


@pytest.mark.parametrize(
    "invariant", [f.__name__ for s in tower("flexible").floors[:2] for f in s.invariants]
)
def test_the_flexible_tower_needs_every_invariant(invariant: str) -> None:
    assert refutations(tower("flexible").without(invariant))

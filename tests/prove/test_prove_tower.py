"""The tower is proved, whatever the seed, and needs every invariant that it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest

from quorate.checker.prove.obligation import Obligation
from quorate.checker.prove.proof import obligations, prove
from quorate.checker.prove.solving import Z3, Outcome
from quorate.checker.refinement import Tower
from quorate.checker.specification import Specification
from quorate.checker.term import mentions
from quorate.refinement.tower import tower

INVARIANTS = {
    "voting": ["one_proposal", "votes_follow_proposals", "proposals_are_safe"],
    "multipaxos": [
        "promises_leave",
        "acceptances_leave",
        "logs_are_true",
        "logs_are_latest",
        "logs_are_full",
        "reports_are_true",
        "reports_are_latest",
        "reports_are_full",
    ],
}


@pytest.mark.parametrize("seed", range(8))
def test_the_tower_is_proved(multipaxos_tower: Tower, seed: int) -> None:
    proof = prove(multipaxos_tower, Z3(seed))
    assert [str(o.obligation) for o in proof.objections()] == []
    assert proof.verdict == "proved"
    assert (proof.count("proved"), proof.count("skipped")) == (44, 40)


@pytest.mark.parametrize(
    ("level", "name"), [(level, name) for level in INVARIANTS for name in INVARIANTS[level]]
)
def test_every_invariant_is_needed(level: str, name: str) -> None:
    """Without it some obligation of its own floor fails; the floors above do not know of it."""
    asked = [o for o in obligations(tower(level).without(name)) if o.level.split(" is ")[0] == level]
    outcomes = [Z3().discharge(o) for o in asked if not o.skipped]
    assert {o.result for o in outcomes} == {"proved", "failed"}
    for outcome in outcomes:
        if outcome.result == "failed":
            assert outcome.counterexample is not None
            assert outcome.counterexample.refuted() == ""


def test_the_invariants_are_these() -> None:
    for spec in tower("multipaxos").floors[:2]:
        assert [f.__name__ for f in spec.invariants] == INVARIANTS[spec.name]


def test_dropping_what_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError):
        tower("voting").without("logs_are_true")


def test_a_floor_is_proved_with_what_is_above_it() -> None:
    assert [s.name for s in tower("multipaxos").floors] == ["multipaxos", "voting", "consensus"]
    assert {o.level for o in obligations(tower("voting"))} == {"voting", "voting is consensus", "consensus"}
    assert {o.level for o in obligations(tower("consensus"))} == {"consensus"}


def test_every_action_meets_every_invariant(multipaxos_tower: Tower) -> None:
    asked = obligations(multipaxos_tower)
    for spec in multipaxos_tower.floors:
        for action in ("init", *(f.__name__ for f in spec.actions)):
            named = [o.conjunct for o in asked if (o.level, o.action) == (spec.name, action)]
            assert named == [f.__name__ for f in spec.invariants]


def test_every_upper_require_is_owed_by_the_step_that_takes_it(multipaxos_tower: Tower) -> None:
    owed = {(o.action, o.place) for o in obligations(multipaxos_tower) if o.level == "multipaxos is voting"}
    voting = multipaxos_tower.floors[1]
    for action, upper in (("propose", "propose"), ("accept", "vote")):
        for r in voting.steps[upper].requires:
            assert (action, str(r.place)) in owed


def test_the_safety_of_multipaxos_comes_down_from_voting(multipaxos_tower: Tower) -> None:
    found = [o for o in obligations(multipaxos_tower) if (o.action, o.conjunct) == ("invariant", "agreement")]
    assert {o.level: o.skipped for o in found} == {
        "voting": "",
        "voting is consensus": "read through decisions it is voting.agreement",
        "multipaxos is voting": "read through votes it is voting.agreement",
    }


def test_nothing_but_the_lowest_floors_axioms_is_assumed(multipaxos_tower: Tower) -> None:
    for o in obligations(multipaxos_tower):
        if not o.skipped:
            assert {h.name for h in o.hypotheses} >= {"quorums_meet", "ballot_order"}
    bare = multipaxos_tower.edited(lambda spec: spec if spec.name != "multipaxos" else _without_axioms(spec))
    assert all("quorums_meet" not in {h.name for h in o.hypotheses} for o in obligations(bare))


def _without_axioms(spec: Specification) -> Specification:
    return replace(spec, assumes=())


def test_what_is_skipped_would_have_been_proved(multipaxos_tower: Tower) -> None:
    """A skipped invariant is the invariant itself, unchanged by the step: asking would be asking p => p."""
    for o in obligations(multipaxos_tower):
        spec = next((s for s in multipaxos_tower.floors if s.name == o.level), None)
        if o.skipped and spec is not None:
            changed = spec.steps[o.action].changed()
            told = {h.name: h for h in o.hypotheses}[o.conjunct]
            assert not mentions(told.formula) & changed.keys()


def test_a_specification_of_ones_own_is_proved_by_itself(module_of: Callable[[str], ModuleType]) -> None:
    spec = Specification.of(module_of(TOKEN), "token")
    proof = prove(Tower((spec,)))
    assert proof.verdict == "proved"
    assert [(o.obligation.action, o.obligation.conjunct) for o in proof.outcomes] == [
        ("init", "one_holder"),
        ("take", "one_holder"),
        ("give", "one_holder"),
        ("invariant", "never_two"),
    ]


def test_safety_alone_is_not_taken_for_an_invariant(module_of: Callable[[str], ModuleType]) -> None:
    text = TOKEN.replace("@invariant\n", "@safety\n")
    proof = prove(Tower((Specification.of(module_of(text), "token"),)))
    assert proof.verdict == "refuted"
    assert {o.obligation.action for o in proof.outcomes} == {"invariant"}


def test_outcomes_are_told_as_they_come(multipaxos_tower: Tower) -> None:
    seen: list[tuple[Obligation, int, int]] = []

    def watch(outcome: Outcome, done: int, total: int) -> None:
        seen.append((outcome.obligation, done, total))

    proof = prove(tower("consensus"), watch=watch)
    assert seen == [(o.obligation, i, 2) for i, o in enumerate(proof.outcomes, 1)]


TOKEN = """
from ..checker.language import Set, Sort, State, action, implies, init, invariant, require, safety


class Process(Sort): ...


class Token(State):
    holds: Set[Process]


@init
def free() -> Token:
    return Token()


@action
def take(now: Token, p: Process) -> Token:
    require(not any((o,) in now.holds for o in Process))
    return now.but(holds={(p,)})


@action
def give(now: Token, p: Process, o: Process) -> Token:
    require((p,) in now.holds)
    return now.but(holds=now.holds - {(p,)} | {(o,)})


@invariant
def one_holder(now: Token) -> bool:
    return all(implies((p,) in now.holds and (o,) in now.holds, p == o) for p in Process for o in Process)


@safety
def never_two(now: Token) -> bool:
    return not any((p,) in now.holds and (o,) in now.holds and p != o for p in Process for o in Process)
"""

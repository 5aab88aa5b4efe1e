"""Every mutant is refuted, at the obligation that it names, by a counterexample that stands up."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from quorate.checker.mutation import Mutant, mutants_of, mutate
from quorate.checker.prove.counterexample import Counterexample
from quorate.checker.prove.proof import obligations, prove
from quorate.checker.prove.smtlib import Query
from quorate.checker.prove.solving import Z3, Outcome
from quorate.checker.specification import Specification
from quorate.refinement.tower import FLOORS, tower


def mutants() -> list[tuple[str, Mutant]]:
    specs = {name: Specification.of(floor.specification) for name, floor in FLOORS.items()}
    return [(name, mutant) for name, spec in specs.items() for mutant in mutants_of(spec)]


@cache
def questions(name: str) -> set[str]:
    """What is asked of the tower as it is, which is proved elsewhere."""
    return {Query.of(o).text for o in obligations(tower(name)) if not o.skipped}


def refutations(name: str, mutant: Mutant) -> list[Outcome]:
    """What fails of a mutant; what the edit leaves as it is holds, and is not asked again."""
    mutated = mutate(Specification.of(FLOORS[name].specification), mutant)
    asked = [o for o in obligations(tower(name, mutated)) if not o.skipped]
    asked = [o for o in asked if Query.of(o).text not in questions(name)]
    outcomes = [Z3(seconds_max=300.0).discharge(o) for o in asked]
    assert {o.result for o in outcomes} <= {"proved", "failed"}
    return [o for o in outcomes if o.result == "failed"]


@pytest.mark.parametrize(("name", "mutant"), mutants(), ids=lambda x: x if isinstance(x, str) else x.name)
def test_a_mutant_is_refuted_where_it_says(name: str, mutant: Mutant) -> None:
    failed = refutations(name, mutant)
    assert mutant.prover in {(o.obligation.action, o.obligation.conjunct) for o in failed}
    for outcome in failed:
        assert outcome.counterexample is not None
        assert outcome.counterexample.refuted() == ""


def test_every_specification_has_mutants_and_the_quorums_among_them() -> None:
    found = {(name, mutant.name) for name, mutant in mutants()}
    assert len(found) >= 21
    assert {("multipaxos", "quorums_need_not_meet"), ("voting", "quorums_need_not_meet")} <= found


@pytest.fixture(scope="module")
def accepted_twice() -> Counterexample:
    """That a forgotten `left` breaks `acceptances_leave`."""
    mutant = next(m for name, m in mutants() if m.name == "accept_raises_no_promise")
    first = refutations("multipaxos", mutant)[0]
    assert first.obligation.conjunct == "acceptances_leave"
    assert first.counterexample is not None
    return first.counterexample


def test_a_counterexample_is_small(accepted_twice: Counterexample) -> None:
    sizes = accepted_twice.instance.sizes()
    assert sizes["ballot"] == 2
    assert sizes["slot"] == sizes["value"] == 1
    assert sizes["acceptor"] <= 2


def test_a_counterexample_is_a_step_of_the_mutant(accepted_twice: Counterexample) -> None:
    """Run as Python, the mutant takes the state before to the state after."""
    base = Specification.of(FLOORS["multipaxos"].specification)
    mutant = next(m for name, m in mutants() if m.name == "accept_raises_no_promise")
    spec = mutate(base, mutant)
    with accepted_twice.instance.inhabited():
        now = spec.state(**accepted_twice.before)
        nxt = spec.action("accept")(now, *accepted_twice.parameters.values())
        assert nxt == spec.state(**accepted_twice.after)
        assert all(f(now) for f in spec.invariants)
        assert not next(f for f in spec.invariants if f.__name__ == "acceptances_leave")(nxt)


def test_a_witness_makes_the_goal_false(accepted_twice: Counterexample) -> None:
    w = accepted_twice.witness
    assert (w["a"], w["s"], w["b"], w["v"]) in accepted_twice.after["accepted"]
    assert w["c"] < w["b"]
    assert (w["a"], w["c"]) not in accepted_twice.after["left"]


def test_a_counterexample_that_breaks_a_hypothesis_is_none(accepted_twice: Counterexample) -> None:
    doctored = {**accepted_twice.relations, "proposed": frozenset()}
    assert replace(accepted_twice, relations=doctored).refuted() == (
        "require((s, b, v) in now.proposed) does not hold in it"
    )


def test_a_counterexample_in_which_the_goal_holds_is_none(accepted_twice: Counterexample) -> None:
    members = accepted_twice.instance.members
    (ballot,) = (s for s in members if s.__name__ == "Ballot")
    one = replace(accepted_twice.instance, members={**members, ballot: members[ballot][-1:]})
    assert replace(accepted_twice, instance=one).refuted() == "the goal holds in it"


def test_the_same_question_has_the_same_answer(accepted_twice: Counterexample) -> None:
    """Whatever was asked in between: each obligation has a Z3 context of its own."""
    again = Z3().discharge(accepted_twice.obligation).counterexample
    assert again == accepted_twice


def test_a_whole_mutated_tower_is_refuted() -> None:
    spec = Specification.of(FLOORS["voting"].specification)
    mutant = next(m for m in mutants_of(spec) if m.name == "vote_unproposed")
    proof = prove(tower("voting", mutate(spec, mutant)))
    assert proof.verdict == "refuted"
    assert [o.obligation.conjunct for o in proof.objections()] == ["votes_follow_proposals"]

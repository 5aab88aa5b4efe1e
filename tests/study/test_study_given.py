"""Of a counterexample's state, what is given and what follows from it are told apart, and by what it follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from quorate.checker.evaluate import holds
from quorate.checker.prove.counterexample import Counterexample
from quorate.checker.prove.proof import obligations
from quorate.checker.prove.solving import Z3, Outcome
from quorate.checker.refinement import Tower
from quorate.checker.specification import Specification
from quorate.checker.study.given import Told, told
from quorate.checker.study.smallest import smallest
from quorate.checker.study.study import Examiner
from quorate.refinement.tower import tower

Failing = Callable[[str, str], tuple[Tower, list[Outcome]]]
SpecOf = Callable[..., Specification]

DROPS = [(spec.name, f.__name__) for spec in tower("multipaxos").floors for f in spec.invariants]


def counterexamples(failing: Failing, level: str, name: str) -> list[Counterexample]:
    """The smallest counterexample to whatever fails without an invariant."""
    less, outcomes = failing(level, name)
    found = [smallest(o.obligation, less.floors[0].sorts, 9).counterexample for o in outcomes]
    return [c for c in found if c is not None]


def rows_of(told: Told) -> list[tuple[str, Any]]:
    given = [(name, row) for name, rows in told.given.items() for row in rows]
    return given + [(f.relation, row) for f in told.follows for row in f.rows]


@pytest.mark.parametrize(("level", "name"), DROPS)
def test_at_most_three_rows_make_the_case_and_every_other_row_has_its_reasons(
    level: str, name: str, failing: Failing
) -> None:
    for found in counterexamples(failing, level, name):
        apart = told(found)
        if apart is None:
            continue
        assert sorted(rows_of(apart), key=str) == sorted(
            ((n, row) for n, rows in found.before.items() for row in rows), key=str
        )
        assert 1 <= apart.count <= 3
        supposed = {h.name: h.formula for h in found.obligation.hypotheses}
        for f in apart.follows:
            assert f.by
            for row in f.rows:  # a state without the row is not one of those that the reasons allow
                relation = found.obligation.before[f.relation].name  # type: ignore[union-attr]
                less = {**found.relations, relation: found.relations[relation] - {row}}
                assert not all(holds(supposed[by], less, found.values, found.instance.members) for by in f.by)


def test_a_report_and_what_it_is_silent_of_are_all_that_is_wrong_without_reports_are_latest(
    failing: Failing,
) -> None:
    (found,) = counterexamples(failing, "multipaxos", "reports_are_latest")
    apart = told(found)
    assert apart is not None
    assert list(apart.lines()) == [
        "    reported  (a1, 2, s1, 2, v1)",
        "    accepted  (a1, s1, 1, v2)",
        "    log       (a1, s1, 2, v1)",
        "  and so with",
        "    promised  (a1, 2)          by reports_are_true",
        "    accepted  (a1, s1, 2, v1)  by reports_are_true",
        "    left      (a1, 1)          by acceptances_leave, reports_are_true",
    ]


CHAIN = """
class Process(Sort): ...


class Chain(State):
    first: Set[Process]
    second: Set[Process]
    third: Set[Process]
    free: Set[Process]


@init
def nothing() -> Chain:
    return Chain()


@action
def go(now: Chain, p: Process) -> Chain:
    require((p,) in now.first and (p,) in now.free)
    return now.but(free=now.free - {(p,)})


@invariant
def second_after_first(now: Chain) -> bool:
    return all(implies((p,) in now.first, (p,) in now.second) for p in Process)


@invariant
def first_after_second(now: Chain) -> bool:
    return all(implies((p,) in now.second, (p,) in now.first) for p in Process)


@invariant
def third_after_second(now: Chain) -> bool:
    return all(implies((p,) in now.second, (p,) in now.third) for p in Process)


@invariant
def goal(now: Chain) -> bool:
    return all(implies((p,) in now.third, (p,) in now.free) for p in Process)
"""


def test_rows_that_bring_about_each_other_are_given_once_and_a_guard_gives_nothing(spec_of: SpecOf) -> None:
    """`free` is required by the step and follows from `goal`; of `first` and `second` either would do."""
    spec = spec_of(CHAIN, "chain")
    asked = next(o for o in obligations(Tower((spec,))) if (o.action, o.conjunct) == ("go", "goal"))
    found = Z3().discharge(asked).counterexample
    assert found is not None
    small = smallest(asked, spec.sorts, 3).counterexample
    assert small is not None
    apart = told(small)
    assert apart is not None
    assert {n for n, rows in apart.given.items() if rows} == {"first"}
    assert {f.relation: f.by for f in apart.follows} == {
        "second": ("second_after_first",),
        "third": ("second_after_first", "third_after_second"),
        "free": ("second_after_first", "third_after_second", "goal"),
    }
    only = tuple(h for h in asked.hypotheses if h.name.startswith("require("))
    bare = told(replace(small, obligation=replace(asked, hypotheses=only)))
    assert bare is not None
    assert bare.follows == ()
    assert sorted(n for n, rows in bare.given.items() if rows) == ["first", "free", "second", "third"]


def test_where_members_have_no_order_what_is_said_of_their_order_counts(failing: Failing) -> None:
    study = Examiner().drop_axiom(tower("voting"), "ballot_order")
    assert study.findings
    for finding in study.findings:
        assert finding.told is not None
        assert finding.given == finding.told.count < finding.rows
        found = finding.outcome.counterexample
        assert found is not None
        assert sum(len(f.rows) for f in finding.told.follows) == finding.rows - finding.given

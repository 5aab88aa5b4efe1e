"""What a proof rests on is enough, and nothing of it can be left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest
import z3

from quorate.checker.language import Sort
from quorate.checker.prove import cores
from quorate.checker.prove.cores import Core, core_of
from quorate.checker.prove.obligation import Hypothesis, Obligation
from quorate.checker.prove.proof import obligations
from quorate.checker.prove.smt import Smt
from quorate.checker.prove.solving import Z3
from quorate.checker.refinement import Tower
from quorate.checker.specification import Specification
from quorate.checker.term import TRUE, And, Formula, In, Not, Var

Asked = dict[tuple[str, str, str], Obligation]


class Node(Sort): ...


x = Var("x", Node)
p, q, r = In("p", (x,)), In("q", (x,)), In("r", (x,))


def asking(goal: Formula, *hypotheses: Formula) -> Obligation:
    named = tuple(Hypothesis(f"h{i}", h) for i, h in enumerate(hypotheses))
    return Obligation("level", "act", "goal", "here", goal, named)


@pytest.fixture(scope="module")
def asked(multipaxos_tower: Tower) -> Asked:
    return {(o.level, o.action, o.conjunct): o for o in obligations(multipaxos_tower) if not o.skipped}


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        (
            ("voting", "vote", "votes_follow_proposals"),
            {"votes_follow_proposals", "require((s, b, v) in now.proposed)"},
        ),
        (("voting", "init", "proposals_are_safe"), set()),
        (
            ("voting", "invariant", "agreement"),
            {"quorums_meet", "ballot_order", "one_proposal", "votes_follow_proposals", "proposals_are_safe"},
        ),
        (("multipaxos", "promise", "reports_are_full"), {"logs_are_full", "reports_are_full"}),
        (
            (
                "multipaxos is voting",
                "propose",
                "all((a, c) in now.left for a in q for c in Ballot if c < b)",
            ),
            {"promises_leave", "require(all((a, b) in now.promised for a in q))"},
        ),
    ],
    ids=lambda x: x[2] if isinstance(x, tuple) else None,
)
def test_the_tower_rests_on_what_the_argument_says(
    asked: Asked, cell: tuple[str, str, str], names: set[str]
) -> None:
    found = core_of(asked[cell])
    assert found is not None
    assert set(found.names(asked[cell])) == names
    assert not found.unsure
    assert not found.vacuous


def test_a_core_is_enough_and_nothing_of_it_can_go(asked: Asked) -> None:
    o = asked["multipaxos", "accept", "reports_are_latest"]
    found = core_of(o)
    assert found is not None
    told = tuple(o.hypotheses[i] for i in found.used)
    assert Z3().discharge(replace(o, hypotheses=told)).result == "proved"
    for i in range(len(told)):
        fewer = replace(o, hypotheses=told[:i] + told[i + 1 :])
        assert Z3().query(fewer, Smt()).check() == z3.sat


def test_of_two_ways_one_is_taken_and_where_the_solver_leaves_a_choice_it_is_the_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    o = asking(p, p, q, And((p, q)))
    assert core_of(o) in (Core((0,)), Core((2,)))
    monkeypatch.setattr(z3.Solver, "unsat_core", lambda self: [])
    assert core_of(o) == Core((2,))


def test_what_fails_has_no_core() -> None:
    assert core_of(asking(p, q)) is None


def test_hypotheses_that_contradict_one_another_are_told() -> None:
    assert core_of(asking(p, q, Not(q), r)) == Core((0, 1), vacuous=True)


def test_a_contradiction_is_preferred_to_a_proof_of_the_goal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever could prove anything should hear of it first."""
    monkeypatch.setattr(z3.Solver, "unsat_core", lambda self: [])
    assert core_of(asking(p, q, Not(q), p)) == Core((0, 1), vacuous=True)


def test_a_goal_that_needs_nothing_rests_on_nothing() -> None:
    assert core_of(asking(TRUE, p)) == Core(())


def test_what_cannot_be_decided_stays_and_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = cores.contradict

    def hesitant(query: cores.Query, some: list[int]) -> z3.CheckSatResult:
        return z3.unknown if 0 not in some else ask(query, some)

    monkeypatch.setattr(cores, "contradict", hesitant)
    o = asking(p, And((p, q)), r)
    found = core_of(o)
    assert found == Core((0,), unsure=(0,))
    assert found.names(o) == ("h0?",)


def test_without_help_from_the_solver_all_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(z3.Solver, "unsat_core", lambda self: [])
    assert core_of(asking(p, q, And((p, r)))) == Core((1,))


def test_a_core_survives_being_written_down() -> None:
    core = Core((0, 3), (3,), vacuous=True)
    assert Core.from_json(core.to_json()) == core


def test_an_action_that_can_never_happen_is_vacuous(module_of: Callable[[str], ModuleType]) -> None:
    spec = Specification.of(module_of(NEVER), "never")
    (o,) = (o for o in obligations(Tower((spec,))) if o.action == "turn")
    found = core_of(o)
    assert found is not None
    assert found.vacuous


NEVER = """
from ..checker.language import Set, Sort, State, action, init, invariant, require


class Node(Sort): ...


class Nodes(State):
    seen: Set[Node]


@init
def none() -> Nodes:
    return Nodes()


@action
def turn(now: Nodes, n: Node) -> Nodes:
    require((n,) in now.seen)
    require((n,) not in now.seen)
    return now.but(seen=now.seen | {(n,)})


@invariant
def nothing_is_seen(now: Nodes) -> bool:
    return not any((n,) in now.seen for n in Node)
"""

"""Runs of a given length are found just if there are any, and k-induction proves what holds and nothing else."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from quorate.checker.explore.referee import replay
from quorate.checker.instance import Instance
from quorate.checker.language import Refused, State
from quorate.checker.mutation import find_mutant
from quorate.checker.prove.obligation import Obligation
from quorate.checker.prove.solving import Z3, Outcome, Solver
from quorate.checker.specification import Specification
from quorate.checker.study.ahead import by_k_induction, look_ahead
from quorate.checker.study.ahead_report import ahead_lines, k_induction_lines
from quorate.checker.study.bounded import bounded, k_induction
from quorate.checker.study.landmark import elsewhere
from quorate.checker.study.unrolling import Unrolling
from quorate.cli.main import Exit, run
from quorate.cli.specs import chosen, find

SpecOf = Callable[..., Specification]

# One instance --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("consensus", "choose_twice"),
        ("voting", "propose_twice"),
        ("voting", "propose_anything"),
        ("multipaxos", "promise_leaves_nothing"),
        ("multipaxos", "accept_unproposed"),
        ("multipaxos", "accept_raises_no_promise"),
    ],
)
def test_a_mutant_is_broken_at_the_very_depth_at_which_the_explorer_breaks_it(spec: str, name: str) -> None:
    mutant = find_mutant(find(spec), name)
    spoiled = chosen(spec, name)
    instance = Instance.of(spoiled, mutant.explorer)
    seen = look_ahead(spoiled, instance, mutant.steps + 2)
    assert seen.verdict == "violated"
    assert seen.violation is not None
    assert (len(seen.violation.steps), seen.depth) == (mutant.steps, mutant.steps)
    assert seen.violation.property == mutant.breaks
    steps = [(s.action, list(s.parameters.values())) for s in seen.violation.steps]
    assert replay(spoiled, instance, steps) == list(seen.violation.states())


def test_the_runs_of_a_length_end_in_just_the_states_that_so_many_steps_lead_to(token: Specification) -> None:
    instance = Instance.of(token, {"process": 2})
    rows = [("p1",), ("p2",)]
    some = [
        [r for r, bit in zip(rows, bits, strict=True) if bit] for bits in itertools.product((0, 1), repeat=2)
    ]
    states = [token.state(holds=h, seen=s) for h in some for s in some]
    unrolling, level = Unrolling(token, instance), {token.init()}
    for depth in range(4):
        if depth:
            unrolling.extend()
            level = {nxt for now in level for nxt in successors(token, instance, now)}
        for state in states:
            described = elsewhere(token, instance, {"holds": state.holds, "seen": state.seen})
            with instance.inhabited():
                wanted = any(not described(other) for other in level)
            found = unrolling.violation(described)
            assert (found is not None) == wanted, f"{state} after {depth} steps"
            assert found is None or len(found.steps) == depth


def successors(spec: Specification, instance: Instance, now: State) -> Iterator[State]:
    with instance.inhabited():
        for f in spec.actions:
            for args in instance.arguments([x.sort for x in spec.steps[f.__name__].params]):
                try:
                    yield f(now, *args)
                except Refused:
                    continue


def test_no_run_of_the_specification_breaks_anything() -> None:
    spec = find("voting")
    seen = look_ahead(spec, Instance.of(spec, {"slot": 1}), 5)
    assert (seen.violation, seen.asked, seen.clean) == (None, False, True)


def test_that_nothing_is_violated_in_so_many_steps_does_not_say_that_it_holds() -> None:
    spec = find("voting")
    seen = look_ahead(spec, Instance.of(spec, {"slot": 1}), 5)
    assert seen.verdict == "unknown"
    assert list(ahead_lines(seen))[-1].startswith(
        "unknown: only runs of up to 5 steps were looked at; nothing is"
    )
    assert seen.to_json()["cut_short"] == "only runs of up to 5 steps were looked at"


def test_a_property_is_looked_at_in_the_initial_state_too(token: Specification, spec_of: SpecOf) -> None:
    wrong = spec_of(WRONG_AT_FIRST)
    seen = look_ahead(wrong, Instance.of(wrong), 3, Z3())
    assert seen.violation is not None
    assert seen.violation.steps == ()
    (outcome,) = (Z3().discharge(o) for o in bounded(wrong, 0, wrong.properties))
    assert outcome.result == "failed"


# Any number of everything --------------------------------------------------------------------


def test_what_no_run_of_three_steps_breaks_is_known_of_any_size() -> None:
    spec = find("voting")
    seen = look_ahead(spec, Instance.of(spec, {"slot": 1}), 3, Z3())
    assert (seen.clean, seen.unknown) == (True, ())
    asked = [(o.obligation.action, o.obligation.conjunct) for o in seen.outcomes]
    assert len(asked) == len(set(asked)) == len(spec.properties) * (1 + 3 * len(spec.actions))


def test_a_run_that_breaks_a_property_is_found_whatever_the_size() -> None:
    spoiled = chosen("multipaxos", "promise_leaves_nothing")
    goal = tuple(f for f in spoiled.invariants if f.__name__ == "promises_leave")
    results = [{Z3().discharge(o).result for o in bounded(spoiled, depth, goal)} for depth in range(3)]
    assert results == [{"proved"}, {"proved"}, {"proved", "failed"}]


def test_a_run_of_a_larger_instance_is_shown_in_the_smallest_that_has_one(spec_of: SpecOf) -> None:
    """Two nodes cannot break it, three can."""
    crowd = spec_of(CROWD, "crowd")
    small = Instance.of(crowd, {"node": 2})
    assert look_ahead(crowd, small, 4).clean
    seen = look_ahead(crowd, small, 4, Z3())
    assert seen.verdict == "violated"
    assert seen.violation is not None
    assert len(seen.violation.steps) == 3
    assert seen.instance.sizes() == {"node": 3}
    steps = [(s.action, list(s.parameters.values())) for s in seen.violation.steps]
    assert replay(crowd, seen.instance, steps)[0].up == frozenset()


def test_what_the_solver_does_not_know_is_not_asked_again_and_is_not_passed_over(shrug: Solver) -> None:
    spec = find("consensus")
    seen = look_ahead(spec, Instance.of(spec), 3, shrug)
    assert seen.verdict == "unknown"
    assert len(seen.outcomes) == 1
    assert any("of any size it is not known (out of breath)" in line for line in ahead_lines(seen))


# K-induction ---------------------------------------------------------------------------------


def test_one_induction_is_induction() -> None:
    spec = find("voting")
    seen = by_k_induction(spec, Instance.of(spec, {"slot": 1}), 1, Z3())
    assert (seen.verdict, seen.counterexample) == ("proved", None)


def test_what_one_state_implies_is_proved_by_two_without_asking_for_two() -> None:
    asked: list[str] = []

    class Overhears:
        name = "overhears"

        def discharge(self, obligation: Obligation) -> Outcome:
            asked.append(obligation.action)
            return Z3().discharge(obligation)

    spec = find("voting")
    seen = by_k_induction(spec, Instance.of(spec, {"slot": 1}), 2, Overhears())
    assert seen.verdict == "proved"
    assert {o.obligation.action.partition(", ")[2] for o in seen.steps} == {"after 2 states"}
    assert not [action for action in asked if action.endswith("after 2 states")]


@pytest.mark.parametrize(("k", "verdict"), [(1, "unknown"), (2, "unknown"), (3, "proved")])
def test_what_three_states_in_a_row_imply_is_proved_by_three(k: int, verdict: str, spec_of: SpecOf) -> None:
    """Blue comes of green, and red of blue, one step each; nothing is ever green, but only two steps tell."""
    fading = spec_of(FADING, "fading")
    seen = by_k_induction(fading, Instance.of(fading), k, Z3())
    assert seen.verdict == verdict
    if verdict == "unknown":
        assert seen.counterexample is not None
        assert len(seen.counterexample.steps) == k
        states = list(seen.counterexample.states())
        assert [bool(s.red) for s in states] == [False] * k + [True]
        assert any("these steps lead there" in line for line in k_induction_lines(seen))


def test_a_false_property_is_refuted_by_a_run_from_the_beginning(spec_of: SpecOf) -> None:
    falling = spec_of(FADING.replace("return Fading()", "return Fading(green={(n,) for n in Node})"))
    seen = by_k_induction(falling, Instance.of(falling), 3, Z3())
    assert seen.verdict == "refuted"
    assert seen.base.violation is not None
    assert len(seen.base.violation.steps) == 2
    assert seen.steps == ()


def test_steps_alone_do_not_prove_a_base_that_is_not_known(spec_of: SpecOf) -> None:
    class KnowsSteps:
        name = "knows steps"

        def discharge(self, obligation: object) -> Outcome:
            outcome = Z3().discharge(obligation)  # type: ignore[arg-type]
            at_first = outcome.obligation.action == "init"
            return replace(outcome, result="unknown", reason="no idea") if at_first else outcome

    spec = find("consensus")
    assert by_k_induction(spec, Instance.of(spec), 1, KnowsSteps()).verdict == "unknown"


def test_the_states_in_a_row_are_all_supposed_and_joined_by_steps(token: Specification) -> None:
    for k in (1, 2, 3):
        for o in k_induction(token, k, token.properties):
            names = [h.name for h in o.hypotheses]
            assert [n for n in names if " of state " in n] == [
                f"one_holder of state {i}" for i in range(1, k + 1)
            ]
            assert [n for n in names if n.startswith("step ")] == [f"step {i}" for i in range(1, k)]


# The command ---------------------------------------------------------------------------------


def test_looking_ahead_exits_by_what_it_saw(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "consensus", "--bmc", "2"]) == Exit.UNKNOWN
    assert "with any number of everything: no run of up to 2 steps" in capsys.readouterr().out
    assert run(["prove", "consensus", "--mutant", "choose_twice", "--bmc", "3", "--json"]) == Exit.VIOLATED
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["depth"], len(told["violation"]["steps"])) == ("violated", 2, 2)
    assert run(["prove", "consensus", "--k-induction", "1"]) == Exit.HOLDS
    assert "proved by 1-induction" in capsys.readouterr().out


def test_an_instance_that_is_asked_for_is_the_only_one_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "consensus", "--bmc", "1", "-n", "value=3", "--json"]) == Exit.UNKNOWN
    told = json.loads(capsys.readouterr().out)
    assert (told["instance"]["value"], told["any_size"]) == (3, None)


CROWD = """
class Node(Sort): ...


class Crowd(State):
    up: Set[Node]


@init
def nobody() -> Crowd:
    return Crowd()


@action
def come(now: Crowd, n: Node) -> Crowd:
    require((n,) not in now.up)
    return now.but(up=now.up | {(n,)})


@invariant
def no_three(now: Crowd) -> bool:
    return not any(
        (n,) in now.up and (m,) in now.up and (o,) in now.up and n != m and m != o and n != o
        for n in Node
        for m in Node
        for o in Node
    )
"""

WRONG_AT_FIRST = """
class Node(Sort): ...


class Nodes(State):
    up: Set[Node]


@init
def all_up() -> Nodes:
    return Nodes(up={(n,) for n in Node})


@action
def stop(now: Nodes, n: Node) -> Nodes:
    return now.but(up=now.up - {(n,)})


@invariant
def none_up(now: Nodes) -> bool:
    return not any((n,) in now.up for n in Node)
"""

FADING = """
class Node(Sort): ...


class Fading(State):
    green: Set[Node]
    blue: Set[Node]
    red: Set[Node]


@init
def nothing() -> Fading:
    return Fading()


@action
def fade(now: Fading) -> Fading:
    return now.but(green=set(), blue=now.green, red=now.blue)


@invariant
def never_red(now: Fading) -> bool:
    return not any((n,) in now.red for n in Node)
"""

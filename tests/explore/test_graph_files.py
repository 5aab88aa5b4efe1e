"""Graphs and counterexamples written for other tools say what was explored, and no more than fits."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from quorate.checker.explore.dump import STATES_MAX, TooLarge, dump
from quorate.checker.explore.graph import Graph, explored
from quorate.checker.explore.itf import counterexample_itf, value_itf
from quorate.checker.explore.liveness import check_liveness
from quorate.checker.explore.referee import explore
from quorate.checker.explore.result import Exploration
from quorate.checker.instance import Instance
from quorate.checker.language import State, relations_of
from quorate.checker.mutation import find_mutant, mutate
from quorate.checker.specification import Specification, load
from quorate.spec import multipaxos

CORE = Specification.of(multipaxos)
TINY = {"acceptor": 2, "ballot": 2, "slot": 1, "value": 1}


@pytest.fixture(scope="module")
def tiny() -> tuple[Graph, Exploration]:
    return explored(CORE, Instance.of(CORE, TINY))


def of_itf(value: Any) -> Any:
    """An ITF expression as the member, the row or the relation that it stands for."""
    match value:
        case {"#set": items}:
            return frozenset(map(of_itf, items))
        case {"#tup": items}:
            return tuple(map(of_itf, items))
        case {"#bigint": digits}:
            return int(digits)
    return value


def same(state: State, written: dict[str, Any]) -> bool:
    return all(of_itf(written[name]) == getattr(state, name) for name in relations_of(type(state)))


# The graph ---------------------------------------------------------------------------------


def test_the_graph_is_what_the_referee_counted(tiny: tuple[Graph, Exploration]) -> None:
    graph, found = tiny
    pairs = {(i, to) for i, out in enumerate(graph.edges) for _, to in out}
    assert (len(graph.states), len(pairs)) == (found.distinct, found.edges)
    assert max(graph.depth) + 1 == found.depth
    assert all(i != to for i, to in pairs)
    assert list(graph.depth) == sorted(graph.depth)
    assert sum(not out for out in graph.edges) == found.deadlocks


def test_the_way_to_a_state_is_a_shortest_run(tiny: tuple[Graph, Exploration]) -> None:
    graph, _ = tiny
    for i in range(0, len(graph.states), 7):
        way, at = graph.way_to(i), 0
        for move, to in way:
            assert (move, to) in graph.edges[at]
            at = to
        assert (at, len(way)) == (i, graph.depth[i])


def test_dot_has_a_node_for_each_state_and_an_arrow_for_each_step(tiny: tuple[Graph, Exploration]) -> None:
    graph, found = tiny
    text = "\n".join(dump("dot", graph, found))
    assert text.startswith('digraph "multipaxos" {')
    assert text.endswith("}")
    nodes = {int(n) for n in re.findall(r"^  (\d+) \[label=\d+ ", text, re.MULTILINE)}
    arrows = [(int(i), int(j)) for i, j in re.findall(r"^  (\d+) -> (\d+) \[label=\"", text, re.MULTILINE)]
    assert nodes == set(range(found.distinct))
    assert arrows == [(i, to) for i, out in enumerate(graph.edges) for _, to in out]
    assert '[label="accept(a=a1, s=s1, b=1, v=v1)"]' in text
    assert "doublecircle" in text.splitlines()[2]


def test_json_has_every_state_and_every_step(tiny: tuple[Graph, Exploration]) -> None:
    graph, found = tiny
    (line,) = dump("json", graph, found)
    out = json.loads(line)
    assert (out["spec"], out["instance"], out["initial"], out["whole"]) == ("multipaxos", TINY, 0, True)
    for state, written in zip(graph.states, out["states"], strict=True):
        assert all({tuple(row) for row in rows} == getattr(state, name) for name, rows in written.items())
    assert len(out["edges"]) == sum(map(len, graph.edges))
    accept = next(e for e in out["edges"] if e["action"] == "accept")
    assert accept["parameters"] == {"a": "a1", "s": "s1", "b": 1, "v": "v1"}


def test_itf_has_every_state_on_some_shortest_run(tiny: tuple[Graph, Exploration]) -> None:
    graph, found = tiny
    seen: set[int] = set()
    for line in dump("itf", graph, found):
        trace = json.loads(line)
        for i, written in enumerate(trace["states"]):
            (number,) = (n for n, state in enumerate(graph.states) if same(state, written))
            assert graph.depth[number] == i == written["#meta"]["index"]
            seen.add(number)
    assert seen == set(range(len(graph.states)))


def test_no_run_in_itf_is_the_beginning_of_another() -> None:
    """With one ballot there is one first step, so the initial state is the end of no run."""
    graph, found = explored(CORE, Instance.of(CORE, {**TINY, "ballot": 1}))
    assert len(graph.edges[0]) == 1
    assert min(len(json.loads(line)["states"]) for line in dump("itf", graph, found)) > 1


def test_a_graph_that_nobody_can_read_is_not_written(tiny: tuple[Graph, Exploration]) -> None:
    graph, found = tiny
    large = Graph(CORE, states=graph.states * (STATES_MAX // len(graph.states) + 1))
    with pytest.raises(TooLarge, match=r"more than 5,000 states; dump a smaller instance"):
        dump("dot", large, found)


# Counterexamples ---------------------------------------------------------------------------


def test_a_counterexample_in_itf_is_the_run_itself() -> None:
    spoiled = mutate(CORE, find_mutant(CORE, "leader_ignores_reports"))
    found = explore(spoiled, Instance.of(spoiled, {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}))
    assert found.violation is not None
    trace = json.loads(json.dumps(counterexample_itf(found, found.violation)))
    assert trace["#meta"]["format"] == "ITF"
    assert trace["#meta"]["description"].startswith("violates agreement: In a slot")
    assert trace["vars"] == list(relations_of(multipaxos.MultiPaxos))
    assert "loop" not in trace
    states = list(found.violation.states())
    assert len(trace["states"]) == len(states)
    assert all(same(state, written) for state, written in zip(states, trace["states"], strict=True))
    assert "action" not in trace["states"][0]["#meta"]
    proposed = next(s["#meta"] for s in trace["states"] if s["#meta"].get("action") == "propose")
    assert proposed["parameters"] == {"q": ["a1", "a2"], "s": "s1", "b": 1, "v": "v1"}


def test_a_run_that_stops_for_ever_loops_at_its_last_state() -> None:
    found = check_liveness(CORE, Instance.of(CORE, TINY), unfair=["propose"])
    assert found.violation is not None
    trace = counterexample_itf(found, found.violation)
    assert trace["loop"] == len(trace["states"]) - 1 == len(found.violation.steps)


def test_a_cycle_does_not_repeat_the_state_it_begins_with() -> None:
    """The format: the loop begins with the state of this number, and ends in the last one."""
    duel = load(Path(__file__).resolve().parents[2] / "docs" / "examples" / "duel.py")
    found = check_liveness(duel, Instance.of(duel))
    assert found.violation is not None
    trace = counterexample_itf(found, found.violation)
    states = list(found.violation.states())
    assert trace["loop"] == found.violation.loop == 1
    assert len(trace["states"]) == len(states) - 1
    assert same(states[-1], trace["states"][trace["loop"]])


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (3, 3),
        (2**53 - 1, 2**53 - 1),
        (2**53, {"#bigint": "9007199254740992"}),
        ("a1", "a1"),
        (frozenset({"a10", "a2"}), {"#set": ["a2", "a10"]}),
    ],
)
def test_members_are_written_as_the_format_has_them(value: object, written: object) -> None:
    assert value_itf(value) == written
    assert of_itf(written) == value

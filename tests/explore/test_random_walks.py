"""Random walks, by the text or by machine code, find what is wrong, are the same for one seed, and never say that it
holds."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from quorate.checker.explore.graph import explored
from quorate.checker.explore.referee import replay
from quorate.checker.explore.report import summary
from quorate.checker.explore.result import Exploration, Limits, Progress
from quorate.checker.explore.simulate import PROGRESS_EVERY_WALKS, STEPS_MAX, simulate
from quorate.checker.instance import Instance
from quorate.checker.mutation import find_mutant, mutate
from quorate.checker.native.walks import SIDE_BY_SIDE_MAX
from quorate.checker.native.walks import simulate as simulate_natively
from quorate.checker.specification import Specification
from quorate.refinement.tower import tower
from quorate.spec import consensus, multipaxos

CORE = Specification.of(multipaxos)
SPOILED = mutate(CORE, find_mutant(CORE, "leader_ignores_reports"))
SMALL = {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}
TINY = {"acceptor": 2, "ballot": 2, "slot": 1, "value": 1}


def walked(
    spec: Specification, sizes: dict[str, int], walks: int, seed: int = 0, **more: object
) -> Exploration:
    return simulate(spec, Instance.of(spec, sizes), walks, seed=seed, **more)  # type: ignore[arg-type]


def told(found: Exploration) -> dict[str, object]:
    return {k: v for k, v in found.to_json().items() if k != "seconds"}


def test_walks_that_find_nothing_leave_it_unknown() -> None:
    found = walked(CORE, SMALL, 30)
    assert (found.verdict, found.violation, found.engine) == ("unknown", None, "random walks")
    assert found.cut_short == "30 random walks (seed 0) are not every run"
    assert (found.extra["walks"], found.extra["seed"]) == (30, 0)
    assert sum(count.found for count in found.actions.values()) == found.distinct - 1
    assert found.never_taken() == ()
    assert any(line.startswith("unknown: 30 random walks") for line in summary(found))


def test_walks_over_everything_leave_it_unknown_too() -> None:
    found = walked(Specification.of(consensus), {"slot": 1, "value": 2}, 50)
    assert (found.verdict, found.distinct, found.edges, found.depth, found.deadlocks) == (
        "unknown",
        3,
        2,
        2,
        2,
    )


def test_one_seed_gives_one_set_of_walks() -> None:
    assert told(walked(CORE, SMALL, 10, seed=4)) == told(walked(CORE, SMALL, 10, seed=4))
    assert told(walked(CORE, SMALL, 10, seed=4)) != {**told(walked(CORE, SMALL, 10, seed=5)), "seed": 4}


def test_one_seed_gives_one_set_of_walks_in_another_process() -> None:
    """Python orders sets by hashes that differ from process to process; no walk depends on it."""
    program = (
        "from quorate.checker.explore.simulate import simulate; from quorate.checker.instance import Instance;"
        "from quorate.checker.specification import Specification; from quorate.spec import multipaxos;"
        f"spec = Specification.of(multipaxos); found = simulate(spec, Instance.of(spec, {SMALL}), 10, seed=4);"
        "print(found.distinct, found.edges, found.depth, found.deadlocks)"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hashseed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hashseed in ("1", "2")
    }
    here = walked(CORE, SMALL, 10, seed=4)
    assert said == {f"{here.distinct} {here.edges} {here.depth} {here.deadlocks}\n"}


def test_a_walk_sees_states_and_steps_of_the_graph_alone() -> None:
    instance = Instance.of(CORE, TINY)
    graph, whole = explored(CORE, instance)
    found = walked(CORE, TINY, 400)
    assert found.distinct <= whole.distinct
    assert found.edges <= whole.edges
    assert found.depth <= whole.depth
    assert 0 < found.deadlocks <= whole.deadlocks
    assert len(graph.states) == whole.distinct


def test_a_mutant_is_found_and_its_run_is_one() -> None:
    found = walked(SPOILED, SMALL, 3_000, seed=1)
    violation = found.violation
    assert found.verdict == "violated"
    assert violation is not None
    assert (violation.property, violation.shortest, found.cut_short) == ("agreement", False, "")
    taken = [(step.action, list(step.parameters.values())) for step in violation.steps]
    instance = Instance.of(SPOILED, SMALL)
    assert replay(SPOILED, instance, taken) == list(violation.states())
    with instance.inhabited():
        assert [bool(SPOILED.safety[0](state)) for state in violation.states()] == [True] * len(taken) + [
            False
        ]
    assert any(line.startswith("  A way there, not the shortest, ") for line in summary(found))
    assert found.extra["walks"] < 3_000, "it stops at the first"


def test_a_refinement_is_checked_on_every_step() -> None:
    refinement = tower("multipaxos", instead=SPOILED).refinements[0]
    found = walked(SPOILED, SMALL, 3_000, properties=(), step_checks=[refinement.broken_by])
    assert found.violation is not None
    assert found.violation.property.startswith(refinement.name)
    assert found.violation.steps[-1].action == "propose"


def test_a_walk_that_cannot_go_on_is_a_deadlock_if_that_is_asked() -> None:
    found = walked(CORE, TINY, 5, stop_at_deadlock=True)
    assert found.violation is not None
    assert found.violation.property == "deadlock"
    assert walked(CORE, TINY, 5).violation is None


def test_limits_stop_the_walks() -> None:
    assert walked(CORE, SMALL, 50, limits=Limits(depth_max=4)).depth == 4
    few = walked(CORE, SMALL, 50, limits=Limits(states_max=30))
    assert few.cut_short.startswith("the limit of 30 states was reached after ")
    assert few.extra["walks"] < 50
    none = walked(CORE, SMALL, 50, limits=Limits(seconds_max=0))
    assert none.cut_short == "the time limit of 0 s was reached after 1 random walks (seed 0)"
    assert STEPS_MAX > 100


def test_progress_is_told() -> None:
    said: list[Progress] = []
    walked(CORE, TINY, 2 * PROGRESS_EVERY_WALKS, watch=said.append)
    assert len(said) == 2
    assert said[0].distinct <= said[1].distinct


@pytest.mark.parametrize("seed", range(3))
def test_every_possible_step_is_taken_sooner_or_later(seed: int) -> None:
    """Each with equal chances: of the four first steps of consensus none is missed in 200 walks."""
    instance = {"slot": 2, "value": 2}
    found = walked(Specification.of(consensus), instance, 200, seed=seed, limits=Limits(depth_max=2))
    assert found.distinct == 5


# By machine code ------------------------------------------------------------------------------


def ran(spec: Specification, sizes: dict[str, int], walks: int, seed: int = 0, **more: object) -> Exploration:
    return simulate_natively(spec, Instance.of(spec, sizes), walks, seed=seed, **more)  # type: ignore[arg-type]


def without_times(found: Exploration) -> dict[str, object]:
    return {k: v for k, v in told(found).items() if k != "compile_seconds"}


def test_machine_code_walks_through_the_same_graph() -> None:
    _, whole = explored(CORE, Instance.of(CORE, TINY))
    found = ran(CORE, TINY, 20_000)
    assert (found.distinct, found.edges, found.depth) == (whole.distinct, whole.edges, whole.depth)
    assert found.deadlocks == whole.deadlocks
    assert (found.verdict, found.violation, found.engine) == ("unknown", None, "random walks")
    assert found.cut_short == "20,000 random walks (seed 0) are not every run"
    assert sum(count.found for count in found.actions.values()) == found.distinct - 1
    assert (
        ran(Specification.of(consensus), {"slot": 2, "value": 2}, 200, limits=Limits(depth_max=2)).distinct
        == 5
    )


def test_one_seed_gives_one_set_of_walks_by_machine_code_too() -> None:
    assert without_times(ran(CORE, SMALL, 50, seed=4)) == without_times(ran(CORE, SMALL, 50, seed=4))
    assert without_times(ran(CORE, SMALL, 50, seed=4)) != {
        **without_times(ran(CORE, SMALL, 50, seed=5)),
        "seed": 4,
    }


def test_a_mutant_is_found_by_machine_code_and_its_run_is_one() -> None:
    found = ran(SPOILED, SMALL, 50_000, seed=1)
    violation = found.violation
    assert violation is not None
    assert (violation.property, violation.shortest, found.cut_short) == ("agreement", False, "")
    instance = Instance.of(SPOILED, SMALL)
    taken = [(step.action, list(step.parameters.values())) for step in violation.steps]
    assert replay(SPOILED, instance, taken) == list(violation.states())
    with instance.inhabited():
        assert [bool(SPOILED.safety[0](state)) for state in violation.states()] == [True] * len(taken) + [
            False
        ]
    assert found.extra["walks"] < 50_000, "it stops when it has found something"


def test_what_stops_the_texts_walks_stops_those_of_machine_code() -> None:
    assert ran(CORE, SMALL, 50, limits=Limits(depth_max=4)).depth == 4
    few = ran(CORE, SMALL, 50 * SIDE_BY_SIDE_MAX, limits=Limits(states_max=30))
    assert (
        few.cut_short
        == f"the limit of 30 states was reached after {SIDE_BY_SIDE_MAX:,} random walks (seed 0)"
    )
    none = ran(CORE, SMALL, 50, limits=Limits(seconds_max=0))
    assert none.cut_short == "the time limit of 0 s was reached after 0 random walks (seed 0)"
    stuck = ran(CORE, TINY, 5, stop_at_deadlock=True)
    assert stuck.violation is not None
    assert stuck.violation.property == "deadlock"
    *_, last = stuck.violation.states()
    graph, _ = explored(CORE, Instance.of(CORE, TINY))
    assert graph.edges[graph.number(last)] == []
    said: list[Progress] = []
    ran(CORE, TINY, 2 * SIDE_BY_SIDE_MAX, watch=said.append)
    assert len(said) == 2
    assert 0 < said[0].distinct <= said[1].distinct

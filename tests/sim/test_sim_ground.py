"""The ground: what a run walks over of a small instance's explored graph, and nothing that is not there."""

from __future__ import annotations

import pytest

from quorate.hunt.ground import Ground, the_ground
from quorate.hunt.trial import Bench
from quorate.impl.sim.plan import Caller, Plan
from quorate.traces.messages import Ballot

ONE, TWO, THREE = Ballot(1, "a"), Ballot(2, "b"), Ballot(3, "c")
AB, BC = frozenset("ab"), frozenset("bc")
QUIET = [
    ("prepare", (ONE,)),
    ("promise", ("a", ONE)),
    ("promise", ("b", ONE)),
    ("propose", (AB, 1, ONE, "x")),
    ("accept", ("a", 1, ONE, "x")),
    ("accept", ("b", 1, ONE, "x")),
]


@pytest.fixture(scope="module")
def ground() -> Ground:
    return the_ground()


def test_a_run_walks_one_edge_a_step(ground: Ground) -> None:
    walked = ground.walked(QUIET)
    assert len(walked) == len(QUIET)
    assert walked <= ground.edges


def test_names_do_not_matter(ground: Ground) -> None:
    swap = {"a": "c", "b": "a", "x": "y", AB: frozenset("ac"), ONE: Ballot(7, "c"), 1: 42}
    renamed = [(name, tuple(swap.get(each, each) for each in args)) for name, args in QUIET]
    assert ground.walked(renamed) == ground.walked(QUIET)


def test_slots_are_walked_apart(ground: Ground) -> None:
    other = [(name, tuple(2 if each == 1 else each for each in args)) for name, args in QUIET[3:]]
    assert ground.walked([*QUIET, *other]) == ground.walked(QUIET)


def test_a_step_that_the_specification_refuses_is_no_edge(ground: Ground) -> None:
    unasked = ("accept", ("c", 1, ONE, "never proposed"))
    assert ground.walked([*QUIET[:3], unasked]) == ground.walked(QUIET[:3])


def test_a_third_ballot_ends_it_and_a_third_value_ends_its_slot(ground: Ground) -> None:
    second = [("prepare", (TWO,)), ("promise", ("b", TWO)), ("promise", ("c", TWO))]
    two = ground.walked([*QUIET, *second])
    assert len(two) > len(QUIET)
    assert ground.walked([*QUIET, *second, ("prepare", (THREE,)), ("promise", ("a", TWO))]) == two
    values = [("propose", (BC, 2, ONE, "y")), ("propose", (BC, 2, TWO, "z")), ("propose", (BC, 2, TWO, "w"))]
    assert ground.walked([*QUIET, *second, *values, ("accept", ("c", 2, TWO, "w"))]) <= ground.edges


def test_a_slot_in_which_two_values_were_proposed_is_walked_on(ground: Ground) -> None:
    run = [
        ("prepare", (ONE,)),
        ("promise", ("a", ONE)),
        ("promise", ("b", ONE)),
        ("propose", (AB, 1, ONE, "x")),
        ("prepare", (TWO,)),
        ("promise", ("b", TWO)),
        ("promise", ("c", TWO)),
        ("propose", (BC, 1, TWO, "y")),
        ("accept", ("b", 1, TWO, "y")),
        ("accept", ("a", 1, ONE, "x")),
    ]
    fresh = [step for step in run[4:] if step[0] in ("prepare", "promise")]
    assert len(ground.walked(run)) == len(run) + len(fresh), "a slot in which nothing was proposed walks too"


def test_a_trial_tells_what_it_walked_over(ground: Ground) -> None:
    bench = Bench(ground)
    callers = (Caller(session=True, commands=5, think=1000),)
    first = bench.hold(Plan(seed=1, callers=callers))
    assert first.edges
    assert first.edges <= ground.edges
    assert bench.hold(Plan(seed=1, callers=callers)).edges == first.edges
    assert not bench.hold(Plan(seed=1, nodes=5, callers=callers)).edges

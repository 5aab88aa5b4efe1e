"""Every mutant kept beside a specification is caught by the referee: the property it names, in the steps it names.

The mutants that need three ballots, or checkpoints of three acceptors, take half a minute or more; they are explored
for safety alone, and with the long tests.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from quorate.checker.explore.referee import explore, replay
from quorate.checker.instance import Instance
from quorate.checker.mutation import Mutant, find_mutant, mutants_of, mutate
from quorate.checker.specification import Specification
from quorate.refinement.tower import FLOORS, tower

SPECS = {name: Specification.of(floor.specification) for name, floor in FLOORS.items()}
SLOW = {
    ("multipaxos", "leader_takes_any_report"),
    ("multipaxos", "leader_takes_lowest_report"),
    ("checkpoint", "leader_heeds_one_checkpoint"),
}
MUTANTS = [
    pytest.param(spec, m, id=f"{name}-{m.name}", marks=[pytest.mark.long] * ((name, m.name) in SLOW))
    for name, spec in SPECS.items()
    for m in mutants_of(spec)
]


@pytest.mark.parametrize(("spec", "mutant"), MUTANTS)
def test_a_mutant_is_violated_where_it_says(spec: Specification, mutant: Mutant) -> None:
    spoilt = mutate(spec, mutant)
    instance = Instance.of(spoilt, mutant.explorer)
    goals = spoilt.safety if (spec.name, mutant.name) in SLOW else spoilt.properties
    found = explore(spoilt, instance, properties=goals)
    assert found.violation is not None
    assert (found.violation.property, len(found.violation.steps)) == (mutant.breaks, mutant.steps)
    run = [(taken.action, list(taken.parameters.values())) for taken in found.violation.steps]
    last = replay(spoilt, instance, run)[-1]
    with instance.inhabited():
        assert not {f.__name__: f for f in spoilt.properties}[mutant.breaks](last)


@pytest.mark.parametrize(("spec", "mutant"), MUTANTS)
def test_a_mutant_says_what_it_spoils(spec: Specification, mutant: Mutant) -> None:
    assert mutant.why.endswith(".")
    assert mutant.breaks in {f.__name__ for f in spec.properties}
    assert mutant.text != mutant.by
    assert find_mutant(spec, mutant.name) is mutant


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_without_its_mutation_a_specification_is_not_violated(spec: Specification) -> None:
    sizes = {"acceptor": 2, "ballot": 2, "slot": 1, "value": 2}
    known = {s.__name__.lower() for s in spec.sorts}
    found = explore(spec, Instance.of(spec, {k: v for k, v in sizes.items() if k in known}))
    assert found.verdict == "holds"


# Refinement --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("voting", {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}),
        ("multipaxos", {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}),
    ],
)
def test_every_step_is_a_step_above_or_none(name: str, sizes: Mapping[str, int]) -> None:
    (refinement, *_) = tower(name).refinements
    spec = refinement.lower
    found = explore(spec, Instance.of(spec, sizes), properties=(), step_checks=[refinement.broken_by])
    assert (found.verdict, found.violation) == ("holds", None)


@pytest.mark.parametrize(
    ("name", "mutant", "broken", "steps"),
    [
        ("multipaxos", "leader_ignores_reports", "propose is a step that voting does not allow", 9),
        ("multipaxos", "accept_unproposed", "accept is a step that voting does not allow", 1),
        ("multipaxos", "accept_raises_no_promise", "accept leads elsewhere in voting", 5),
        ("voting", "vote_after_leaving", "vote is a step that consensus does not allow", 8),
    ],
)
def test_a_mutant_is_no_refinement(name: str, mutant: str, broken: str, steps: int) -> None:
    spoilt = mutate(SPECS[name], find_mutant(SPECS[name], mutant))
    (refinement, *_) = tower(name, spoilt).refinements
    instance = Instance.of(spoilt, {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2})
    found = explore(spoilt, instance, properties=(), step_checks=[refinement.broken_by])
    assert found.violation is not None
    assert found.violation.property == f"{refinement.name}: {broken}"
    assert len(found.violation.steps) == steps

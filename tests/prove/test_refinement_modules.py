"""A refinement is an image and a step for every action; what is neither is refused in a line."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from quorate.checker.explore.referee import explore
from quorate.checker.instance import Instance
from quorate.checker.mutation import find_mutant, mutate
from quorate.checker.prove.obligation import axioms_of, orders_of
from quorate.checker.prove.simulation import Simulation
from quorate.checker.prove.solving import Z3
from quorate.checker.refinement import BadRefinement, Refinement, Tower
from quorate.checker.specification import Specification
from quorate.refinement import multipaxos_is_voting, voting_is_consensus
from quorate.refinement.tower import FLOORS, tower
from quorate.spec import consensus, multipaxos, voting

LOWER, UPPER = Specification.of(multipaxos), Specification.of(voting)
SMALL = {"acceptor": 2, "ballot": 2, "slot": 1, "value": 2}
PREPARE = "@step(of=multipaxos.prepare)\n"
PROMISE = "    return voting.leave(votes(now), a, b)\n"


@pytest.mark.parametrize(
    ("text", "by", "message"),
    [
        ("@image\n", "", "has one @image, this has 0"),
        (PREPARE, "", "the action prepare of multipaxos has no steps; write one"),
        ("@step(of=multipaxos.promise)\n", PREPARE, "the action prepare of multipaxos has 2 steps"),
        ("def prepare(now: MultiPaxos, b: Ballot)", "def prepare(now: MultiPaxos)", "takes the parameters"),
        (PROMISE, "    return votes(now).but(left=set())\n", "returns votes(now) or one action of voting"),
        (PROMISE, "    return voting.leave(voting.silence(), a, b)\n", "returns votes(now) or one action of voting"),
        (PROMISE, "    seen = votes(now)\n    return voting.leave(seen, a, b)\n", "returns votes(now) or one action"),
        ("def votes(now: MultiPaxos) -> Voting:", "def votes(now: MultiPaxos) -> MultiPaxos:", "returns one of voting"),
    ],
    ids=["no image", "no step", "twice", "parameters", "no action", "no image of now", "two statements", "not upper"],
)  # fmt: skip
def test_a_module_that_is_no_refinement_is_refused(
    edited: Callable[..., ModuleType], text: str, by: str, message: str
) -> None:
    module = edited(multipaxos_is_voting, text, by)
    with pytest.raises(BadRefinement) as caught:
        Refinement.of(module, LOWER, UPPER)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_image_of_another_state_is_refused(edited: Callable[..., ModuleType]) -> None:
    other = Specification.of(
        edited(multipaxos, "    prepared: Set[Ballot]", "    unused: Set[Slot]\n    prepared: Set[Ballot]")
    )
    with pytest.raises(BadRefinement, match="relation unused is not that of"):
        Refinement.of(multipaxos_is_voting, other, UPPER)


def test_a_refinement_between_other_specifications_is_refused() -> None:
    with pytest.raises(BadRefinement, match="returns one of consensus"):
        Refinement.of(multipaxos_is_voting, LOWER, Specification.of(consensus))


def test_a_tower_has_a_refinement_between_its_floors() -> None:
    with pytest.raises(BadRefinement):
        Tower((LOWER, UPPER))


def test_renaming_and_defining_images_are_told_apart() -> None:
    assert [r.renames() for r in tower("multipaxos").refinements] == [True, False]


@pytest.mark.parametrize("name", ["multipaxos", "voting"])
def test_every_explored_step_is_a_step_above(name: str) -> None:
    below = tower(name)
    spec, refinement = below.floors[0], below.refinements[0]
    found = explore(spec, Instance.of(spec, SMALL), step_checks=[refinement.broken_by])
    assert found.verdict == "holds"
    assert found.edges > 100


@pytest.mark.parametrize(
    ("name", "mutant", "property"),
    [
        (
            "multipaxos",
            "accept_unproposed",
            "multipaxos is voting: accept is a step that voting does not allow",
        ),
        ("multipaxos", "accept_raises_no_promise", "multipaxos is voting: accept leads elsewhere in voting"),
        ("voting", "propose_twice", "voting is consensus: vote is a step that consensus does not allow"),
    ],
)
def test_an_explored_step_that_is_none_above_is_named(name: str, mutant: str, property: str) -> None:
    base = Specification.of(FLOORS[name].specification)
    below = tower(name, mutate(base, find_mutant(base, mutant)))
    spec, refinement = below.floors[0], below.refinements[0]
    found = explore(
        spec, Instance.of(spec, {**SMALL, "acceptor": 3}), properties=[], step_checks=[refinement.broken_by]
    )
    assert found.violation is not None
    assert found.violation.property == property


def test_a_step_that_claims_to_change_nothing_is_held_to_it(edited: Callable[..., ModuleType]) -> None:
    module = edited(multipaxos_is_voting, PROMISE, "    return votes(now)\n")
    assert ("promise", "left adds no more") in failures(Refinement.of(module, LOWER, UPPER))


def test_an_image_with_a_row_too_many_does_not_begin_above(edited: Callable[..., ModuleType]) -> None:
    module = edited(voting_is_consensus, "if voting.chosen(now, s, v)}", "}")
    failed = failures(Refinement.of(module, UPPER, Specification.of(consensus)))
    assert ("init", "chosen is as above") in failed


def test_a_definition_by_one_vote_is_not_consensus(edited: Callable[..., ModuleType]) -> None:
    """Were a value chosen by a single vote, the upper invariant would not follow."""
    text = "if voting.chosen(now, s, v)}"
    anyone = "if any((a, s, b, v) in now.voted for a in Acceptor for b in Ballot)}"
    failed = failures(
        Refinement.of(edited(voting_is_consensus, text, anyone), UPPER, Specification.of(consensus))
    )
    assert ("invariant", "agreement") in failed


def failures(refinement: Refinement) -> set[tuple[str, str]]:
    """The obligations of a refinement that have a counterexample."""
    axioms = axioms_of(refinement.lower) + orders_of(refinement.lower.sorts)
    asked = [o for o in Simulation(refinement, axioms).obligations() if not o.skipped]
    outcomes = [Z3().discharge(o) for o in asked]
    return {(o.obligation.action, o.obligation.conjunct) for o in outcomes if o.result == "failed"}

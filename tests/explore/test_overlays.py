"""Overlays of the tower: flexible quorums, checkpoints, and Basic Paxos, which is Multi-Paxos with one slot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from quorate.checker.explore.referee import explore as explore_by_text
from quorate.checker.explore.result import Exploration
from quorate.checker.instance import BadInstance, Instance
from quorate.checker.language import State
from quorate.checker.native.explore import explore
from quorate.checker.specification import Specification
from quorate.checker.term import Var, canonical, member, put
from quorate.refinement.tower import tower
from quorate.spec import checkpoint, flexible, flexible_voting, multipaxos, voting
from quorate.spec.multipaxos import MultiPaxos, every_slot_decided
from quorate.spec.sorts import Phase1, Phase2, Slot, Value

SMALL = {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}
OVERLAYS = [(flexible, multipaxos), (flexible_voting, voting)]


# The overlay says what the original says ---------------------------------------------------


@pytest.mark.parametrize(("overlay", "original"), OVERLAYS)
def test_an_overlay_leaves_nothing_out(overlay: ModuleType, original: ModuleType) -> None:
    ours, theirs = Specification.of(overlay), Specification.of(original)
    assert ours.state is theirs.state
    for role in ("actions", "invariants", "safety"):
        assert {f.__name__ for f in getattr(ours, role)} == {f.__name__ for f in getattr(theirs, role)}


@pytest.mark.parametrize(
    ("overlay", "anew"),
    [
        (flexible, ["propose", "agreement", "validity"]),
        (flexible_voting, ["propose", "proposals_are_safe", "agreement", "validity"]),
    ],
)
def test_only_what_speaks_of_quorums_is_said_anew(overlay: ModuleType, anew: list[str]) -> None:
    spec = Specification.of(overlay)
    parts = (spec.init, *spec.actions, *spec.properties)
    assert [f.__name__ for f in parts if f.__module__ == overlay.__name__] == anew


@pytest.mark.parametrize(("overlay", "original"), OVERLAYS)
def test_who_leads_leads_as_before_but_for_the_quorum(overlay: ModuleType, original: ModuleType) -> None:
    ours, theirs = (Specification.of(m).steps["propose"] for m in (overlay, original))
    assert [x.sort for x in ours.params] == [Phase1, *(x.sort for x in theirs.params[1:])]
    same = dict(zip(theirs.params, ours.params, strict=True))
    for one, other in zip(ours.requires, theirs.requires, strict=True):
        assert one.place == other.place
        assert canonical(one.formula) == canonical(put(other.formula, same))
    row = tuple(Var(x.name, x.sort) for x in ours.params[1:])
    one, other = (member(row, step.then["proposed"]) for step in (ours, theirs))
    assert canonical(one) == canonical(put(other, same))


# Flexible quorums, explored ----------------------------------------------------------------


def explored(
    spec: Specification, sizes: Mapping[str, int], engine: Any = explore, **options: Any
) -> Exploration:
    found = engine(spec, Instance.of(spec, {**SMALL, **sizes}), **options)
    assert isinstance(found, Exploration)
    return found


@pytest.mark.parametrize(
    ("phase1", "phase2", "counts"),
    [(2, 2, (3_921, 9_442, 17)), (3, 1, (513, 1_048, 17)), (1, 3, (12_513, 35_092, 17))],
)
def test_quorums_that_meet_across_phases_agree(
    phase1: int, phase2: int, counts: tuple[int, int, int]
) -> None:
    found = explored(Specification.of(flexible), {"phase1": phase1, "phase2": phase2})
    assert (found.verdict, found.distinct, found.edges, found.depth) == ("holds", *counts)


def shape(found: Exploration) -> tuple[Any, ...]:
    """What of an exploration does not depend on the order in which states are looked at."""
    taken = {name: count.taken for name, count in found.actions.items()}
    return found.verdict, found.distinct, found.edges, found.depth, found.deadlocks, taken


def test_both_explorers_find_the_same_of_two_kinds_of_quorum() -> None:
    spec, sizes = Specification.of(flexible), {"phase1": 3, "phase2": 1}
    assert shape(explored(spec, sizes)) == shape(explored(spec, sizes, explore_by_text))


def test_with_majorities_in_both_phases_nothing_is_new() -> None:
    ours = explored(Specification.of(flexible), {"phase1": 2, "phase2": 2})
    assert shape(ours) == shape(explored(Specification.of(multipaxos), {"quorum": 2}))


@pytest.mark.parametrize(("phase1", "phase2"), [(1, 1), (1, 2), (2, 1)])
def test_quorums_that_miss_each_other_are_no_instance(phase1: int, phase2: int) -> None:
    sizes = {"acceptor": 3, "phase1": phase1, "phase2": phase2}
    with pytest.raises(BadInstance, match="Every quorum of phase 1 has a member in common"):
        Instance.of(Specification.of(flexible), sizes)


def test_said_of_nothing_both_phases_take_majorities() -> None:
    instance = Instance.of(Specification.of(flexible), {"acceptor": 5})
    assert {len(q) for sort in (Phase1, Phase2) for q in instance.members[sort]} == {3}


@pytest.mark.parametrize("name", ["flexible", "flexible_voting"])
@pytest.mark.parametrize(("phase1", "phase2"), [(3, 1), (1, 3)])
def test_every_flexible_step_is_a_step_above_or_none(name: str, phase1: int, phase2: int) -> None:
    (refinement, *_) = tower(name).refinements
    sizes = {"acceptor": 3, "value": 1, "phase1": phase1, "phase2": phase2}
    found = explored(
        refinement.lower, sizes, explore_by_text, properties=(), step_checks=[refinement.broken_by]
    )
    assert (found.verdict, found.violation) == ("holds", None)


# Checkpoints -------------------------------------------------------------------------------


def test_until_somebody_takes_a_checkpoint_nothing_is_new() -> None:
    spec = Specification.of(checkpoint)
    held_back = replace(spec, actions=tuple(f for f in spec.actions if f.__name__ in vars(multipaxos)))
    assert {f.__name__ for f in held_back.actions} == {"prepare", "promise", "propose", "accept"}
    assert shape(explored(held_back, {"acceptor": 3})) == shape(explored(Specification.of(multipaxos), {}))


def test_every_step_with_checkpoints_is_a_step_of_voting_or_none() -> None:
    (refinement, *_) = tower("checkpoint").refinements
    found = explored(
        refinement.lower, {"acceptor": 2}, explore_by_text, properties=(), step_checks=[refinement.broken_by]
    )
    assert (found.verdict, found.violation) == ("holds", None)


def test_a_checkpointed_cluster_has_the_states_that_are_written_down() -> None:
    found = explored(Specification.of(checkpoint), {"acceptor": 3})
    assert (found.verdict, found.distinct, found.edges, found.depth) == ("holds", 103_855, 399_450, 24)
    assert shape(explored(Specification.of(checkpoint), {"acceptor": 2})) == shape(
        explored(Specification.of(checkpoint), {"acceptor": 2}, explore_by_text)
    )


# A chosen value stays chosen ---------------------------------------------------------------


def chosen_values(module: ModuleType, now: State) -> set[tuple[Any, Any]]:
    return {(s, v) for s in Slot for v in Value if module.chosen(now, s, v)}


@pytest.mark.parametrize("module", [multipaxos, flexible, voting, flexible_voting, checkpoint])
def test_no_step_forgets_what_is_chosen(module: ModuleType) -> None:
    grown = 0

    def forgets(now: State, name: str, args: tuple[Any, ...], nxt: State) -> str | None:
        nonlocal grown
        before, after = chosen_values(module, now), chosen_values(module, nxt)
        grown += before < after
        return None if before <= after else f"{name}{args} forgets {before - after}"

    sizes = {"acceptor": 2}
    found = explored(Specification.of(module), sizes, explore_by_text, properties=(), step_checks=[forgets])
    assert (found.verdict, found.violation) == ("holds", None)
    assert grown > 0


# Basic Paxos, and what more slots save -----------------------------------------------------


def undecided(now: MultiPaxos) -> bool:
    """Some slot has no value yet; where it breaks, a shortest way to a full log ends."""
    return not every_slot_decided(now)


def shortest_to_a_full_log(slots: int) -> dict[str, int]:
    """How often each action is taken on a shortest way from silence to a value in every slot."""
    spec = Specification.of(multipaxos)
    sizes = {"ballot": 1, "value": 1, "slot": slots}
    found = explored(spec, sizes, properties=(undecided,))
    assert found.violation is not None
    names = [taken.action for taken in found.violation.steps]
    return {name: names.count(name) for name in ("prepare", "promise", "propose", "accept")}


def test_basic_paxos_takes_two_round_trips_a_value() -> None:
    """Phase 1: one prepare and a quorum of promises.  Phase 2: one proposal and a quorum of acceptances."""
    assert shortest_to_a_full_log(1) == {"prepare": 1, "promise": 2, "propose": 1, "accept": 2}


@pytest.mark.parametrize("slots", [2, 3])
def test_multi_paxos_takes_one_round_trip_a_value_and_one_in_all(slots: int) -> None:
    assert shortest_to_a_full_log(slots) == {
        "prepare": 1,
        "promise": 2,
        "propose": slots,
        "accept": 2 * slots,
    }

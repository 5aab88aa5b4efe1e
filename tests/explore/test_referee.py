"""The referee finds every state and no other, the shortest way to what is wrong, and never says more than it saw."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from quorate.checker.explore.referee import explore, replay
from quorate.checker.explore.result import Exploration, Limits, Progress
from quorate.checker.instance import Instance
from quorate.checker.language import Refused, State
from quorate.checker.mutation import find_mutant, mutate
from quorate.checker.source import Unreadable
from quorate.checker.specification import Specification, load

Explore = Callable[..., Exploration]

SMALL = {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}
TINY = {"acceptor": 2, "ballot": 2, "slot": 1, "value": 1}


# What there is -----------------------------------------------------------------------------


def test_multipaxos_has_the_states_that_tlc_and_spin_find(explored: Explore) -> None:
    found = explored("multipaxos", SMALL)
    assert (found.verdict, found.cut_short, found.violation) == ("holds", "", None)
    assert (found.distinct, found.edges, found.depth) == (3_921, 9_442, 17)
    assert {name: count.found for name, count in found.actions.items()} == {
        "prepare": 3,
        "promise": 525,
        "propose": 320,
        "accept": 3072,
    }
    assert found.never_taken() == ()
    assert found.instance == SMALL
    assert "agreement" in found.properties


@pytest.mark.long
def test_three_ballots_have_the_states_that_tlc_and_spin_find(explored: Explore) -> None:
    found = explored("multipaxos", {**SMALL, "ballot": 3}, properties=())
    assert (found.distinct, found.edges, found.depth) == (185_369, 491_535, 25)


@pytest.mark.parametrize(
    ("name", "sizes", "counts"),
    [
        ("consensus", {"slot": 1, "value": 2}, (3, 2, 2)),
        ("consensus", {"slot": 2, "value": 3}, (16, 24, 3)),
        ("consensus", {"slot": 3, "value": 1}, (8, 12, 4)),
    ],
)
def test_small_instances_have_the_states_that_counting_gives(
    explored: Explore, name: str, sizes: dict[str, int], counts: tuple[int, int, int]
) -> None:
    """Of consensus: (values + 1) ** slots states, and each free slot of each may take any value."""
    found = explored(name, sizes)
    assert (found.distinct, found.edges, found.depth) == counts


def test_self_loops_and_second_ways_are_no_edges(explored: Explore) -> None:
    found = explored("voting", TINY)
    assert sum(count.taken for count in found.actions.values()) == found.edges
    assert sum(count.found for count in found.actions.values()) == found.distinct - 1


# What is wrong -----------------------------------------------------------------------------


def steps_of(found: Exploration) -> list[tuple[str, list[Any]]]:
    assert found.violation is not None
    return [(taken.action, list(taken.parameters.values())) for taken in found.violation.steps]


@pytest.fixture
def choose_twice(specs: Mapping[str, Specification]) -> tuple[Specification, Instance]:
    spec = specs["consensus"]
    spoilt = mutate(spec, find_mutant(spec, "choose_twice"))
    return spoilt, Instance.of(spoilt, {"slot": 2, "value": 2})


def test_the_first_violation_is_a_shortest_one(choose_twice: tuple[Specification, Instance]) -> None:
    found = explore(*choose_twice)
    assert found.verdict == "violated"
    assert found.violation is not None
    assert [str(step) for step in found.violation.steps] == ["choose(s=s1, v=v1)", "choose(s=s1, v=v2)"]
    assert (found.violation.property, found.violation.claim) == (
        "agreement",
        "In a slot, at most one value is chosen",
    )
    assert found.violation.place.startswith("consensus.py[choose_twice]:")
    assert found.depth == 3
    assert len(list(found.violation.states())) == 3


def test_a_counterexample_replays(choose_twice: tuple[Specification, Instance]) -> None:
    found = explore(*choose_twice)
    assert found.violation is not None
    assert replay(*choose_twice, steps_of(found)) == list(found.violation.states())


def test_a_step_that_is_not_allowed_does_not_replay(
    specs: Mapping[str, Specification], choose_twice: tuple[Specification, Instance]
) -> None:
    spec = specs["consensus"]
    with pytest.raises(Refused):
        replay(spec, Instance.of(spec, {"slot": 2, "value": 2}), steps_of(explore(*choose_twice)))


BOX = """\
from quorate.checker.language import Set, Sort, State, action, init, invariant, require


class Item(Sort): ...


class Box(State):
    held: Set[Item]
    lost: Set[Item]


@init
def empty() -> Box:
    return Box()


@action
def put(now: Box, i: Item) -> Box:
    require(not any((j,) in now.held for j in Item))
    require((i,) not in now.lost)
    return now.but(held=now.held | {(i,)})


@action
def look(now: Box) -> Box:
    return now


@action
def lose(now: Box, i: Item) -> Box:
    require((i,) in now.held)
    return now.but(held=now.held - {(i,)}, lost=now.lost | {(i,)})
"""


@pytest.fixture
def box(tmp_path: Path) -> Callable[[str], Specification]:
    """A box from which things are lost, with something added to its text."""

    def make(more: str) -> Specification:
        file = tmp_path / "box.py"
        file.write_text(f"{BOX}\n\n{more}")
        return load(file)

    return make


def test_a_state_that_nothing_leaves_is_a_deadlock(box: Callable[[str], Specification]) -> None:
    """Looking into the box changes nothing, so it leads nowhere."""
    spec = box("")
    instance = Instance.of(spec, {"item": 2})
    assert (explore(spec, instance).verdict, explore(spec, instance).deadlocks) == ("holds", 1)
    found = explore(spec, instance, stop_at_deadlock=True)
    assert found.violation is not None
    assert found.violation.property == "deadlock"
    assert [str(s) for s in found.violation.steps] == ["put(i=i1)", "lose(i=i1)", "put(i=i2)", "lose(i=i2)"]
    assert found.violation.claim == "In every state some action leads to another state"


def test_the_first_state_may_be_what_is_wrong(box: Callable[[str], Specification]) -> None:
    spec = box("@invariant\ndef p(now: Box) -> bool:\n    return any((i,) in now.held for i in Item)\n")
    found = explore(spec, Instance.of(spec))
    assert found.violation is not None
    assert (found.violation.property, found.violation.steps) == ("p", ())
    assert (found.distinct, found.depth, found.edges) == (1, 1, 0)


def test_of_two_broken_properties_the_first_in_the_text_is_named(box: Callable[[str], Specification]) -> None:
    one, two = (
        "@invariant\ndef {}(now: Box) -> bool:\n    return not any((i,) in now.lost for i in Item)\n",
    ) * 2
    spec = box(one.format("first") + "\n\n" + two.format("second"))
    found = explore(spec, Instance.of(spec))
    assert found.violation is not None
    assert found.violation.property == "first"
    only = explore(spec, Instance.of(spec), properties=[p for p in spec.properties if p.__name__ == "second"])
    assert only.violation is not None
    assert only.violation.property == "second"
    assert explore(spec, Instance.of(spec), properties=()).verdict == "holds"


def test_an_action_that_changes_nothing_anywhere_is_named(box: Callable[[str], Specification]) -> None:
    spec = box(
        "@action\ndef never(now: Box, i: Item) -> Box:\n"
        "    require((i,) in now.held and (i,) in now.lost)\n    return now.but(held=set())\n"
    )
    assert explore(spec, Instance.of(spec)).never_taken() == ("look", "never")


def test_what_cannot_be_read_is_not_explored(box: Callable[[str], Specification]) -> None:
    spec = box("@invariant\ndef p(now: Box) -> bool:\n    return len(now.held) < 2\n")
    by_hand = Instance({spec.module.Item: ("i1", "i2")})
    with pytest.raises(Unreadable, match="does not count or pick"):
        explore(spec, by_hand)
    with pytest.raises(Unreadable, match="does not count or pick"):
        Instance.of(spec)


# Steps -------------------------------------------------------------------------------------


def test_a_step_check_sees_every_step_and_names_what_one_breaks(box: Callable[[str], Specification]) -> None:
    spec = box("")
    seen: list[tuple[str, tuple[Any, ...]]] = []

    def check(now: State, action: str, args: tuple[Any, ...], nxt: State) -> str | None:
        seen.append((action, args))
        return "nothing is lost" if action == "lose" else None

    found = explore(spec, Instance.of(spec, {"item": 1}), step_checks=[check])
    assert seen == [("put", ("i1",)), ("look", ()), ("look", ()), ("lose", ("i1",))]
    assert found.violation is not None
    assert (found.verdict, found.violation.property) == ("violated", "nothing is lost")
    assert [str(s) for s in found.violation.steps] == ["put(i=i1)", "lose(i=i1)"]


# Stopping short ----------------------------------------------------------------------------

LIMITS = {
    "states": (Limits(states_max=100), "the limit of 100 states was reached"),
    "depth": (Limits(depth_max=5), "the depth limit of 5 levels was reached"),
    "time": (Limits(seconds_max=0.0), "the time limit of 0 s was reached"),
}


@pytest.mark.parametrize(("limits", "why"), LIMITS.values(), ids=LIMITS)
def test_a_search_cut_short_never_says_that_anything_holds(
    explored: Explore, limits: Limits, why: str
) -> None:
    found = explored("multipaxos", SMALL, limits=limits)
    assert (found.verdict, found.cut_short) == ("unknown", why)
    assert found.distinct < 3_921
    assert found.to_json()["cut_short"] == why
    assert limits.depth_max in (None, found.depth)


def test_a_limit_that_is_just_enough_cuts_nothing_short(explored: Explore) -> None:
    whole = explored("multipaxos", TINY)
    limits = Limits(states_max=whole.distinct, depth_max=whole.depth, seconds_max=600)
    assert explored("multipaxos", TINY, limits=limits).verdict == "holds"
    for less in (Limits(states_max=whole.distinct - 1), Limits(depth_max=whole.depth - 1)):
        assert explored("multipaxos", TINY, limits=less).verdict == "unknown"


def test_a_violation_found_within_the_limits_is_one(choose_twice: tuple[Specification, Instance]) -> None:
    assert explore(*choose_twice, limits=Limits(depth_max=2)).verdict == "violated"
    assert explore(*choose_twice, limits=Limits(depth_max=1)).verdict == "unknown"


def test_ctrl_c_keeps_what_was_found_and_claims_nothing(explored: Explore) -> None:
    seen: list[Progress] = []

    def watch(progress: Progress) -> None:
        seen.append(progress)
        if progress.depth == 6:
            raise KeyboardInterrupt

    found = explored("multipaxos", SMALL, watch=watch)
    assert (found.verdict, found.cut_short) == ("unknown", "it was interrupted")
    assert found.depth == 6
    assert 0 < found.distinct < 3_921


def test_progress_only_grows(explored: Explore) -> None:
    seen: list[Progress] = []
    found = explored("multipaxos", SMALL, watch=seen.append)
    assert sorted({p.depth for p in seen}) == list(range(1, found.depth + 1))
    assert [p.depth for p in seen] == sorted(p.depth for p in seen)
    assert [p.distinct for p in seen] == sorted(p.distinct for p in seen)
    assert [p.edges for p in seen] == sorted(p.edges for p in seen)
    assert (seen[0].distinct, seen[0].queue, seen[-1].distinct) == (1, 1, found.distinct)


# As data -----------------------------------------------------------------------------------


def test_the_outcome_is_plain_data(choose_twice: tuple[Specification, Instance]) -> None:
    told = explore(*choose_twice).to_json()
    assert json.loads(json.dumps(told)) == told
    assert told["seconds"] >= 0
    assert {k: told[k] for k in ("spec", "instance", "engine", "verdict", "distinct", "edges", "depth")} == {
        "spec": "consensus",
        "instance": {"slot": 2, "value": 2},
        "engine": "referee",
        "verdict": "violated",
        "distinct": 6,
        "edges": 5,
        "depth": 3,
    }
    assert told["actions"] == {"choose": {"taken": 5, "found": 5}}
    assert told["properties"] == ["agreement"]
    assert told["violation"]["steps"] == [
        {
            "action": "choose",
            "parameters": {"s": "s1", "v": "v1"},
            "added": {"chosen": [["s1", "v1"]]},
            "removed": {},
        },
        {
            "action": "choose",
            "parameters": {"s": "s1", "v": "v2"},
            "added": {"chosen": [["s1", "v2"]]},
            "removed": {},
        },
    ]


def test_a_quorum_and_a_removed_row_are_plain_data(specs: Mapping[str, Specification]) -> None:
    spec = specs["multipaxos"]
    spoilt = mutate(spec, find_mutant(spec, "accept_below_promise"))
    found = explore(spoilt, Instance.of(spoilt, SMALL))
    steps = found.to_json()["violation"]["steps"]
    assert len(steps) == 7
    (propose,) = [s for s in steps if s["action"] == "propose"]
    assert propose["parameters"]["q"] in (["a1", "a2"], ["a1", "a3"], ["a2", "a3"])


def test_nothing_wrong_is_nothing_in_the_data(explored: Explore) -> None:
    told = explored("consensus", {"slot": 1, "value": 1}).to_json()
    assert told["violation"] is None
    assert told["cut_short"] is None

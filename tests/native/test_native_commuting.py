"""What lets a search take fewer steps: those that commute, and levels that have no state in common."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quorate.checker.explore.referee import explore as referee
from quorate.checker.explore.result import Limits
from quorate.checker.instance import Instance
from quorate.checker.native import Storage, commuting, explore
from quorate.checker.native.circuit import Node
from quorate.checker.native.moves import Leaf
from quorate.checker.native.program import Program, compile_program
from quorate.checker.native.ranks import counting, cover
from quorate.checker.native.search import Search
from quorate.checker.specification import Specification

CORE = {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}
Write = Callable[[str], Specification]
Value = Callable[[Node, int], bool]
HEAD = "class X(Sort): ...\nclass Y(Sort, ordered=True): ...\n"
EMPTY = "@init\ndef first() -> S:\n    return S()\n"


def program_of(spec: Specification, **sizes: int) -> Program:
    known = {s.__name__.lower() for s in spec.sorts}
    return compile_program(spec, Instance.of(spec, {k: n for k, n in sizes.items() if k in known}), ())


def after(value: Value, leaf: Leaf, bits: int) -> int | None:
    """Where a leaf leads from a state; None where it is not possible."""
    if not value(leaf.guard, bits):
        return None
    out = bits
    for bit, becomes in leaf.becomes.items():
        out = out | 1 << bit if value(becomes, bits) else out & ~(1 << bit)
    return out


def reachable(value: Value, program: Program) -> set[int]:
    first = sum(word << 64 * i for i, word in enumerate(program.layout.first))
    seen, new = {first}, [first]
    while new:
        now = new.pop()
        for leaf in program.moves.leaves:
            following = after(value, leaf, now)
            if following is not None and following not in seen:
                seen.add(following)
                new.append(following)
    return seen


@pytest.mark.parametrize("name", ["consensus", "voting", "multipaxos"])
def test_what_is_left_out_leads_where_another_way_leads(
    specs: Mapping[str, Specification], value: Value, name: str
) -> None:
    program = program_of(specs[name], **CORE)
    leaves = {number: leaf for leaf, number in program.sleep.number.items()}
    states, left_out = reachable(value, program), 0
    for leaf, mask in program.sleep.instead.items():
        for other in (leaves[n] for n in leaves if mask >> n & 1):
            for now in states:
                by_leaf, by_other = after(value, leaf, now), after(value, other, now)
                if by_leaf is None or by_other is None or (both := after(value, other, by_leaf)) is None:
                    continue
                assert both == after(value, leaf, by_other)
                left_out += 1
    assert left_out > 500 or name == "consensus"  # of one slot, in which every step excludes every other


def test_the_core_is_made_in_little_more_steps_than_it_has_states(
    specs: Mapping[str, Specification], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    plain = Program.expand

    def counted(self: Program, *arrays: Any) -> int:
        made.append(plain(self, *arrays))
        return made[-1]

    monkeypatch.setattr(Program, "expand", counted)
    spec = specs["multipaxos"]
    found = explore(spec, Instance.of(spec, {**CORE, "ballot": 3}), symmetry=False)
    assert (found.distinct, found.edges) == (185_369, 491_535)
    assert found.distinct <= sum(made) < 1.3 * found.distinct
    made.clear()
    found = explore(spec, Instance.of(spec, {**CORE, "ballot": 3}))
    assert (found.distinct, found.extra["orbits"]) == (185_369, 17_153)
    assert sum(made) < 0.9 * found.extra["generated"]


def test_with_more_leaves_than_a_set_has_places_the_counts_are_the_same(
    specs: Mapping[str, Specification], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = specs["multipaxos"]
    small = Instance.of(spec, CORE)
    for words_max, leaves_max in ((0, 1_024), (1, 0)):
        monkeypatch.setattr(commuting, "WORDS_MAX", words_max)
        monkeypatch.setattr(commuting, "LEAVES_MAX", leaves_max)
        for symmetry in (False, True):
            found = explore(spec, small, symmetry=symmetry)
            assert (found.distinct, found.edges, found.depth) == (3_921, 9_442, 17)
    monkeypatch.undo()
    monkeypatch.setattr(commuting, "WORD_BITS", 8)
    few = program_of(spec, **CORE).sleep
    assert (few.sleepers, len(few.number) > 16) == (16, True)


@pytest.mark.parametrize(
    "second",
    [
        "now.but(two=now.two | {(x,)}, late=now.late | {(y,) for y in X if (y,) in now.one})",
        "now.but(two=now.two | {(x,)}, one={(y,) for y in X if y == x})",
        "now.but(two=now.two | {(x,)}, one=now.one | {(y,) for y in X})",
    ],
    ids=["one reads what the other writes", "both write", "both write the same"],
)
def test_what_does_not_commute_is_taken_in_both_orders(written: Write, second: str) -> None:
    spec = written(
        HEAD
        + "class S(State):\n    one: Set[X]\n    two: Set[X]\n    late: Set[X]\n    done: Set[X]\n"
        + EMPTY
        + "@action\ndef add(now: S, x: X) -> S:\n    require((x,) not in now.done)\n"
        + "    return now.but(one=now.one | {(x,)}, done=now.done | {(x,)})\n"
        + f"@action\ndef other(now: S, x: X) -> S:\n    require((x,) not in now.two)\n    return {second}\n"
    )
    instance = Instance.of(spec, {"x": 3})
    theirs = referee(spec, instance)
    for symmetry, workers in itertools.product((False, True), (1, 2)):
        ours = explore(spec, instance, symmetry=symmetry, workers=workers)
        assert (ours.distinct, ours.edges, ours.depth) == (theirs.distinct, theirs.edges, theirs.depth)


# Levels --------------------------------------------------------------------------------------


def test_every_step_of_the_core_adds_one_row_to_four_relations(
    specs: Mapping[str, Specification],
) -> None:
    program = program_of(specs["multipaxos"], **CORE)
    assert program.levels_apart
    assert counting(program.moves, program.layout) == ("accepted", "prepared", "promised", "proposed")


@pytest.mark.parametrize(
    ("actions", "apart"),
    [
        ("@action\ndef add(now: S, x: X) -> S:\n    return now.but(one=now.one | {(x,)})\n", True),
        (
            "@action\ndef add(now: S, x: X) -> S:\n    return now.but(one=now.one | {(x,)})\n"
            "@action\ndef drop(now: S, x: X) -> S:\n    return now.but(one=now.one - {(x,)})\n",
            False,
        ),
        (
            "@action\ndef add(now: S, x: X) -> S:\n    return now.but(one=now.one | {(x,)})\n"
            "@action\ndef fill(now: S, x: X) -> S:\n"
            "    return now.but(one=now.one | {(y,) for y in X}, two=now.two | {(x,)})\n",
            False,
        ),
        (
            "@action\ndef add(now: S, x: X) -> S:\n    return now.but(one=now.one | {(x,)})\n"
            "@action\ndef both(now: S, x: X, y: X) -> S:\n    require((x,) not in now.two)\n"
            "    return now.but(one=now.one | {(y,)}, two=now.two | {(x,)})\n",
            False,
        ),
    ],
    ids=["one more", "less again", "several more", "in two ways"],
)
def test_levels_are_apart_just_if_every_step_counts_one(written: Write, actions: str, apart: bool) -> None:
    spec = written(HEAD + "class S(State):\n    one: Set[X]\n    two: Set[X]\n" + EMPTY + actions)
    assert program_of(spec, x=3).levels_apart is apart
    instance = Instance.of(spec, {"x": 3})
    theirs = referee(spec, instance)
    for symmetry, workers in itertools.product((False, True), (1, 2)):
        ours = explore(spec, instance, symmetry=symmetry, workers=workers)
        assert (ours.distinct, ours.edges, ours.depth) == (theirs.distinct, theirs.edges, theirs.depth)


@pytest.mark.parametrize(
    ("kinds", "chosen"),
    [
        ([{"p": 1}, {"q": 1}], ("p", "q")),
        ([{"p": 1, "q": 1}, {"q": 1}], ("q",)),
        ([{"p": 1}, {"p": 1, "q": 1}, {"q": 1}], None),
        ([{"p": 2}], None),
        ([{"p": 1}, {}], None),
        ([{"p": 1, "r": 1}, {"p": 1, "q": 1}, {"r": 1}], ("q", "r")),
    ],
)
def test_relations_count_if_each_kind_of_step_adds_one_row(
    kinds: list[dict[str, int]], chosen: tuple[str, ...] | None
) -> None:
    assert cover(kinds, ()) == chosen


SHY = (
    HEAD
    + "class S(State):\n    one: Set[X]\n    late: Set[X]\n"
    + EMPTY
    + "@action\ndef add(now: S, x: X) -> S:\n    return now.but(one=now.one | {(x,)}, late=now.one)\n"
)


def test_a_step_that_does_not_count_makes_the_search_remember_every_level(
    written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adding what is there changes `late` alone, which the relations that count do not show."""
    spec = written(SHY)
    instance = Instance.of(spec, {"x": 4})
    assert program_of(spec, x=4).levels_apart
    theirs = referee(spec, instance)
    begun: list[bool] = []
    plain = Search.begin
    monkeypatch.setattr(Search, "begin", lambda self: (begun.append(self.order.levels_apart), plain(self))[1])
    for symmetry, workers in itertools.product((False, True), (1, 2)):
        begun.clear()
        ours = explore(spec, instance, symmetry=symmetry, workers=workers)
        assert (ours.distinct, ours.edges, ours.depth) == (theirs.distinct, theirs.edges, theirs.depth)
        assert begun == [True, False]


def test_a_search_that_remembers_every_level_is_gone_on_with_as_such(
    written: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, file = written(SHY), tmp_path / "run"
    instance = Instance.of(spec, {"x": 4})
    theirs = referee(spec, instance)
    cut = explore(
        spec,
        instance,
        symmetry=False,
        limits=Limits(states_max=20),
        storage=Storage(checkpoint=file),
        workers=1,
    )
    assert (cut.verdict, cut.distinct < theirs.distinct) == ("unknown", True)
    begun: list[None] = []
    monkeypatch.setattr(Search, "begin", lambda self: begun.append(None))
    ours = explore(spec, instance, symmetry=False, storage=Storage(resume=file), workers=2)
    assert (ours.distinct, ours.edges, ours.depth) == (theirs.distinct, theirs.edges, theirs.depth)
    assert begun == [], "it goes on, and does not begin again"


def test_a_table_that_forgets_is_empty_and_takes_the_same_again() -> None:
    from quorate.checker.native.frontier import Chunk
    from quorate.checker.native.seen import Fingerprints, Whole

    marks = np.arange(2, 20_002, dtype=np.uint64) << np.uint64(40)
    records = np.stack([marks, marks + np.uint64(1)], axis=1).reshape(-1)
    for table, held in ((Fingerprints(2), marks), (Whole(2, 1), records)):
        for expected in (0, 10_000, 1_000_000, 5):
            table.forget(expected)
            chunk = Chunk(np.empty(20_000, np.uint64), np.zeros(20_000, np.uint8))
            done = 0
            while done < 20_000:
                done += table.absorb(records, np.zeros(20_000, np.uint8), done, 20_000 - done, chunk)
            assert chunk.count == table.count == 20_000
            told = np.concatenate([part.copy() for part in table.entries()])
            assert sorted(told.tolist()) == sorted(held.tolist())

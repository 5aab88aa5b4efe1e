"""The native explorer's parts by themselves: implications, tables, orbits, code, and the choice of an engine."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.checker.explore.referee import Search
from quorate.checker.explore.result import Limits
from quorate.checker.instance import Instance
from quorate.checker.native import intrinsics, seen, soonest
from quorate.checker.native.circuit import Circuit, Node
from quorate.checker.native.frontier import Chunk
from quorate.checker.native.implied import infer
from quorate.checker.native.layout import Layout, lay_out
from quorate.checker.native.moves import ground_moves
from quorate.checker.native.orbits import size_of
from quorate.checker.native.order import Order
from quorate.checker.native.program import compile_program
from quorate.checker.native.search import Search as NativeSearch
from quorate.checker.native.seen import Fingerprints, Whole
from quorate.checker.native.trace import EnginesDisagree, told
from quorate.checker.specification import Specification

CORE = {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}
Write = Callable[[str], Specification]
Value = Callable[[Node, int], bool]


def reachable(spec: Specification, instance: Instance) -> list[Any]:
    search = Search(spec, instance, Limits(), (), (), False, None)
    with instance.inhabited():
        search.run()
    return list(search.came)


def bits_of(layout: Layout, state: Any) -> int:
    return sum(1 << bit for bit, (name, row) in enumerate(layout.rows) if row in getattr(state, name))


# Circuits ------------------------------------------------------------------------------------


@given(st.data())
def test_what_a_circuit_makes_means_what_was_asked_for(value: Value, data: st.DataObject) -> None:
    circuit = Circuit()
    pool: list[Node] = [True, False, *(circuit.lit(b) for b in range(4))]
    meant = {i: [value(x, bits) for bits in range(16)] for i, x in enumerate(pool)}
    for _ in range(data.draw(st.integers(1, 12))):
        chosen = data.draw(st.lists(st.integers(0, len(pool) - 1), max_size=4))
        kind = data.draw(st.sampled_from(["conj", "disj", "negation"]))
        if kind == "negation":
            chosen = chosen[:1] or [0]
            made, means = circuit.negation(pool[chosen[0]]), [not v for v in meant[chosen[0]]]
        else:
            gather, every = (circuit.conj, all) if kind == "conj" else (circuit.disj, any)
            made, means = (
                gather(pool[i] for i in chosen),
                [every(meant[i][b] for i in chosen) for b in range(16)],
            )
        assert [value(made, bits) for bits in range(16)] == means
        meant[len(pool)] = means
        pool.append(made)


# Implications --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["consensus", "voting", "multipaxos"])
def test_what_is_inferred_holds_in_every_reachable_state(
    specs: Mapping[str, Specification], name: str
) -> None:
    spec = specs[name]
    known = {s.__name__.lower() for s in spec.sorts}
    instance = Instance.of(spec, {k: n for k, n in CORE.items() if k in known})
    layout = lay_out(spec, instance)
    found = infer(layout, ground_moves(spec, instance, layout, Circuit()))
    n = len(layout.rows)
    for state in reachable(spec, instance):
        bits = bits_of(layout, state)
        held = bits | ~bits % (1 << n) << n
        for literal in range(2 * n):
            if held >> literal & 1:
                assert found.rows[literal] & ~held == 0
    if name == "multipaxos":
        program = compile_program(spec, instance, spec.properties)
        assert (n, len(program.layout.rows)) == (63, 45)


def test_a_bit_that_nothing_sets_has_no_place(written: Write) -> None:
    spec = written(
        "class X(Sort, ordered=True): ...\n"
        "class S(State):\n    one: Set[X]\n    two: Set[X, X]\n    fixed: Set[X]\n"
        "@init\ndef first() -> S:\n    return S(fixed={(x,) for x in X})\n"
        "@action\ndef add(now: S, x: X) -> S:\n"
        "    return now.but(one=now.one | {(x,)}, two=now.two | {(x, y) for y in X if y < x})\n"
        "@action\ndef drop(now: S, x: X) -> S:\n"
        "    require(not any((y,) in now.fixed for y in X))\n    return now.but(fixed=now.fixed - {(x,)})\n"
    )
    instance = Instance.of(spec, {"x": 3})
    layout = lay_out(spec, instance)
    assert [(name, row) for name, row in layout.rows if name != "one"] == [
        ("two", (2, 1)), ("two", (3, 1)), ("two", (3, 2)),
    ]  # fmt: skip
    assert {name for name, _ in layout.rows} == {"one", "two"}
    assert vars(layout.decode(layout.first))["fixed"] == {(1,), (2,), (3,)}


# Tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [False, True])
def test_a_table_keeps_each_state_once_however_it_grows(exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "TABLE_LOG2_MIN", 5)
    random = np.random.default_rng(1)
    # Crowded at both ends of the table, so that runs of entries wander, and around its end as well.
    ends = np.concatenate(
        [random.integers(1, 1 << 58, 300), random.integers(2**64 - 2**58, 2**64, 300, np.uint64)]
    )
    marks = random.permutation(
        np.concatenate([ends.astype(np.uint64), random.integers(1, 2**64, 9000, np.uint64)])
    )
    table = Whole(2, 1) if exact else Fingerprints(2)
    for _ in range(2):
        records = np.stack([marks, marks ^ np.uint64(5)], axis=1).reshape(-1)
        chunk = Chunk(np.empty(len(marks), np.uint64), np.empty(len(marks), np.uint8))
        at = 0
        while at < len(marks):
            at += table.absorb(records, np.zeros(len(marks), np.uint8), at, len(marks) - at, chunk)
        assert chunk.count == (len(set(marks.tolist())) if _ == 0 else 0)
    assert table.count == len(set(marks.tolist()))


def test_states_with_one_fingerprint_are_two_when_they_are_compared() -> None:
    records = np.array([7, 1, 7, 2, 7, 1], np.uint64)
    counts = {}
    for table in (Fingerprints(2), Whole(2, 1)):
        chunk = Chunk(np.empty(3, np.uint64), np.empty(3, np.uint8))
        assert table.absorb(records, np.zeros(3, np.uint8), 0, 3, chunk) == 3
        counts[type(table).__name__] = chunk.count
    assert counts == {"Fingerprints": 1, "Whole": 2}


@settings(deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(1, 4))
def test_an_orbit_has_as_many_states_as_arrangements(slices: list[int], images: int) -> None:
    lanes = np.array([[0] * images, *([s] * images for s in slices)], np.uint64).reshape(-1)
    arrangements = len(set(itertools.permutations(slices)))
    assert size_of(lanes, np.arange(1, images + 1, dtype=np.uint64)) == images * arrangements
    assert size_of(lanes, np.ones(images, np.uint64)) == arrangements
    assert math.factorial(len(slices)) % arrangements == 0


# Code ----------------------------------------------------------------------------------------


def test_the_code_names_the_lines_it_comes_from(specs: Mapping[str, Specification]) -> None:
    spec = specs["multipaxos"]
    code = compile_program(spec, Instance.of(spec, CORE), spec.properties).assembly
    for text in ("(b,) in now.prepared", "(a, b) not in now.left", "(s, b, v) in now.proposed"):
        assert re.search(rf"; multipaxos\.py:\d+  {re.escape(text)}", code)
    assert "; agreement" in code


def test_one_word_has_a_fingerprint_of_its_own(specs: Mapping[str, Specification]) -> None:
    spec = specs["multipaxos"]
    program = compile_program(spec, Instance.of(spec, CORE), ())
    words = [0, 1, 2, (1 << 63) - 1, *(1 << i for i in range(63))]
    assert len({program.fingerprint((w,)) for w in words}) == len(set(words))


def test_where_nothing_can_be_kept_on_disk_loops_are_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = numba.njit

    def nowhere(cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return kept(**options)

    monkeypatch.setattr(intrinsics, "njit", nowhere)

    def twice(x: int) -> int:
        return 2 * x

    assert intrinsics.compiled(twice)(21) == 42


# The whole -----------------------------------------------------------------------------------


def test_a_run_that_the_text_does_not_know_is_an_error_of_the_engine(
    specs: Mapping[str, Specification],
) -> None:
    spec = specs["consensus"]
    instance = Instance.of(spec, {"slot": 1, "value": 2})
    both = spec.state(chosen={("s1", "v1"), ("s1", "v2")})
    with pytest.raises(EnginesDisagree, match="no action of the specification leads from"):
        told(spec, instance, [spec.state(), both])


def test_a_tiny_instance_is_the_referees_and_a_larger_one_is_not(specs: Mapping[str, Specification]) -> None:
    spec = specs["consensus"]
    assert soonest.explore(spec, Instance.of(spec, {"slot": 2, "value": 2})).engine == "referee"
    spec = specs["multipaxos"]
    found = soonest.explore(spec, Instance.of(spec, {**CORE, "ballot": 3}))
    assert (found.engine, found.distinct) == ("native", 185_369)


def test_what_is_kept_for_a_trace_is_every_level(specs: Mapping[str, Specification]) -> None:
    spec = specs["multipaxos"]
    program = compile_program(spec, Instance.of(spec, CORE), ())
    first = program.layout.first
    order = Order(program, first, program.fingerprint(first), Limits(), workers=2, keep_levels=True)
    outcome = NativeSearch(order).run()
    sizes = [sum(frontier.held() for frontier in level) for level in outcome.levels]
    assert (len(sizes), sum(sizes), sizes[0]) == (17, 3_921, 1)

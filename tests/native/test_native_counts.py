"""The native explorer counts what the referee, TLC and Spin count, and finds every mutant as soon as they do."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from quorate.checker.explore.referee import explore as referee
from quorate.checker.explore.result import Limits
from quorate.checker.instance import Instance
from quorate.checker.mutant import Mutant
from quorate.checker.mutation import mutants_of, mutate
from quorate.checker.native import explore, frontier, search, trace, worker
from quorate.checker.specification import Specification
from quorate.spec import checkpoint, consensus, multipaxos, voting

SORTS = ("acceptor", "ballot", "slot", "value")
TOWER = [Specification.of(m) for m in (consensus, voting, multipaxos)]
MUTANTS = [
    pytest.param(spec, m, id=f"{spec.name}-{m.name}")
    for spec in (*TOWER, Specification.of(checkpoint))
    for m in mutants_of(spec)
]


def instance(spec: Specification, *sizes: int) -> Instance:
    known = {s.__name__.lower() for s in spec.sorts}
    return Instance.of(spec, {k: n for k, n in zip(SORTS, sizes, strict=True) if k in known})


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("sizes", "distinct", "edges", "depth"),
    [
        ((3, 2, 1, 2), 3_921, 9_442, 17),
        ((3, 3, 1, 2), 185_369, 491_535, 25),
        ((3, 2, 2, 2), 661_073, 2_462_666, 25),
    ],
)
def test_the_core_has_the_states_that_tlc_and_spin_count(
    specs: Mapping[str, Specification],
    sizes: tuple[int, ...],
    distinct: int,
    edges: int,
    depth: int,
    workers: int,
) -> None:
    spec = specs["multipaxos"]
    found = explore(spec, instance(spec, *sizes), workers=workers, symmetry=False)
    assert (found.verdict, found.distinct, found.edges, found.depth) == ("holds", distinct, edges, depth)
    assert found.extra["collision_probability"] < 1e-6
    assert "orbits" not in found.extra


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("sizes", "sorts", "distinct", "edges", "orbits"),
    [
        ((3, 3, 1, 2), ("acceptor", "value"), 185_369, 491_535, 17_153),
        ((3, 2, 2, 2), ("acceptor", "value"), 661_073, 2_462_666, 59_665),
        ((3, 2, 2, 2), ("acceptor", "slot", "value"), 661_073, 2_462_666, 30_429),
    ],
)
def test_under_symmetry_orbits_are_stored_and_the_whole_graph_is_counted(
    specs: Mapping[str, Specification],
    sizes: tuple[int, ...],
    sorts: tuple[str, ...],
    distinct: int,
    edges: int,
    orbits: int,
    workers: int,
) -> None:
    spec = specs["multipaxos"]
    found = explore(spec, instance(spec, *sizes), workers=workers, symmetry=sorts)
    assert (found.verdict, found.distinct, found.edges, found.depth) == ("holds", distinct, edges, 25)
    assert found.extra["orbits"] == orbits
    assert [s.lower() for s in found.extra["symmetry"]] == list(sorts)


def test_exact_states_are_as_many_as_fingerprints(specs: Mapping[str, Specification]) -> None:
    spec = specs["multipaxos"]
    found = explore(spec, instance(spec, 3, 2, 2, 2), exact=True, workers=2)
    assert (found.distinct, found.edges, found.depth) == (661_073, 2_462_666, 25)
    assert found.extra["collision_probability"] == 0


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("name", ["consensus", "voting"])
def test_the_levels_above_are_the_referees(
    specs: Mapping[str, Specification], name: str, symmetry: bool
) -> None:
    spec = specs[name]
    small = instance(spec, 3, 2, 2, 2) if name == "consensus" else instance(spec, 3, 2, 1, 2)
    theirs, ours = referee(spec, small), explore(spec, small, symmetry=symmetry)
    assert ours.verdict == theirs.verdict == "holds"
    assert (ours.distinct, ours.edges, ours.depth) == (theirs.distinct, theirs.edges, theirs.depth)
    assert ours.deadlocks == theirs.deadlocks
    assert ours.never_taken() == ()


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize(("spec", "mutant"), MUTANTS)
def test_a_mutants_counterexample_is_as_short_as_the_referees(
    spec: Specification, mutant: Mutant, symmetry: bool
) -> None:
    spoilt = mutate(spec, mutant)
    small = Instance.of(spoilt, mutant.explorer)
    found = explore(spoilt, small, symmetry=symmetry)
    assert found.violation is not None
    assert len(found.violation.steps) == mutant.steps
    assert found.depth == mutant.steps + 1
    *before, last = found.violation.states()
    with small.inhabited():
        assert not {f.__name__: f for f in spoilt.properties}[found.violation.property](last)
        assert all(p(state) for p in spoilt.properties for state in before)


@pytest.mark.parametrize("workers", [1, 2])
def test_levels_of_many_blocks_and_chunks_give_the_same(
    specs: Mapping[str, Specification], workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "BLOCK_STATES_MAX", 7)
    monkeypatch.setattr(frontier, "CHUNK_BYTES", 400)
    monkeypatch.setattr(trace, "BLOCK_STATES", 3)
    spec = specs["multipaxos"]
    found = explore(spec, instance(spec, 3, 2, 1, 2), workers=workers, symmetry=False)
    assert (found.distinct, found.edges, found.depth) == (3_921, 9_442, 17)
    for mutant in mutants_of(spec)[:2]:
        spoilt = mutate(spec, mutant)
        wrong = explore(spoilt, Instance.of(spoilt, mutant.explorer), workers=workers)
        assert wrong.violation is not None
        assert len(wrong.violation.steps) == mutant.steps


def test_a_counterexample_is_rebuilt_however_long_that_takes(
    specs: Mapping[str, Specification], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search.Search, "seconds", lambda self: 100.0 if self.order.keep_levels else 0.0)
    mutant = mutants_of(specs["multipaxos"])[0]
    spoilt = mutate(specs["multipaxos"], mutant)
    found = explore(spoilt, Instance.of(spoilt, mutant.explorer), limits=Limits(seconds_max=10))
    assert found.violation is not None
    assert len(found.violation.steps) == mutant.steps

"""What stops a native exploration short, what it is told on the way, and what it refuses to do."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable, Mapping

import pytest

from quorate.checker.explore.referee import explore as referee
from quorate.checker.explore.result import Limits, Progress
from quorate.checker.instance import Instance
from quorate.checker.native import BadSymmetry, CannotExplore, explore
from quorate.checker.specification import Specification

Write = Callable[[str], Specification]
CORE = {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}
LARGE = {"acceptor": 3, "ballot": 3, "slot": 2, "value": 2}


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("depth", [1, 5, 16, 17, 18])
def test_a_depth_limit_leaves_what_the_referee_leaves(
    specs: Mapping[str, Specification], depth: int, symmetry: bool
) -> None:
    spec = specs["multipaxos"]
    small, limits = Instance.of(spec, CORE), Limits(depth_max=depth)
    theirs, ours = referee(spec, small, limits=limits), explore(spec, small, limits=limits, symmetry=symmetry)
    assert (ours.verdict, ours.cut_short) == (theirs.verdict, theirs.cut_short)
    assert (ours.distinct, ours.edges, ours.depth) == (theirs.distinct, theirs.edges, theirs.depth)
    assert sum(c.found for c in ours.actions.values()) == ours.distinct - 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_limit_of_states_or_seconds_makes_the_verdict_unknown(
    specs: Mapping[str, Specification], workers: int
) -> None:
    spec = specs["multipaxos"]
    large = Instance.of(spec, LARGE)
    few = explore(spec, large, limits=Limits(states_max=20_000), workers=workers)
    assert (few.verdict, few.cut_short) == ("unknown", "the limit of 20000 states was reached")
    short = explore(spec, large, limits=Limits(seconds_max=0.0), workers=workers)
    assert (short.verdict, short.cut_short) == ("unknown", "the time limit of 0 s was reached")
    assert short.distinct >= 1


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_with_what_there_is(specs: Mapping[str, Specification], workers: int) -> None:
    spec = specs["multipaxos"]
    seen: list[Progress] = []

    def watch(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 2:
            _thread.interrupt_main()

    before = threading.active_count()
    found = explore(
        spec, Instance.of(spec, {**LARGE, "ballot": 4}), watch=watch, workers=workers, symmetry=False
    )
    assert (found.verdict, found.cut_short) == ("unknown", "it was interrupted")
    assert found.distinct >= seen[0].distinct > 0
    assert threading.active_count() == before


def test_a_worker_that_fails_ends_the_search_with_its_error(
    specs: Mapping[str, Specification], monkeypatch: pytest.MonkeyPatch
) -> None:
    from quorate.checker.native.seen import Fingerprints

    def fails(*_: object) -> None:
        raise MemoryError("no room for a larger table")

    spec = specs["multipaxos"]
    explore(spec, Instance.of(spec, CORE), workers=2)  # whatever is to be compiled is
    grow, calls = Fingerprints.grow, list[None]()

    def sometimes(self: Fingerprints) -> None:
        calls.append(None)
        grow(self) if len(calls) == 1 else fails()

    monkeypatch.setattr(Fingerprints, "grow", sometimes)
    with pytest.raises(MemoryError, match="no room"):
        explore(spec, Instance.of(spec, LARGE), workers=2)


# Deadlock ----------------------------------------------------------------------------------


def test_a_deadlock_stops_where_the_referee_stops(specs: Mapping[str, Specification]) -> None:
    spec = specs["multipaxos"]
    small = Instance.of(spec, CORE)
    theirs, ours = (engine(spec, small, stop_at_deadlock=True) for engine in (referee, explore))
    assert theirs.violation is not None
    assert ours.violation is not None
    assert ours.violation.property == "deadlock"
    assert len(ours.violation.steps) == len(theirs.violation.steps)


# States that are nothing -------------------------------------------------------------------


def test_a_specification_that_never_changes_has_one_state(written: Write) -> None:
    spec = written(
        "class X(Sort): ...\n"
        "class S(State):\n    one: Set[X]\n"
        "@init\ndef first() -> S:\n    return S(one={(x,) for x in X})\n"
        "@action\ndef again(now: S, x: X) -> S:\n    return now.but(one=now.one | {(x,)})\n"
        "@invariant\ndef full(now: S) -> bool:\n    return all((x,) in now.one for x in X)\n"
    )
    found = explore(spec, Instance.of(spec, {"x": 2}))
    assert (found.verdict, found.distinct, found.edges, found.depth) == ("holds", 1, 0, 1)
    assert found.deadlocks == 1
    assert found.never_taken() == ("again",)


def test_an_initial_state_that_is_wrong_is_a_counterexample_of_no_step(written: Write) -> None:
    spec = written(
        "class X(Sort): ...\n"
        "class S(State):\n    one: Set[X]\n"
        "@init\ndef first() -> S:\n    return S()\n"
        "@action\ndef add(now: S, x: X) -> S:\n    return now.but(one=now.one | {(x,)})\n"
        "@invariant\ndef something(now: S) -> bool:\n    return any((x,) in now.one for x in X)\n"
    )
    found = explore(spec, Instance.of(spec, {"x": 2}))
    assert found.violation is not None
    assert (found.violation.property, found.violation.steps) == ("something", ())


def test_the_first_property_that_a_state_breaks_is_named(written: Write) -> None:
    text = (
        "class X(Sort): ...\n"
        "class S(State):\n    one: Set[X]\n"
        "@init\ndef first() -> S:\n    return S()\n"
        "@action\ndef add(now: S, x: X) -> S:\n    return now.but(one=now.one | {(x,)})\n"
        "@invariant\ndef fine(now: S) -> bool:\n    return True\n"
        "@invariant\ndef none(now: S) -> bool:\n    return not any((x,) in now.one for x in X)\n"
        "@invariant\ndef few(now: S) -> bool:\n    return not any((x,) in now.one for x in X)\n"
    )
    spec = written(text)
    found = explore(spec, Instance.of(spec, {"x": 2}))
    assert found.violation is not None
    assert found.violation.property == "none"
    only = explore(spec, Instance.of(spec, {"x": 2}), properties=spec.properties[:1])
    assert (only.verdict, only.properties) == ("holds", ("fine",))


# Symmetry that is asked for ----------------------------------------------------------------


def test_an_ordered_sort_is_refused_as_symmetric(specs: Mapping[str, Specification]) -> None:
    spec = specs["multipaxos"]
    small = Instance.of(spec, CORE)
    with pytest.raises(BadSymmetry, match="Ballot is ordered"):
        explore(spec, small, symmetry=["ballot"])
    with pytest.raises(BadSymmetry, match="no such sort; it has ballot, acceptor"):
        explore(spec, small, symmetry=["voter"])
    with pytest.raises(BadSymmetry, match="Quorum follows Acceptor"):
        explore(spec, small, symmetry=["quorum"])


def test_sets_that_tell_members_apart_forbid_their_symmetry(specs: Mapping[str, Specification]) -> None:
    spec = specs["voting"]
    plain = Instance.of(spec, CORE)
    acceptors, quorums = (s for s in spec.sorts if s.__name__ in ("Acceptor", "Quorum"))
    lopsided = Instance({**plain.members, quorums: plain.members[quorums][:1]})
    found = explore(spec, lopsided)
    assert "Acceptor" not in found.extra["symmetry"]
    theirs = referee(spec, lopsided)
    assert (found.distinct, found.edges, found.depth) == (theirs.distinct, theirs.edges, theirs.depth)
    with pytest.raises(BadSymmetry, match="would change which sets Quorum has"):
        explore(spec, lopsided, symmetry=[acceptors.__name__])


def test_exact_and_symmetry_exclude_each_other(specs: Mapping[str, Specification]) -> None:
    spec = specs["voting"]
    with pytest.raises(CannotExplore, match="choose one"):
        explore(spec, Instance.of(spec, CORE), exact=True, symmetry=["value"])

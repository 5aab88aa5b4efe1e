"""Specifications to explore, instances of them, and what the referee says of both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quorate.checker.explore.referee import explore as referee
from quorate.checker.explore.result import Exploration
from quorate.checker.instance import Instance
from quorate.checker.native import explore as native
from quorate.checker.specification import Specification, load
from quorate.spec import multipaxos, voting

Compare = Callable[..., tuple[Exploration, Exploration]]


@pytest.fixture(scope="session")
def paxos() -> Specification:
    return Specification.of(multipaxos)


@pytest.fixture(scope="session")
def ballots() -> Specification:
    return Specification.of(voting)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Specification]:
    """A specification from its text, below the usual imports."""

    def write(text: str, name: str = "written") -> Specification:
        file = tmp_path / f"{name}.py"
        words = "Many, Set, Sort, State, action, implies, init, invariant, require, safety"
        file.write_text(f"from quorate.checker.language import {words}\n\n{text}")
        return load(file)

    return write


@pytest.fixture(scope="session")
def compare() -> Compare:
    """Explores with referee and native engine, and finds what both must say alike."""

    def both(spec: Specification, instance: Instance, **options: object) -> tuple[Exploration, Exploration]:
        theirs = referee(spec, instance)
        ours = native(spec, instance, **options)  # type: ignore[arg-type]
        assert ours.verdict == theirs.verdict
        assert (ours.violation is None) == (theirs.violation is None)
        if ours.violation and theirs.violation:
            assert len(ours.violation.steps) == len(theirs.violation.steps)
            return theirs, ours
        assert (ours.distinct, ours.edges, ours.depth) == (theirs.distinct, theirs.edges, theirs.depth)
        assert ours.deadlocks == theirs.deadlocks
        assert sum(c.found for c in ours.actions.values()) == ours.distinct - 1
        return theirs, ours

    return both

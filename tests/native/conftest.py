"""Specifications to explore: those of the tower, and small ones written on the spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from quorate.checker.native.circuit import Gate, Lit, Node
from quorate.checker.specification import Specification, load
from quorate.spec import consensus, multipaxos, voting

Write = Callable[[str], Specification]
Value = Callable[[Node, int], bool]


@pytest.fixture(scope="session")
def specs() -> Mapping[str, Specification]:
    """The specifications of the tower, by name."""
    return {m.__name__.rpartition(".")[2]: Specification.of(m) for m in (consensus, voting, multipaxos)}


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """A specification from its text, below the usual import."""

    def write(text: str) -> Specification:
        file = tmp_path / "written.py"
        words = "Many, Set, Sort, State, action, implies, init, invariant, require, safety"
        file.write_text(f"from quorate.checker.language import {words}\n\n{text}")
        return load(file)

    return write


@pytest.fixture(scope="session")
def value() -> Value:
    """What a node comes to, by the letter, where these bits are set."""

    def of(x: Node, bits: int) -> bool:
        match x:
            case bool():
                return x
            case Lit(bit, positive):
                return (bits >> bit & 1 == 1) is positive
            case Gate(conjunction, parts):
                return (all if conjunction else any)(of(p, bits) for p in parts)

    return of

"""Specifications that are explored here, and a way to explore one by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from quorate.checker.explore.referee import explore
from quorate.checker.explore.result import Exploration
from quorate.checker.instance import Instance
from quorate.checker.specification import Specification
from quorate.spec import consensus, multipaxos, voting

Explore = Callable[..., Exploration]


@pytest.fixture(scope="session")
def specs() -> Mapping[str, Specification]:
    """The specifications of the tower, by name."""
    return {m.__name__.rpartition(".")[2]: Specification.of(m) for m in (consensus, voting, multipaxos)}


@pytest.fixture
def explored(specs: Mapping[str, Specification]) -> Explore:
    """Explores a specification of the tower: its name, its sizes, and what `explore` takes."""

    def go(name: str, sizes: Mapping[str, int], **options: Any) -> Exploration:
        spec = specs[name]
        return explore(spec, Instance.of(spec, sizes), **options)

    return go

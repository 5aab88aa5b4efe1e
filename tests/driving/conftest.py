"""Small instances to walk, and runs to walk along."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quorate.checker.explore.referee import replay
from quorate.checker.instance import Instance
from quorate.checker.specification import Specification
from quorate.refinement.driving.report import Coverage
from quorate.refinement.driving.walk import walk
from quorate.refinement.mapping import Action
from quorate.spec import multipaxos

Sizes = tuple[int, int, int, int]


@pytest.fixture(scope="session")
def instance() -> Callable[[Sizes], Instance]:
    """An instance of so many acceptors, ballots, slots and values."""
    spec = Specification.of(multipaxos)

    def made(sizes: Sizes) -> Instance:
        return Instance.of(spec, dict(zip(("acceptor", "ballot", "slot", "value"), sizes, strict=True)))

    return made


@pytest.fixture(scope="session")
def walked(instance: Callable[[Sizes], Instance]) -> Callable[..., Coverage]:
    """Walks an instance; or a run of it, with every step aside."""
    spec = Specification.of(multipaxos)

    def walk_it(sizes: Sizes, run: list[Action] | None = None) -> Coverage:
        only = None if run is None else set(replay(spec, instance(sizes), run))
        return walk(instance(sizes), only=only)

    return walk_it

"""Shared by the prover's tests: the tower, edited copies of modules, and a solver that says what it is told."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType

import pytest

from quorate.checker.prove.obligation import Obligation
from quorate.checker.prove.solving import Outcome, Result
from quorate.checker.refinement import Tower
from quorate.refinement.tower import tower


@pytest.fixture(scope="session")
def multipaxos_tower() -> Tower:
    return tower("multipaxos")


Edit = Callable[..., ModuleType]


@pytest.fixture
def module_of(request: pytest.FixtureRequest) -> Iterator[Callable[[str], ModuleType]]:
    """Makes a module of a text, in the package of the specifications."""
    made: list[str] = []

    def make(text: str) -> ModuleType:
        name = f"quorate.spec.made{len(made)}_{abs(hash(request.node.nodeid))}"
        filename = f"<{name}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        found = spec_from_loader(name, loader=None)
        assert found is not None
        module = module_from_spec(found)
        module.__file__, module.__package__ = filename, "quorate.spec"
        sys.modules[name] = module
        made.append(name)
        exec(compile(text, filename, "exec", dont_inherit=True), vars(module))
        return module

    yield make
    for name in made:
        del sys.modules[name]
        linecache.cache.pop(f"<{name}>", None)


@pytest.fixture
def edited(module_of: Callable[[str], ModuleType]) -> Edit:
    """A copy of a module with one piece of its text replaced."""

    def edit(module: ModuleType, text: str, by: str) -> ModuleType:
        assert module.__file__ is not None
        original = "".join(linecache.getlines(module.__file__)).replace("from ..spec import", "from . import")
        assert original.count(text) == 1, f"{text!r} does not occur once"
        return module_of(original.replace("from ..spec.", "from .").replace(text, by))

    return edit


@dataclass
class Says:
    """A solver that gives one answer to everything but what it is told otherwise."""

    answer: Result
    reason: str = ""
    name: str = "says"

    def discharge(self, obligation: Obligation) -> Outcome:
        result: Result = "failed" if obligation.action == "axioms" else self.answer
        return Outcome(obligation, result, 0.0, self.reason)


@pytest.fixture
def says() -> type[Says]:
    return Says

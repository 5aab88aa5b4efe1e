"""Shared by the study's tests: specifications made of a text, what fails without an invariant, a solver that shrugs."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_loader

import pytest

from quorate.checker.prove.obligation import Obligation
from quorate.checker.prove.proof import obligations
from quorate.checker.prove.solving import Z3, Outcome
from quorate.checker.refinement import Tower
from quorate.checker.specification import Specification
from quorate.checker.study.study import touched, without_invariant
from quorate.refinement.tower import tower

HEADER = """\
from quorate.checker.language import (
    Many, Set, Sort, State, action, axiom, implies, init, invariant, require, safety,
)
"""

SpecOf = Callable[..., Specification]


@pytest.fixture
def spec_of(request: pytest.FixtureRequest) -> Iterator[SpecOf]:
    """Makes a specification of a text, below the usual imports."""
    made: list[str] = []

    def make(text: str, name: str = "made") -> Specification:
        module_name = f"study_{name}_{len(made)}_{abs(hash(request.node.nodeid))}"
        filename, text = f"<{module_name}>", HEADER + text
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        found = spec_from_loader(module_name, loader=None)
        assert found is not None
        module = module_from_spec(found)
        module.__file__ = filename
        sys.modules[module_name] = module
        made.append(module_name)
        exec(compile(text, filename, "exec", dont_inherit=True), vars(module))
        return Specification.of(module, name)

    yield make
    for module_name in made:
        del sys.modules[module_name]
        linecache.cache.pop(f"<{module_name}>", None)


TOKEN = """
class Process(Sort): ...


class Token(State):
    holds: Set[Process]
    seen: Set[Process]


@init
def free() -> Token:
    return Token()


@action
def take(now: Token, p: Process) -> Token:
    require(not any((o,) in now.holds for o in Process))
    return now.but(holds={(p,)}, seen=now.seen | {(p,)})


@action
def give(now: Token, p: Process, o: Process) -> Token:
    require((p,) in now.holds)
    return now.but(holds=now.holds - {(p,)} | {(o,)}, seen=now.seen | {(o,)})


@safety
def one_holder(now: Token) -> bool:
    \"\"\"Never two hold it.\"\"\"
    return all(implies((p,) in now.holds and (o,) in now.holds, p == o) for p in Process for o in Process)
"""


@pytest.fixture
def token(spec_of: SpecOf) -> Specification:
    """A token that one process at most holds; safe, and inductive as it stands."""
    return spec_of(TOKEN, "token")


@pytest.fixture(scope="session")
def failing() -> Callable[[str, str], tuple[Tower, list[Outcome]]]:
    """The tower of a floor without one invariant, and what the solver then refutes; asked once for each."""
    known: dict[tuple[str, str], tuple[Tower, list[Outcome]]] = {}

    def ask(level: str, name: str) -> tuple[Tower, list[Outcome]]:
        if (level, name) not in known:
            whole = tower(level)
            less = without_invariant(whole, name)
            asked = touched(obligations(less), obligations(whole))
            outcomes = [Z3().discharge(o) for o in asked]
            known[level, name] = less, [o for o in outcomes if o.result == "failed"]
        return known[level, name]

    return ask


@dataclass
class Shrug:
    """A solver that knows nothing."""

    name: str = "shrug"

    def discharge(self, obligation: Obligation) -> Outcome:
        return Outcome(obligation, "unknown", 0.0, "out of breath")


@pytest.fixture
def shrug() -> Shrug:
    return Shrug()

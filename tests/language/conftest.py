"""A small specification to which tests add a function, and a way to say where it must be refused.

In the text that a test gives, «...» encloses what the reader must mark.
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from quorate.checker.language import has_role
from quorate.checker.reading import parameters, read_predicate, read_state, read_step
from quorate.checker.source import Unreadable
from quorate.checker.term import start

HEADER = '''\
"""A box of ballots."""

from quorate.checker.language import (
    Many, Set, Sort, State, action, axiom, implies, init, invariant, require, safety,
)


class Acceptor(Sort): ...
class Quorum(Many[Acceptor]): ...
class Ballot(Sort, ordered=True): ...
class Slot(Sort): ...


class Box(State):
    left: Set[Acceptor, Ballot]
    opened: Set[Ballot]
    filled: Set[Slot, Ballot]


@init
def nothing() -> Box:
    """Nothing is open."""
    return Box()


@action
def open_one(now: Box, b: Ballot) -> Box:
    """b is opened."""
    require((b,) not in now.opened)
    return now.but(opened=now.opened | {(b,)})


def joined(now: Box, a: Acceptor, b: Ballot) -> bool:
    return (a, b) in now.left


'''

Write = Callable[[str], ModuleType]
Refuses = Callable[[str, str], None]


@pytest.fixture
def header() -> str:
    return HEADER


@pytest.fixture
def write_module(tmp_path: Path) -> Iterator[Write]:
    """Writes a text to a new file and imports it."""
    numbers, made = itertools.count(), list[str]()

    def write(text: str) -> ModuleType:
        name = f"written_{tmp_path.name}_{next(numbers)}"
        file = tmp_path / f"{name}.py"
        file.write_text(text, encoding="utf-8")
        found = importlib.util.spec_from_file_location(name, file)
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        sys.modules[name] = module
        made.append(name)
        found.loader.exec_module(module)
        return module

    yield write
    for name in made:
        del sys.modules[name]


def read(module: ModuleType, name: str) -> Any:
    """A function of a module as terms, in the role that it has."""
    f, now = vars(module)[name], start(module.Box)
    if has_role(f, "action"):
        return read_step(f, now)
    if has_role(f, "init"):
        return read_state(f)
    if has_role(f, "axiom"):
        return read_predicate(f, None)
    return read_predicate(f, now, *parameters(f))


@pytest.fixture
def read_p(write_module: Write) -> Callable[[str], Any]:
    """Reads the function `p` of a text that follows the header."""
    return lambda text: read(write_module(HEADER + text), "p")


@pytest.fixture
def refuses(write_module: Write) -> Refuses:
    """Asserts that the text's `p` is refused at «...», with file, line, text, mark and this remedy."""

    def check(marked: str, remedy: str) -> None:
        module = write_module(HEADER + marked.replace("«", "").replace("»", ""))
        before, rest = (HEADER + marked).split("«")
        offending = rest.split("»")[0].splitlines()[0]
        line = before.count("\n") + 1
        text = (HEADER + marked).replace("«", "").replace("»", "").splitlines()[line - 1]
        column = len(before.splitlines()[-1]) if not before.endswith("\n") else 0
        with pytest.raises(Unreadable) as caught:
            read(module, "p")
        first, shown, mark, said = str(caught.value).split("\n")
        assert first.startswith(f"{module.__file__}:{line}: in "), first
        assert first.endswith(": cannot be read as a predicate")
        assert shown == f"    {text.strip()}"
        assert mark == "    " + " " * (column - len(text) + len(text.lstrip())) + "^" * len(offending)
        assert remedy in said

    return check

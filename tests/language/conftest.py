"""A small specification to which tests add a function, and a way to say where it must be refused.

In the text that a test gives, «...» encloses what the reader must mark.
"""

from __future__ import annotations

import importlib.util
import itertools
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import strategies as st

from quorate.checker.instance import Instance
from quorate.checker.language import State, has_role, relations_of
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


# Random specifications -----------------------------------------------------------------------

SORTS = """\
from quorate.checker.language import Many, Set, Sort, State, action, implies, init, invariant, require


class A(Sort): ...
class B(Sort, ordered=True): ...
class Q(Many[A]): ...
class K(Many[A]): ...
class W(Many[B]): ...


class S(State):
    p: Set[A]
    o: Set[B]
    r: Set[A, B]
    t: Set[B, B, A]
"""
FIELDS = {"p": "A", "o": "B", "r": "AB", "t": "BBA"}
ITEMS = {"Q": "A", "K": "A", "W": "B"}
PARAMETERS = {"a": "A", "b": "B", "c": "B", "q": "Q"}

Scope = dict[str, str]
"""The variables in scope, each with the name of its sort."""


class Writer:
    """Writes random formulas, relations and actions of the subset as Python text."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.count = 0
        self.states = ["now"]

    def one_of(self, things: Sequence[str]) -> str:
        return self.draw(st.sampled_from(list(things)))

    def maybe(self) -> bool:
        return self.draw(st.booleans())

    def fresh(self) -> str:
        self.count += 1
        return f"x{self.count}"

    def of(self, scope: Scope, sort: str) -> list[str]:
        return [x for x, s in scope.items() if s == sort]

    def formula(self, scope: Scope, depth: int) -> str:
        """A claim, of at most this depth."""
        kinds = ["in", "all", "any"] if depth else ["truth"]
        if depth:
            kinds += ["not", "and", "or", "implies"]
        kinds += [f"compare {s}" for s in "AB" if self.of(scope, s)]
        kinds += [f"member {s}" for s in ITEMS if self.of(scope, s) and self.of(scope, ITEMS[s])]
        if not depth and scope:
            kinds += [f"in {name}" for name, sorts in FIELDS.items() if all(self.of(scope, x) for x in sorts)]
        if scope.items() >= PARAMETERS.items() and "helper" in self.states:
            kinds.append("helper")
        kind, _, of = self.one_of(kinds).partition(" ")
        match kind:
            case "truth":
                return self.one_of(["True", "False"])
            case "in" if of:
                return f"({self.row(scope, FIELDS[of])}) in {self.state()}.{of}"
            case "in":
                return self.inside(scope, depth)
            case "not":
                return f"not ({self.formula(scope, depth - 1)})"
            case "and" | "or":
                first, second = self.formula(scope, depth - 1), self.formula(scope, depth - 1)
                return f"({first} {kind} {second})" if self.maybe() else f"{first} {kind} {second}"
            case "implies":
                return f"implies({self.formula(scope, depth - 1)}, {self.formula(scope, depth - 1)})"
            case "all" | "any":
                clauses, inner = self.clauses(scope, depth - 1)
                return f"{kind}({self.formula(inner, depth - 1)} {clauses})"
            case "compare":
                return self.compared(scope, of)
            case "member":
                item, many = self.one_of(self.of(scope, ITEMS[of])), self.one_of(self.of(scope, of))
                return f"{item} {self.one_of(['in', 'not in'])} {many}"
        return f"h({self.state()}, a, b, c, q)"

    def compared(self, scope: Scope, sort: str) -> str:
        signs = ["==", "!=", "<", "<=", ">", ">="] if sort == "B" else ["==", "!="]
        out = self.one_of(self.of(scope, sort))
        for _ in range(self.draw(st.integers(1, 2))):
            out += f" {self.one_of(signs)} {self.one_of(self.of(scope, sort))}"
        if sort == "B" and self.of(scope, "W") and self.maybe():
            out += f" in {self.one_of(self.of(scope, 'W'))}"
        return out

    def inside(self, scope: Scope, depth: int) -> str:
        """`(x, y) in` some relation whose columns have variables; a quantifier where there is none."""
        able = [name for name, sorts in FIELDS.items() if all(self.of(scope, s) for s in sorts)]
        if not able:
            clauses, inner = self.clauses(scope, depth - 1)
            return f"any({self.formula(inner, depth - 1)} {clauses})"
        sorts = FIELDS[self.one_of(able)]
        return f"({self.row(scope, sorts)}) {self.one_of(['in', 'not in'])} {self.relation(scope, sorts, depth - 1)}"

    def state(self) -> str:
        return self.one_of([s for s in self.states if s != "helper"])

    def row(self, scope: Scope, sorts: str) -> str:
        return ", ".join(self.one_of(self.of(scope, s)) for s in sorts) + ("," if len(sorts) == 1 else "")

    def clauses(self, scope: Scope, depth: int, wanted: str = "") -> tuple[str, Scope]:
        """`for x in A if ...`, binding at least the sorts that are wanted; and the scope within."""
        out, inner = list[str](), dict(scope)
        for sort in wanted or self.one_of(["A", "B", "Q", "W", "AB", "BB", "QA"]):
            sets = [m for m in inner if ITEMS.get(inner[m]) == sort]
            x = self.fresh()
            out.append(f"for {x} in {self.one_of([sort, *sets])}")
            inner[x] = sort
            filters = self.draw(st.integers(0, 2))
            out += [f"if {self.formula(inner, max(0, depth - 1))}" for _ in range(filters)]
        return " ".join(out), inner

    def relation(self, scope: Scope, sorts: str, depth: int) -> str:
        """A relation with these columns."""
        kinds = ["comprehension"] + ["field"] * 2 * (sorts in FIELDS.values())
        kinds += ["display"] * all(self.of(scope, s) for s in sorts)
        if depth > 0:
            kinds += ["join", "part"]
        match self.one_of(kinds):
            case "field":
                return f"{self.state()}.{self.one_of([n for n, s in FIELDS.items() if s == sorts])}"
            case "display":
                rows = [f"({self.row(scope, sorts)})" for _ in range(self.draw(st.integers(1, 2)))]
                return "{" + ", ".join(rows) + "}"
            case "comprehension":
                clauses, inner = self.clauses(scope, max(0, depth), sorts)
                return f"{{({self.row(inner, sorts)}) {clauses}}}"
            case kind:
                sign = "|" if kind == "join" else "-"
                left, right = self.relation(scope, sorts, depth - 1), self.relation(scope, sorts, depth - 1)
                return f"({left} {sign} {right})" if self.maybe() else f"{left} {sign} {right}"

    def changes(self, scope: Scope, depth: int) -> str:
        names = self.draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=2, unique=True))
        given = (
            self.relation(scope, FIELDS[n], depth) if self.draw(st.integers(0, 9)) else "set()" for n in names
        )
        return ", ".join(f"{n}={r}" for n, r in zip(names, given, strict=True))

    def action(self) -> str:
        self.states = ["now", "helper"]
        scope = dict(PARAMETERS)
        head = "now: S, a: A, b: B, c: B, q: Q"
        lines = [f"    require({self.formula(scope, 2)})" for _ in range(self.draw(st.integers(0, 2)))]
        if self.maybe():
            lines.append(f"    nxt = now.but({self.changes(scope, 1)})")
            self.states.append("nxt")
            lines.append(f"    require({self.formula(scope, 1)})")
        return "\n".join(
            [
                f"@action\ndef act({head}) -> S:",
                *lines,
                f"    return {self.state()}.but({self.changes(scope, 2)})",
            ]
        )

    def overlay(self) -> str:
        """An action that takes the other one, of another kind of set, and says more."""
        self.states = ["now"]
        scope = {"a": "A", "b": "B", "c": "B", "k": "K"}
        first = f"now.but({self.changes(scope, 1)})" if self.maybe() else "now"
        lines = [f"    require({self.formula(scope, 1)})"] * self.maybe()
        lines.append(f"    then = {first}.after(act, a, b, {self.one_of('bc')}, k)")
        self.states.append("then")
        lines += [f"    require({self.formula(scope, 1)})"] * self.maybe()
        return "\n".join(
            [
                "@action\ndef more(now: S, a: A, b: B, c: B, k: K) -> S:",
                *lines,
                f"    return then.but({self.changes(scope, 1)})",
            ]
        )

    def specification(self) -> str:
        """A whole specification: an initial state, a helper, a property, an action and one that takes it."""
        head = "now: S, a: A, b: B, c: B, q: Q"
        opened = f"{{(x,) for x in B if {self.fixed()}}}"
        first = f"@init\ndef first() -> S:\n    return S(p={{(x,) for x in A}}, o={opened})"
        helper = f"def h({head}) -> bool:\n    return {self.formula(dict(PARAMETERS), 2)}"
        claim = f"@invariant\ndef claim(now: S) -> bool:\n    return {self.formula({}, 3)}"
        return "\n\n\n".join([SORTS, first, helper, claim, self.action(), self.overlay()]) + "\n"

    def fixed(self) -> str:
        return self.one_of(["True", "all(y <= x for y in B)", "any(x < y for y in B)", "False"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    return Writer(draw).specification()


@pytest.fixture(scope="session")
def specification_texts() -> st.SearchStrategy[str]:
    """Random specifications, as text."""
    return texts()


@pytest.fixture
def alter() -> Callable[[State, Instance, random.Random], State]:
    """A state with one random row more or less, reachable or not."""

    def altered(state: State, instance: Instance, chance: random.Random) -> State:
        name, sorts = chance.choice(list(relations_of(type(state)).items()))
        row = tuple(chance.choice(instance.members[s]) for s in sorts)
        return state.but(**{name: getattr(state, name) ^ {row}})

    return altered

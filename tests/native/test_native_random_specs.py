"""Random small specifications, as text, mean the same to the referee and to the native explorer.

The text covers the subset: negations, quantifiers over sorts and sets, conditions in comprehensions, unions and
differences of anything, several relations changed at once, parameters that the new state does not mention, initial
states that are not empty.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict
from unittest import mock

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from quorate.checker.explore.referee import Search
from quorate.checker.explore.referee import explore as referee
from quorate.checker.explore.result import Exploration, Limits
from quorate.checker.instance import Instance
from quorate.checker.native import explore as native
from quorate.checker.native import implied, machine
from quorate.checker.specification import Specification, load

HEAD = """\
from quorate.checker.language import Many, Set, Sort, State, action, implies, init, invariant, require

class X(Sort): ...
class Y(Sort, ordered=True): ...
class Q(Many[X]): ...

class S(State):
    one: Set[X]
    two: Set[X, Y]
    late: Set[Y]
    pair: Set[X, X]
    span: Set[Y, Y]
"""
RELATIONS = {"one": "X", "two": "XY", "late": "Y", "pair": "XX", "span": "YY"}


class Options(TypedDict, total=False):
    """How the native explorer is asked to explore."""

    workers: int
    symmetry: bool
    exact: bool


VARIANTS: tuple[Options, ...] = (
    {"workers": 1, "symmetry": False},
    {"workers": 2, "symmetry": False},
    {"workers": 2, "exact": True},
    {"workers": 1, "symmetry": True},
    {"workers": 2, "symmetry": True},
)
Scope = tuple[tuple[str, str], ...]
"""Variables in scope, each with its sort."""


class Writer:
    """Draws a specification's text; variables never shadow one another."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.names = (f"v{i}" for i in itertools.count())

    def pick(self, *options: str) -> str:
        return self.draw(st.sampled_from(options))

    def bind(self, scope: Scope) -> tuple[str, Scope]:
        """A `for` with a new variable, over a sort or over a set in scope."""
        name, sets = next(self.names), [n for n, sort in scope if sort == "Q"]
        over = self.pick("X", "X", "Y", "Y", "Q", *sets)
        return f"for {name} in {over}", (*scope, (name, over if over in "XYQ" else "X"))

    def row(self, columns: str, scope: Scope) -> str | None:
        """A row of variables of these sorts, if there are any."""
        choices = [[n for n, sort in scope if sort == c] for c in columns]
        if not all(choices):
            return None
        return f"({', '.join(self.pick(*c) for c in choices)},)"

    def atom(self, scope: Scope) -> str:
        options = ["True"]
        for name, columns in RELATIONS.items():
            if row := self.row(columns, scope):
                options += [f"{row} in now.{name}", f"{row} not in now.{name}"]
        for sort in "XY":
            if row := self.row(sort * 2, scope):
                x, y, _ = (part.strip() for part in row.strip("()").split(","))
                options += [f"{x} == {y}"] + ([f"{x} < {y}"] if sort == "Y" else [])
        if row := self.row("XQ", scope):
            x, q, _ = (part.strip() for part in row.strip("()").split(","))
            options.append(f"{x} in {q}")
        return self.pick(*options[1:] or options)

    def formula(self, scope: Scope, depth: int) -> str:
        kind = self.pick("atom", "not", "and", "or", "implies", "all", "any") if depth else "atom"
        match kind:
            case "atom":
                return self.atom(scope)
            case "not":
                return f"(not {self.formula(scope, depth - 1)})"
            case "and" | "or":
                return f"({self.formula(scope, depth - 1)} {kind} {self.formula(scope, depth - 1)})"
            case "implies":
                return f"implies({self.formula(scope, depth - 1)}, {self.formula(scope, depth - 1)})"
        given, inner = self.bind(scope)
        if self.pick("plain", "filtered") == "filtered":
            given += f" if {self.formula(inner, depth - 1)}"
        return f"{kind}({self.formula(inner, depth - 1)} {given})"

    def those(self, columns: str, scope: Scope) -> str:
        """A comprehension, or a display, of rows with these columns; each is in scope or bound here."""
        given, inner, row = "", scope, list[str]()
        for c in columns:
            known = [n for n, sort in inner if sort == c]
            if known and self.pick("known", "bound") == "known":
                row.append(self.pick(*known))
                continue
            row.append(next(self.names))
            given += f" for {row[-1]} in {c}"
            inner = (*inner, (row[-1], c))
        if given and self.pick("plain", "filtered") == "filtered":
            given += f" if {self.formula(inner, 1)}"
        return f"{{({', '.join(row)},){given}}}"

    def relation(self, columns: str, scope: Scope, depth: int, stateful: bool = True) -> str:
        kind = self.pick("now", "those", "those", "|", "|", "-") if depth else self.pick("now", "those")
        if kind in "|-":
            left = self.relation(columns, scope, depth - 1, stateful)
            return f"({left} {kind} {self.relation(columns, scope, depth - 1, stateful)})"
        same = [f"now.{name}" for name, c in RELATIONS.items() if c == columns]
        return self.pick(*same) if kind == "now" and stateful else self.those(columns, scope)

    def change(self, name: str, scope: Scope) -> str:
        """What a relation becomes; most steps of real specifications add or drop a row of their parameters."""
        row, now = self.row(RELATIONS[name], scope), f"now.{name}"
        kind = (
            self.pick("add", "add", "add", "drop", "drop", "more", "any") if row else self.pick("more", "any")
        )
        match kind:
            case "add":
                return f"{now} | {{{row}}}"
            case "drop":
                return f"{now} - {{{row}}}"
            case "more":
                return f"{now} {self.pick('|', '-')} {self.relation(RELATIONS[name], scope, 1)}"
        return self.relation(RELATIONS[name], scope, 1)

    def action(self, number: int) -> str:
        sorts = self.draw(st.lists(st.sampled_from("XXYYQ"), min_size=1, max_size=3))
        scope: Scope = tuple((next(self.names), sort) for sort in sorts)
        params = "".join(f", {name}: {sort}" for name, sort in scope)
        requires = [f"    require({self.formula(scope, 2)})\n" for _ in range(self.draw(st.integers(0, 1)))]
        names = self.draw(st.lists(st.sampled_from(sorted(RELATIONS)), min_size=1, max_size=3, unique=True))
        changes = ", ".join(f"{name}={self.change(name, scope)}" for name in names)
        return f"@action\ndef act{number}(now: S{params}) -> S:\n{''.join(requires)}    return now.but({changes})\n"

    def claim(self) -> str:
        """A property; one that says that a relation does not fill up is broken late."""
        if self.pick("any", "late", "late") == "any":
            return self.formula((), 3)
        name = self.pick(*RELATIONS)
        row, given = self.whole(name)
        return f"not all({row} {self.pick('in', 'in', 'not in')} now.{name} {given})"

    def whole(self, name: str) -> tuple[str, str]:
        """A row of variables for a relation, and what binds them to all members."""
        names = [next(self.names) for _ in RELATIONS[name]]
        return f"({', '.join(names)},)", " ".join(
            f"for {n} in {c}" for n, c in zip(names, RELATIONS[name], strict=True)
        )

    def first(self, name: str) -> str:
        """All rows of a relation, or those with equal columns."""
        row, given = self.whole(name)
        x, y, *_ = row.strip("()").replace(" ", "").split(",")
        alike = f" if {x} == {y}" if name == "pair" and self.pick("all", "alike") == "alike" else ""
        return f"{{{row} {given}{alike}}}"

    def text(self) -> str:
        full = [n for n in RELATIONS if self.pick("empty", "empty", "some") == "some"]
        first = ", ".join(f"{n}={self.first(n)}" for n in full)
        actions = [self.action(i) for i in range(self.draw(st.integers(2, 4)))]
        claims = [
            f"@invariant\ndef claim{i}(now: S) -> bool:\n    return {self.claim()}\n"
            for i in range(self.draw(st.integers(0, 2)))
        ]
        init = f"@init\ndef first() -> S:\n    return S({first})\n"
        return "\n".join([HEAD, init, *actions, *claims])


@st.composite
def specifications(draw: st.DrawFn) -> str:
    return Writer(draw).text()


@contextmanager
def loaded(text: str) -> Iterator[Specification]:
    """The specification, as long as its file is there to be read."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".py", prefix="random_") as file:
        file.write(text)
        file.flush()
        try:
            yield load(file.name)
        finally:
            sys.modules.pop(f"quorate_user_{Path(file.name).stem}", None)


def edges_by_action(spec: Specification, instance: Instance) -> Counter[str]:
    """How many pairs of different states each action connects, counted by the text alone."""
    search = Search(spec, instance, Limits(), (), (), False, None)
    out: Counter[str] = Counter()
    with instance.inhabited():
        search.run()
        for now in search.came:
            out.update(
                name for name, _ in {(name, nxt) for nxt, name, _ in search.steps_from(now) if nxt != now}
            )
    return out


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    text=specifications(),
    sizes=st.sampled_from([(2, 2, 1), (2, 3, 2), (3, 2, 2)]),
    infer_up_to=st.sampled_from([implied.WORK_MAX, 0]),
    optimise_up_to=st.sampled_from([machine.LINES_OPTIMISED_MAX, 0]),
)
def test_referee_and_native_explore_the_same_graph(
    text: str, sizes: tuple[int, int, int], infer_up_to: int, optimise_up_to: int
) -> None:
    with (
        loaded(text) as spec,
        mock.patch.object(implied, "WORK_MAX", infer_up_to),
        mock.patch.object(machine, "LINES_OPTIMISED_MAX", optimise_up_to),
    ):
        instance = instance_of(spec, sizes)
        theirs = referee(spec, instance, properties=(), limits=Limits(states_max=400))
        assume(theirs.verdict == "holds")
        wanted = edges_by_action(spec, instance)
        for options in VARIANTS:
            ours = native(spec, instance, properties=(), **options)
            assert counts(ours) == counts(theirs), options
            assert {name: c.taken for name, c in ours.actions.items() if c.taken} == wanted, options
            assert sum(c.found for c in ours.actions.values()) == ours.distinct - 1, options


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=specifications(), deadlock=st.booleans(), options=st.sampled_from(VARIANTS))
def test_referee_and_native_come_to_the_same_verdict_as_shortly(
    text: str, deadlock: bool, options: Options
) -> None:
    with loaded(text) as spec:
        instance = instance_of(spec, (2, 2, 1))
        theirs = referee(spec, instance, limits=Limits(states_max=400), stop_at_deadlock=deadlock)
        assume(theirs.verdict != "unknown")
        ours = native(spec, instance, stop_at_deadlock=deadlock, **options)
        assert ours.verdict == theirs.verdict
        if theirs.violation is None:
            assert counts(ours) == counts(theirs)
        else:
            assert ours.violation is not None
            assert len(ours.violation.steps) == len(theirs.violation.steps)


def counts(found: Exploration) -> tuple[int, int, int, int]:
    return found.distinct, found.edges, found.depth, found.deadlocks


def instance_of(spec: Specification, sizes: tuple[int, int, int]) -> Instance:
    known = {s.__name__.lower() for s in spec.sorts}
    return Instance.of(spec, {k: n for k, n in zip("xyq", sizes, strict=True) if k in known})

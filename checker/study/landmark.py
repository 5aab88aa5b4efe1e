"""One state, said as a predicate in the words of a specification, so that any explorer can be asked for it.

A specification has no names for members, so the state is described: there are members, different from each other and
in this order, in sets like these, for which these rows are there and no others.  Any state that is the same but for
the names of its members fits the description, and is reachable just if this one is.
"""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Iterator
from dataclasses import replace
from types import FunctionType
from typing import Any

from ..evaluate import Relations, Rows
from ..explore.referee import replay
from ..explore.result import Taken, Violation
from ..instance import Instance, in_order
from ..language import Many, Sort, item_of, relations_of
from ..specification import Function, Specification
from .loose import Loose

NAME = "elsewhere"
_made = itertools.count()


def elsewhere(spec: Specification, instance: Instance, state: Relations) -> Function:
    """The predicate that a state is not this one, as a function that can be read and run like any other."""
    text = "\n".join(_lines(Names(instance), spec, state)) + "\n"
    names: dict[str, Any] = {sort.__name__: sort for sort in instance.members}
    names[spec.state.__name__] = spec.state
    filename = f"<a state of {spec.name} {next(_made)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    exec(compile(text, filename, "exec", dont_inherit=True), names)
    made = names[NAME]
    assert isinstance(made, FunctionType)
    return made


class Names:
    """A variable for every member that is not a set, called by the sort and the member's place: `acceptor1`."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.of: dict[type[Sort], dict[Any, str]] = {
            sort: {x: f"{sort.__name__.lower()}{i}" for i, x in enumerate(members, 1)}
            for sort, members in instance.members.items()
            if not issubclass(sort, Many)
        }

    def bindings(self) -> Iterator[str]:
        """`for acceptor1 in Acceptor`, with what tells it from those before."""
        for sort, names in self.of.items():
            seen: list[tuple[Any, str]] = []
            for x, name in names.items():
                conditions = [c for y, other in seen for c in _told_apart(x, name, y, other)]
                conditions += _ordered(x, name, x, name)
                yield " ".join((f"for {name} in {sort.__name__}", *(f"if {c}" for c in conditions)))
                seen.append((x, name))

    def sets(self) -> Iterator[str]:
        """That there are sets with just these members."""
        for sort, members in self.instance.members.items():
            if issubclass(sort, Many):
                names = self.of[item_of(sort)]
                for q in members:
                    inside = (f"{name} {'in' if x in q else 'not in'} q" for x, name in names.items())
                    yield f"any({' and '.join(inside)} for q in {sort.__name__})"

    def rows(self, relation: str, columns: tuple[type[Sort], ...], rows: Rows) -> Iterator[str]:
        """That a relation has these rows, and no other."""
        for row in in_order(rows):
            names = ", ".join(self.of[s][x] for s, x in zip(columns, row, strict=True))
            yield f"({names},) in now.{relation}"
        if len(rows) == _count(self.instance, columns):
            return
        bound = [f"x{i}" for i in range(len(columns))]
        each = " ".join(f"for {x} in {s.__name__}" for x, s in zip(bound, columns, strict=True))
        same = [
            "("
            + " and ".join(f"{x} == {self.of[s][y]}" for x, s, y in zip(bound, columns, row, strict=True))
            + ")"
            for row in in_order(rows)
        ]
        there = f"({', '.join(bound)},) in now.{relation}"
        yield f"all({' or '.join((f'not ({there})', *same))} {each})"


def _lines(names: Names, spec: Specification, state: Relations) -> Iterator[str]:
    claims = [*names.sets()]
    for relation, columns in relations_of(spec.state).items():
        claims += names.rows(relation, columns, state[relation])
    yield f"def {NAME}(now: {spec.state.__name__}) -> bool:"
    yield '    """The state is not this one."""'
    yield "    return not any("
    yield "        " + "\n        and ".join(claims)
    yield from (f"        {binding}" for binding in names.bindings())
    yield "    )"


def _told_apart(x: Any, name: str, y: Any, other: str) -> Iterator[str]:
    """What is true of a member and an earlier one: that they differ, and how they are ordered."""
    if isinstance(x, int):
        yield f"{other} < {name}"
        return
    yield f"{name} != {other}"
    yield from _ordered(x, name, y, other)
    yield from _ordered(y, other, x, name)


def _ordered(x: Any, name: str, y: Any, other: str) -> Iterator[str]:
    """Whether one loose member is less than another, or than itself."""
    if isinstance(x, Loose):
        yield f"{name} < {other}" if x < y else f"not {name} < {other}"


def _count(instance: Instance, columns: tuple[type[Sort], ...]) -> int:
    out = 1
    for s in columns:
        out *= len(instance.members[s])
    return out


# The run that was found ----------------------------------------------------------------------


def renamed(run: Violation, spec: Specification, instance: Instance, state: Relations) -> Violation:
    """A run to a state that fits a description, with its members renamed so that it leads to the very state described.

    Raises `AssertionError` if there is no such renaming: then the description is wrong.
    """
    last = run.steps[-1].state if run.steps else run.start
    for names in _renamings(instance):
        found = {
            name: frozenset(tuple(_renamed(x, names) for x in row) for row in getattr(last, name))
            for name in state
        }
        if found == state:
            steps = [(s.action, [_renamed(x, names) for x in s.parameters.values()]) for s in run.steps]
            states = replay(spec, instance, steps)
            taken = (
                Taken(s.action, dict(zip(s.parameters, args, strict=True)), nxt)
                for s, (_, args), nxt in zip(run.steps, steps, states[1:], strict=True)
            )
            return replace(run, start=states[0], steps=tuple(taken))
    raise AssertionError(
        f"no renaming makes the state that was found the one that was looked for in {spec.name}"
    )


def _renamings(instance: Instance) -> Iterator[dict[Any, Any]]:
    """Every way to exchange the members of sorts but those in order."""
    plain = [m for s, m in instance.members.items() if not issubclass(s, Many) and not isinstance(m[0], int)]
    for each in itertools.product(*map(itertools.permutations, plain)):
        yield {
            x: y
            for members, others in zip(plain, each, strict=True)
            for x, y in zip(members, others, strict=True)
        }


def _renamed(x: Any, names: dict[Any, Any]) -> Any:
    return frozenset(names[y] for y in x) if isinstance(x, frozenset) else names.get(x, x)

"""Terms grounded: over the members of an instance a formula becomes one over bits, a relation the bits of its rows.

Each term is compiled once into a closure over a frame of members, so that grounding an action for all its
parameters costs no look at the term again.  This file does not know how bits are laid out in words.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any as Anything
from typing import TypeAlias, assert_never

from ..language import Sort
from ..term import (
    All,
    And,
    Any,
    Eq,
    Field,
    Formula,
    Implies,
    In,
    Less,
    Member,
    Minus,
    Not,
    Or,
    Relation,
    Those,
    Truth,
    Union,
    Var,
    within,
)
from .circuit import Circuit, Node

Row: TypeAlias = tuple[Anything, ...]
Frame: TypeAlias = list[Anything]
"""The members that variables stand for, by the variables' places."""
Grounded: TypeAlias = Callable[[Frame], Node]
Members: TypeAlias = Mapping[type[Sort], Sequence[Anything]]


@dataclass
class Bits:
    """Which rows of which relation vary, each with its bit; every other row is for ever what it was initially."""

    first: Mapping[str, frozenset[Row]]
    varying: dict[str, dict[Row, int]]

    def rows(self, name: str) -> Iterable[Row]:
        """The rows of a relation that can ever be in it."""
        return dict.fromkeys((*self.varying[name], *self.first[name]))


@dataclass(frozen=True)
class Rows:
    """A relation in a state to come: the old relation `base` (or nothing), but for the rows in `but`."""

    base: str | None
    but: Mapping[Row, Node]


@dataclass
class Scope:
    """The places of the variables in a frame, while a term is compiled."""

    place: dict[Var, int]
    size: int = 0

    @classmethod
    def of(cls, variables: Sequence[Var]) -> Scope:
        return cls({x: i for i, x in enumerate(variables)}, len(variables))

    def bind(self, bound: Sequence[Var]) -> list[int]:
        """Places for variables that a quantifier or a comprehension binds."""
        for x in bound:
            if x not in self.place:
                self.place[x] = self.size
                self.size += 1
        return [self.place[x] for x in bound]


@dataclass
class Grounder:
    """Grounds the terms of one specification in one instance, given what varies."""

    circuit: Circuit
    members: Members
    bits: Bits
    memos: list[dict[Row, Node]] = field(default_factory=list)

    def forget(self) -> None:
        """To be called when other bits vary than before."""
        for memo in self.memos:
            memo.clear()

    def row(self, name: str, row: Row) -> Node:
        """Whether a row is in a relation of the present state."""
        bit = self.bits.varying[name].get(row)
        return row in self.bits.first[name] if bit is None else self.circuit.lit(bit)

    # Formulas ----------------------------------------------------------------------------

    def formula(self, t: Formula, scope: Scope) -> Grounded:
        """What a formula comes to, as a function of the members that its variables stand for."""
        place = scope.place
        match t:
            case Truth(value):
                return lambda frame: value
            case Eq(left, right):
                x, y = place[left], place[right]
                return lambda frame: bool(frame[x] == frame[y])
            case Less(left, right):
                x, y = place[left], place[right]
                return lambda frame: bool(frame[x] < frame[y])
            case Member(item, many):
                x, y = place[item], place[many]
                return lambda frame: frame[x] in frame[y]
            case In(name, args):
                places = [place[x] for x in args]
                return lambda frame: self.row(name, tuple([frame[i] for i in places]))
            case Not(body):
                inner = self.formula(body, scope)
                return lambda frame: self.circuit.negation(inner(frame))
            case And(parts):
                return self._gate(self.circuit.conj, parts, scope)
            case Or(parts):
                return self._gate(self.circuit.disj, parts, scope)
            case Implies(p, q):
                return self._gate(self.circuit.disj, (Not(p), q), scope)
            case All(bound, body):
                return self._quantifier(self.circuit.conj, t, bound, body, scope)
            case Any(bound, body):
                return self._quantifier(self.circuit.disj, t, bound, body, scope)
        assert_never(t)

    def _gate(
        self, gather: Callable[[Iterable[Node]], Node], parts: Sequence[Formula], scope: Scope
    ) -> Grounded:
        # What speaks of no relation is decided on the spot: asked first, it mostly decides the whole.
        inner = [self.formula(x, scope) for x in sorted(parts, key=speaks_of_the_state)]
        return lambda frame: gather(f(frame) for f in inner)

    def _quantifier(
        self,
        gather: Callable[[Iterable[Node]], Node],
        t: Formula,
        bound: Sequence[Var],
        body: Formula,
        scope: Scope,
    ) -> Grounded:
        free = [scope.place[x] for x in free_variables(t)]
        each, inner = self._each(bound, scope), self.formula(body, scope)
        memo: dict[Row, Node] = {}
        self.memos.append(memo)

        def ground(frame: Frame) -> Node:
            key = tuple([frame[i] for i in free])
            if key not in memo:
                memo[key] = gather(inner(frame) for _ in each(frame))
            return memo[key]

        return ground

    def _each(self, bound: Sequence[Var], scope: Scope) -> Callable[[Frame], Iterator[None]]:
        """Goes over all members for the bound variables, putting them into the frame."""
        places, domains = scope.bind(bound), [self.members[x.sort] for x in bound]

        def each(frame: Frame) -> Iterator[None]:
            for values in itertools.product(*domains):
                for i, value in zip(places, values, strict=True):
                    frame[i] = value
                yield

        return each

    # Relations ---------------------------------------------------------------------------

    def relation(self, r: Relation, scope: Scope) -> Callable[[Frame], Rows]:
        """What a relation comes to, as a function of the members that its variables stand for."""
        match r:
            case Field(name, _):
                return lambda frame: Rows(name, {})
            case Union(left, right):
                x, y = self.relation(left, scope), self.relation(right, scope)
                return lambda frame: self._union(x(frame), y(frame))
            case Minus(left, right):
                x, y = self.relation(left, scope), self.relation(right, scope)
                return lambda frame: self._minus(x(frame), y(frame))
            case Those(bound, row, where):
                each, inner = self._each(bound, scope), self.formula(where, scope)
                places = [scope.place[x] for x in row]

                def those(frame: Frame) -> Rows:
                    found: dict[Row, list[Node]] = {}
                    for _ in each(frame):
                        given = inner(frame)
                        if given is not False:
                            found.setdefault(tuple([frame[i] for i in places]), []).append(given)
                    return Rows(None, {key: self.circuit.disj(given) for key, given in found.items()})

                return those
        assert_never(r)

    def at(self, rows: Rows, row: Row) -> Node:
        """Whether a row is in a relation to come."""
        if row in rows.but:
            return rows.but[row]
        return self.row(rows.base, row) if rows.base is not None else False

    def _all_of(self, rows: Rows) -> Iterable[Row]:
        base = () if rows.base is None else self.bits.rows(rows.base)
        return dict.fromkeys((*base, *rows.but))

    def _union(self, left: Rows, right: Rows) -> Rows:
        if left.base is None:
            left, right = right, left
        base, more = left.base, right.but
        if right.base is not None and right.base != base:
            base, more = None, dict.fromkeys((*self._all_of(left), *self._all_of(right)), True)
        keys = dict.fromkeys((*left.but, *more))
        return Rows(base, {x: self.circuit.disj((self.at(left, x), self.at(right, x))) for x in keys})

    def _minus(self, left: Rows, right: Rows) -> Rows:
        keys = dict.fromkeys((*left.but, *right.but)) if right.base is None else self._all_of(left)
        without = self.circuit.negation
        return Rows(
            left.base, {x: self.circuit.conj((self.at(left, x), without(self.at(right, x)))) for x in keys}
        )

    def changes(self, name: str, rows: Rows) -> Iterator[tuple[Row, Node]]:
        """The rows of the relation `name` that become other than they are, each with what it becomes."""
        keys: Iterable[Row] = rows.but
        if rows.base != name:
            keys = dict.fromkeys((*self.bits.rows(name), *self._all_of(rows)))
        for key in keys:
            value = self.at(rows, key)
            if value is not self.row(name, key):
                yield key, value


def speaks_of_the_state(t: Formula) -> bool:
    return any(isinstance(x, In) for x in within(t))


def free_variables(t: Formula) -> dict[Var, None]:
    """The variables that a formula does not bind itself, in the order of first mention."""
    match t:
        case Truth():
            return {}
        case Eq(left, right) | Less(left, right) | Member(left, right):
            return {left: None, right: None}
        case In(_, args):
            return dict.fromkeys(args)
        case Not(body):
            return free_variables(body)
        case And(parts) | Or(parts):
            return {x: None for part in parts for x in free_variables(part)}
        case Implies(p, q):
            return {**free_variables(p), **free_variables(q)}
        case All(bound, body) | Any(bound, body):
            return {x: None for x in free_variables(body) if x not in bound}
    assert_never(t)


def variables_of(r: Relation) -> dict[Var, None]:
    """The variables that a relation does not bind itself."""
    match r:
        case Field():
            return {}
        case Union(left, right) | Minus(left, right):
            return {**variables_of(left), **variables_of(right)}
        case Those(bound, row, where):
            return {x: None for x in (*row, *free_variables(where)) if x not in bound}
    assert_never(r)

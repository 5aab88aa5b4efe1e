"""Formulas over a finite universe: quantifiers are written out, and rows are whatever a reading makes of them.

Each term is compiled once into a closure over a frame of elements, so that writing a quantifier out costs no look at
the term again.  This file does not know what a row is: an atom for a solver, or the states that have it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar, assert_never

from ..language import Many, Sort, item_of
from ..term import All, And, Any, Eq, Formula, Implies, In, Less, Member, Not, Or, Truth, Var, within

T = TypeVar("T")
Element: TypeAlias = int
"""A member of a sort, by its place in the universe: 0, 1, 2 ..."""
Row: TypeAlias = tuple[Element, ...]
Sizes: TypeAlias = Mapping[type[Sort], int]
Frame: TypeAlias = list[Element]
Compiled: TypeAlias = Callable[[Frame], bool | T]
Gate: TypeAlias = Callable[[Iterable[bool | T]], bool | T]


class Reading(Protocol[T]):
    """What a formula's parts come to: true or false already, or something of this reading's own."""

    @property
    def sizes(self) -> Sizes: ...
    def row(self, name: str, row: Row) -> bool | T: ...
    def has(self, many: type[Sort], q: Element, item: Element) -> bool | T: ...
    def less(self, sort: type[Sort], x: Element, y: Element) -> bool | T: ...
    def negation(self, claim: bool | T) -> bool | T: ...
    def conj(self, claims: Iterable[bool | T]) -> bool | T: ...
    def disj(self, claims: Iterable[bool | T]) -> bool | T: ...


@dataclass
class Compiler(Generic[T]):
    """One formula being compiled; `place` says where in the frame each variable has its element."""

    reading: Reading[T]
    place: dict[Var, int]

    def formula(self, t: Formula) -> Compiled[T]:
        """What the formula comes to, as a function of the elements that its variables stand for."""
        reading, place = self.reading, self.place
        match t:
            case Truth(value):
                return lambda frame: value
            case Eq(left, right):
                x, y = place[left], place[right]
                return lambda frame: frame[x] == frame[y]
            case Less(left, right):
                x, y, sort = place[left], place[right], left.sort
                return lambda frame: reading.less(sort, frame[x], frame[y])
            case Member(item, many):
                x, y, sort = place[item], place[many], many.sort
                return lambda frame: reading.has(sort, frame[y], frame[x])
            case In(name, args):
                places = [place[x] for x in args]
                return lambda frame: reading.row(name, tuple([frame[i] for i in places]))
            case Not(body):
                inner = self.formula(body)
                return lambda frame: reading.negation(inner(frame))
            case And(parts):
                return self._gate(reading.conj, parts)
            case Or(parts):
                return self._gate(reading.disj, parts)
            case Implies(p, q):
                return self._gate(reading.disj, (Not(p), q))
            case All(bound, body):
                return self._quantifier(reading.conj, bound, body)
            case Any(bound, body):
                return self._quantifier(reading.disj, bound, body)
        assert_never(t)

    def _gate(self, gather: Gate[T], parts: Sequence[Formula]) -> Compiled[T]:
        # What speaks of no relation is decided on the spot: asked first, it mostly decides the whole.
        inner = [self.formula(x) for x in sorted(parts, key=_is_open)]
        return lambda frame: gather(f(frame) for f in inner)

    def _quantifier(self, gather: Gate[T], bound: Sequence[Var], body: Formula) -> Compiled[T]:
        places = [self.place.setdefault(x, len(self.place)) for x in bound]
        inner, ranges = self.formula(body), [range(self.reading.sizes[x.sort]) for x in bound]
        first, size = min(places), max(places) + 1

        def each(frame: Frame) -> Iterator[bool | T]:
            frame += [0] * (size - len(frame))
            for combination in itertools.product(*ranges):
                frame[first:size] = combination
                yield inner(frame)

        assert places == list(range(first, size)), "variables are bound in the order of their places"
        return lambda frame: gather(each(frame))


def _is_open(t: Formula) -> bool:
    """Whether a formula speaks of a relation, or of the members of sets."""
    return any(isinstance(x, In | Member) for x in within(t))


def sorts_in(formulas: Iterable[Formula]) -> Iterator[type[Sort]]:
    """The sorts of the variables that formulas bind or speak of, items before the sets of them."""
    for t in formulas:
        for x in within(t):
            match x:
                case All(bound, _) | Any(bound, _) | In(_, bound):
                    found: tuple[Var, ...] = bound
                case Eq(left, right) | Less(left, right) | Member(left, right):
                    found = (left, right)
                case _:
                    found = ()
            for v in found:
                if issubclass(v.sort, Many):
                    yield item_of(v.sort)
                yield v.sort

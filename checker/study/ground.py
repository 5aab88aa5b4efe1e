"""A formula over a finite universe, as a propositional one: quantifiers are written out, rows become atoms.

Over a finite universe every question has an answer, so what a solver does not know of all sizes can be settled one
size at a time.  Each term is compiled once into a closure over a frame of elements, so that writing a quantifier out
costs no look at the term again.  This file does not know what is asked, or why.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar, assert_never

import z3

from ..language import Many, Sort, item_of
from ..term import All, And, Any, Eq, Formula, Implies, In, Less, Member, Not, Or, Truth, Var, within

Element: TypeAlias = int
"""A member of a sort, by its place in the universe: 0, 1, 2 ..."""
Row: TypeAlias = tuple[Element, ...]
Sizes: TypeAlias = Mapping[type[Sort], int]
Claim: TypeAlias = bool | z3.BoolRef
"""True or false already, or a claim about the atoms."""
Frame: TypeAlias = list[Element]
Grounded: TypeAlias = Callable[[Frame], Claim]
K = TypeVar("K", bound=Hashable)


@dataclass
class Ground:
    """The propositional reading of formulas over a universe with `sizes[sort]` members of each sort.

    Which rows a relation has is left open, and so are the members of every set, but for the sorts in `sets`.  The
    members of an ordered sort are in the order of their places, unless the sort is `loose`: then it is open which is
    less than which.
    """

    sizes: Sizes
    loose: frozenset[type[Sort]] = frozenset()
    sets: Mapping[type[Sort], Sequence[frozenset[Element]]] = field(default_factory=dict)
    context: z3.Context = field(default_factory=z3.Context)
    rows: dict[tuple[str, Row], z3.BoolRef] = field(default_factory=dict)
    contains: dict[tuple[type[Sort], Element, Element], z3.BoolRef] = field(default_factory=dict)
    """Whether a set, named first, has a member."""
    below: dict[tuple[type[Sort], Element, Element], z3.BoolRef] = field(default_factory=dict)

    def claim(self, t: Formula, values: Mapping[Var, Element] | None = None) -> z3.BoolRef:
        """What a formula says here, given values for its free variables."""
        values = values or {}
        said = Compiler(self, {x: i for i, x in enumerate(values)}).formula(t)(list(values.values()))
        return z3.BoolVal(said, self.context) if isinstance(said, bool) else said

    def no_set_is_empty(self) -> z3.BoolRef:
        """That every set has a member; an empty one makes a counterexample degenerate."""
        sets = ((s, q) for s in self.sizes if issubclass(s, Many) for q in range(self.sizes[s]))
        return self.said(
            self.conj(self.disj(self.has(s, q, a) for a in range(self.sizes[item_of(s)])) for s, q in sets)
        )

    def said(self, claim: Claim) -> z3.BoolRef:
        return z3.BoolVal(claim, self.context) if isinstance(claim, bool) else claim

    # Atoms -------------------------------------------------------------------------------

    def row(self, name: str, row: Row) -> z3.BoolRef:
        return self._atom(self.rows, (name, row))

    def has(self, many: type[Sort], q: Element, item: Element) -> Claim:
        return item in self.sets[many][q] if many in self.sets else self._atom(self.contains, (many, q, item))

    def less(self, sort: type[Sort], x: Element, y: Element) -> Claim:
        return self._atom(self.below, (sort, x, y)) if sort in self.loose else x < y

    def _atom(self, known: dict[K, z3.BoolRef], key: K) -> z3.BoolRef:
        if key not in known:
            known[key] = z3.Bool(f"x{len(self.rows) + len(self.contains) + len(self.below)}", self.context)
        return known[key]

    # Gates -------------------------------------------------------------------------------

    def negation(self, claim: Claim) -> Claim:
        return (not claim) if isinstance(claim, bool) else z3.Not(claim)

    def conj(self, claims: Iterable[Claim]) -> Claim:
        """The conjunction; nothing more is asked for once one is false."""
        open_: list[z3.BoolRef] = []
        for claim in claims:
            if claim is False:
                return False
            if claim is not True:
                open_.append(claim)
        return z3.And(open_) if len(open_) > 1 else open_[0] if open_ else True

    def disj(self, claims: Iterable[Claim]) -> Claim:
        """The disjunction; nothing more is asked for once one is true."""
        open_: list[z3.BoolRef] = []
        for claim in claims:
            if claim is True:
                return True
            if claim is not False:
                open_.append(claim)
        return z3.Or(open_) if len(open_) > 1 else open_[0] if open_ else False


@dataclass
class Compiler:
    """One formula being compiled; `place` says where in the frame each variable has its element."""

    ground: Ground
    place: dict[Var, int]

    def formula(self, t: Formula) -> Grounded:
        ground, place = self.ground, self.place
        match t:
            case Truth(value):
                return lambda frame: value
            case Eq(left, right):
                x, y = place[left], place[right]
                return lambda frame: frame[x] == frame[y]
            case Less(left, right):
                x, y, sort = place[left], place[right], left.sort
                return lambda frame: ground.less(sort, frame[x], frame[y])
            case Member(item, many):
                x, y, sort = place[item], place[many], many.sort
                return lambda frame: ground.has(sort, frame[y], frame[x])
            case In(name, args):
                places = [place[x] for x in args]
                return lambda frame: ground.row(name, tuple([frame[i] for i in places]))
            case Not(body):
                inner = self.formula(body)
                return lambda frame: ground.negation(inner(frame))
            case And(parts):
                return self._gate(ground.conj, parts)
            case Or(parts):
                return self._gate(ground.disj, parts)
            case Implies(p, q):
                return self._gate(ground.disj, (Not(p), q))
            case All(bound, body):
                return self._quantifier(ground.conj, bound, body)
            case Any(bound, body):
                return self._quantifier(ground.disj, bound, body)
        assert_never(t)

    def _gate(self, gather: Callable[[Iterable[Claim]], Claim], parts: Sequence[Formula]) -> Grounded:
        # What speaks of no relation is decided on the spot: asked first, it mostly decides the whole.
        inner = [self.formula(x) for x in sorted(parts, key=_is_open)]
        return lambda frame: gather(f(frame) for f in inner)

    def _quantifier(
        self, gather: Callable[[Iterable[Claim]], Claim], bound: Sequence[Var], body: Formula
    ) -> Grounded:
        places = [self.place.setdefault(x, len(self.place)) for x in bound]
        inner, ranges = self.formula(body), [range(self.ground.sizes[x.sort]) for x in bound]
        first, size = min(places), max(places) + 1

        def each(frame: Frame) -> Iterator[Claim]:
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

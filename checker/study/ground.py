"""A formula over a finite universe, as a propositional one: rows become atoms for a solver.

Over a finite universe every question has an answer, so what a solver does not know of all sizes can be settled one
size at a time.  This file does not know what is asked, or why.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import z3

from ..language import Many, Sort, item_of
from ..term import Formula, Var
from .compiling import Compiler, Element, Row, Sizes

Claim: TypeAlias = bool | z3.BoolRef
"""True or false already, or a claim about the atoms."""
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
        return (not claim) if isinstance(claim, bool) else gate(z3.Not(claim))

    def conj(self, claims: Iterable[Claim]) -> Claim:
        """The conjunction; nothing more is asked for once one is false."""
        open_: list[z3.BoolRef] = []
        for claim in claims:
            if claim is False:
                return False
            if claim is not True:
                open_.append(claim)
        return gate(z3.And(open_)) if len(open_) > 1 else open_[0] if open_ else True

    def disj(self, claims: Iterable[Claim]) -> Claim:
        """The disjunction; nothing more is asked for once one is true."""
        open_: list[z3.BoolRef] = []
        for claim in claims:
            if claim is True:
                return True
            if claim is not False:
                open_.append(claim)
        return gate(z3.Or(open_)) if len(open_) > 1 else open_[0] if open_ else False


def gate(made: object) -> z3.BoolRef:
    """What Z3 made of claims: a claim."""
    assert isinstance(made, z3.BoolRef), "claims make claims"
    return made

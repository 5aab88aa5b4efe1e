"""The reachable states of small instances, and formulas asked of all of them at once.

A row is a number with a bit for each state, so a formula costs few operations however many states there are.  What is
false of one of them is false for good; what is true of all is worth asking a prover about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ..explore.referee import Search
from ..explore.result import Limits
from ..instance import Instance
from ..language import Many, Sort, State, item_of, relations_of
from ..native.symmetry import interchangeable
from ..specification import Specification
from ..term import All, Formula
from .compiling import Compiler, Element, Row, Sizes
from .finite import choices


@dataclass
class Sample:
    """Reachable states of one instance."""

    spec: Specification
    instance: Instance
    states: tuple[State, ...]
    complete: bool

    @classmethod
    def explored(cls, spec: Specification, instance: Instance, states_max: int) -> Sample:
        """The states that a search comes to first; all of them, if there are no more than asked for."""
        search = Search(spec, instance, Limits(states_max=states_max), (), (), False, None)
        with instance.inhabited():
            _, cut_short = search.run()
        return cls(spec, instance, tuple(search.came), not cut_short)

    @cached_property
    def columns(self) -> Columns:
        return Columns.of(self)

    def refutes(self, t: Formula) -> bool:
        """Whether a formula is false of some state.

        Where all states are here, members that nothing tells apart are taken for each other.
        """
        columns = self.columns
        bound, body = (t.vars, t.body) if isinstance(t, All) else ((), t)
        said = Compiler(columns, {x: i for i, x in enumerate(bound)}).formula(body)
        for values in choices(bound, columns.sizes, self.alike):
            claim = said(list(values.values()))
            if claim is not True and claim != columns.all:
                return True
        return False

    @cached_property
    def alike(self) -> frozenset[type[Sort]]:
        """The sorts whose members can be exchanged without leaving the sample; their sets follow."""
        if not self.complete:
            return frozenset()
        return frozenset(interchangeable(self.spec, self.instance))


@dataclass(frozen=True)
class Columns:
    """The reading of a formula as the set of states in which it holds: a number with a bit for each."""

    sizes: Sizes
    all: int
    rows: Mapping[tuple[str, Row], int]
    sets: Mapping[type[Sort], tuple[frozenset[Element], ...]]

    @classmethod
    def of(cls, sample: Sample) -> Columns:
        places = {s: {x: i for i, x in enumerate(m)} for s, m in sample.instance.members.items()}
        rows: dict[tuple[str, Row], int] = {}
        for i, state in enumerate(sample.states):
            for name, columns in relations_of(sample.spec.state).items():
                for row in getattr(state, name):
                    key = name, tuple(places[s][x] for s, x in zip(columns, row, strict=True))
                    rows[key] = rows.get(key, 0) | 1 << i
        sets: dict[type[Sort], tuple[frozenset[Element], ...]] = {
            s: tuple(frozenset(places[item_of(s)][x] for x in q) for q in members)
            for s, members in sample.instance.members.items()
            if issubclass(s, Many)
        }
        sizes = {s: len(m) for s, m in sample.instance.members.items()}
        return cls(sizes, (1 << len(sample.states)) - 1, rows, sets)

    def row(self, name: str, row: Row) -> int:
        return self.rows.get((name, row), 0)

    def has(self, many: type[Sort], q: Element, item: Element) -> bool:
        return item in self.sets[many][q]

    def less(self, sort: type[Sort], x: Element, y: Element) -> bool:
        return x < y

    def negation(self, claim: bool | int) -> bool | int:
        return (not claim) if isinstance(claim, bool) else self.all ^ claim

    def conj(self, claims: Iterable[bool | int]) -> bool | int:
        out = self.all
        for claim in claims:
            if claim is not True:
                out &= claim
                if not out:
                    return False
        return out

    def disj(self, claims: Iterable[bool | int]) -> bool | int:
        out = 0
        for claim in claims:
            if claim is True:
                return True
            out |= claim
            if out == self.all:
                return True
        return out

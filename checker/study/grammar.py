"""Candidate conjuncts, made of a specification's own relations: whenever these rows are there, that is so.

A candidate is a clause.  Given are at most two rows and how their ballots and values compare; what follows is a row, a
comparison, that some row is there, or that every set has a member of which one or two things are true.  The shapes are
those of invariants that people write; nothing in them is of one specification.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..language import Many, Sort, item_of, relations_of
from ..specification import Specification
from ..term import Any, Eq, Formula, Implies, In, Less, Member, Var, conj, every, negation, put, within

Pool = Mapping[type[Sort], tuple[Var, ...]]
"""The variables that clauses are about, by sort."""


@dataclass(frozen=True)
class Clause:
    """Whenever everything `given` is so, one thing follows.  Its variables stand for anything."""

    given: frozenset[Formula]
    then: Formula

    @cached_property
    def formula(self) -> Formula:
        """The clause, said of all."""
        free = free_in(conj(*self.given, self.then))
        ordered = sorted(self.given, key=lambda t: (not isinstance(t, In), repr(t)))
        return every(free, Implies(conj(*ordered), self.then) if ordered else self.then)


def free_in(t: Formula) -> tuple[Var, ...]:
    """The variables of a formula that it does not bind, in the order of their names."""
    bound: set[Var] = set()
    used: dict[Var, None] = {}
    for x in within(t):
        match x:
            case Any(variables, _):
                bound |= set(variables)
            case In(_, args):
                used.update(dict.fromkeys(args))
            case Eq(left, right) | Less(left, right) | Member(left, right):
                used.update(dict.fromkeys((left, right)))
            case _:
                pass
    return tuple(sorted((x for x in used if x not in bound), key=lambda x: x.name))


# The candidates ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grammar:
    """The clauses over a specification's relations, with so many variables of each sort."""

    spec: Specification
    pool: Pool

    @classmethod
    def of(cls, spec: Specification, ordered: int = 2, other: int = 2, single: int = 1) -> Grammar:
        """With `ordered` variables of each ordered sort; of the others `other` where some safety property compares
        two, `single` else."""
        compared = {x.left.sort for t in spec.claims.values() for x in within(t) if isinstance(x, Eq)}
        pool: dict[type[Sort], tuple[Var, ...]] = {}
        for sort in spec.sorts:
            if not issubclass(sort, Many):
                count = ordered if sort.ordered else other if sort in compared else single
                pool[sort] = tuple(Var(f"{sort.__name__.lower()}{i}", sort) for i in range(1, count + 1))
        return cls(spec, pool)

    def clauses(self) -> Iterator[Clause]:
        """Every clause once, up to the names of its variables where that is cheap to see; the smallest first."""
        for rows in range(3):
            givens = list(self.givens(rows))
            for rest in self.comparisons():
                for given in givens:
                    yield from self.with_given(given, rest)

    def with_given(self, given: tuple[Formula, ...], rest: tuple[Formula, ...]) -> Iterator[Clause]:
        """The clauses with these rows and comparisons given; a comparison must be about something."""
        used = set(free_in(conj(*given)))
        compared = set(free_in(conj(*rest)))
        for then in self.consequents(len(given)):
            if then not in given and compared <= used | set(free_in(then)):
                yield Clause(frozenset((*given, *rest)), then)

    def givens(self, count: int) -> Iterator[tuple[Formula, ...]]:
        """So many rows, up to the names of their variables."""
        seen: set[tuple[str, ...]] = set()
        for rows in itertools.combinations(self.rows(self.pool), count):
            key = min(tuple(sorted(repr(put(t, names)) for t in rows)) for names in self.renamings)
            if key not in seen:
                seen.add(key)
                yield rows

    @cached_property
    def renamings(self) -> list[Mapping[Var, Var]]:
        """Every way to exchange variables of one sort."""
        each = (list(itertools.permutations(variables)) for variables in self.pool.values())
        flat = [x for variables in self.pool.values() for x in variables]
        return [dict(zip(flat, itertools.chain(*p), strict=True)) for p in itertools.product(*each)]

    # Parts -------------------------------------------------------------------------------

    def rows(self, pool: Pool) -> list[In]:
        """Every row of every relation."""
        return [
            In(name, args)
            for name, columns in relations_of(self.spec.state).items()
            for args in itertools.product(*(pool[s] for s in columns))
        ]

    def comparisons(self) -> Iterator[tuple[Formula, ...]]:
        """How the variables may be given to compare: chains of ordered ones, two others that differ."""
        options: list[list[tuple[Formula, ...]]] = []
        for sort, variables in self.pool.items():
            if sort.ordered:
                chains = (
                    c for n in range(2, len(variables) + 1) for c in itertools.permutations(variables, n)
                )
                options.append([(), *(tuple(itertools.starmap(Less, itertools.pairwise(c))) for c in chains)])
            else:
                pairs = itertools.combinations(variables, 2)
                options.append([(), *((negation(Eq(x, y)),) for x, y in pairs)])
        for chosen in itertools.product(*options):
            yield tuple(itertools.chain(*chosen))

    def consequents(self, given: int) -> Sequence[Formula]:
        """What may follow from so many rows."""
        return self._simple if given > 1 else self._all

    @cached_property
    def _simple(self) -> list[Formula]:
        return [*self.rows(self.pool), *self._equalities(), *self._some_row()]

    @cached_property
    def _all(self) -> list[Formula]:
        return [*self._simple, *self._members()]

    def _equalities(self) -> Iterator[Formula]:
        for sort, variables in self.pool.items():
            for x, y in (
                itertools.permutations(variables, 2) if sort.ordered else itertools.combinations(variables, 2)
            ):
                yield Less(x, y) if sort.ordered else Eq(x, y)
                if sort.ordered:
                    yield negation(Less(y, x))
        yield from (negation(row) for row in self.rows(self.pool))

    def _some_row(self) -> Iterator[Formula]:
        """That some row is there: one or two of its columns are anything."""
        for name, columns in relations_of(self.spec.state).items():
            for count in (1, 2):
                for places in itertools.combinations(range(len(columns)), count):
                    anything = {i: Var(f"some{columns[i].__name__}", columns[i]) for i in places}
                    each = ((anything[i],) if i in anything else self.pool[s] for i, s in enumerate(columns))
                    yield from (
                        Any(tuple(anything.values()), In(name, args)) for args in itertools.product(*each)
                    )

    def _members(self) -> Iterator[Formula]:
        """That every set has a member of which one or two things are true."""
        for many in self.spec.sorts:
            if issubclass(many, Many):
                q, member = Var("q", many), Var("member", item_of(many))
                rows = [
                    row
                    for row in self.rows({**self.pool, member.sort: (member,)})
                    if sum(x is member for x in row.args) == 1
                ]
                literals = [*rows, *map(negation, rows)]
                for count in (1, 2):
                    for two in itertools.combinations(literals, count):
                        yield Any((member,), conj(Member(member, q), *two))

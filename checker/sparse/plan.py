"""What a plan is made of: tests that are passed or not, and searches that walk through rows.

A plan knows relations by name and by which of their columns are bound; it knows neither how rows are stored nor
Python's text, and nothing of how it was found (`planner`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from ..term import Var

# Tests -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fact:
    value: bool


@dataclass(frozen=True)
class Same:
    left: Var
    right: Var


@dataclass(frozen=True)
class Below:
    left: Var
    right: Var


@dataclass(frozen=True)
class Within:
    item: Var
    many: Var


@dataclass(frozen=True)
class Has:
    """The row is in the relation; every column is bound."""

    relation: str
    row: tuple[Var, ...]


@dataclass(frozen=True)
class Negated:
    body: Test


@dataclass(frozen=True)
class Both:
    parts: tuple[Test, ...]


@dataclass(frozen=True)
class Either:
    parts: tuple[Test, ...]


@dataclass(frozen=True)
class Exists:
    """The search finds something."""

    search: Search


@dataclass(frozen=True)
class Between:
    """Some member of an ordered sort is at least every floor and below every ceiling.

    A floor or a ceiling is a variable, or the bound up to which a relation kept as bounds holds the row (see
    `cuts`); `where` a relation has no row of that key there is no floor, and nothing is below its ceiling.  The
    greatest floor is itself the member that is looked for.  Without any floor, there is one below every ceiling: an
    ordered sort whose members are not given has no least one.
    """

    floors: tuple[Bound, ...]
    ceilings: tuple[Bound, ...]


@dataclass(frozen=True)
class BoundOf:
    """The bound of a relation kept as bounds; `row` has None in the column that is cut."""

    relation: str
    row: tuple[Var | None, ...]


Bound: TypeAlias = Var | BoundOf
Test: TypeAlias = Fact | Same | Below | Within | Has | Negated | Both | Either | Exists | Between

# Searches ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """Go on only if the test is passed."""

    test: Test


@dataclass(frozen=True)
class Each:
    """Go on with each row of a relation that agrees with what is bound; `new` are the variables that it binds."""

    relation: str
    row: tuple[Var, ...]
    new: frozenset[Var]

    @property
    def pattern(self) -> frozenset[int]:
        """The columns that are bound before."""
        return frozenset(i for i, x in enumerate(self.row) if x not in self.new)


@dataclass(frozen=True)
class From:
    """Go on with each member of a set."""

    item: Var
    many: Var


@dataclass(frozen=True)
class Over:
    """Go on with each member of a sort whose members are given."""

    item: Var


Move: TypeAlias = Given | Each | From | Over


@dataclass(frozen=True)
class Search:
    """Moves, one inside the other; where the last goes on, `found` is found: the variables that were looked for."""

    moves: tuple[Move, ...]
    found: tuple[Var, ...]


# Looking at plans --------------------------------------------------------------------------


def needs(moves: Iterable[Move]) -> list[Var]:
    """The variables that moves use and do not bind, in the order of first use."""
    used, bound = dict[Var, None](), set[Var]()
    for move in moves:
        match move:
            case Given(test):
                used.update(dict.fromkeys(x for x in variables(test) if x not in bound))
            case Each(_, row, new):
                used.update(dict.fromkeys(x for x in row if x not in bound | new))
                bound |= new
            case From(item, many):
                used.update(dict.fromkeys(x for x in (many,) if x not in bound))
                bound.add(item)
            case Over(item):
                bound.add(item)
    return list(used)


def variables(t: Test) -> Iterator[Var]:
    """The variables that a test needs."""
    match t:
        case Fact():
            pass
        case Same(left, right) | Below(left, right) | Within(left, right):
            yield from (left, right)
        case Has(_, row):
            yield from row
        case Negated(body):
            yield from variables(body)
        case Both(parts) | Either(parts):
            for x in parts:
                yield from variables(x)
        case Exists(search):
            yield from needs(search.moves)
        case Between(floors, ceilings):
            for bound in (*floors, *ceilings):
                if isinstance(bound, BoundOf):
                    yield from (x for x in bound.row if x is not None)
                else:
                    yield bound
        case _:
            assert_never(t)


def patterns(moves: Iterable[Move]) -> Iterator[Each]:
    """Every look into a relation that moves make, those inside tests included."""
    for move in moves:
        if isinstance(move, Each):
            yield move
        elif isinstance(move, Given):
            yield from looks(move.test)


def looks(t: Test) -> Iterator[Each]:
    """Every look into a relation that a test makes."""
    match t:
        case Negated(body):
            yield from looks(body)
        case Both(parts) | Either(parts):
            for x in parts:
                yield from looks(x)
        case Exists(search):
            yield from patterns(search.moves)

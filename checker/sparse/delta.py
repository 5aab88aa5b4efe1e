"""What a step does to a relation: the rows that go and the rows that come, instead of the whole relation anew.

`now.log - X | Y` costs what X and Y touch.  Going is driven by the rows that are there, so taking away
`{(a, s, c, w) for c in Ballot for w in Value}` asks for no ballot and no value.  Rows that go are taken away first,
then those that come are put in; both are found in the state before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from ..term import (
    TRUE,
    Field,
    Formula,
    In,
    Minus,
    Relation,
    Those,
    Union,
    Var,
    columns,
    conj,
    member,
    negation,
)


@dataclass(frozen=True)
class Rows:
    """The rows for which there are values of the variables that make `where` true."""

    variables: tuple[Var, ...]
    row: tuple[Var, ...]
    where: Formula


@dataclass(frozen=True)
class Delta:
    """What goes and what comes; in the end the relation is what it was, without the former, with the latter."""

    gone: tuple[Rows, ...] = ()
    come: tuple[Rows, ...] = ()


def delta(name: str, then: Relation) -> Delta:
    """How the relation of this name becomes what `then` says."""
    match then:
        case Field(field, _) if field == name:
            return Delta()
        case Union(left, right) if _is_now(name, right) and not _is_now(name, left):
            return delta(name, Union(right, left))
        case Union(left, right):
            before = delta(name, left)
            return Delta(before.gone, (*before.come, *listed(right)))
        case Minus(left, right):
            before = delta(name, left)
            row = fresh_row(left)
            going = Rows(row, row, conj(In(name, row), member(row, right)))
            return Delta((*before.gone, going), tuple(_without(rows, right) for rows in before.come))
        case Field() | Those():
            row = fresh_row(then)
            return Delta((Rows(row, row, In(name, row)),), tuple(listed(then)))
    assert_never(then)


def listed(relation: Relation) -> Iterator[Rows]:
    """A relation as rows to be found, with repetitions."""
    match relation:
        case Field(name, _):
            row = fresh_row(relation)
            yield Rows(row, row, In(name, row))
        case Union(left, right):
            yield from listed(left)
            yield from listed(right)
        case Minus(left, right):
            yield from (_without(rows, right) for rows in listed(left))
        case Those(variables, row, where):
            yield Rows(variables, row, where)
        case _:
            assert_never(relation)


def fresh_row(relation: Relation) -> tuple[Var, ...]:
    """A new variable for each column."""
    return tuple(Var(f"x{i}", sort) for i, sort in enumerate(columns(relation)))


def _without(rows: Rows, relation: Relation) -> Rows:
    return Rows(rows.variables, rows.row, conj(rows.where, negation(member(rows.row, relation))))


def _is_now(name: str, relation: Relation) -> bool:
    """Whether a relation begins with the one of this name as it is."""
    match relation:
        case Field(field, _):
            return field == name
        case Union(left, right):
            return _is_now(name, left) or _is_now(name, right)
        case Minus(left, _):
            return _is_now(name, left)
    return False


def is_single(rows: Rows) -> bool:
    """Whether this is one row, whatever the state."""
    return not rows.variables and rows.where == TRUE

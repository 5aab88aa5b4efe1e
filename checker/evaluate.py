"""Terms evaluated over concrete states by the letter of their definition.

It is slow and obvious: what the reader made of a text is held, in tests, to what the text does when it runs, and
models that a prover finds are evaluated again here before anyone sees them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any as Anything
from typing import TypeAlias, assert_never

from .language import Sort
from .term import (
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
)

Rows: TypeAlias = frozenset[tuple[Anything, ...]]
Relations: TypeAlias = Mapping[str, Rows]
Values: TypeAlias = Mapping[Var, Anything]
Members: TypeAlias = Mapping[type[Sort], Sequence[Anything]]


def holds(t: Formula, state: Relations, values: Values, members: Members) -> bool:
    """Whether a formula is true of a state, given values for its free variables and the members of every sort."""
    match t:
        case Truth(value):
            return value
        case Eq(left, right):
            return bool(values[left] == values[right])
        case Less(left, right):
            return bool(values[left] < values[right])
        case Member(item, many):
            return values[item] in values[many]
        case In(name, args):
            return tuple(values[x] for x in args) in state[name]
        case Not(body):
            return not holds(body, state, values, members)
        case And(parts):
            return all(holds(x, state, values, members) for x in parts)
        case Or(parts):
            return any(holds(x, state, values, members) for x in parts)
        case Implies(p, q):
            return not holds(p, state, values, members) or holds(q, state, values, members)
        case All(bound, body):
            return all(holds(body, state, v, members) for v in _each(bound, values, members))
        case Any(bound, body):
            return any(holds(body, state, v, members) for v in _each(bound, values, members))
    assert_never(t)


def witness(t: Formula, state: Relations, values: Values, members: Members) -> Mapping[str, object]:
    """For which values of its outermost variables, by name, a false formula is false; nothing if it has none."""
    if not isinstance(t, All):
        return {}
    false = (v for v in _each(t.vars, values, members) if not holds(t.body, state, v, members))
    found = next(false)
    return {x.name: found[x] for x in t.vars}


def rows(relation: Relation, state: Relations, values: Values, members: Members) -> Rows:
    """The rows of a relation in a state."""
    match relation:
        case Field(name, _):
            return state[name]
        case Union(left, right):
            return rows(left, state, values, members) | rows(right, state, values, members)
        case Minus(left, right):
            return rows(left, state, values, members) - rows(right, state, values, members)
        case Those(bound, row, where):
            each = _each(bound, values, members)
            return frozenset(tuple(v[x] for x in row) for v in each if holds(where, state, v, members))
    assert_never(relation)


def _each(bound: Sequence[Var], values: Values, members: Members) -> Iterator[Values]:
    for combination in itertools.product(*(members[x.sort] for x in bound)):
        yield {**values, **dict(zip(bound, combination, strict=True))}

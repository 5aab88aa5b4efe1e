"""What must hold before a step for something to hold after it: a formula, said of another state.

A state term gives each relation in terms of the state now, so the weakest precondition is a substitution: no second
vocabulary, no frame conditions.  The same substitution reads an upper specification's formula through an image.
"""

from __future__ import annotations

from typing import assert_never

from ..term import (
    All,
    And,
    Any,
    Eq,
    Formula,
    Implies,
    In,
    Less,
    Member,
    Not,
    Or,
    StateTerm,
    Truth,
    conj,
    disj,
    every,
    member,
    negation,
    some,
)


def said_of(state: StateTerm, t: Formula) -> Formula:
    """The formula with `state` in place of the state it speaks of.

    The formula's bound variables must not occur in the state term; they do not when the two were read separately.
    """
    match t:
        case Truth() | Eq() | Less() | Member():
            return t
        case In(name, args):
            return member(args, state[name])
        case Not(body):
            return negation(said_of(state, body))
        case And(parts):
            return conj(*(said_of(state, x) for x in parts))
        case Or(parts):
            return disj(*(said_of(state, x) for x in parts))
        case Implies(p, q):
            return Implies(said_of(state, p), said_of(state, q))
        case All(bound, body):
            return every(bound, said_of(state, body))
        case Any(bound, body):
            return some(bound, said_of(state, body))
    assert_never(t)

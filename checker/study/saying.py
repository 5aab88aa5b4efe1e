"""Formulas said in the words of a specification, to be read by a person or pasted into one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import assert_never

from ..language import Many, Sort
from ..specification import Specification
from ..term import All, And, Any, Eq, Formula, Implies, In, Less, Member, Not, Or, Truth, Var, within

LETTERS: Mapping[str, Sequence[str]] = {"Ballot": "bcd", "Value": "vwx"}
"""What papers call more than one member of a sort; others go by their initial and a number."""


def said(t: Formula) -> str:
    """A formula as an expression, its variables called as short as can be."""
    return _said(t, _names(t))


def invariant_text(t: Formula, name: str, spec: Specification) -> str:
    """A formula as an invariant of a specification."""
    body = said(t)
    return f"@invariant\ndef {name}(now: {spec.state.__name__}) -> bool:\n    return {body}\n"


def _names(t: Formula) -> Mapping[Var, str]:
    """A short name for each variable, in the order in which they are bound."""
    out: dict[Var, str] = {}
    used: dict[type[Sort], int] = {}
    taken: set[str] = set()
    for x in itertools.chain.from_iterable(f.vars for f in within(t) if isinstance(f, All | Any)):
        letters = LETTERS.get(x.sort.__name__, ())
        while x not in out:
            i = used[x.sort] = used.get(x.sort, -1) + 1
            initial = x.sort.__name__[0].lower()
            name = letters[i] if i < len(letters) else initial if i == 0 else f"{initial}{i + 1}"
            if name not in taken:
                out[x] = name
                taken.add(name)
    return out


def _said(t: Formula, names: Mapping[Var, str]) -> str:
    match t:
        case Truth(value):
            return str(value)
        case Eq(left, right):
            return f"{names[left]} == {names[right]}"
        case Less(left, right):
            return f"{names[left]} < {names[right]}"
        case Member(item, many):
            return f"{names[item]} in {names[many]}"
        case In(relation, args):
            return f"({', '.join(names[x] for x in args)}{',' * (len(args) == 1)}) in now.{relation}"
        case Not(Eq(left, right)):
            return f"{names[left]} != {names[right]}"
        case Not(Less(left, right)):
            return f"{names[right]} <= {names[left]}"
        case Not(In() as row):
            return _said(row, names).replace(") in now.", ") not in now.")
        case Not(body):
            return f"not {_inside(body, names)}"
        case And(parts):
            return " and ".join(_inside(x, names) for x in parts)
        case Or(parts):
            return " or ".join(_inside(x, names) for x in parts)
        case Implies(p, q):
            return f"implies({_said(p, names)}, {_said(q, names)})"
        case All(bound, body):
            return f"all({_said(body, names)} {_over(bound, names)})"
        case Any(bound, body):
            return _some(bound, body, names)
    assert_never(t)


def _some(bound: Sequence[Var], body: Formula, names: Mapping[Var, str]) -> str:
    """That some are such; a member of a set is taken from the set."""
    parts = body.parts if isinstance(body, And) else (body,)
    within_sets = {x.item: x.many for x in parts if isinstance(x, Member) and x.item in bound}
    rest = [x for x in parts if not (isinstance(x, Member) and x.item in within_sets)]
    if not rest or len(within_sets) + len(rest) != len(parts):
        return f"any({_said(body, names)} {_over(bound, names)})"
    over = (
        f"for {names[x]} in {names[within_sets[x]] if x in within_sets else x.sort.__name__}" for x in bound
    )
    return f"any({' and '.join(_inside(x, names) for x in rest)} {' '.join(over)})"


def _over(bound: Sequence[Var], names: Mapping[Var, str]) -> str:
    ordered = sorted(bound, key=lambda x: issubclass(x.sort, Many))
    return " ".join(f"for {names[x]} in {x.sort.__name__}" for x in ordered)


def _inside(t: Formula, names: Mapping[Var, str]) -> str:
    """A part of a conjunction or a disjunction, in brackets where it would be misread."""
    text = _said(t, names)
    return f"({text})" if isinstance(t, And | Or) else text

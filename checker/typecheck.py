"""The rules that terms keep: variables in scope, columns of their sorts, only ordered sorts compared.

A term that breaks one is a fault of the reader or of an engine, never of a specification: what a person wrote
wrongly is refused earlier, by the reader, in the person's own words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from .language import Many, Sort, item_of, relations_of
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
    StateTerm,
    Step,
    Those,
    Truth,
    Union,
    Var,
    columns,
    names,
)


class IllTyped(Exception):
    """A term breaks the rules of terms."""


@dataclass(frozen=True)
class TypeChecker:
    """The rules of terms: variables are in scope, columns have their sorts, only ordered sorts compare."""

    relations: Mapping[str, tuple[type[Sort], ...]]
    scope: frozenset[Var] = field(default_factory=frozenset)

    def within(self, bound: Sequence[Var]) -> TypeChecker:
        if len(set(bound)) != len(bound) or self.scope & set(bound):
            raise IllTyped(f"bound twice: {', '.join(map(repr, bound))}")
        return TypeChecker(self.relations, self.scope | set(bound))

    def known(self, *variables: Var) -> None:
        for x in variables:
            if x not in self.scope:
                raise IllTyped(f"{x} : {x.sort.__name__} is not in scope")

    def row(self, row: Sequence[Var], sorts: Sequence[type[Sort]], what: str) -> None:
        self.known(*row)
        if [x.sort for x in row] != list(sorts):
            raise IllTyped(f"{what} has columns ({names(sorts)}), not ({names([x.sort for x in row])})")

    def formula(self, t: Formula) -> None:
        """Raises `IllTyped` unless the formula keeps the rules."""
        match t:
            case Truth():
                pass
            case Eq(left, right) | Less(left, right):
                self.known(left, right)
                if left.sort is not right.sort or issubclass(left.sort, Many):
                    raise IllTyped(f"{left} and {right} are not compared")
                if isinstance(t, Less) and not left.sort.ordered:
                    raise IllTyped(f"{left.sort.__name__} has no order")
            case Member(item, many):
                self.known(item, many)
                if not issubclass(many.sort, Many) or item_of(many.sort) is not item.sort:
                    raise IllTyped(
                        f"{many} : {many.sort.__name__} does not hold {item} : {item.sort.__name__}"
                    )
            case In(name, args):
                if name not in self.relations:
                    raise IllTyped(f"there is no relation {name}")
                self.row(args, self.relations[name], name)
            case Not(body):
                self.formula(body)
            case And(parts) | Or(parts):
                for x in parts:
                    self.formula(x)
            case Implies(p, q):
                self.formula(p)
                self.formula(q)
            case All(bound, body) | Any(bound, body):
                self.within(bound).formula(body)
            case _:
                assert_never(t)

    def relation(self, r: Relation) -> None:
        """Raises `IllTyped` unless the relation keeps the rules."""
        match r:
            case Field(name, sorts):
                if self.relations.get(name) != sorts:
                    raise IllTyped(f"there is no relation {name} with columns ({names(sorts)})")
            case Union(left, right) | Minus(left, right):
                self.relation(left)
                self.relation(right)
                if columns(left) != columns(right):
                    raise IllTyped(
                        f"({names(columns(left))}) and ({names(columns(right))}) do not go together"
                    )
            case Those(bound, row, where):
                inner = self.within(bound)
                inner.known(*row)
                inner.formula(where)
            case _:
                assert_never(r)

    def step(self, s: Step) -> None:
        """Raises `IllTyped` unless the whole step keeps the rules."""
        inner = self.within(s.params)
        for r in s.requires:
            inner.formula(r.formula)
        inner.state(s.then)

    def state(self, s: StateTerm) -> None:
        for name, sorts in relations_of(s.of).items():
            self.relation(s[name])
            if columns(s[name]) != sorts:
                raise IllTyped(f"{name} has columns ({names(sorts)}), not ({names(columns(s[name]))})")

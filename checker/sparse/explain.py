"""Why a formula is false of a state: which part of it, and by which rows.

The explanation follows the formula: of a conjunction it explains the first part that is false, of a `not any(...)`
it shows what was found, of a row that is missing the rows that come nearest.  It is made once, for a refusal, and may
take its time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any as Anything
from typing import assert_never

from ..language import relations_of
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
    Truth,
    Var,
    negation,
    within,
)
from .compiling import Undrivable
from .machine import Machine
from .planner import free
from .store import Row

NEAREST_MAX = 3
"""How many rows are shown where one is missing."""

Values = Mapping[Var, Anything]


@dataclass
class Explainer:
    """Explains formulas about one machine's state; `rows` collects what the explanations rest on."""

    machine: Machine
    show: Callable[[object], str] = repr
    rows: list[tuple[str, Row]] = field(default_factory=list)

    def false(self, t: Formula, values: Values) -> list[str]:
        """Why a formula is false, a sentence each."""
        match t:
            case Truth():
                return ["it is never so"]
            case Eq(left, right):
                return [f"{self.named(left, values)} is not {self.named(right, values)}"]
            case Less(left, right):
                return [f"{self.named(left, values)} is not below {self.named(right, values)}"]
            case Member(item, many):
                return [f"{self.named(item, values)} is not in {self.named(many, values)}"]
            case In(name, args):
                return self.missing(name, [values[x] for x in args])
            case Not(body):
                return self.true(body, values)
            case And(parts):
                return self.false(next(x for x in parts if not self.holds(x, values)), values)
            case Or(parts):
                return list(dict.fromkeys(line for x in parts for line in self.false(x, values)))
            case Implies(p, q):
                return [*self.true(p, values), *self.false(q, values)]
            case All(variables, body):
                found = self.found(variables, negation(body), values)
                return [self.given(variables, found), *self.false(body, {**values, **found})]
            case Any(variables, body):
                return self.nothing(variables, body, values)
        assert_never(t)

    def true(self, t: Formula, values: Values) -> list[str]:
        """Why a formula is true, a sentence each; only what a relation says is worth one."""
        match t:
            case In(name, args):
                return [self.present(name, [values[x] for x in args])]
            case Not(In(name, args)):
                return self.missing(name, [values[x] for x in args])
            case And(parts):
                return [line for x in parts for line in self.true(x, values)]
            case Or(parts):
                return self.true(next(x for x in parts if self.holds(x, values)), values)
            case Less(left, right):
                return [f"{self.named(left, values)} is below {self.named(right, values)}"]
            case Any(variables, body):
                return self.true(body, {**values, **self.found(variables, body, values)})
        return []

    # Rows --------------------------------------------------------------------------------

    def present(self, name: str, row: Sequence[Anything]) -> str:
        if self.machine.is_bounds(name):
            bound = self.machine.bound(name, row)
            self.rows.append((name, tuple(row)))
            return f"{name} has {self.row(self.below(name, row))} for every one below {self.show(bound)}"
        self.rows.append((name, tuple(row)))
        return f"{name} has {self.row(row)}"

    def missing(self, name: str, row: Sequence[Anything]) -> list[str]:
        if self.machine.is_bounds(name):
            bound = self.machine.bound(name, row)
            self.rows.append((name, tuple(row)))
            upto = "at all" if bound is None else f"from {self.show(bound)} on"
            return [f"{name} has no {self.row(self.below(name, row))} {upto}"]
        near = list(self.near(name, row))
        self.rows += [(name, found) for found in near]
        shown = "; it has " + ", ".join(map(self.row, near)) if near else ""
        return [f"{name} has no {self.row(row)}{shown}"]

    def below(self, name: str, row: Sequence[Anything]) -> list[Anything]:
        """A row of a relation kept as bounds, with a mark in the column that is cut."""
        cut = self.machine.cut(name)
        return [_ANY if i == cut else x for i, x in enumerate(row)]

    def near(self, name: str, row: Sequence[Anything]) -> Iterator[Row]:
        """Rows that agree with a missing one in all columns but one; the last columns are given up first."""
        left = NEAREST_MAX
        for given_up in reversed(range(1 if len(row) > 1 else 0, len(row))):
            columns = [i for i in range(len(row)) if i != given_up]
            found = sorted(self.machine.lookup(name, columns)(*(row[i] for i in columns)), key=self.row)
            yield from found[:left]
            left -= len(found[:left])

    def nothing(self, variables: Sequence[Var], body: Formula, values: Values) -> list[str]:
        """What was looked through in vain: the rows that agree with what was known."""
        out: list[str] = []
        for t in within(body):
            if isinstance(t, In) and set(t.args) & set(variables) and not self.machine.is_bounds(t.relation):
                out += self.looked_through(t, body, values)
                break
        return out or [f"there is no {', '.join(x.name for x in variables)} for which it is so"]

    def looked_through(self, t: In, body: Formula, values: Values) -> list[str]:
        bound = {
            i: values[x] for i, x in enumerate(t.args) if x in values and not _is_last_known(t, x, values)
        }
        sets = [m for m in within(body) if isinstance(m, Member) and m.item in t.args and m.many in values]
        return self.looking(t.relation, bound, {t.args.index(m.item): values[m.many] for m in sets})

    def looking(
        self, name: str, bound: Mapping[int, Anything], sets: Mapping[int, Collection[Anything]] | None = None
    ) -> list[str]:
        """What a relation has where these columns have these values, and those are in these sets."""
        found = self.machine.lookup(name, list(bound))(*bound.values())
        kept = sorted(
            (row for row in found if all(row[i] in many for i, many in (sets or {}).items())), key=self.row
        )
        self.rows += [(name, row) for row in kept[:NEAREST_MAX]]
        width = len(relations_of(self.machine.spec.state)[name])
        pattern = self.row([bound.get(i, _ANY) for i in range(width)])
        if not kept:
            return [f"{name} has no {pattern}"]
        more = f" and {len(kept) - NEAREST_MAX} more" if len(kept) > NEAREST_MAX else ""
        return [f"of {pattern}, {name} has " + ", ".join(map(self.row, kept[:NEAREST_MAX])) + more]

    # Words -------------------------------------------------------------------------------

    def row(self, row: Iterable[Anything]) -> str:
        shown = ["…" if x is _ANY else self.show(x) for x in row]
        return f"({', '.join(shown)}{',' if len(shown) == 1 else ''})"

    def named(self, x: Var, values: Values) -> str:
        return f"{x.name} = {self.show(values[x])}"

    def given(self, variables: Sequence[Var], found: Values) -> str:
        return "take " + ", ".join(self.named(x, found) for x in variables if x in found)

    # Questions ---------------------------------------------------------------------------

    def holds(self, t: Formula, values: Values) -> bool:
        params = [x for x in values if x in free(t)]
        return self.machine.question(params, t)(*(values[x] for x in params))

    def found(self, variables: Sequence[Var], body: Formula, values: Values) -> dict[Var, Anything]:
        """Values of the variables that make a formula true: of all that it speaks of, or what can be had of them.

        Where several do, the first as they are shown: rows are kept in sets, whose order is another in every process.
        """
        params = [x for x in values if x in free(body)]
        wanted = [x for x in variables if x in free(body)]
        try:
            query = self.machine.query(params, wanted, variables, body)
        except Undrivable:
            return {}
        row = min(query(*(values[x] for x in params)), key=self.row, default=None)
        return {} if row is None else dict(zip(wanted, row, strict=True))


_ANY = object()
"""Stands in a row for whatever it is."""


def _is_last_known(t: In, x: Var, values: Values) -> bool:
    """Whether x is the last column whose value was known: it is given up, so that what is there instead is seen."""
    known = [y for y in t.args if y in values]
    return len(known) > 1 and x is known[-1]

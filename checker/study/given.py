"""Which rows of a counterexample say it all, and by which conjuncts the others are there.

A state that the remaining conjuncts allow has rows that nobody would have chosen: whoever reported has promised,
whoever accepted has left.  Told apart from the few rows that make the case, they are read at a glance.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import z3

from ..evaluate import Relations, Rows
from ..instance import in_order
from ..language import Many, item_of
from ..prove.counterexample import Counterexample
from ..prove.counterexample_text import listed, relation_lines
from ..prove.smt import ask
from ..term import Field
from .finite import loose_in
from .ground import Ground, gate


@dataclass(frozen=True)
class Follows:
    """Rows that are there because of the given ones, and the hypotheses by which they are."""

    relation: str
    rows: Rows
    by: tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """The state of a counterexample: rows none of which the others bring about, and rows that follow from them.

    A row follows if every state in this universe that the hypotheses allow, and that has the given rows, has it too.
    What the step requires is no such hypothesis: it is asked of the state, and makes nothing true of it.
    """

    given: Relations
    follows: tuple[Follows, ...]

    @property
    def count(self) -> int:
        """How many rows are given."""
        return sum(map(len, self.given.values()))

    def lines(self) -> Iterator[str]:
        """The state as a person reads it."""
        yield from relation_lines(self.given)
        if not self.follows:
            return
        yield "  and so with"
        width = max(map(len, self.given))
        rows = [listed(f.rows) for f in self.follows]
        for f, said in zip(self.follows, rows, strict=True):
            yield f"    {f.relation:{width}}  {said:{max(map(len, rows))}}  by {', '.join(f.by)}"


def told(found: Counterexample) -> Told | None:
    """What is given in the state before the step, and what follows; None where no state of relations is shown."""
    before = found.obligation.before
    if not before or not all(isinstance(r, Field) for r in before.values()):
        return None
    states = States.of(found)
    given = list(states.rows)
    for key in reversed(states.rows):
        rest = [k for k in given if k != key]
        if states.have(key, rest, states.hypotheses):
            given = rest
    follows: dict[tuple[str, tuple[str, ...]], set[tuple[Any, ...]]] = {}
    for name, row in reversed(states.rows):
        if (name, row) not in given:
            again = [by for n, by in follows if n == name and states.have((name, row), given, by)]
            by = min([*again, states.reasons((name, row), given)], key=len)
            follows.setdefault((name, by), set()).add(row)
    return Told(
        {name: frozenset(row for n, row in given if n == name) for name in found.before},
        tuple(Follows(name, frozenset(rows), by) for (name, by), rows in reversed(follows.items())),
    )


Key: TypeAlias = tuple[str, tuple[Any, ...]]
"""A row, with its relation."""


@dataclass(frozen=True)
class States:
    """The states of a counterexample's universe, as a solver knows them: the rows of that one, and what is supposed."""

    solver: z3.Solver
    rows: dict[Key, z3.BoolRef]
    hypotheses: Mapping[str, z3.BoolRef]

    @classmethod
    def of(cls, found: Counterexample) -> States:
        """The states, and under which name each hypothesis is supposed of them."""
        members, o = found.instance.members, found.obligation
        place = {s: {m: i for i, m in enumerate(ms)} for s, ms in members.items()}
        many = {s: ms for s, ms in members.items() if issubclass(s, Many)}
        ground = Ground(
            {s: len(ms) for s, ms in members.items()},
            loose_in(o, members),
            {s: [frozenset(place[item_of(s)][x] for x in q) for q in ms] for s, ms in many.items()},
        )
        rows = {
            (name, row): ground.row(r.name, tuple(place[s][x] for s, x in zip(r.sorts, row, strict=True)))
            for name, r in o.before.items()
            if isinstance(r, Field)
            for row in in_order(found.before[name])
        }
        solver = z3.SolverFor("QF_FD", ctx=ground.context)
        hypotheses: dict[str, z3.BoolRef] = {}
        values = {x: place[x.sort][value] for x, value in found.values.items()}
        for h in o.hypotheses:
            if not h.name.startswith("require("):
                name = hypotheses.setdefault(h.name, z3.Bool(f"by {h.name}", ground.context))
                solver.add(z3.Implies(name, ground.claim(h.formula, values)))
        for (s, x, y), less in ground.below.items():
            solver.add(less == (members[s][x] < members[s][y]))
        return cls(solver, rows, hypotheses)

    def have(self, key: Key, given: Collection[Key], by: Collection[str]) -> bool:
        """Whether each of the states that has the given rows, and of which these hypotheses hold, has this row."""
        supposed = [*(self.rows[k] for k in given), *(self.hypotheses[name] for name in by)]
        return bool(ask(self.solver, *supposed, gate(z3.Not(self.rows[key]))) == z3.unsat)

    def reasons(self, key: Key, given: Collection[Key]) -> tuple[str, ...]:
        """Hypotheses by which a row follows from the given ones; none can be left out."""
        by = list(self.hypotheses)
        for name in self.hypotheses:
            if self.have(key, given, [n for n in by if n != name]):
                by.remove(name)
        return tuple(by)

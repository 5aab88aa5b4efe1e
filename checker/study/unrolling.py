"""The runs of one instance, so many steps long, as one propositional question: is there one that breaks a property?

Each step is written down once and kept; every property is asked at every depth.  An answer is read back as states, and
the text itself finds the actions between them.  The states in between are never listed, so an instance may be far too
large to explore; a depth of a dozen steps is a long way here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import z3

from ..explore.result import Violation
from ..instance import Instance
from ..language import Many, Sort, State, item_of, relations_of
from ..prove.smt import ask
from ..reading import read_predicate
from ..specification import Function, Specification, brief, where
from .again import run_through
from .bounded import AT, beginning, state_at, step_between
from .finite import is_true
from .ground import Ground


class Unrolling:
    """The runs of an instance of a specification, `depth` steps long."""

    def __init__(self, spec: Specification, instance: Instance) -> None:
        self.spec, self.instance, self.depth = spec, instance, 0
        self.ground = over(instance)
        self.solver = z3.SolverFor("QF_FD", ctx=self.ground.context)
        self.solver.add(self.ground.claim(beginning(spec)))

    def extend(self) -> None:
        """Makes the runs one step longer."""
        now, nxt = state_at(self.spec, self.depth), state_at(self.spec, self.depth + 1)
        self.solver.add(self.ground.claim(step_between(self.spec, now, nxt)))
        self.depth += 1

    def violation(self, f: Function) -> Violation | None:
        """A run whose last state breaks a property; None if there is none of this length.

        Raises `AssertionError` if the text does not bear the run out: then this engine is wrong.
        """
        self.solver.push()
        try:
            claim = self.ground.claim(read_predicate(f, state_at(self.spec, self.depth)))
            self.solver.add(z3.Not(claim))
            if ask(self.solver) != z3.sat:
                return None
            states = self._states(self.solver.model())
        finally:
            self.solver.pop()
        with self.instance.inhabited():
            assert states[0] == self.spec.init(), "a run begins at the beginning"
            assert not f(states[-1]), f"{f.__name__} is true at the end of the run"
            steps = run_through(self.spec, self.instance, states)
        return Violation(f.__name__, brief(f), where(f), states[0], steps)

    def _states(self, model: z3.ModelRef) -> Sequence[State]:
        """The states of the run that a model is."""
        columns, members = relations_of(self.spec.state), self.instance.members
        rows: list[dict[str, set[tuple[Any, ...]]]] = [{} for _ in range(self.depth + 1)]
        for (name, row), atom in self.ground.rows.items():
            if is_true(model, atom):
                relation, _, depth = name.rpartition(AT)
                named = tuple(members[s][e] for s, e in zip(columns[relation], row, strict=True))
                rows[int(depth)].setdefault(relation, set()).add(named)
        return [self.spec.state(**r) for r in rows]


def over(instance: Instance) -> Ground:
    """The propositional reading over the members of an instance, its sets being what they are."""
    places: Mapping[Any, Mapping[Any, int]] = {
        s: {x: i for i, x in enumerate(members)} for s, members in instance.members.items()
    }
    sets: dict[type[Sort], Sequence[frozenset[int]]] = {
        s: tuple(frozenset(places[item_of(s)][x] for x in q) for q in members)
        for s, members in instance.members.items()
        if issubclass(s, Many)
    }
    return Ground({s: len(members) for s, members in instance.members.items()}, sets=sets)

"""Which of many candidates stand together: the largest set of them that every action keeps, in one instance.

All are supposed of a state; a step to a state that breaks some strikes those out; what is left when no step breaks
anything is inductive there.  Then it is made small: only what the goals rest on, and what that rests on, is kept.
(The algorithm is Flanagan and Leino's Houdini, 2001.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import z3

from ..instance import Instance
from ..prove.precondition import said_of
from ..prove.smt import ask
from ..specification import Specification
from ..term import Formula
from .bounded import state_at, step_between
from .finite import is_true
from .unrolling import over


@dataclass
class Houdini:
    """Candidates in one instance, and the steps between two states of it."""

    spec: Specification
    instance: Instance
    candidates: Sequence[Formula]
    watch: Callable[[str], None] = field(default=lambda _: None)

    def __post_init__(self) -> None:
        self.ground = ground = over(self.instance)
        now, nxt = state_at(self.spec, 0), state_at(self.spec, 1)
        self.solver = z3.SolverFor("QF_FD", ctx=ground.context)
        self.solver.add(ground.claim(step_between(self.spec, now, nxt)))
        self.supposed: list[z3.BoolRef] = []
        self.after: list[z3.BoolRef] = []
        for i, t in enumerate(self.candidates):
            before, after = (z3.Bool(f"{when} {i}", ground.context) for when in ("supposed", "after"))
            self.solver.add(z3.Implies(before, ground.claim(said_of(now, t))))
            self.solver.add(after == ground.claim(said_of(nxt, t)))
            self.supposed.append(before)
            self.after.append(after)

    def standing(self) -> list[int]:
        """The candidates, by their places, that stand together."""
        left = list(range(len(self.candidates)))
        while broken := self.broken(left, left):
            left = [i for i in left if i not in broken]
            self.watch(f"{len(left)} candidates stand")
        return left

    def broken(self, supposed: Iterable[int], asked: Iterable[int]) -> set[int]:
        """Some of those asked that one step from a state with all those supposed breaks; none if no step does."""
        asked = list(asked)
        self.solver.push()
        self.solver.add(z3.Or([z3.Not(self.after[i]) for i in asked]))
        try:
            if ask(self.solver, *(self.supposed[i] for i in supposed)) != z3.sat:
                return set()
            model = self.solver.model()
            return {i for i in asked if not is_true(model, self.after[i])}
        finally:
            self.solver.pop()

    def support(self, goals: Sequence[int], standing: Sequence[int]) -> list[int]:
        """A small part of what stands that keeps the goals, and itself."""
        kept, pending = list(goals), list(goals)
        while pending:
            goal = pending.pop(0)
            more = [i for i in self.needed(goal, kept, standing) if i not in kept]
            kept += more
            pending += more
        return self.pruned(kept, goals)

    def needed(self, goal: int, kept: Sequence[int], standing: Sequence[int]) -> list[int]:
        """What keeps one candidate: of those kept already if they do, else with as few more as will do."""
        if not self.broken(kept, [goal]):
            return []
        more = self.core([i for i in standing if i not in kept], kept, goal)
        for i in sorted(more, key=lambda i: -len(repr(self.candidates[i]))):
            fewer = [j for j in more if j != i]
            if not self.broken([*kept, *fewer], [goal]):
                more = fewer
        return more

    def core(self, rest: Sequence[int], kept: Sequence[int], goal: int) -> list[int]:
        """Those of the rest that the solver used to see that a step keeps the goal."""
        named = {str(self.supposed[i]): i for i in rest}
        self.solver.push()
        self.solver.add(z3.Not(self.after[goal]))
        try:
            answer = ask(self.solver, *(self.supposed[i] for i in (*kept, *rest)))
            assert answer == z3.unsat, "what stands keeps itself"
            return [named[str(x)] for x in self.solver.unsat_core() if str(x) in named]
        finally:
            self.solver.pop()

    def pruned(self, kept: Sequence[int], goals: Sequence[int]) -> list[int]:
        """Without those that the rest can do without, the largest first."""
        left = list(kept)
        for i in sorted(kept, key=lambda i: -len(repr(self.candidates[i]))):
            fewer = [j for j in left if j != i]
            if i not in goals and not self.broken(fewer, fewer):
                left = fewer
        return left

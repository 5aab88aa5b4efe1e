"""A counterexample to an obligation: a small universe, a state and a step, in which the goal is false.

It is made from a solver's model and owes the solver nothing more: it is evaluated again, term by term, before anyone
sees it.  The state need not be reachable; it is one from which the hypotheses alone do not save the goal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any as Anything

from ..evaluate import Relations, Values, holds, rows, witness
from ..instance import Instance
from ..term import Relation
from .obligation import Obligation


@dataclass(frozen=True)
class Counterexample:
    """A universe, the values of every relation that the obligation speaks of, and of the action's parameters."""

    obligation: Obligation
    instance: Instance
    relations: Relations
    values: Values

    def refuted(self) -> str:
        """Why this is no counterexample after all, by the letter of the terms; empty if it is one."""
        for h in self.obligation.hypotheses:
            if not holds(h.formula, self.relations, self.values, self.instance.members):
                return f"{h.name} does not hold in it"
        if holds(self.obligation.goal, self.relations, self.values, self.instance.members):
            return "the goal holds in it"
        return ""

    @property
    def parameters(self) -> Mapping[str, Anything]:
        """The action's parameters, by name."""
        return {x.name: self.values[x] for x in self.obligation.params}

    @property
    def before(self) -> Relations:
        """The state before the step; nothing where the obligation is about the initial state."""
        return self._state(self.obligation.before)

    @property
    def after(self) -> Relations:
        """The state after the step, or the initial one; nothing where no step is taken."""
        return self._state(self.obligation.after)

    def _state(self, relations: Mapping[str, Relation]) -> Relations:
        members = self.instance.members
        return {name: rows(r, self.relations, self.values, members) for name, r in relations.items()}

    @property
    def witness(self) -> Mapping[str, Anything]:
        """For which values of its outermost variables the goal is false."""
        return witness(self.obligation.goal, self.relations, self.values, self.instance.members)

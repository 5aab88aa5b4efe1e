"""What a proof rests on: a smallest set of hypotheses from which the goal still follows.

Smallest in the sense that no member can be left out, not that no other set is smaller; a goal may have several.  For
every member that is called needed, Z3 has found a state in which all the others hold and the goal does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from .obligation import Obligation
from .smt import ask
from .smtlib import Query

STEPS_MAX = 3_000_000
"""How long Z3 may think about leaving one hypothesis out, in its own deterministic unit: some tenths of a second."""


@dataclass(frozen=True)
class Core:
    """The hypotheses that a proof uses, by their places among those of the obligation.

    `unsure` are those of them that Z3 could neither do without nor show to be needed.  If it is `vacuous`, the
    hypotheses contradict one another, and the goal has no part in it.
    """

    used: tuple[int, ...]
    unsure: tuple[int, ...] = ()
    vacuous: bool = False

    def to_json(self) -> dict[str, Any]:
        """The core as plain data."""
        return {"used": list(self.used), "unsure": list(self.unsure), "vacuous": self.vacuous}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Core:
        """The core that `to_json` told of.  Raises `LookupError`, `TypeError` or `ValueError` if it is none."""
        used, unsure = (tuple(int(i) for i in told[name]) for name in ("used", "unsure"))
        return cls(used, unsure, bool(told["vacuous"]))

    def names(self, obligation: Obligation) -> tuple[str, ...]:
        """What the hypotheses used are called, each once; a question mark where Z3 is not sure."""
        marked = ((obligation.hypotheses[i].name, "?" if i in self.unsure else "") for i in self.used)
        return tuple(dict.fromkeys(name + mark for name, mark in marked))


def core_of(obligation: Obligation) -> Core | None:
    """The core of an obligation that holds; None if Z3 cannot repeat the proof.

    Of what one proof used, hypotheses are left out in the order in which they stand: axioms first, and what the action
    requires last.
    """
    query = Query.of(obligation)
    goal = len(obligation.hypotheses)
    used = used_at_once(query)
    if used is None:
        return None
    unsure: list[int] = []
    for i in sorted(used, key=lambda i: (i != goal, i)):
        fewer = [j for j in used if j != i]
        answer = contradict(query, fewer)
        if answer == z3.unsat:
            used = fewer
        elif answer == z3.unknown:
            unsure.append(i)
    return Core(
        tuple(i for i in used if i != goal), tuple(i for i in unsure if i != goal), vacuous=goal not in used
    )


def used_at_once(query: Query) -> list[int] | None:
    """Assertions that contradict one another, as few as one run of the solver tells; None if it tells nothing."""
    everything = range(len(query.assertions))
    context = z3.Context()
    solver = z3.Solver(ctx=context)
    solver.set(unsat_core=True, rlimit=10 * STEPS_MAX)
    parsed = z3.parse_smt2_string(query.text, ctx=context)
    for i in everything:
        solver.assert_and_track(parsed[i], str(i))
    if ask(solver) == z3.unsat:
        found = sorted(int(str(name)) for name in solver.unsat_core())
        if contradict(query, found) == z3.unsat:
            return found
    return list(everything) if contradict(query, everything) == z3.unsat else None


def contradict(query: Query, some: Sequence[int]) -> z3.CheckSatResult:
    """Whether some of the assertions contradict one another: `unsat` if they do."""
    solver = z3.Solver(ctx=z3.Context())
    solver.set(rlimit=STEPS_MAX)
    solver.from_string(query.part(some))
    return ask(solver)

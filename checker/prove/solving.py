"""Discharging an obligation with Z3: proved, refuted by a counterexample, or not known.

Not known is an answer of its own and never counts as proved; nor does a refutation whose counterexample does not
stand up when it is evaluated.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import z3

from .counterexample import Counterexample
from .model import ModelReader, small_model
from .obligation import Obligation
from .smt import Smt, ask
from .smtlib import Query

HASTE = 15
HASTE_S = 0.5
"""What is not decided within this part of the time limit, and within so long, is tried with fewer hypotheses."""

INTERRUPTED = "interrupted"
"""Why nothing is known of what was not asked any more when Ctrl-C came."""

Result = Literal["proved", "skipped", "failed", "unknown"]


@dataclass(frozen=True)
class Outcome:
    """What became of an obligation, and how long that took.

    `reason` says why it was skipped or is not known.  A failed one has its counterexample.  One that is `cached` was
    proved before, and the time is what that took.
    """

    obligation: Obligation
    result: Result
    seconds: float
    reason: str = ""
    counterexample: Counterexample | None = None
    cached: bool = False


def not_asked(obligations: Iterable[Obligation]) -> Iterator[Outcome]:
    """The outcomes of what was not asked any more."""
    for o in obligations:
        yield Outcome(o, "skipped", 0.0, o.skipped) if o.skipped else Outcome(o, "unknown", 0.0, INTERRUPTED)


class Solver(Protocol):
    """Whoever can say whether an obligation holds."""

    @property
    def name(self) -> str:
        """What a proof says it was made with."""
        ...

    def discharge(self, obligation: Obligation) -> Outcome:
        """Decides an obligation.  Raises `KeyboardInterrupt` if the user has had enough."""
        ...


@dataclass(frozen=True)
class Z3:
    """Z3, with a seed for its choices and a time limit for each obligation."""

    seed: int = 0
    seconds_max: float = 30.0

    @property
    def name(self) -> str:
        """As `z3 4.13.0, seed 0`."""
        return f"z3 {z3.get_version_string()}, seed {self.seed}"

    def discharge(self, obligation: Obligation) -> Outcome:
        """Asks for a state in which the hypotheses hold and the goal does not."""
        started = time.perf_counter()
        result, reason, counterexample = self._decide(obligation)
        return Outcome(obligation, result, time.perf_counter() - started, reason, counterexample)

    def _decide(self, obligation: Obligation) -> tuple[Result, str, Counterexample | None]:
        """Asks with all that is known; where that leads nowhere soon, with little; and then with all, to the end.

        A proof from fewer hypotheses is a proof.  A counterexample to them is none.
        """
        hasty = replace(self, seconds_max=min(HASTE_S, self.seconds_max / HASTE))
        found = hasty._asked(obligation)
        if found[0] == "unknown" and ask(hasty.query(obligation.from_its_own(), Smt())) == z3.unsat:
            return "proved", "", None
        return self._asked(obligation) if found[0] == "unknown" else found

    def _asked(self, obligation: Obligation) -> tuple[Result, str, Counterexample | None]:
        smt = Smt()
        solver = self.query(obligation, smt)
        answer = ask(solver)
        if answer == z3.unsat:
            return "proved", "", None
        if answer == z3.unknown:
            return "unknown", solver.reason_unknown(), None
        found = ModelReader(smt, small_model(solver, smt), obligation).read()
        if doubt := found.refuted():
            return "unknown", f"the solver's counterexample is none: {doubt}", None
        return "failed", "", found

    def query(self, obligation: Obligation, smt: Smt) -> z3.Solver:
        """A solver that holds the hypotheses and the goal's negation; unsatisfiable just if the obligation holds."""
        solver = z3.Solver(ctx=smt.context)
        solver.set(timeout=max(1, int(self.seconds_max * 1000)), random_seed=self.seed)  # 0 is no limit
        smt.tell(solver, Query.of(obligation))
        return solver

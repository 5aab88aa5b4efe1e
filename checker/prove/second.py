"""A second solver, cvc5: other people's code, another calculus, the same questions.

What two solvers prove independently does not rest on one solver's being right.  cvc5 reads an obligation as text.
Where it finds a model it is not asked to spell it out: the counterexample is Z3's, and where Z3 has none the
obligation is not known, whoever of the two is wrong.

cvc5 is an optional part of the installation, so it is looked for when it is asked for.
"""

from __future__ import annotations

import importlib
import multiprocessing
import time
from dataclasses import dataclass
from types import ModuleType

from .interrupt import stop_if_interrupted
from .obligation import Obligation
from .smtlib import Query
from .solving import Z3, Outcome
from .workers import DIED, Team

STRATEGIES = ("enum-inst", "finite-model-find")
"""What is tried in turn, each for a share of the time: instances of ground terms prove, finite models refute."""


class SolverMissing(Exception):
    """A solver is not installed; the message is one line that says what to do."""


@dataclass(frozen=True)
class Cvc5:
    """cvc5, with a seed for its choices and a time limit for each obligation.  Raises `SolverMissing`."""

    seed: int = 0
    seconds_max: float = 30.0

    def __post_init__(self) -> None:
        library()

    @property
    def name(self) -> str:
        """As `cvc5 1.2.0, seed 0`."""
        return f"cvc5 {library().__version__}, seed {self.seed}"

    def discharge(self, obligation: Obligation) -> Outcome:
        """Asks for a state in which the hypotheses hold and the goal does not."""
        started = time.perf_counter()
        text = Query.of(obligation).text
        reasons: list[str] = []
        for strategy in STRATEGIES:
            answer = self._answer(text, strategy)
            if answer not in ("sat", "unsat"):
                reasons.append(f"{strategy}: {answer}")
                continue
            seconds = time.perf_counter() - started
            if answer == "unsat":
                return Outcome(obligation, "proved", seconds)
            return self._refuted(obligation, seconds)
        return Outcome(obligation, "unknown", time.perf_counter() - started, "; ".join(reasons))

    def _answer(self, text: str, strategy: str) -> str:
        """`sat`, `unsat`, or why cvc5 does not know.

        It lets nothing else run while it works, and so is given a process of its own, which Ctrl-C can end.
        """
        stop_if_interrupted()
        if multiprocessing.current_process().daemon:
            return self._ask(text, strategy)
        with Team(lambda strategy: self._ask(text, strategy), (strategy,), 1) as team:
            return team.result(0) or DIED

    def _ask(self, text: str, strategy: str) -> str:
        """The same, in this process."""
        cvc5 = library()
        terms = cvc5.TermManager()
        solver = cvc5.Solver(terms)
        solver.setOption("seed", str(self.seed))
        solver.setOption("tlimit-per", str(max(1, int(self.seconds_max / len(STRATEGIES) * 1000))))
        solver.setOption(strategy, "true")
        solver.setLogic("UF")
        symbols = cvc5.SymbolManager(terms)
        parser = cvc5.InputParser(solver, symbols)
        parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "obligation")
        while not (command := parser.nextCommand()).isNull():
            command.invoke(solver, symbols)
        answer = solver.checkSat()
        return answer.getUnknownExplanation().name.lower() if answer.isUnknown() else str(answer)

    def _refuted(self, obligation: Obligation, seconds: float) -> Outcome:
        shown = Z3(self.seed, self.seconds_max).discharge(obligation)
        if shown.result == "failed":
            return Outcome(obligation, "failed", seconds, counterexample=shown.counterexample)
        said = "has a proof" if shown.result == "proved" else f"does not know ({shown.reason})"
        return Outcome(obligation, "unknown", seconds, f"cvc5 has a model where z3 {said}")


def library() -> ModuleType:
    """The cvc5 package.  Raises `SolverMissing`."""
    try:
        return importlib.import_module("cvc5")
    except ImportError:
        raise SolverMissing("cvc5 is not installed; pip install 'quorate[cvc5]' adds it") from None

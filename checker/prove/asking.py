"""Many obligations put to one solver: what was proved before is recalled, the rest is shared out among processes.

It knows neither what is asked nor how it is answered.  Whatever goes wrong on the way, the outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import z3

from .cache import NO_CACHE, Cache
from .cores import Core, core_of
from .interrupt import stop_if_interrupted
from .obligation import Obligation
from .smtlib import Query
from .solving import Outcome, Result, Solver
from .workers import DIED as DIED
from .workers import in_order


@dataclass(frozen=True)
class Means:
    """How obligations are asked: in how many processes at a time, and where proofs are kept."""

    jobs: int = 1
    cache: Cache = NO_CACHE

    def outcomes(self, solver: Solver, asked: Sequence[Obligation]) -> Iterator[Outcome]:
        """What becomes of every obligation, in the order asked."""
        known = {i: found for i, o in enumerate(asked) if (found := self._recalled(solver, o)) is not None}
        new = [o for i, o in enumerate(asked) if i not in known]
        answers = self._answers(solver, new)
        for i in range(len(asked)):
            stop_if_interrupted()
            if i in known:
                yield known[i]
                continue
            outcome = next(answers)
            if outcome.result == "proved":
                self.cache.put(
                    {"proved": str(outcome.obligation), "by": solver.name, "seconds": outcome.seconds},
                    *_key(solver, outcome.obligation),
                )
            yield outcome

    def cores(self, proved: Sequence[Obligation]) -> Iterator[Core | None]:
        """What the proof of every obligation rests on, in the order asked; None where that is not known."""
        known = {i: core for i, o in enumerate(proved) if (core := self._recalled_core(o)) is not None}
        new = [o for i, o in enumerate(proved) if i not in known]
        found = in_order(core_of, new, self.jobs)
        for i, o in enumerate(proved):
            stop_if_interrupted()
            if i in known:
                yield known[i]
                continue
            core = next(found)
            if core is not None:
                self.cache.put({"core of": str(o), **core.to_json()}, *_core_key(o))
            yield core

    # One by one --------------------------------------------------------------------------

    def _answers(self, solver: Solver, asked: Sequence[Obligation]) -> Iterator[Outcome]:
        if self.jobs == 1:
            yield from map(solver.discharge, asked)
            return

        def told(obligation: Obligation) -> tuple[Result, float, str]:
            outcome = solver.discharge(obligation)
            return outcome.result, outcome.seconds, outcome.reason

        for obligation, answer in zip(asked, in_order(told, asked, self.jobs), strict=True):
            if answer is None:
                yield Outcome(obligation, "unknown", 0.0, DIED)
            elif answer[0] == "failed":
                # A counterexample speaks of this process's own variables: it is found once more, here.
                yield solver.discharge(obligation)
            else:
                yield Outcome(obligation, *answer)

    def _recalled(self, solver: Solver, obligation: Obligation) -> Outcome | None:
        if obligation.skipped:
            return Outcome(obligation, "skipped", 0.0, obligation.skipped)
        record = self.cache.get(*_key(solver, obligation))
        seconds = None if record is None else record.get("seconds")
        if not isinstance(seconds, float):
            return None
        return Outcome(obligation, "proved", seconds, cached=True)

    def _recalled_core(self, obligation: Obligation) -> Core | None:
        if (record := self.cache.get(*_core_key(obligation))) is None:
            return None
        try:
            core = Core.from_json(record)
        except (LookupError, TypeError, ValueError):
            return None
        return core if {*core.used} <= {*range(len(obligation.hypotheses))} else None


def _key(solver: Solver, obligation: Obligation) -> tuple[str, ...]:
    return "proof", solver.name, Query.of(obligation).text


def _core_key(obligation: Obligation) -> tuple[str, ...]:
    return "core", f"z3 {z3.get_version_string()}", Query.of(obligation).text

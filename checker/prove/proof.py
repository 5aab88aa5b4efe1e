"""A proof: every obligation of a tower of specifications, and what became of each.

It is proved if every obligation is; refuted if one has a counterexample; and otherwise, whatever was the matter,
not known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ..refinement import Tower
from .induction import induction
from .obligation import Obligation, axioms_of, orders_of
from .simulation import Simulation
from .solving import Z3, Outcome, Solver

Verdict = Literal["proved", "refuted", "unknown"]
Watcher = Callable[[Outcome, int, int], None]
"""Called with each outcome, how many obligations are done, and how many there are."""


@dataclass(frozen=True)
class Proof:
    """The outcome of every obligation, in the order asked."""

    name: str
    outcomes: tuple[Outcome, ...]
    seconds: float
    interrupted: bool = False

    @property
    def verdict(self) -> Verdict:
        """Proved only if nothing failed, nothing is unknown, and all was asked."""
        results = {o.result for o in self.outcomes}
        if "failed" in results:
            return "refuted"
        if self.interrupted or not self.outcomes or not results <= {"proved", "skipped"}:
            return "unknown"
        return "proved"

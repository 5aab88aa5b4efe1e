"""A proof: every obligation of a tower of specifications, and what became of each.

It is proved if every obligation is; refuted if one has a counterexample; and otherwise, whatever was the matter,
not known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ..refinement import Tower
from ..specification import Specification
from ..term import FALSE
from .asking import Means
from .counterexample_text import counterexample_json
from .induction import induction
from .obligation import Obligation, axioms_of, orders_of
from .simulation import Simulation
from .solving import Z3, Outcome, Solver, not_asked

Verdict = Literal["proved", "refuted", "unknown"]
Watcher = Callable[[Outcome, int, int], None]
"""Called with each outcome as it is known, how many obligations are done, and how many there are."""

ALONE = Means()
"""One obligation after the other, and nothing kept."""


class NothingToProve(Exception):
    """A specification claims nothing, or assumes what cannot be; the message is one line that says so."""


@dataclass(frozen=True)
class Proof:
    """The outcome of every obligation, in the order asked: the top floor of the tower first."""

    tower: Tower
    solver: str
    outcomes: tuple[Outcome, ...]
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """Refuted if anything failed; proved only if every obligation is proved or has nothing to prove."""
        results = {o.result for o in self.outcomes}
        if "failed" in results:
            return "refuted"
        return "proved" if results and results <= {"proved", "skipped"} else "unknown"

    def count(self, result: str) -> int:
        """How many obligations came out so."""
        return sum(o.result == result for o in self.outcomes)

    @property
    def cached(self) -> int:
        """How many obligations were proved before."""
        return sum(o.cached for o in self.outcomes)

    def objections(self) -> Iterator[Outcome]:
        """What stands in the way of a proof: what failed, and what is not known."""
        return (o for o in self.outcomes if o.result in ("failed", "unknown"))

    def to_json(self) -> dict[str, Any]:
        """The proof as plain data, with the keys that the documentation of `quorate prove --json` lists."""
        return {
            "spec": self.tower.name,
            "verdict": self.verdict,
            "seconds": round(self.seconds, 3),
            "solver": self.solver,
            "obligations": [outcome_json(o) for o in self.outcomes],
        }


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain data."""
    o = outcome.obligation
    return {
        "level": o.level,
        "action": o.action,
        "conjunct": o.conjunct,
        "claim": o.claim or None,
        "place": o.place,
        "result": outcome.result,
        "seconds": round(outcome.seconds, 4),
        "cached": outcome.cached,
        "reason": outcome.reason or None,
        "counterexample": outcome.counterexample and counterexample_json(outcome.counterexample),
    }


# What is asked -------------------------------------------------------------------------------


def obligations(tower: Tower) -> tuple[Obligation, ...]:
    """Everything that must be proved of a tower, from the top floor down.

    What the lowest floor assumes is assumed of all.  Where a floor is the one above under other names, its safety is
    proved there and comes down through the image; elsewhere it is asked of its own invariants.

    Raises `NothingToProve` if the lowest floor has neither invariant nor safety property, and `Unreadable`.
    """
    base = tower.floors[0]
    refuse_without_claims(base)
    axioms = axioms_of(base) + orders_of(s for spec in tower.floors for s in spec.sorts)
    refinements = {r.lower.name: r for r in tower.refinements}
    out: list[Obligation] = []
    for spec in reversed(tower.floors):
        through = refinements.get(spec.name)
        out += induction(spec, axioms, safety=through is None or not through.renames())
        if through is not None:
            out += Simulation(through, axioms).obligations()
    return tuple(out)


def refuse_without_claims(spec: Specification) -> None:
    """Raises `NothingToProve` for a specification of which anything would be said to be proved."""
    if not spec.properties:
        raise NothingToProve(f"{spec.name} claims nothing; mark a property @invariant, or @safety, or both")


def prove(
    tower: Tower,
    solver: Solver | None = None,
    watch: Watcher | None = None,
    means: Means = ALONE,
) -> Proof:
    """Asks a solver (Z3 unless another is given) for every obligation of a tower.

    Interrupted by Ctrl-C, it returns what it has, and the rest is unknown.  Raises `NothingToProve`, also if the axioms
    contradict one another, for then anything would be proved.
    """
    started = time.perf_counter()
    solver = solver or Z3()
    asked = obligations(tower)
    outcomes: list[Outcome] = []
    try:
        _consistent(tower, solver)
        for outcome in means.outcomes(solver, asked):
            outcomes.append(outcome)
            if watch is not None:
                watch(outcome, len(outcomes), len(asked))
    except KeyboardInterrupt:
        outcomes += not_asked(asked[len(outcomes) :])
    return Proof(tower, solver.name, tuple(outcomes), time.perf_counter() - started)


def _consistent(tower: Tower, solver: Solver) -> None:
    """Raises `NothingToProve` if the axioms contradict one another."""
    axioms = axioms_of(tower.floors[0])
    if not axioms:
        return
    absurd = Obligation(tower.name, "axioms", "absurd", axioms[0].place, FALSE, axioms)
    if solver.discharge(absurd).result == "proved":
        raise NothingToProve(
            f"{axioms[0].place}: what {tower.name} assumes contradicts itself, and would prove anything: "
            f"{', '.join(h.name for h in axioms)}"
        )

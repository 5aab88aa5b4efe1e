"""The proof as a matrix: for every obligation what each run said of it, what it rests on, whether it is decidable.

A run is one solver with one seed over the whole tower.  This is what is shown on the screen, as JSON and as a page; it
knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ..refinement import Tower
from .asking import Means
from .cores import Core
from .counterexample import Counterexample
from .fragment import Fragment, fragment_of
from .obligation import Obligation
from .proof import ALONE, Proof, Verdict, outcome_json
from .solving import Outcome, Result

WORST_FIRST: tuple[Result, ...] = ("failed", "unknown", "proved", "skipped")


@dataclass(frozen=True)
class Cell:
    """One obligation, and everything that was found out about it; an outcome for each run."""

    obligation: Obligation
    outcomes: tuple[Outcome, ...]
    core: Core | None = None

    @property
    def result(self) -> Result:
        """Failed if it failed once, for then there is a counterexample; proved only if every run proved it."""
        results = {o.result for o in self.outcomes}
        return next(result for result in WORST_FIRST if result in results)

    @property
    def counterexample(self) -> Counterexample | None:
        """The first that was found."""
        return next((o.counterexample for o in self.outcomes if o.counterexample), None)

    @property
    def reason(self) -> str:
        """Why it was skipped or is not known."""
        return next((o.reason for o in self.outcomes if o.result == self.result), "")

    @cached_property
    def fragment(self) -> Fragment:
        """The sort graph of the whole query."""
        return fragment_of(self.obligation)

    @cached_property
    def core_fragment(self) -> Fragment | None:
        """The sort graph of what the proof needs, if that is known: often decidable where the whole query is not."""
        if self.core is None:
            return None
        used = tuple(self.obligation.hypotheses[i] for i in self.core.used)
        return fragment_of(replace(self.obligation, hypotheses=used))

    @property
    def outside(self) -> bool:
        """Whether a solver was asked outside the decidable fragment."""
        return self.result != "skipped" and not self.fragment.decidable

    def rests_on(self) -> tuple[str, ...]:
        """The names of the hypotheses that the proof uses, where that is known."""
        return () if self.core is None else self.core.names(self.obligation)

    def to_json(self) -> dict[str, Any]:
        """The cell as plain data: the first run's outcome with the worst result, then what else is known."""
        shown = next(o for o in self.outcomes if o.result == self.result)
        return {
            **outcome_json(shown),
            "decidable": None if self.result == "skipped" else self.fragment.decidable,
            "cycles": list(self.fragment.reasons()) if self.outside else [],
            "rests_on": None if self.core is None else list(self.rests_on()),
            "vacuous": None if self.core is None else self.core.vacuous,
            "runs": [
                {"result": o.result, "seconds": round(o.seconds, 4), "cached": o.cached}
                for o in self.outcomes
            ],
        }


@dataclass(frozen=True)
class Matrix:
    """One or more runs over the same tower, and what the proofs rest on, by place, as far as that was asked."""

    runs: tuple[Proof, ...]
    cores: Mapping[int, Core | None] = field(default_factory=dict)

    @property
    def tower(self) -> Tower:
        return self.runs[0].tower

    @property
    def verdict(self) -> Verdict:
        """Refuted if any run has a counterexample; proved only if every run proved everything."""
        verdicts = {run.verdict for run in self.runs}
        if "refuted" in verdicts:
            return "refuted"
        return "proved" if verdicts == {"proved"} else "unknown"

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Every obligation, in the order asked."""
        columns = zip(*(run.outcomes for run in self.runs), strict=True)
        return tuple(
            Cell(outcomes[0].obligation, outcomes, self.cores.get(i)) for i, outcomes in enumerate(columns)
        )

    @property
    def provers(self) -> tuple[str, ...]:
        """The solvers, whatever their seeds, as `z3 4.13.0`."""
        return tuple(dict.fromkeys(prover_of(run) for run in self.runs))

    def of_prover(self, cell: Cell, prover: str) -> tuple[Outcome, ...]:
        """What one solver said of a cell, an outcome for each seed."""
        return tuple(o for run, o in zip(self.runs, cell.outcomes, strict=True) if prover_of(run) == prover)

    def objections(self) -> Iterator[Cell]:
        """What stands in the way of a proof: what failed, and what is not known."""
        return (cell for cell in self.cells if cell.result in ("failed", "unknown"))

    def levels(self) -> Mapping[str, Sequence[Cell]]:
        """The cells of each specification and each refinement, in the order asked."""
        out: dict[str, list[Cell]] = {}
        for cell in self.cells:
            out.setdefault(cell.obligation.level, []).append(cell)
        return out

    def is_floor(self, level: str) -> bool:
        """Whether a level is a specification, and no refinement."""
        return level in {spec.name for spec in self.tower.floors}

    def to_json(self) -> dict[str, Any]:
        """The matrix as plain data, with the keys that the documentation of `quorate prove --json` lists."""
        return {
            "spec": self.tower.name,
            "verdict": self.verdict,
            "seconds": round(sum(run.seconds for run in self.runs), 3),
            "solver": self.runs[0].solver,
            "runs": [
                {
                    "solver": run.solver,
                    "verdict": run.verdict,
                    "seconds": round(run.seconds, 3),
                    "cached": run.cached,
                }
                for run in self.runs
            ],
            "obligations": [cell.to_json() for cell in self.cells],
        }


def prover_of(run: Proof) -> str:
    """The solver of a run, without its seed."""
    return run.solver.partition(",")[0]


def with_cores(
    runs: Sequence[Proof],
    means: Means = ALONE,
    watch: Callable[[Obligation, int, int], None] | None = None,
) -> Matrix:
    """The matrix of these runs, with what the proof of every obligation rests on that any of them proved.

    Interrupted by Ctrl-C, it returns what it has.
    """
    bare = Matrix(tuple(runs))
    proved = [i for i, cell in enumerate(bare.cells) if cell.result == "proved"]
    cores: dict[int, Core | None] = {}
    with suppress(KeyboardInterrupt):
        for i, core in zip(proved, means.cores([bare.cells[i].obligation for i in proved]), strict=True):
            cores[i] = core
            if watch is not None:
                watch(bare.cells[i].obligation, len(cores), len(proved))
    return Matrix(tuple(runs), cores)

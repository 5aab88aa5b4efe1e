"""How long the proof of the whole tower takes, and each cell of it, by Z3 and by cvc5.

    python bench/prove.py [--seeds 8] [--cells 10]

Each seed is a process of its own that reads the specifications, asks every obligation once, one after the other, and
recalls nothing.  Times are told twice: by the wall clock, which suffers from whatever else the machine does, and by
processor time, which does not.  A cell's time is of the processor, from its terms to its answer.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

PROVERS = ("z3", "cvc5")
Run = dict[str, Any]


# One measurement, in its own process ---------------------------------------------------------


def measure(prover: str, seed: int) -> None:
    """Proves the tower once and prints what each obligation took."""
    began = time.perf_counter()
    from quorate.checker.prove.obligation import Obligation
    from quorate.checker.prove.proof import prove
    from quorate.checker.prove.second import Cvc5
    from quorate.checker.prove.solving import Z3, Outcome, Solver
    from quorate.refinement.tower import tower

    solver: Solver = Z3(seed) if prover == "z3" else Cvc5(seed)

    @dataclass
    class Timed:
        """A solver with a stop-watch that counts processor time."""

        name: str = solver.name
        seconds: dict[str, float] = field(default_factory=dict)

        def discharge(self, obligation: Obligation) -> Outcome:
            started = time.process_time()
            outcome = solver.discharge(obligation)
            self.seconds[str(obligation)] = time.process_time() - started
            return outcome

    timed = Timed()
    loaded = time.perf_counter() - began
    proof = prove(tower("multipaxos"), timed)
    asked = [o for o in proof.outcomes if o.result != "skipped"]
    told = {
        "solver": solver.name,
        "loading": loaded,
        "proof": proof.seconds,
        "processor": time.process_time(),
        "unknown": sum(o.result != "proved" for o in asked),
        "cells": {str(o.obligation): timed.seconds[str(o.obligation)] for o in asked},
    }
    print(json.dumps(told))


def in_a_process(prover: str, seed: int) -> Run:
    """One measurement, and what the whole process took by the wall clock."""
    began = time.perf_counter()
    command = [sys.executable, __file__, "--measure", prover, str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {**json.loads(done.stdout), "process": time.perf_counter() - began}


# Tables --------------------------------------------------------------------------------------


def spread(values: Sequence[float], unit: float = 1.0, digits: int = 2) -> str:
    """Smallest, median and largest."""
    numbers = (min(values), statistics.median(values), max(values))
    return " / ".join(f"{x / unit:.{digits}f}" for x in numbers)


def whole(runs: dict[str, list[Run]]) -> None:
    """A row for each prover: the tower as a whole."""
    print(
        "| prover | whole process, wall s | its processor s | the proof alone, wall s | slowest cell, ms | not proved |"
    )
    print("|---|---|---|---|---|---|")
    for these in runs.values():
        name = these[0]["solver"].partition(",")[0]
        slowest = [max(run["cells"].values()) for run in these]
        columns = [spread([run[x] for run in these]) for x in ("process", "processor", "proof")]
        missed = sum(run["unknown"] for run in these)
        print(f"| {name} | {' | '.join(columns)} | {spread(slowest, 0.001, 0)} | {missed} |")


def by_cell(runs: dict[str, list[Run]], count: int) -> None:
    """The cells that take longest, and all of them together: medians over the seeds, and the largest."""
    names = list(runs[PROVERS[0]][0]["cells"])
    cells = {p: {n: [run["cells"][n] for run in these] for n in names} for p, these in runs.items()}
    median = {p: {n: statistics.median(times) for n, times in of.items()} for p, of in cells.items()}
    print(f"| cell | {' | '.join(f'{p}, ms (largest)' for p in runs)} | {PROVERS[1]} to {PROVERS[0]} |")
    print(f"|---|{'---|' * (len(runs) + 1)}")
    slowest = sorted(names, key=lambda n: -max(median[p][n] for p in runs))
    for n in slowest[:count]:
        row = [f"{1000 * median[p][n]:.0f} ({1000 * max(cells[p][n]):.0f})" for p in runs]
        print(f"| {n} | {' | '.join(row)} | {median[PROVERS[1]][n] / median[PROVERS[0]][n]:.2f} |")
    total = {p: sum(of.values()) for p, of in median.items()}
    row = [f"{1000 * total[p]:.0f}" for p in runs]
    print(f"| all {len(names)} | {' | '.join(row)} | {total[PROVERS[1]] / total[PROVERS[0]]:.2f} |")


def main() -> None:
    """Measures and prints two tables, as docs/PERFORMANCE.md shows them."""
    parser = argparse.ArgumentParser(prog="./dev bench prove", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument(
        "--cells", type=int, default=10, help="how many cells to show; the slowest come first"
    )
    parser.add_argument("--measure", nargs=2, metavar=("PROVER", "SEED"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure[0], int(given.measure[1]))
        return
    runs: dict[str, list[Run]] = {p: [] for p in PROVERS}
    for seed in range(given.seeds):  # in turn, so that a busy minute does not fall on one of them
        for prover in PROVERS:
            runs[prover].append(in_a_process(prover, seed))
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(
        f"{given.seeds} seeds; smallest / median / largest; load of the machine's {os.cpu_count()} processors: {load}\n"
    )
    whole(runs)
    print()
    by_cell(runs, given.cells)


if __name__ == "__main__":
    main()

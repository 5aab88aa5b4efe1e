"""How fast the native explorer explores the core, with one worker and with two, with symmetry and without.

    python bench/explore.py [--runs 3] [--large] [MODEL ...]

A MODEL is acceptors,ballots,slots,values.  Each row is the median of several runs in one process of its own, the
loops compiled before the clock starts.  States a second are told twice: by the wall clock, which suffers from whatever
else the machine does, and by processor time, which does not.  Where the counts are known, every run is held to them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

SORTS = ("acceptor", "ballot", "slot", "value")
WHOLE = ("3,2,1,2", "3,2,2,2", "3,2,3,1", "3,3,2,1")
SYMMETRIC = ("3,2,2,2", "3,3,2,2")
LARGE = ("3,3,2,2",)
KNOWN = {
    "3,2,1,2": (3_921, 9_442),
    "3,3,1,2": (185_369, 491_535),
    "3,2,2,2": (661_073, 2_462_666),
    "3,3,2,2": (283_959_641, 1_149_664_791),
}
Run = dict[str, Any]


# One measurement, in its own process -----------------------------------------------------------


def measure(model: str, workers: int, symmetry: bool, runs: int) -> Run:
    """Explores a model several times; the figures of the run with the median time."""
    from quorate.checker.instance import Instance
    from quorate.checker.native import explore
    from quorate.checker.specification import Specification
    from quorate.spec import multipaxos

    spec = Specification.of(multipaxos)
    instance = Instance.of(spec, dict(zip(SORTS, map(int, model.split(",")), strict=True)))
    found = [explore(spec, instance, workers=workers, symmetry=symmetry) for _ in range(runs)]
    for one in found:
        if one.verdict != "holds" or (one.distinct, one.edges) != KNOWN.get(model, (one.distinct, one.edges)):
            raise SystemExit(
                f"{model}: {one.distinct} states and {one.edges} edges are not what they should be"
            )
    middle = sorted(found, key=lambda one: one.seconds)[len(found) // 2]
    return {
        **middle.to_json(),
        "stored": middle.extra.get("orbits", middle.distinct),
        "processor_seconds": statistics.median(one.extra["processor_seconds"] for one in found),
        "compile_seconds": statistics.median(one.extra["compile_seconds"] for one in found),
        "all_seconds": [round(one.seconds, 3) for one in found],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def apart(model: str, workers: int, symmetry: bool, runs: int) -> Run:
    """The same in a process of its own."""
    asked = [model, str(workers), str(int(symmetry)), str(runs)]
    done = subprocess.run(
        [sys.executable, __file__, "--measure", *asked], stdout=subprocess.PIPE, check=True, text=True
    )
    return dict(json.loads(done.stdout))


# Beginnings ------------------------------------------------------------------------------------


def first_answers() -> dict[str, float]:
    """Seconds until the answer for 3,2,1,2 is there: when loops were never compiled here, and when they were."""
    program = (
        "from quorate.checker.instance import Instance\n"
        "from quorate.checker.native import explore\n"
        "from quorate.checker.specification import Specification\n"
        "from quorate.spec import multipaxos\n"
        "spec = Specification.of(multipaxos)\n"
        "sizes = {'acceptor': 3, 'ballot': 2, 'slot': 1, 'value': 2}\n"
        "assert explore(spec, Instance.of(spec, sizes)).distinct == 3921\n"
    )
    out = {}
    with tempfile.TemporaryDirectory() as cache:
        for name in ("cold", "warm"):
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", program], env={**os.environ, "NUMBA_CACHE_DIR": cache}, check=True
            )
            out[name] = time.perf_counter() - started
    return out


# The table -------------------------------------------------------------------------------------

HEAD = (
    "model", "sym", "workers", "states", "stored", "wall s", "M/s", "cpu s", "M/s of cpu", "compile s", "B/stored"
)  # fmt: skip


def row(model: str, symmetry: bool, run: Run) -> list[str]:
    stored, wall, busy = run["stored"], run["seconds"], run["processor_seconds"]
    return [
        model,
        "yes" if symmetry else "no",
        str(run["workers"]),
        f"{run['distinct']:,}",
        f"{stored:,}",
        f"{wall:.3f}",
        f"{stored / wall / 1e6:.2f}",
        f"{busy:.3f}",
        f"{stored / busy / 1e6:.2f}",
        f"{run['compile_seconds']:.2f}",
        f"{run['peak_mib'] * 2**20 / stored:.0f}",
    ]


def table(wanted: Sequence[tuple[str, bool]], runs: int) -> None:
    print("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|", flush=True)
    for model, symmetry in wanted:
        for workers in (1, 2):
            print(
                "| " + " | ".join(row(model, symmetry, apart(model, workers, symmetry, runs))) + " |",
                flush=True,
            )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="How fast the native explorer explores the core.")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="as 3,2,2,2; with symmetry and without")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="also 3,3,2,2 whole: minutes, and several GiB")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        model, workers, symmetry, runs = options.measure
        json.dump(measure(model, int(workers), symmetry == "1", int(runs)), sys.stdout)
        return
    print(
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the beginning, medians of {options.runs}"
    )
    print(
        "until 3,2,1,2 is answered, all told: "
        + ", ".join(f"{k} {v:.2f} s" for k, v in first_answers().items())
    )
    print()
    wanted = [(m, s) for m in options.models for s in (False, True)]
    wanted = wanted or [(m, False) for m in WHOLE] + [(m, True) for m in SYMMETRIC]
    table(wanted + [(m, False) for m in LARGE if options.large], options.runs)
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()

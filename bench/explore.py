"""How fast the native explorer explores the core, beside Spin on the same transition system.

    python bench/explore.py [--models MODEL[:sym] ...] [--repeat 3] [--large] [--json FILE]

A MODEL is acceptors,ballots,slots,values.  Contestants take turns, each run in a process of its own, and medians are
told.  Every rate is told twice: by the wall clock, which suffers from whatever else the machine does, and by processor
time, which does not: the latter is what as many free processors as there are workers would do, were the work evenly
spread.  Every run is held to the counts that are known, and Spin's to ours.  Where Spin is missing it goes without.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quorate.bench.promela import core, promela
from quorate.checker.explore.result import Progress
from quorate.checker.native import explore

MODELS = ("3,3,1,2", "3,2,2,2", "3,2,3,1", "3,3,2,1", "3,2,2,2:sym", "3,3,2,2:sym", "3,4,1,2", "5,3,1,2:sym")
LARGE = "3,3,2,2"
KNOWN = {
    "3,2,1,2": (3_921, 9_442),
    "3,3,1,2": (185_369, 491_535),
    "3,2,2,2": (661_073, 2_462_666),
    "3,2,3,1": (8_532_241, 42_430_666),
    "3,3,2,1": (35_611_289, 136_159_383),
    "3,3,2,2": (283_959_641, 1_149_664_791),
    "3,4,1,2": (8_220_065, 23_340_612),
    "3,4,2,2": (106_838_759_841, 464_913_872_532),
    "5,3,1,2": (407_216_225, 1_628_134_355),
}
"""States and edges."""
SPIN = {"agreement": ("agreement",), "all": None}
"""What Spin asserts after every step: the one property that matters most, or all that we check."""
GCC = ("gcc", "-O2", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=8000")
"""One process has no interleavings to reduce, so nothing is lost, and some time won, without the reduction."""
SLOTS_LOG2_MIN = 22
SPIN_STATES_MAX = 50_000_000
"""Models beyond this Spin is not asked for: its memory ends."""
SAMPLE_STATES = 0.002
Run = dict[str, Any]


@dataclass(frozen=True)
class Contestant:
    """A tool with its settings."""

    name: str
    workers: int
    spin: Path | None = None
    """The verifier that Spin made, if it is Spin."""

    def run(self, model: str, symmetry: bool, states: int) -> Run:
        """One exploration; how many states there are may be known, or 0."""
        return run_spin(self.spin, states) if self.spin else apart(model, self.workers, symmetry)


# Ours, in a process of its own -------------------------------------------------------------------


def measure(model: str, workers: int, symmetry: bool) -> Run:
    """Explores a model once, with all properties checked and traces kept."""
    samples: list[tuple[int, int, float, float, int]] = []

    def watch(now: Progress) -> None:
        if not samples or now.distinct > (1 + SAMPLE_STATES) * samples[-1][0]:
            samples.append((now.distinct, now.queue, now.seconds, time.process_time(), resident_bytes()))

    before = resident_bytes()
    found = explore(*core(model), workers=workers, symmetry=symmetry, watch=watch)
    if found.verdict != "holds" or (found.distinct, found.edges) != KNOWN.get(
        model, (found.distinct, found.edges)
    ):
        raise SystemExit(
            f"{model}: {found.distinct} states and {found.edges} edges are not what they should be"
        )
    return {
        **found.to_json(),
        **found.extra,
        "stored": found.extra.get("orbits", found.distinct),
        "before_bytes": before,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
        "samples": samples,
    }


def resident_bytes() -> int:
    """What memory this process has now."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text(encoding="utf-8").split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def apart(model: str, workers: int, symmetry: bool) -> Run:
    """`measure` in a process of its own."""
    asked = [model, str(workers), str(int(symmetry))]
    done = subprocess.run(
        [sys.executable, __file__, "--measure", *asked], stdout=subprocess.PIPE, check=True, text=True
    )
    return dict(json.loads(done.stdout))


# Spin --------------------------------------------------------------------------------------------


def build_spin(model: str, properties: Sequence[str] | None, folder: Path) -> Path:
    """The verifier for a model, made in an empty folder."""
    folder.mkdir()
    (folder / "core.pml").write_text(promela(*core(model), properties), encoding="utf-8")
    for made in (["spin", "-a", "core.pml"], [*GCC, "-o", "pan", "pan.c"]):
        subprocess.run(made, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / "pan"


def run_spin(pan: Path, states: int) -> Run:
    """What Spin counts, and what time and memory it takes with a hash table that is right for so many states."""
    slots = f"-w{max(SLOTS_LOG2_MIN, states.bit_length())}"
    began, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [pan, "-m100000", slots], capture_output=True, text=True, check=True, cwd=pan.parent
    )
    seconds, ended = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if "errors: 0" not in done.stdout or "max search depth too small" in done.stdout:
        raise SystemExit(f"Spin did not search to the end: {done.stdout}")
    stored = int(_told(r"(\d+) states, stored", done.stdout))
    return {
        "workers": 1,
        "distinct": stored,
        "stored": stored,
        "seconds": seconds,
        "processor_seconds": ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime,
        "compile_seconds": float("nan"),
        "before_bytes": 0,
        "peak_bytes": int(float(_told(r"([\d.]+)\ttotal actual memory usage", done.stdout)) * 2**20),
        "samples": [],
    }


def _told(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if not found:
        raise SystemExit(f"Spin's output has no {pattern!r}:\n{text}")
    return found.group(1)


# A round of all ----------------------------------------------------------------------------------


def contest(model: str, symmetry: bool, repeat: int, asserted: Sequence[str]) -> dict[str, list[Run]]:
    """Every contestant's runs of a model, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        entered = [Contestant("quorate", 1), Contestant("quorate", 2)]
        if not symmetry and KNOWN.get(model, (0, 0))[0] < SPIN_STATES_MAX:
            entered += [
                Contestant(f"Spin, {name}", 1, build_spin(model, SPIN[name], Path(folder) / name))
                for name in asserted
            ]
        runs: dict[str, list[Run]] = {}
        states = 0
        for _ in range(repeat):
            for one in entered:
                run = one.run(model, symmetry, states)
                runs.setdefault(f"{one.name}, {one.workers}", []).append(run)
                states = run["distinct"]
    counts = {run["distinct"] for each in runs.values() for run in each}
    if len(counts) > 1:
        raise SystemExit(f"{model}: the tools count differently: {counts}")
    return runs


FIGURES = ("seconds", "processor_seconds", "compile_seconds", "peak_bytes", "before_bytes")
HEAD = (
    "model", "tool, workers", "states", "stored", "wall s", "M/s by wall", "x Spin", "cpu s", "M/s by cpu", "x Spin",
    "compile s", "peak MiB", "B a state",
)  # fmt: skip


def medians(runs: Sequence[Run]) -> Run:
    """The medians of what was measured, with what is the same in every run, and the rates that follow."""
    out = {**runs[0], **{name: statistics.median(run[name] for run in runs) for name in FIGURES}}
    out["by_wall"] = out["stored"] / out["seconds"]
    out["by_processor"] = out["stored"] * out["workers"] / out["processor_seconds"]
    return out


def rows(name: str, contested: Mapping[str, Sequence[Run]]) -> Iterator[list[str]]:
    """The lines of a model in the table."""
    told = {tool: medians(runs) for tool, runs in contested.items()}
    spin = next((run for tool, run in told.items() if tool.startswith("Spin")), None)
    for tool, run in told.items():
        yield [
            name, tool, f"{run['distinct']:,}", f"{run['stored']:,}",
            f"{run['seconds']:.2f}", f"{run['by_wall'] / 1e6:.2f}", ratio(run, spin, "by_wall"),
            f"{run['processor_seconds']:.2f}", f"{run['by_processor'] / 1e6:.2f}", ratio(run, spin, "by_processor"),
            "" if tool.startswith("Spin") else f"{run['compile_seconds']:.2f}",
            f"{run['peak_bytes'] / 2**20:,.0f}",
            f"{(run['peak_bytes'] - run['before_bytes']) / run['stored']:.0f}",
        ]  # fmt: skip


def ratio(run: Run, spin: Run | None, rate: str) -> str:
    return f"{run[rate] / spin[rate]:.1f}" if spin else ""


def machine() -> str:
    """The line that says where this was measured."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text(encoding="utf-8")) if info.exists() else None
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} processors ({found.group(1) if found else 'unknown'}), {pages:.0f} GiB"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description="How fast the native explorer explores the core, beside Spin."
    )
    parser.add_argument(
        "--models", nargs="+", default=MODELS, metavar="MODEL", help="as 3,2,2,2 or 3,3,2,2:sym"
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs of each; medians are told")
    parser.add_argument("--large", action="store_true", help=f"also {LARGE}, once: minutes, and 10 GB")
    parser.add_argument(
        "--spin", nargs="*", choices=SPIN, default=list(SPIN), help="what Spin asserts; nothing: without Spin"
    )
    parser.add_argument("--json", metavar="FILE", help="where to write every run")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        model, workers, symmetry = options.measure
        json.dump(measure(model, int(workers), symmetry == "1"), sys.stdout)
        return
    for name in options.models:
        if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*){3}(:sym)?", name):
            parser.error(f"{name}: a model is acceptors,ballots,slots,values, as 3,2,2,2 or 3,3,2,2:sym")
    if options.spin and not all(map(shutil.which, ("spin", "gcc"))):
        print("without Spin: spin and gcc are not both installed (Debian: apt install spin gcc)")
        options.spin = []
    print(f"{machine()}, load {os.getloadavg()[0]:.1f} at the beginning, medians of {options.repeat}")
    print("\n| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|", flush=True)
    found: dict[str, dict[str, list[Run]]] = {}
    wanted = [(name, options.repeat) for name in options.models] + [(LARGE, 1)] * options.large
    for name, repeat in wanted:
        model, _, sym = name.partition(":")
        found[name] = contest(model, bool(sym), repeat, options.spin)
        print("\n".join(f"| {' | '.join(row)} |" for row in rows(name, found[name])), flush=True)
        if options.json:
            Path(options.json).write_text(json.dumps({"machine": machine(), "runs": found}), encoding="utf-8")
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()

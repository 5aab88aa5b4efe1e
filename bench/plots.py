"""Draws what `bench explore --json` wrote: rate against size, and memory against states.

    python bench/plots.py FILE.json ... [--into docs/plots]

It takes the median run of each tool by processor time, and from the largest run of ours the way there.  It measures
nothing.  matplotlib comes with the extra `bench`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Run = dict[str, Any]
Runs = dict[str, dict[str, list[Run]]]
MARKS = {
    "quorate, 1": ("o", "tab:blue", "quorate, one worker"),
    "quorate, 2": ("s", "tab:green", "quorate, two workers"),
    "Spin, agreement, 1": ("^", "tab:red", "Spin, agreement asserted"),
    "Spin, all, 1": ("v", "tab:orange", "Spin, all properties asserted"),
}
TARGET_BYTES = 32


def read(files: Sequence[str]) -> Runs:
    """The runs of several files, by model and tool."""
    out: Runs = {}
    for file in files:
        for model, contested in json.loads(Path(file).read_text(encoding="utf-8"))["runs"].items():
            for tool, runs in contested.items():
                out.setdefault(model, {}).setdefault(tool, []).extend(runs)
    return out


def draw_rate(plt: Any, runs: Runs, file: Path) -> None:
    """States a second of processor time, by how many states there are; a point is a model."""
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for tool, (mark, colour, label) in MARKS.items():
        at = sorted(
            (contested[tool][0]["distinct"], rate(contested[tool]), model)
            for model, contested in runs.items()
            if tool in contested and ":" not in model
        )
        if at:
            axes.plot([x for x, _, _ in at], [y for _, y, _ in at], mark + "-", color=colour, label=label)
    for model, contested in runs.items():
        if ":" not in model:
            x, y = next(iter(contested.values()))[0]["distinct"], max(map(rate, contested.values()))
            axes.annotate(model, (x, y), (0, 7), textcoords="offset points", ha="center", fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="distinct states", ylim=(0.2, 40))
    axes.set_ylabel("million distinct states a second\n(processor time, divided by workers)")
    axes.set_yticks([0.2, 0.5, 1, 2, 5, 10, 20, 40], labels=["0.2", "0.5", "1", "2", "5", "10", "20", "40"])
    axes.margins(x=0.12)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left")
    axes.set_title("Exploring the core without symmetry", fontsize=10)
    figure.savefig(file, dpi=150)


def rate(runs: Sequence[Run]) -> float:
    """Millions of distinct states a second on as many free processors as there are workers."""
    busy = statistics.median(run["processor_seconds"] for run in runs)
    return float(runs[0]["distinct"] * runs[0]["workers"] / busy / 1e6)


def draw_memory(plt: Any, runs: Runs, file: Path) -> None:
    """Resident memory on the way through the largest run, with what the target allows."""
    all_runs = [run for contested in runs.values() for each in contested.values() for run in each]
    largest = max((run for run in all_runs if run["samples"]), key=lambda run: run["stored"])
    states = [sample[0] / 1e6 for sample in largest["samples"]]
    gib = [(sample[4] - largest["before_bytes"]) / 2**30 for sample in largest["samples"]]
    waiting = [sample[1] / 1e6 for sample in largest["samples"]]
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    axes.plot(states, gib, color="tab:blue", label="resident memory")
    line = [x * 1e6 * TARGET_BYTES / 2**30 for x in states]
    axes.plot(states, line, "--", color="tab:gray", label=f"{TARGET_BYTES} bytes a distinct state")
    axes.set(xlabel="million distinct states found", ylabel="GiB", xlim=(0, None), ylim=(0, None))
    axes.grid(alpha=0.3)
    beside = axes.twinx()
    beside.plot(states, waiting, color="tab:orange", lw=1, label="queue (right)")
    beside.set(ylabel="million states in the queue", ylim=(0, 2.2 * max(waiting)))
    lines = [*axes.get_lines(), *beside.get_lines()]
    axes.legend(lines, [one.get_label() for one in lines], fontsize=8, loc="upper left")
    sizes = ",".join(str(largest["instance"][sort]) for sort in ("acceptor", "ballot", "slot", "value"))
    axes.set_title(
        f"{sizes}, {largest['workers']} worker{'s' * (largest['workers'] > 1)}: {largest['distinct']:,} states",
        fontsize=10,
    )
    figure.savefig(file, dpi=150)


def main() -> int:
    """Draws both."""
    parser = argparse.ArgumentParser(description="Draws what `bench explore --json` wrote.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="written by `bench explore --json FILE`")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent.parent / "docs" / "plots")
    options = parser.parse_args()
    try:
        importlib.import_module("matplotlib").use("Agg")
        plt = importlib.import_module("matplotlib.pyplot")
    except ImportError:
        print("bench plots: matplotlib is missing; pip install -e '.[bench]'", file=sys.stderr)
        return 2
    runs = read(options.files)
    options.into.mkdir(parents=True, exist_ok=True)
    draw_rate(plt, runs, options.into / "rate.png")
    draw_memory(plt, runs, options.into / "memory.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())

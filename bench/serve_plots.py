"""Draws what `bench serve --json` wrote: rates and latencies of each system, what elections took, and what restarts do.

    ./dev run python bench/serve_plots.py FILE.json ... [--into docs/plots]

Several files are taken together, those of `bench restart --json` among them.

It shows the median of each load's runs, with the smallest and the largest.  It measures nothing.  matplotlib comes with
the extra `bench`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
from pathlib import Path
from typing import Any

COLOURS = {"quorate": "tab:blue", "etcd": "tab:red"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--into", type=Path, default=Path("docs/plots"))
    given = parser.parse_args()
    try:
        importlib.import_module("matplotlib").use("Agg")
    except ImportError:
        print("plots need matplotlib: ./dev run pip install 'matplotlib>=3.8,<4'", file=sys.stderr)
        return 2
    found = [json.loads(file.read_text(encoding="utf-8")) for file in given.files]
    runs = [run for one in found for run in one.get("runs", ())]
    restarts = [row for one in found for row in one.get("rows", ())]
    plots = importlib.import_module("matplotlib.pyplot")
    figure, axes = plots.subplots(2, 2, figsize=(10, 7.5))
    spread(axes[0][0], runs, "rate", "SETs a second")
    spread(axes[0][1], runs, "p50_ms", "median latency of a SET, ms")
    elections(axes[1][0], runs)
    recovery(axes[1][1], restarts)
    figure.tight_layout()
    given.into.mkdir(parents=True, exist_ok=True)
    figure.savefig(given.into / "serve.png", dpi=100)
    print(given.into / "serve.png")
    return 0


def spread(axis: Any, runs: list[dict[str, Any]], key: str, title: str) -> None:
    """One line a system over the number of clients."""
    for system, colour in COLOURS.items():
        found: dict[int, list[float]] = {}
        for run in runs:
            if run["system"] == system and run.get("request") == "set" and run["pipelined"] == 1:
                found.setdefault(run["clients"], []).append(run[key])
        if not found:
            continue
        clients = sorted(found)
        medians = [statistics.median(found[count]) for count in clients]
        low = [median - min(found[count]) for median, count in zip(medians, clients, strict=True)]
        high = [max(found[count]) - median for median, count in zip(medians, clients, strict=True)]
        axis.errorbar(clients, medians, yerr=[low, high], marker="o", capsize=3, color=colour, label=system)
    axis.set_xscale("log", base=2)
    axis.set_xlabel("clients, one request in flight each")
    axis.set_title(title)
    axis.set_ylim(bottom=0)
    axis.legend()


def elections(axis: Any, runs: list[dict[str, Any]]) -> None:
    """How often a new leader took how long."""
    took = [seconds for run in runs if run["system"] == "elections" for seconds in run["seconds"]]
    axis.hist(took, bins=[step / 20 for step in range(31)], color=COLOURS["quorate"])
    axis.set_title("leader killed: seconds until another answers")


def recovery(axis: Any, rows: list[dict[str, Any]]) -> None:
    """How long a node takes until it stores again, over its history."""
    for checkpoints, label, colour in (
        (True, "with checkpoints", "tab:blue"),
        (False, "whole log", "tab:grey"),
    ):
        chosen = [
            row for row in rows if row["commands"] == 0 or (row["checkpoint_entries"] > 0) == checkpoints
        ]
        late = [f"{row['commands']:,}" for row in chosen if row["stored_s"] is None]
        if late:
            label += f" (not within a minute: {', '.join(late)})"
        chosen = sorted(
            (row for row in chosen if row["stored_s"] is not None), key=lambda row: int(row["commands"])
        )
        took = [row["stored_s"] for row in chosen]
        axis.plot([row["commands"] for row in chosen], took, marker="o", label=label, color=colour)
    axis.set_xlabel("commands")
    axis.set_title("restart: seconds until it stores again")
    axis.set_ylim(bottom=0)
    if rows:
        axis.legend()


if __name__ == "__main__":
    sys.exit(main())

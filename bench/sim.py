"""How fast worlds are simulated and judged, on one core and on all.

    ./dev bench sim [--seconds 20] [--json FILE]

The first seeds of the swarm, one after the other, for so many seconds of processor time: the world alone; the world and
its trace; all with every judge. Then runs a minute by as many processes as there are cores, by the wall.
A *step* is something that happens in a world (an event that a node takes, a message that arrives, a client that
speaks); a *line* is one step of the protocol, as its trace has it. Medians of three repetitions.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from quorate.hunt.campaign import Campaign
from quorate.hunt.trial import Bench
from quorate.impl.sim.swarm import draw
from quorate.impl.sim.world import World

REPEAT = 3


class Rate(NamedTuple):
    """What so many seconds of one core came to."""

    runs: int
    steps: int
    lines: int
    simulated_s: float
    seconds: float


def world_alone(seed: int) -> tuple[int, int, int]:
    """A run that nobody judges: its steps, lines and microseconds."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        outcome = World(draw(seed), Path(folder)).run()
    return outcome.steps, sum(outcome.events.values()), outcome.lasted


def judged(bench: Bench) -> Callable[[int], tuple[int, int, int]]:
    def held(seed: int) -> tuple[int, int, int]:
        trial = bench.hold(draw(seed))
        assert not trial.failed, trial.complaints
        return trial.steps, trial.lines, trial.lasted

    return held


def rate(run: Callable[[int], tuple[int, int, int]], seconds: float) -> Rate:
    """Run seed after seed for so much processor time."""
    began = time.process_time()
    runs = steps = lines = lasted = 0
    while (spent := time.process_time() - began) < seconds:
        more_steps, more_lines, more_lasted = run(runs)
        runs, steps, lines, lasted = runs + 1, steps + more_steps, lines + more_lines, lasted + more_lasted
    return Rate(runs, steps, lines, lasted / 1e6, spent)


def on_all_cores(seconds: float) -> dict[str, float]:
    """Runs of a hunt, by the wall."""
    with Campaign(0, os.cpu_count() or 1, variants=0.0) as campaign:
        began = time.monotonic()
        for trial in campaign:
            assert not trial.failed, trial.complaints
            if time.monotonic() - began >= seconds:
                break
        spent, tally = time.monotonic() - began, campaign.tally
    return {"runs_per_minute": 60 * tally.runs / spent, "lines_per_s": tally.lines / spent}


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench sim", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="processor time of each measurement")
    parser.add_argument("--json", metavar="FILE", type=Path)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    ways: dict[str, Callable[[int], tuple[int, int, int]]] = {
        "world and trace": world_alone,
        "all judges": judged(Bench()),
    }
    table: dict[str, Any] = {}
    print(f"{'':<18} {'steps/s':>10} {'lines/s':>10} {'runs/min':>9} {'simulated s/s':>14}")
    for name, run in ways.items():
        rates = [rate(run, given.seconds) for _ in range(REPEAT)]
        row = {
            "steps_per_s": statistics.median(each.steps / each.seconds for each in rates),
            "lines_per_s": statistics.median(each.lines / each.seconds for each in rates),
            "runs_per_minute": statistics.median(60 * each.runs / each.seconds for each in rates),
            "simulated_per_s": statistics.median(each.simulated_s / each.seconds for each in rates),
        }
        table[name] = row
        print(
            f"{name:<18} {row['steps_per_s']:>10,.0f} {row['lines_per_s']:>10,.0f} "
            f"{row['runs_per_minute']:>9,.0f} {row['simulated_per_s']:>14,.1f}",
            flush=True,
        )
    hunts = [on_all_cores(given.seconds) for _ in range(REPEAT)]
    table["hunt"] = {name: statistics.median(each[name] for each in hunts) for name in hunts[0]}
    print(
        f"a hunt on {os.cpu_count()} cores: {table['hunt']['runs_per_minute']:,.0f} runs a minute, "
        f"{table['hunt']['lines_per_s']:,.0f} lines/s"
    )
    if given.json is not None:
        given.json.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

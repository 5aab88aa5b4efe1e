"""What a hunt found: a plan that fails, made small, with its traces and a drawing of them beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..impl.sim.plan import Plan, encode
from ..traces import TraceError
from .diagram import drawn
from .shrinking import shrink, size
from .trial import Bench, Trial

PLAN = "plan.json"
TRACES = "traces"
DRAWING = "run.svg"
STORY = "failure.txt"


@dataclass(frozen=True)
class Find:
    """A failure, and the smallest plan that was found to fail in the same way."""

    trial: Trial
    smallest: Trial
    folder: Path
    trials: int
    """How many were held to make it small."""

    @property
    def replay(self) -> str:
        """The command that runs the smallest again."""
        return f"quorate hunt --plan {self.folder / PLAN}"

    def json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "seed": self.trial.plan.seed,
            "smallest": self.smallest.json(),
            "trials": self.trials,
            "folder": str(self.folder),
            "replay": self.replay,
        }


def made_small(
    trial: Trial, folder: Path, trials_max: int, progress: Callable[[str], object] = lambda _: None
) -> Find:
    """The find that a failed trial leads to, written to a folder. Ctrl-C ends the search for a smaller one."""
    bench = Bench()
    held = 0
    smallest = trial.plan

    def fails(plan: Plan) -> bool:
        nonlocal held
        held += 1
        progress(f"{held} of {trials_max} trials, size {size(smallest):,} of {size(trial.plan):,}")
        return trial.rule in {complaint.rule for complaint in bench.hold(plan).complaints}

    try:
        for plan in shrink(trial.plan, fails, trials_max):
            smallest = plan
    except KeyboardInterrupt:
        pass
    return Find(trial, written(smallest, folder, bench), folder, held)


def written(plan: Plan, folder: Path, bench: Bench) -> Trial:
    """Run a plan once more, and write what it is and what it leaves to a folder. Files there are replaced."""
    traces = folder / TRACES
    if traces.is_dir():
        for old in traces.glob("*.ndjson"):
            old.unlink()
    trial = bench.hold(plan, keep=traces)
    (folder / PLAN).write_bytes(encode(plan))
    sentences = "".join(f"{each.rule}\n{each.sentence}\n\n" for each in trial.complaints)
    (folder / STORY).write_text(sentences or "nothing is wrong with this run\n", encoding="utf-8")
    (folder / DRAWING).unlink(missing_ok=True)
    with suppress(TraceError):  # that nobody can read the traces may be what is wrong
        if any(traces.iterdir()):
            (folder / DRAWING).write_text(drawn(traces, trial.wrong), encoding="utf-8")
    return trial

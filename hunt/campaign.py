"""Many trials on all cores: seed after seed, and variants of the plans that led somewhere new."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from ..impl.sim import sights
from ..impl.sim.plan import Plan
from ..impl.sim.swarm import draw
from ..impl.sim.world import Situation
from .ground import Ground, the_ground
from .mutation import mutated
from .trial import Bench, Trial

AHEAD: Final = 4
"""Trials that wait for each process, so that none is idle."""

VARIANTS: Final = 0.4
"""The part of the trials that vary a plan which led somewhere new."""

KEPT: Final = 500
"""So many of those plans are kept."""


@dataclass
class Tally:
    """What many trials came to, together."""

    runs: int = 0
    failures: int = 0
    lines: int = 0
    steps: int = 0
    operations: int = 0
    slots: int = 0
    lasted: int = 0
    """In microseconds of the simulated worlds."""
    counts: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    sights: Counter[str] = field(default_factory=Counter)
    situations: set[Situation] = field(default_factory=set)
    edges: set[int] = field(default_factory=set)
    """Of the explored graph of a small instance; see `ground`."""
    edges_all: int = 0
    began_s: float = field(default_factory=time.monotonic)

    def add(self, trial: Trial) -> bool:
        """Count a trial; did it come to anything that none before had come to?"""
        self.runs += 1
        self.failures += trial.failed
        self.lines += trial.lines
        self.steps += trial.steps
        self.operations += trial.operations
        self.slots += trial.slots
        self.lasted += trial.lasted
        self.counts.update(trial.counts)
        self.events.update(trial.events)
        self.sights.update(trial.sights)
        known = len(self.situations), len(self.edges)
        self.situations |= trial.situations
        self.edges |= trial.edges
        return (len(self.situations), len(self.edges)) != known

    @property
    def never_seen(self) -> list[str]:
        """Scenes that no trial came to."""
        return [name for name in sights.ALL if not self.sights[name]]

    @property
    def seconds(self) -> float:
        """Since the first."""
        return time.monotonic() - self.began_s

    def json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "runs": self.runs,
            "failures": self.failures,
            "lines": self.lines,
            "steps": self.steps,
            "operations": self.operations,
            "slots": self.slots,
            "simulated_seconds": self.lasted / 1e6,
            "seconds": round(self.seconds, 3),
            "counts": dict(sorted(self.counts.items())),
            "events": dict(sorted(self.events.items())),
            "sights": {name: self.sights[name] for name in sights.ALL},
            "situations": len(self.situations),
            "edges": len(self.edges),
            "edges_all": self.edges_all,
        }


class Campaign:
    """Trials in processes of their own, as a context: iterate over it for each as it is done, without end."""

    def __init__(self, first: int, jobs: int, *, variants: float = VARIANTS) -> None:
        self._next = first
        self._jobs = jobs
        self._variants = variants
        self._random = Random(f"variants from {first}")
        self._kept: list[Plan] = []
        self.tally: Final = Tally()
        """What they came to so far."""

    def __enter__(self) -> Self:
        ground = the_ground()
        self.tally.edges_all = len(ground.edges)
        self._pool = ProcessPoolExecutor(
            self._jobs,
            mp_context=multiprocessing.get_context("fork"),
            initializer=_begin,
            initargs=(ground,),
        )
        self._running: set[Future[Trial]] = set()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Iterator[Trial]:
        while True:
            while len(self._running) < AHEAD * self._jobs:
                self._running.add(self._pool.submit(_hold, self._plan()))
            done, self._running = wait(self._running, return_when=FIRST_COMPLETED)
            for future in done:
                trial = future.result()
                if self.tally.add(trial):
                    self._keep(trial.plan)
                yield trial

    def _plan(self) -> Plan:
        if self._kept and self._random.random() < self._variants:
            return mutated(self._random.choice(self._kept), self._random)
        self._next += 1
        return draw(self._next - 1)

    def _keep(self, plan: Plan) -> None:
        """Those that came last are kept: the first of all came to much that is common."""
        self._kept.append(plan)
        del self._kept[:-KEPT]


_benches: list[Bench] = []


def _begin(ground: Ground) -> None:
    """In each process once; an interruption is the asker's to see to, and to end the process is too."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _benches.append(Bench(ground))


def _hold(plan: Plan) -> Trial:
    """A trial; what goes wrong in the hunt itself must not be lost with the plan that it happens with."""
    try:
        return _benches[0].hold(plan)
    except Exception as error:
        error.add_note(f"the hunt itself failed, with the plan {msgspec.json.encode(plan).decode()}")
        raise

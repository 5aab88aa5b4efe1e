"""Random walks by machine code: many side by side, each taking any step that leads on with equal chances.

What they find and how it is told is as with the text's own walks; only steps that lead to different states, or by
different actions, are told apart here.  One seed gives one set of walks, on any machine.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..explore.result import Count, Exploration, Limits, Progress, Violation, Watcher
from ..explore.simulate import beyond, steps_max, violation_of
from ..instance import Instance
from ..specification import Function, Specification
from .code import TWINS
from .frontier import Chunk
from .intrinsics import Array, Bytes, Counts
from .order import INTERRUPTED, Made
from .program import Program, compile_program
from .room import resident_bytes
from .seen import Fingerprints
from .trace import told
from .worker import INITIAL

SIDE_BY_SIDE_MAX = 1 << 10
OUT_BYTES = 1 << 28
FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class _Known:
    """Fingerprints of what the walks have seen, each once."""

    record: int
    table: Fingerprints = field(init=False)

    def __post_init__(self) -> None:
        self.table = Fingerprints(self.record)

    def new(self, records: Array, via: Bytes) -> Bytes:
        """How those came that were not known, each of which is from now on."""
        came = np.empty(len(via), np.uint8)
        chunk, done = Chunk(np.empty(len(via) * (self.record - 1), np.uint64), came), 0
        while done < len(via):
            done += self.table.absorb(records, via, done, len(via) - done, chunk)
        return came[: chunk.count]


class Walks:
    """Some random walks in progress, and what they have seen between them."""

    def __init__(
        self, program: Program, walks: int, seed: int, limits: Limits, stop_at_deadlock: bool
    ) -> None:
        self.program, self.walks, self.limits = program, walks, limits
        self.stop_at_deadlock = stop_at_deadlock
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.record, self.words = program.waiting_words + 1, program.state_words
        each = max(1, program.successors_max) * self.record * 8
        self.side_by_side = max(1, min(walks, SIDE_BY_SIDE_MAX, OUT_BYTES // each))
        self.made = Made.room(program, self.side_by_side)
        self.states, self.steps, self.stuck = _Known(self.record), _Known(1), _Known(1)
        self.taken, self.found = np.zeros(256, np.int64), np.zeros(256, np.int64)
        self.done, self.longest = 0, 0
        self.started = time.perf_counter()
        self.wrong: list[Array] = []
        """The states of a walk that ends in one that breaks a property, or that nothing leads out of."""
        self.stuck_walk: int | None = None
        """A walk that cannot go on, if that is wrong."""

    def run(self, watch: Watcher | None) -> str:
        """Walks until all is done or something is found; returns why it ended before that, if it did."""
        while self.done < self.walks and not self.wrong:
            if why := self._beyond():
                return why
            self._some(min(self.side_by_side, self.walks - self.done))
            if watch:
                watch(self.progress())
        return "" if self.wrong else self._beyond()

    def _some(self, count: int) -> None:
        """Takes so many walks side by side."""
        first = np.zeros((count, self.record), np.uint64)
        first[:, 0] = self.program.fingerprint(self.program.layout.first)
        first[:, 1 : 1 + self.words] = self.program.layout.first
        way = [first]
        self.states.new(first.reshape(-1), np.full(count, INITIAL, np.uint8))
        here = np.arange(count)
        """The walks that go on."""
        while len(here) and not self._broken(way, here) and len(way) <= steps_max(self.limits):
            here, records = self._step(way[-1][here], here)
            if self.stuck_walk is not None:
                self.wrong = [states[self.stuck_walk] for states in way]
                break
            if len(here):
                way.append(way[-1].copy())
                way[-1][here] = records
        self.done += count
        self.longest = max(self.longest, len(way) - 1)

    def _broken(self, way: Sequence[Array], here: Counts) -> bool:
        """Whether one of these walks has come to a state that breaks a property; if so, notes the first."""
        states = np.ascontiguousarray(way[-1][here][:, 1:])
        at = self.program.check(states, 0, len(here))
        if at >= 0:
            self.wrong = [each[here[at]] for each in way]
        return at >= 0

    def _step(self, now: Array, here: Counts) -> tuple[Counts, Array]:
        """A step for each walk that can take one: which they are, and where each of them leads."""
        states = np.ascontiguousarray(now[:, 1:])
        self.program.expand(states, 0, len(here), self.made)
        ends = (self.made.ends[: len(here)] & np.uint64(TWINS - 1)).astype(np.int64)
        starts = np.concatenate([[0], ends[:-1]])
        on = ends > starts
        if not on.all():
            self.stuck.new(np.ascontiguousarray(now[~on, 0]), np.zeros(int((~on).sum()), np.uint8))
            if self.stop_at_deadlock:
                self.stuck_walk = int(here[~on][0])
        chance = self.rng.random(len(here))
        chosen = (starts + (chance * (ends - starts)).astype(np.int64))[on]
        records = self.made.out.reshape(-1, self.record)[chosen]
        via = self.made.via[chosen]
        np.add.at(self.taken, via, 1)
        np.add.at(self.found, self.states.new(records.reshape(-1), via), 1)
        pairs = now[on, 0] * FACTOR ^ records[:, 0]
        self.steps.new(np.where(pairs == 0, np.uint64(1), pairs), via)
        return here[on], records

    def seconds(self) -> float:
        """How long it has been walked."""
        return time.perf_counter() - self.started

    def _beyond(self) -> str:
        return beyond(self.limits, self.states.table.count, self.seconds())

    def progress(self) -> Progress:
        """How far the walks have come."""
        return Progress(
            self.longest + 1,
            self.states.table.count,
            self.steps.table.count,
            0,
            self.seconds(),
            int(self.taken.sum()),
            resident_bytes(),
            {name: int(self.taken[i]) for i, name in enumerate(self.program.moves.actions)},
        )


def simulate(
    spec: Specification,
    instance: Instance,
    walks: int,
    *,
    seed: int = 0,
    limits: Limits | None = None,
    properties: Sequence[Function] | None = None,
    stop_at_deadlock: bool = False,
    watch: Watcher | None = None,
) -> Exploration:
    """Takes random walks through an instance, and stops when some find something violated.

    What is told is what `explore.simulate` tells; states are told apart by their fingerprints.
    """
    goals = spec.properties if properties is None else tuple(properties)
    program = compile_program(spec, instance, goals, sleeping=False)
    going = Walks(program, walks, seed, limits or Limits(), stop_at_deadlock)
    try:
        why = going.run(watch)
    except KeyboardInterrupt:
        why = INTERRUPTED
    seconds = going.seconds()
    violation = _violation(spec, instance, going, goals)
    taken = f"{going.done:,} random walks (seed {seed})"
    return Exploration(
        spec=spec.name,
        instance=instance.sizes(),
        engine="random walks",
        verdict="violated" if violation else "unknown",
        distinct=going.states.table.count,
        edges=going.steps.table.count,
        depth=going.longest + 1,
        seconds=seconds,
        deadlocks=going.stuck.table.count,
        actions={
            name: Count(int(going.taken[i]), int(going.found[i]))
            for i, name in enumerate(program.moves.actions)
        },
        properties=tuple(p.__name__ for p in goals),
        violation=violation,
        cut_short="" if violation else f"{why} after {taken}" if why else f"{taken} are not every run",
        extra={"walks": going.done, "seed": seed, "compile_seconds": round(program.seconds, 3)},
    )


def _violation(
    spec: Specification, instance: Instance, going: Walks, goals: Sequence[Function]
) -> Violation | None:
    """What a walk found broken, and its steps as the text tells them."""
    if not going.wrong:
        return None
    layout, words = going.program.layout, going.words
    states = [layout.decode(tuple(int(w) for w in record[1 : 1 + words])) for record in going.wrong]
    steps = told(spec, instance, states)
    with instance.inhabited():
        broken = "deadlock" if going.stuck_walk is not None else next(p for p in goals if not p(states[-1]))
        return violation_of(broken, states[0], steps)

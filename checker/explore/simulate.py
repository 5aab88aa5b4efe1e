"""Random walks through an instance, by the specification's own text: what can be looked at where not all can be.

A walk starts at the initial state and takes one of the possible steps that change something, each as likely as any
other, until none is left or it is long enough.  One seed gives one set of walks, on any machine.  Walks find faults;
that there are none they never say, so the verdict is `violated` or `unknown`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..instance import Instance
from ..language import Refused, State
from ..specification import Function, Specification, brief, where
from .referee import Search, StepCheck
from .result import (
    DEADLOCK_CLAIM,
    STEP_CLAIM,
    Exploration,
    Limits,
    Progress,
    Taken,
    Violation,
    Watcher,
)

STEPS_MAX = 1_000
"""A walk ends here, if not before; a limit of depth says otherwise."""

PROGRESS_EVERY_WALKS = 20


Broken: TypeAlias = Function | str | None
"""What a walk found broken: a property, something known by its name alone, or nothing."""

CLAIMS = {"deadlock": DEADLOCK_CLAIM}


@dataclass
class Simulation:
    """Some random walks in progress, and what they have seen between them."""

    search: Search
    rng: random.Random
    number: dict[State, int] = field(default_factory=dict)
    pairs: set[tuple[int, int]] = field(default_factory=set)
    ends: set[State] = field(default_factory=set)
    walks: int = 0
    steps_longest: int = 0

    def walk(self) -> Violation | None:
        """Takes one walk, checking every state and every step; returns what it finds violated."""
        self.walks += 1
        start = now = self.search.spec.init()
        steps: list[Taken] = []
        broken: Broken = self.arrive(start)
        while broken is None and len(steps) < steps_max(self.search.limits):
            chosen = self.some_step_from(now)
            if chosen is None:
                self.ends.add(now)
                broken = "deadlock" if self.search.stop_at_deadlock else None
                break
            name, args, nxt = chosen
            steps.append(self.search.step(name, args, nxt))
            self.steps_longest = max(self.steps_longest, len(steps))
            broken = self.broken_by_step(now, name, args, nxt) or self.arrive(nxt, now, name)
            now = nxt
        return violation_of(broken, start, steps) if broken else None

    def some_step_from(self, now: State) -> tuple[str, tuple[Any, ...], State] | None:
        """A step that changes the state, each with equal chances; None if there is none."""
        for action, name, args in self.rng.sample(self.search.moves, len(self.search.moves)):
            try:
                nxt = action(now, *args)
            except Refused:
                continue
            if nxt != now:
                return name, args, nxt
        return None

    def arrive(self, state: State, before: State | None = None, by: str = "") -> Broken:
        """Counts a state, and the step that led to it; returns the property that a new state breaks."""
        known = len(self.number)
        number = self.number.setdefault(state, known)
        if before is not None:
            self.pairs.add((self.number[before], number))
            self.search.taken[by] = self.search.taken.get(by, 0) + 1
            self.search.found[by] = self.search.found.get(by, 0) + (number == known)
        if number < known:
            return None
        return next((p for p in self.search.properties if not p(state)), None)

    def broken_by_step(self, now: State, name: str, args: tuple[Any, ...], nxt: State) -> str | None:
        return next((b for check in self.search.step_checks if (b := check(now, name, args, nxt))), None)

    def progress(self) -> Progress:
        return Progress(self.steps_longest + 1, len(self.number), len(self.pairs), 0, self.search.seconds())


def violation_of(broken: Function | str, start: State, steps: Sequence[Taken]) -> Violation:
    """What a walk found broken, and how it came there."""
    if isinstance(broken, str):
        claim = CLAIMS.get(broken, STEP_CLAIM)
        return Violation(broken, claim, "", start, tuple(steps), shortest=False)
    return Violation(broken.__name__, brief(broken), where(broken), start, tuple(steps), shortest=False)


def steps_max(limits: Limits) -> int:
    """How many steps a walk has at most; the initial state is a level of its own."""
    return STEPS_MAX if limits.depth_max is None else limits.depth_max - 1


def simulate(
    spec: Specification,
    instance: Instance,
    walks: int,
    *,
    seed: int = 0,
    limits: Limits | None = None,
    properties: Sequence[Function] | None = None,
    step_checks: Sequence[StepCheck] = (),
    stop_at_deadlock: bool = False,
    watch: Watcher | None = None,
) -> Exploration:
    """Takes random walks through an instance, and stops at the first that finds something violated.

    `distinct` and `edges` count what the walks saw, `depth` the states of the longest, `deadlocks` the different
    states in which one could not go on.  Raises `Unreadable` for a text that cannot be read.
    """
    spec.read()
    goals = spec.properties if properties is None else tuple(properties)
    search = Search(spec, instance, limits or Limits(), step_checks, goals, stop_at_deadlock, watch)
    simulation = Simulation(search, random.Random(seed))
    violation: Violation | None = None
    why = f"{walks:,} random walks (seed {seed}) are not every run"
    with instance.inhabited():
        try:
            while simulation.walks < walks and violation is None:
                violation = simulation.walk()
                if watch and simulation.walks % PROGRESS_EVERY_WALKS == 0:
                    watch(simulation.progress())
                if cut_short := beyond(search.limits, len(simulation.number), search.seconds()):
                    why = f"{cut_short} after {simulation.walks:,} random walks (seed {seed})"
                    break
        except KeyboardInterrupt:
            why = f"it was interrupted after {simulation.walks:,} random walks (seed {seed})"
    return Exploration(
        spec=spec.name,
        instance=instance.sizes(),
        engine="random walks",
        verdict="violated" if violation else "unknown",
        distinct=len(simulation.number),
        edges=len(simulation.pairs),
        depth=simulation.steps_longest + 1,
        seconds=search.seconds(),
        deadlocks=len(simulation.ends),
        actions=search.counts(),
        properties=tuple(p.__name__ for p in goals),
        violation=violation,
        cut_short="" if violation else why,
        extra={"walks": simulation.walks, "seed": seed},
    )


def beyond(limits: Limits, states: int, seconds: float) -> str:
    """Which limit walks that have seen so many states have passed; empty if none."""
    if limits.states_max is not None and states >= limits.states_max:
        return f"the limit of {limits.states_max} states was reached"
    if limits.seconds_max is not None and seconds > limits.seconds_max:
        return f"the time limit of {limits.seconds_max:g} s was reached"
    return ""

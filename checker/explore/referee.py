"""The referee: a specification's own text, run as Python over every state of an instance, breadth first.

It is the definition of what every other engine must find.  It is slow (thousands of states a second) and has no
cleverness that could be wrong: states are kept whole, properties are called, the first level with a violation
gives a shortest counterexample.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..instance import Instance
from ..language import Refused, State
from ..reading import parameters
from ..specification import Function, Specification, brief, where
from .result import (
    DEADLOCK_CLAIM,
    STEP_CLAIM,
    Count,
    Exploration,
    Limits,
    Progress,
    Taken,
    Violation,
    Watcher,
)

StepCheck = Callable[[State, str, tuple[Any, ...], State], str | None]
"""Called with every step; returns the name of what the step breaks, or None."""

PROGRESS_EVERY_STATES = 500


@dataclass
class Search:
    """One breadth-first search in progress."""

    spec: Specification
    instance: Instance
    limits: Limits
    step_checks: Sequence[StepCheck]
    properties: Sequence[Function]
    stop_at_deadlock: bool
    watch: Watcher | None
    came: dict[State, tuple[State, str, tuple[Any, ...]] | None] = field(default_factory=dict)
    edges: int = 0
    depth: int = 0
    deadlocks: int = 0
    taken: dict[str, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    queue: int = 0
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        self.names = {f.__name__: [x.name for x in parameters(f)] for f in self.spec.actions}
        self.moves = [
            (f, f.__name__, args)
            for f in self.spec.actions
            for args in self.instance.arguments([x.sort for x in parameters(f)])
        ]

    def run(self) -> tuple[Violation | None, str]:
        """Explores to the end, to the first violation, or to a limit (then the second result says which)."""
        first = self.spec.init()
        self.came[first] = None
        if violation := self.broken(first):
            self.depth = 1
            return violation, ""
        level = [first]
        while level:
            if self.depth == self.limits.depth_max:
                return None, f"the depth limit of {self.limits.depth_max} levels was reached"
            self.depth += 1
            following: list[State] = []
            for i, now in enumerate(level):
                self.queue = len(level) - i + len(following)
                if i % PROGRESS_EVERY_STATES == 0 and self.watch:
                    self.watch(self.progress())
                if violation := self.expand(now, following):
                    return violation, ""
                if cut_short := self.beyond_limits(i):
                    return None, cut_short
            level = following
        return None, ""

    def beyond_limits(self, i: int) -> str:
        """Which limit is passed after the i-th state of a level; empty if none.  The clock is asked now and then."""
        states, seconds = self.limits.states_max, self.limits.seconds_max
        if states is not None and len(self.came) > states:
            return f"the limit of {states} states was reached"
        if seconds is not None and i % PROGRESS_EVERY_STATES == 0 and self.seconds() > seconds:
            return f"the time limit of {seconds:g} s was reached"
        return ""

    def expand(self, now: State, following: list[State]) -> Violation | None:
        """Takes every step from a state; new states go to `following`."""
        successors: set[State] = set()
        made: set[tuple[str, State]] = set()
        for nxt, name, args in self.steps_from(now):
            for check in self.step_checks:
                if broken := check(now, name, args, nxt):
                    return self.violation_of_step(broken, now, name, args, nxt)
            if nxt == now:
                continue
            if (name, nxt) not in made:
                made.add((name, nxt))
                self.taken[name] = self.taken.get(name, 0) + 1
            successors.add(nxt)
            if nxt not in self.came:
                self.came[nxt] = (now, name, args)
                self.found[name] = self.found.get(name, 0) + 1
                following.append(nxt)
                if violation := self.broken(nxt):
                    self.edges += len(successors)
                    self.depth += 1
                    return violation
        self.edges += len(successors)
        if not successors:
            self.deadlocks += 1
            if self.stop_at_deadlock:
                return Violation("deadlock", DEADLOCK_CLAIM, "", *self.path_to(now))
        return None

    def steps_from(self, now: State) -> Iterator[tuple[State, str, tuple[Any, ...]]]:
        for action, name, args in self.moves:
            try:
                yield action(now, *args), name, args
            except Refused:
                continue

    def broken(self, state: State) -> Violation | None:
        """The first property that a state breaks, with the way to it."""
        for p in self.properties:
            if not p(state):
                return Violation(p.__name__, brief(p), where(p), *self.path_to(state))
        return None

    def violation_of_step(
        self, broken: str, now: State, name: str, args: tuple[Any, ...], nxt: State
    ) -> Violation:
        start, steps = self.path_to(now)
        return Violation(broken, STEP_CLAIM, "", start, (*steps, self.step(name, args, nxt)))

    def path_to(self, state: State) -> tuple[State, tuple[Taken, ...]]:
        """The initial state, and a shortest run from it."""
        steps: list[Taken] = []
        while (back := self.came[state]) is not None:
            before, name, args = back
            steps.append(self.step(name, args, state))
            state = before
        return state, tuple(reversed(steps))

    def step(self, name: str, args: tuple[Any, ...], state: State) -> Taken:
        return Taken(name, dict(zip(self.names[name], args, strict=True)), state)

    def counts(self) -> dict[str, Count]:
        """What each action did so far, by name."""
        names = (f.__name__ for f in self.spec.actions)
        return {name: Count(self.taken.get(name, 0), self.found.get(name, 0)) for name in names}

    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def progress(self) -> Progress:
        return Progress(self.depth, len(self.came), self.edges, self.queue, self.seconds())


def explore(
    spec: Specification,
    instance: Instance,
    *,
    limits: Limits | None = None,
    properties: Sequence[Function] | None = None,
    step_checks: Sequence[StepCheck] = (),
    stop_at_deadlock: bool = False,
    watch: Watcher | None = None,
) -> Exploration:
    """Explores an instance of a specification with its own text.

    Checks every property (or those given) in every state and every step check on every step; stops at the first that
    fails.  The verdict is `unknown` if a limit cut the search short, never `holds`.  Interrupted by Ctrl-C, it returns
    what it has.  Raises `Unreadable` for a text that cannot be read: what cannot be proved is not explored either.
    """
    spec.read()
    goals = spec.properties if properties is None else tuple(properties)
    search = Search(spec, instance, limits or Limits(), step_checks, goals, stop_at_deadlock, watch)
    with instance.inhabited():
        try:
            violation, cut_short = search.run()
        except KeyboardInterrupt:
            violation, cut_short = None, "it was interrupted"
    return Exploration(
        spec=spec.name,
        instance=instance.sizes(),
        engine="referee",
        verdict="violated" if violation else "unknown" if cut_short else "holds",
        distinct=len(search.came),
        edges=search.edges,
        depth=search.depth,
        seconds=search.seconds(),
        deadlocks=search.deadlocks,
        actions=search.counts(),
        properties=tuple(p.__name__ for p in goals),
        violation=violation,
        cut_short=cut_short,
    )


def replay(
    spec: Specification, instance: Instance, steps: Sequence[tuple[str, Sequence[Any]]]
) -> list[State]:
    """The states of a run given by its actions and parameters, each taken by the specification's own text.

    What any other engine calls a counterexample passes through here before a person sees it.  Raises `Refused` if a
    step is not allowed.
    """
    with instance.inhabited():
        states = [spec.init()]
        for name, args in steps:
            states.append(spec.action(name)(states[-1], *args))
    return states

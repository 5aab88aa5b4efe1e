"""Explores an instance of a specification with machine code made for it, hundreds of times faster than the referee.

It returns what the referee returns, and a counterexample has passed through the referee.  Which instance, how many
workers and which limits are the caller's to say.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..explore.result import Count, Exploration, Limits, Violation, Watcher
from ..instance import Instance
from ..specification import Function, Specification, brief, where
from .layout import WORD_BITS, Words
from .program import Program, compile_program
from .search import ACTIONS_MAX, Order, Outcome, Search
from .symmetry import OrbitMarker, Symmetry, interchangeable
from .trace import EnginesDisagree, Goal, way_to
from .warm import warm_up

FINGERPRINTS = 2.0**64


class CannotExplore(Exception):
    """What is asked cannot be done; the message is one line that says why and what to do."""


def explore(
    spec: Specification,
    instance: Instance,
    *,
    limits: Limits | None = None,
    properties: Sequence[Function] | None = None,
    workers: int | None = None,
    exact: bool = False,
    symmetry: bool | Collection[str] = True,
    stop_at_deadlock: bool = False,
    watch: Watcher | None = None,
) -> Exploration:
    """Explores an instance, breadth first, with one worker a processor unless `workers` says otherwise.

    Checks every property (or those given) in every state and stops at the first level with a state that breaks one.
    States are told apart by 64-bit fingerprints, or, if `exact`, by comparing them, which goes without symmetry.
    Members of the sorts in `symmetry` (all that are interchangeable, none, or those named) are taken for each other;
    the counts are those of the full graph all the same.

    In `actions`, `taken` counts the edges that an action makes, a state that it leaves as it is not being one; `found`
    is given to whichever action came first, and adds up to all states but the initial one.

    The verdict is `unknown` if a limit or Ctrl-C cut the search short.  Raises `CannotExplore` and `BadSymmetry`.
    """
    sorts = () if exact and symmetry is True else interchangeable(spec, instance, symmetry)
    if exact and sorts:
        raise CannotExplore(
            "symmetry tells orbits apart by fingerprints, so it does not go with exact: choose one"
        )
    if len(spec.actions) > ACTIONS_MAX:
        raise CannotExplore(
            f"{spec.name} has {len(spec.actions)} actions; this engine takes up to {ACTIONS_MAX}"
        )
    goals = spec.properties if properties is None else tuple(properties)
    started = time.perf_counter()
    run = _prepare(spec, instance, goals, sorts, limits or Limits(), workers, exact, stop_at_deadlock)
    warm_up(run.order)
    search = Search(run.order)
    compiled, busy = time.perf_counter(), time.process_time()
    outcome = search.run(run.beat(watch))
    seconds, busy = time.perf_counter() - compiled, time.process_time() - busy
    return run.exploration(
        outcome,
        seconds,
        {"compile_seconds": round(compiled - started, 3), "processor_seconds": round(busy, 3)},
    )


@dataclass(frozen=True)
class _Run:
    """What one exploration was made ready with."""

    spec: Specification
    instance: Instance
    goals: tuple[Function, ...]
    program: Program
    order: Order
    symmetry: Symmetry | None

    def beat(self, watch: Watcher | None) -> Callable[[Search], None] | None:
        """Tells whoever watches how far a search has come."""
        if watch is None:
            return None
        return lambda search: watch(search.progress())

    def exploration(self, outcome: Outcome, seconds: float, times: Mapping[str, float]) -> Exploration:
        """The outcome as every explorer tells it."""
        violation = self.violation(outcome)
        return Exploration(
            spec=self.spec.name,
            instance=self.instance.sizes(),
            engine="native",
            verdict="violated" if violation else "unknown" if outcome.cut_short else "holds",
            distinct=outcome.distinct,
            edges=outcome.edges,
            depth=len(violation.steps) + 1 if violation else outcome.depth,
            seconds=seconds,
            deadlocks=outcome.deadlocks,
            actions={
                name: Count(int(outcome.taken[i]), int(outcome.found[i]))
                for i, name in enumerate(self.program.moves.actions)
            },
            properties=tuple(p.__name__ for p in self.goals),
            violation=violation,
            cut_short="" if violation else outcome.cut_short,
            extra={**times, **self.extra(outcome)},
        )

    def violation(self, outcome: Outcome) -> Violation | None:
        """What was found wrong, with the way to it."""
        if outcome.bad is None and outcome.stuck is None:
            return None
        goal: Goal = (lambda again: again.bad) if outcome.bad else (lambda again: again.stuck)
        steps = way_to(self.spec, self.instance, self.program, self.order, goal)
        with self.instance.inhabited():
            start = self.spec.init()
            last = steps[-1].state if steps else start
            broken = next((p for p in self.goals if not p(last)), None)
        if outcome.bad is None:
            claim = "In every state some action leads to another state."
            return Violation("deadlock", claim, "", start, tuple(steps))
        if broken is None:
            raise EnginesDisagree(
                "the text finds nothing wrong with a state that the machine code objects to"
            )
        return Violation(broken.__name__, brief(broken), where(broken), start, tuple(steps))

    def extra(self, outcome: Outcome) -> dict[str, Any]:
        """What only this engine has to tell."""
        out: dict[str, Any] = {
            "workers": self.order.workers,
            "collision_probability": self.collision_probability(outcome),
            "state_bits": len(self.program.layout.rows),
            "memory_bytes": outcome.memory_bytes,
        }
        if self.symmetry:
            out |= {"symmetry": list(self.symmetry.names), "orbits": outcome.stored}
        return out

    def collision_probability(self, outcome: Outcome) -> float:
        """How likely it is that two states shared a fingerprint, by TLC's estimate: fingerprints times lookups.

        Nothing is left to chance where states are compared, nor where one is a single word with its top bit clear.
        """
        if self.order.exact or (not self.symmetry and len(self.program.layout.rows) < WORD_BITS):
            return 0.0
        return outcome.stored * max(outcome.made - outcome.stored, 1) / FINGERPRINTS


def _prepare(
    spec: Specification,
    instance: Instance,
    goals: tuple[Function, ...],
    sorts: Sequence[Any],
    limits: Limits,
    workers: int | None,
    exact: bool,
    stop_at_deadlock: bool,
) -> _Run:
    program = compile_program(spec, instance, goals, fingerprints=not sorts)
    symmetry = Symmetry.of(spec, instance, program.layout, sorts) if sorts else None
    first: Words = program.layout.first
    mark = OrbitMarker(symmetry).fingerprint(first) if symmetry else program.fingerprint(first)
    order = Order(
        program,
        first,
        mark,
        limits,
        workers or os.cpu_count() or 1,
        exact,
        stop_at_deadlock,
        markers=(lambda: OrbitMarker(symmetry)) if symmetry else None,
    )
    return _Run(spec, instance, goals, program, order, symmetry)

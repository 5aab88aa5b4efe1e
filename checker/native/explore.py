"""Explores an instance of a specification with machine code made for it, hundreds of times faster than the referee.

It returns what the referee returns, and a counterexample has passed through the referee.  Which instance, how many
workers and which limits are the caller's to say.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..explore.result import DEADLOCK_CLAIM, Count, Exploration, Limits, Progress, Violation, Watcher
from ..instance import Instance
from ..language import Many, Sort, item_of
from ..specification import Function, Specification, brief, where
from .checkpoint import Checkpoints, levels_apart, resume
from .layout import WORD_BITS, Words
from .moves import Leaf
from .order import NOT_APART, Order, Outcome
from .program import Program, compile_program
from .room import resident_bytes
from .search import Search
from .symmetry import OrbitMarker, Symmetry, interchangeable
from .trace import EnginesDisagree, Goal, way_to
from .warm import warm_up
from .worker import ACTIONS_MAX

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
    storage: Storage | None = None,
    watch: Watcher | None = None,
) -> Exploration:
    """Explores an instance, breadth first, with one worker a processor unless `workers` says otherwise.

    Checks every property (or those given) in every state and stops at the first level with a state that breaks one.
    States are told apart by 64-bit fingerprints, or, if `exact`, by comparing them, which goes without symmetry.
    Members of the sorts in `symmetry` (all that are interchangeable, none, or those named) are taken for each other;
    the counts are those of the full graph all the same.

    In `actions`, `taken` counts the edges that an action makes, a state that it leaves as it is not being one; `found`
    is given to whichever action came first, and adds up to all states but the initial one.

    `storage` says how much memory may be used and where a search is written down, or gone on with.  The verdict is
    `unknown` if a limit, the end of memory or Ctrl-C cut the search short.  Raises `CannotExplore`, `BadSymmetry`,
    `BadCheckpoint` and `NoWay`.
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
    storage = storage or Storage()
    started = time.perf_counter()
    run = _prepare(
        spec, instance, goals, sorts, limits or Limits(), workers, exact, stop_at_deadlock, storage
    )
    if storage.resume and not levels_apart(storage.resume, run.identity):
        run = run.remembering()
    warm_up(run.order)
    search = Search(run.order, run.checkpoints)
    if storage.resume:
        resume(storage.resume, run.identity, search)
    compiled, busy = time.perf_counter(), time.process_time()
    search.started = compiled
    outcome = search.run(run.beat(watch))
    if outcome.cut_short == NOT_APART:
        run = run.remembering()
        search = Search(run.order, run.checkpoints)
        outcome = search.run(run.beat(watch))
    busy = time.process_time() - busy
    times = {"compile_seconds": round(compiled - started, 3), "processor_seconds": round(busy, 3)}
    return run.exploration(outcome, search.seconds(), times)


@dataclass(frozen=True)
class Storage:
    """What a search may use of the machine, and what it leaves behind.

    Beyond `memory_bytes_max` states that wait go to files without a name in `folder` (where temporary files go, if it
    is None); when that does not help, the search ends.  It is written down in the file `checkpoint` every so many
    seconds, and when it is cut short; `resume` names such a file to go on with. A file `checkpoint` that is there
    already is refused, unless it is the one gone on with.
    """

    memory_bytes_max: int | None = None
    folder: Path | None = None
    checkpoint: Path | None = None
    every_seconds: float = 60.0
    resume: Path | None = None


@dataclass(frozen=True)
class _Run:
    """What one exploration was made ready with."""

    spec: Specification
    instance: Instance
    goals: tuple[Function, ...]
    program: Program
    order: Order
    symmetry: Symmetry | None
    identity: str
    checkpoints: Checkpoints | None

    def remembering(self) -> _Run:
        """The same, with every level remembered."""
        return replace(self, order=replace(self.order, levels_apart=False))

    def beat(self, watch: Watcher | None) -> Callable[[Search], None] | None:
        """Tells whoever watches how far a search has come."""
        if watch is None:
            return None
        return lambda search: watch(self.progress(search))

    def progress(self, search: Search) -> Progress:
        """How far a search has come; of states that are not expanded yet the weight is not known."""
        now = search.outcome()
        return Progress(
            search.depth,
            max(now.distinct, now.tally.stored),
            now.edges,
            search.waiting(),
            search.seconds(),
            now.generated,
            resident_bytes(),
            {name: int(now.tally.taken[i]) for i, name in enumerate(self.program.moves.actions)},
        )

    def exploration(self, outcome: Outcome, seconds: float, times: Mapping[str, float]) -> Exploration:
        """The outcome as every explorer tells it."""
        violation = self.violation(outcome)
        cut_short = "" if violation else outcome.cut_short
        if self.checkpoints and not cut_short:
            self.checkpoints.remove()
        return Exploration(
            spec=self.spec.name,
            instance=self.instance.sizes(),
            engine="native",
            verdict="violated" if violation else "unknown" if cut_short else "holds",
            distinct=outcome.distinct,
            edges=outcome.edges,
            depth=len(violation.steps) + 1 if violation else outcome.depth,
            seconds=seconds,
            deadlocks=outcome.deadlocks,
            actions={
                name: Count(int(outcome.tally.taken[i]), int(outcome.tally.found[i]))
                for i, name in enumerate(self.program.moves.actions)
            },
            properties=tuple(p.__name__ for p in self.goals),
            violation=violation,
            cut_short=cut_short,
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
            return Violation("deadlock", DEADLOCK_CLAIM, "", start, tuple(steps))
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
            "generated": outcome.generated,
            "memory_bytes": resident_bytes(),
        }
        if outcome.written_bytes:
            out["on_disk_bytes"] = outcome.written_bytes
        if self.symmetry:
            out |= {"symmetry": list(self.symmetry.names), "orbits": outcome.tally.stored}
        if self.checkpoints and outcome.cut_short:
            out |= {
                "checkpoint": str(self.checkpoints.file),
                "checkpoint_failed": self.checkpoints.failed or None,
            }
        return out

    def collision_probability(self, outcome: Outcome) -> float:
        """How likely it is that two states shared a fingerprint, by TLC's estimate of how many pairs did: fingerprints
        times lookups. Where earlier levels are forgotten it is less, for a state is compared with its own level only.

        Nothing is left to chance where states are compared, nor where one is a single word with its top bit clear.
        """
        if self.order.exact or (not self.symmetry and len(self.program.layout.rows) < WORD_BITS):
            return 0.0
        stored = outcome.tally.stored
        pairs = stored * max(outcome.generated - stored, 1) / FINGERPRINTS
        return -math.expm1(-pairs)


def _prepare(
    spec: Specification,
    instance: Instance,
    goals: tuple[Function, ...],
    sorts: Sequence[type[Sort]],
    limits: Limits,
    workers: int | None,
    exact: bool,
    stop_at_deadlock: bool,
    storage: Storage,
) -> _Run:
    rank = _rank_under(sorts, instance) if sorts else None
    program = compile_program(spec, instance, goals, fingerprints=not sorts, rank=rank)
    symmetry = Symmetry.of(spec, instance, program.layout, sorts) if sorts else None
    first: Words = program.layout.first
    markers = (lambda: OrbitMarker(symmetry, program.state_words, program.sleep)) if symmetry else None
    mark = markers().fingerprint(first) if markers else program.fingerprint(first)
    order = Order(
        program,
        first,
        mark,
        limits,
        workers or os.cpu_count() or 1,
        exact,
        stop_at_deadlock,
        levels_apart=program.levels_apart,
        memory_bytes_max=storage.memory_bytes_max,
        folder=storage.folder,
        markers=markers,
    )
    identity = _identity(program, symmetry, exact)
    checkpoints = None
    if storage.checkpoint:
        model = f"{spec.name} with {instance}"
        checkpoints = Checkpoints(storage.checkpoint, identity, model, storage.every_seconds, storage.resume)
    return _Run(spec, instance, goals, program, order, symmetry, identity, checkpoints)


def _rank_under(sorts: Sequence[type[Sort]], instance: Instance) -> Callable[[Leaf], Any]:
    """The rank of a leaf that no permutation of these sorts changes: its action and the members that stay.

    A search under symmetry keeps another state of the orbit that a step stands in for, and takes another leaf there.
    """
    moved = {s for s in instance.members if s in sorts or (issubclass(s, Many) and item_of(s) in sorts)}
    alike = {x for s in moved for x in instance.members[s]}
    position = {
        x: i for s, members in instance.members.items() if s not in moved for i, x in enumerate(members)
    }
    return lambda leaf: (leaf.action, *(position[x] for x in leaf.args if x not in alike))


def _identity(program: Program, symmetry: Symmetry | None, exact: bool) -> str:
    """What two searches have in common if one can go on with the other's states."""
    names = symmetry.names if symmetry else ()
    text = "\n".join((program.assembly, repr(program.layout.rows), repr(names), repr(exact)))
    return hashlib.sha256(text.encode()).hexdigest()

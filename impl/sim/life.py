"""One life of a node, and what the world sees of it: what its workers do, its log, its trace and its state machine.

Each of these but the workers is the real thing with an eye on it. Wherever something reaches the world there is a
*boundary*, at which the life may end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from ..core.effects import Line
from ..core.records import Record
from ..kv.machine import Applied, KeyValue
from ..net.tracer import Tracer
from ..net.worker import Done, Job
from ..storage import DiskFull, DurableLog
from . import sights
from .sights import Watch
from .timeline import Crash, Moment, Timeline

T = TypeVar("T")


class World(Protocol):
    """Of the world, what a life reaches."""

    timeline: Timeline
    watch: Watch

    def applied(self, node: str, slot: int, value: bytes, applied: Applied | None) -> None: ...

    def restored(self, node: str, machine: KeyValue) -> None: ...

    def traced(self, node: str, lines: Iterable[Line]) -> None: ...

    def complain(self, rule: str, sentence: str) -> None: ...


class Life:
    """One boot of a node, from its start to its death."""

    def __init__(self, die: Callable[[], None]) -> None:
        self.alive = True
        self.paused_until: Moment = 0
        self.fuse = 0
        """How many boundaries it will still pass; 0 if there is no such end."""
        self._die = die

    def die(self) -> None:
        self._die()

    def pass_boundary(self) -> None:
        """Something reaches the world."""
        if self.fuse:
            self.fuse -= 1
            if not self.fuse:
                raise Crash


class SimulatedWorker:
    """A worker that takes its time and blocks nobody: a job is done at the end of the time that it takes."""

    def __init__(self, world: World, life: Life, draw: Callable[[], Moment]) -> None:
        self._world = world
        self._life = life
        self._draw = draw
        self._given: deque[Callable[[], None]] = deque()

    def submit(self, job: Job[T], done: Done[T]) -> None:
        self._given.append(partial(self._do, job, done))
        if len(self._given) == 1:
            self._begin()

    def close(self) -> None:
        """There is no thread to wait for."""

    def _begin(self) -> None:
        timeline = self._world.timeline
        timeline.at(timeline.now + self._draw(), self._life, self._given[0])

    def _do(self, job: Job[T], done: Done[T]) -> None:
        outcome: T | Exception
        try:
            outcome = job()
        except Exception as error:
            outcome = error
            if isinstance(error, DiskFull):
                self._world.watch.see(sights.DISK_FULL)
        self._life.pass_boundary()
        self._given.popleft()
        if self._given:
            self._begin()
        done(outcome)


class WatchedTrace:
    """A node's trace, of which the world sees each line when what hangs on it may be seen by others."""

    def __init__(self, world: World, life: Life, node: str, tracer: Tracer) -> None:
        self._world = world
        self._life = life
        self._node = node
        self._tracer = tracer
        self._lines: list[Line] = []

    def write(self, line: Line) -> None:
        self._life.pass_boundary()
        self._tracer.write(line)
        self._lines.append(line)

    def flush(self, *, all_lines: bool = False) -> None:
        self._life.pass_boundary()
        self._tracer.flush(all_lines=all_lines)
        if self._lines:
            lines, self._lines = self._lines, []
            self._world.traced(self._node, lines)
        self._life.pass_boundary()


class WatchedLog(DurableLog):
    """A node's log, which tells what batch it was last at, and whether it rests on a checkpoint."""

    committing: Sequence[Record] = ()
    rests = False

    def rest_on(self, slot: int) -> None:
        super().rest_on(slot)
        self.rests = True

    def commit(self, records: Sequence[Record]) -> None:
        self.committing = records
        super().commit(records)


class WatchedMachine(KeyValue):
    """A node's state machine, of which the world sees what it applies and what it becomes."""

    def __init__(self, world: World, node: str) -> None:
        super().__init__()
        self._world = world
        self._node = node

    def apply(self, slot: int, value: bytes) -> Applied | None:
        applied = super().apply(slot, value)
        self._world.applied(self._node, slot, value, applied)
        return applied

    def become(self, other: KeyValue) -> None:
        super().become(other)
        self._world.restored(self._node, self)


class Suspect:
    """Who sent a message; should it be one that no correct node sends, the run has failed."""

    def __init__(self, world: World, node: str, message: object) -> None:
        self._world = world
        self._node = node
        self._message = message

    def close(self, reason: str) -> None:
        self._world.complain(
            "peer", f"{self._node} takes {self._message} for one that no peer sends: {reason}"
        )

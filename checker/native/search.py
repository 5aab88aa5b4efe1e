"""Breadth-first search by workers that share nothing: each owns the states whose fingerprints are its own.

A level is worked off in rounds.  In a round every worker expands a block of its states, sorts the successors by owner
into its boxes, meets the others, and takes what all boxes hold for it.  Boxes are used in turns of two, so one meeting
a round is enough and nothing is ever locked.

This file knows states of so many words, fingerprints, and a program that expands them; no specification.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..explore.result import Limits, Progress
from .intrinsics import Array, Bytes, Counts
from .kernels import DEADLOCKS, DISTINCT, EDGES, STUCK, route, settle
from .layout import Words
from .memory import Chunk, Fingerprints, Frontier, Seen, Whole

BLOCK_STATES_MAX = 1 << 14
OUT_BYTES = 1 << 28
"""How much room there is for the successors of a block of every worker; what is not used is never touched."""
INITIAL = 255
"""Stands for the action by which the initial state came."""
ACTIONS_MAX = 254
BEAT_SECONDS = 0.1


class Expander(Protocol):
    """What a search needs of a program."""

    @property
    def successors_max(self) -> int: ...
    @property
    def record_words(self) -> int: ...
    def expand(self, states: Array, low: int, high: int, out: Array, via: Bytes, ends: Array) -> int: ...
    def check(self, states: Array, low: int, high: int) -> int: ...


class Marker(Protocol):
    """What gives records their fingerprints and states their weights, where the program itself does not."""

    def mark(self, states: Array, low: int, high: int, out: Array, ends: Array, weights: Counts) -> None:
        """Fills in the fingerprints of the successors of these states, and the states' weights."""
        ...

    def weigh(self, states: Array, low: int, high: int, weights: Counts) -> None:
        """Fills in the weights of these states."""
        ...


@dataclass(frozen=True)
class Order:
    """What is to be searched, and where to stop."""

    program: Expander
    first: Words
    first_fingerprint: int
    limits: Limits
    workers: int = 1
    exact: bool = False
    stop_at_deadlock: bool = False
    keep_levels: bool = False
    """Keep the states of every level, to find the way to one of them."""
    markers: Callable[[], Marker] | None = None
    """Makes a marker for each worker; without one, the program's fingerprints are used and every state weighs 1."""


@dataclass
class Outcome:
    """What a search has found so far."""

    distinct: int = 0
    """The states, each with its weight; while the search is under way, those that were expanded."""
    stored: int = 0
    """How many were stored, whatever they weigh."""
    edges: int = 0
    deadlocks: int = 0
    depth: int = 0
    made: int = 0
    """How many successors were looked up among the states seen."""
    taken: Counts = field(default_factory=lambda: np.zeros(256, np.int64))
    found: Counts = field(default_factory=lambda: np.zeros(256, np.int64))
    bad: tuple[int, Words] | None = None
    """A state that breaks a property, and its level, the initial one being 0."""
    stuck: tuple[int, Words] | None = None
    """A state that nothing leads out of, if that was to stop the search."""
    cut_short: str = ""
    memory_bytes: int = 0
    levels: list[list[Chunk]] = field(default_factory=list)


class Search:
    """A search in progress: its workers, and what they agree on."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.started = time.perf_counter()
        self.depth = 1
        self.reason = ""
        self._barrier = threading.Barrier(order.workers)
        self._slots: list[list[tuple[int, str]]] = [[(0, "")] * order.workers for _ in range(2)]
        self.workers = [Worker(self, i) for i in range(order.workers)]
        self._failures: list[BaseException] = []

    def run(self, beat: Callable[[Search], None] | None = None) -> Outcome:
        """Searches to the end; calls `beat` now and then.  Ctrl-C ends it early, with what there is."""
        threads = [threading.Thread(target=self._guard, args=(w,), daemon=True) for w in self.workers]
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            try:
                for t in threads:
                    t.join(BEAT_SECONDS)
                if beat:
                    beat(self)
            except KeyboardInterrupt:
                self.reason = "it was interrupted"
        out = self.outcome()
        self.workers.clear()  # what they stored is let go of now, not when garbage is collected
        if self._failures:
            raise self._failures[0]
        return out

    def _guard(self, worker: Worker) -> None:
        try:
            worker.run()
        except threading.BrokenBarrierError:
            pass
        except BaseException as why:
            self._failures.append(why)
            self._barrier.abort()

    def meet(self, worker: int, turn: int, value: tuple[int, str]) -> list[tuple[int, str]]:
        """Every worker's value of this turn.  Two sets of slots suffice: nobody is two meetings ahead."""
        self._slots[turn & 1][worker] = value
        self._barrier.wait()
        return self._slots[turn & 1]

    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def waiting(self) -> int:
        """How many states are known and not yet expanded."""
        return sum(w.stored - w.expanded for w in self.workers)

    def why_stop(self) -> str:
        """Why the search must end now, if it must."""
        limits = self.order.limits
        if limits.states_max is not None and sum(w.stored for w in self.workers) > limits.states_max:
            return f"the limit of {limits.states_max} states was reached"
        if limits.seconds_max is not None and self.seconds() > limits.seconds_max:
            return f"the time limit of {limits.seconds_max:g} s was reached"
        return self.reason

    def progress(self) -> Progress:
        """How far the search has come; of states that are not expanded yet the weight is not known."""
        now = self.outcome()
        return Progress(self.depth, max(now.distinct, now.stored), now.edges, self.waiting(), self.seconds())

    def outcome(self) -> Outcome:
        """What was found until now."""
        out = Outcome(depth=self.depth)
        for w in self.workers:
            out.stored += w.stored
            out.distinct += int(w.totals[DISTINCT])
            out.edges += int(w.totals[EDGES])
            out.deadlocks += int(w.totals[DEADLOCKS])
            out.taken += w.taken
            out.found += w.found
            out.bad = out.bad or w.bad
            out.stuck = out.stuck or w.stuck
            out.cut_short = out.cut_short or w.cut_short
            out.memory_bytes += w.seen.bytes()
            out.made += w.made
        for i in range(max((len(w.levels) for w in self.workers), default=0)):
            out.levels.append([c for w in self.workers for c in w.levels[i]])
        return out


class Worker:
    """One owner: its states, its part of the frontier, its boxes for the others."""

    def __init__(self, search: Search, number: int) -> None:
        order = search.order
        self.search, self.order, self.program, self.number = search, order, order.program, number
        self.record = order.program.record_words
        per_state = max(1, order.program.successors_max)
        fitting = OUT_BYTES // (per_state * self.record * 8 * order.workers)
        self.block = max(1, min(BLOCK_STATES_MAX, fitting))
        self.room = self.block * per_state
        self.out = np.empty(self.room * self.record, np.uint64)
        self.via = np.empty(self.room, np.uint8)
        self.ends = np.empty(self.block, np.uint64)
        self.weights = np.ones(self.block, np.int64)
        self.marker = order.markers() if order.markers else None
        self.boxes = [self._box() for _ in range(2)] if order.workers > 1 else []
        self.seen: Seen = Whole(self.record) if order.exact else Fingerprints(self.record)
        self.frontier = Frontier(self.record - 1)
        self.turn, self.level, self.stored, self.made, self.expanded = 0, 0, 0, 0, 0
        self.totals = np.array([0, 0, -1, 0], np.int64)
        self.taken, self.found = np.zeros(256, np.int64), np.zeros(256, np.int64)
        self.bad: tuple[int, Words] | None = None
        self.stuck: tuple[int, Words] | None = None
        self.cut_short = ""
        self.levels: list[list[Chunk]] = []

    def _box(self) -> tuple[Array, Bytes, Counts]:
        workers = self.order.workers
        size = self.room * workers
        return np.empty(size * self.record, np.uint64), np.empty(size, np.uint8), np.zeros(workers, np.int64)

    # The search --------------------------------------------------------------------------

    def run(self) -> None:
        """Works off level after level, in step with the others."""
        self._begin()
        following = Frontier(self.record - 1)
        while (told := self._meet(self.frontier.blocks(self.block))) is not None and any(told):
            self.search.depth = self.level + 1
            limit = self.order.limits.depth_max
            if limit is not None and self.level >= limit:
                self.search.depth = limit
                self.cut_short = f"the depth limit of {limit} levels was reached"
                break
            if not self._level(max(told), following):
                break
            self.frontier, following = following, Frontier(self.record - 1)
            self.level += 1
        self._count_the_rest(self.frontier)
        self._count_the_rest(following)

    def _begin(self) -> None:
        mark = self.order.first_fingerprint
        if (mark & 0xFFFF) * self.order.workers >> 16 == self.number:
            record, via = np.array([mark, *self.order.first], np.uint64), np.array([INITIAL], np.uint8)
            self._take(record, via, 0, 1, self.frontier, self.level)

    def _level(self, rounds: int, following: Frontier) -> bool:
        """Expands the frontier; False if the search is to end."""
        if self.order.keep_levels:
            self.levels.append(self.frontier.chunks)
        for _ in range(rounds):
            made = 0
            if (block := self.frontier.take(self.block, self.order.keep_levels)) is not None:
                made = self._expand(*block)
            if self.order.workers > 1:
                self._send(made)
            if self._meet(0) is None:
                return False
            if self.order.workers == 1:
                self._take(self.out, self.via, 0, made, following, self.level + 1)
                continue
            for sender in self.search.workers:
                box, via, sizes = sender.boxes[self.turn & 1]
                count = int(sizes[self.number])
                self._take(box, via, self.number * self.room, count, following, self.level + 1)
        return True

    def _count_the_rest(self, frontier: Frontier) -> None:
        """Counts the states that were found and will not be expanded."""
        while (block := frontier.take(self.block, self.order.keep_levels)) is not None:
            chunk, low, high = block
            if self.marker:
                self.marker.weigh(chunk.states, low, high, self.weights)
            weights = self.weights[: high - low]
            self.totals[DISTINCT] += int(weights.sum())
            np.add.at(self.found, chunk.came[low:high], weights)

    def _expand(self, chunk: Chunk, low: int, high: int) -> int:
        made = self.program.expand(chunk.states, low, high, self.out, self.via, self.ends)
        self.made += made
        self.expanded += high - low
        if self.marker:
            self.marker.mark(chunk.states, low, high, self.out, self.ends, self.weights)
        settle(
            self.ends, high - low, self.out, self.via, self.record, self.weights, chunk.came[low:high],
            self.taken, self.found, self.totals,
        )  # fmt: skip
        if self.order.stop_at_deadlock and self.stuck is None and self.totals[STUCK] >= 0:
            self.stuck = self.level, self._state(chunk, low + int(self.totals[STUCK]))
        return made

    def _send(self, made: int) -> None:
        """Puts the successors into the boxes of the meeting that comes."""
        box, via, sizes = self.boxes[(self.turn + 1) & 1]
        sizes[:] = 0
        route(self.out, self.via, made, self.record, box, via, self.room, sizes)

    def _take(self, box: Array, via: Bytes, start: int, count: int, into: Frontier, level: int) -> None:
        """Keeps what is new of some records, and checks it."""
        while count:
            chunk = into.open_chunk()
            before = chunk.count
            taken = self.seen.absorb(box, via, start, count, chunk)
            start, count = start + taken, count - taken
            self.stored += chunk.count - before
            if self.bad is None and (bad := self.program.check(chunk.states, before, chunk.count)) >= 0:
                self.bad = level, self._state(chunk, bad)

    def _state(self, chunk: Chunk, index: int) -> Words:
        words = self.record - 1
        return tuple(int(w) for w in chunk.states[index * words : (index + 1) * words])

    def _meet(self, value: int) -> list[int] | None:
        """Everybody's values; None if somebody found a reason to end."""
        self.turn += 1
        why = "found" if self.bad or self.stuck else ""
        if not why and self.number == 0:
            why = self.search.why_stop()
        told = self.search.meet(self.number, self.turn, (value, why))
        reasons = [reason for _, reason in told if reason]
        if not reasons:
            return [value for value, _ in told]
        if "found" not in reasons:
            self.cut_short = reasons[0]
        return None

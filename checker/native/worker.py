"""One worker of a search: the states that it owns, its part of the frontier, its boxes for the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from .frontier import Chunk, Frontier, Shelf
from .intrinsics import Array, Bytes, Counts
from .kernels import DISTINCT, STUCK, UNSURE, route, settle
from .layout import Words
from .order import FOUND, NOT_APART, Made, Order, Tally, Told
from .room import Room
from .seen import Fingerprints, Seen, Whole

BLOCK_STATES_MAX = 1 << 14
OUT_BYTES = 1 << 28
"""How much room there is for the successors of a block of every worker; what is not used is never touched."""
INITIAL = 255
"""Stands for the action by which the initial state came."""
ACTIONS_MAX = 254


class Team(Protocol):
    """What a worker needs of the search that it works for."""

    order: Order
    room: Room
    depth: int

    @property
    def workers(self) -> Sequence[Worker]: ...

    def meet(self, worker: int, turn: int, told: Told) -> Told:
        """What all workers say this turn."""
        ...

    def save(self, worker: int) -> None:
        """Writes down how far the search has come, while every worker waits."""
        ...

    def save_due(self) -> bool:
        """Whether it is time to."""
        ...

    def why_stop(self) -> str:
        """Why the search must end now, if it must."""
        ...


class Worker:
    """One owner."""

    def __init__(self, search: Team, number: int) -> None:
        order = search.order
        self.search, self.order, self.program, self.number = search, order, order.program, number
        self.record = order.program.waiting_words + 1
        per_state = max(1, order.program.successors_max)
        fitting = OUT_BYTES // (per_state * self.record * 8 * order.workers)
        self.block = max(1, min(BLOCK_STATES_MAX, fitting))
        self.box_room = self.block * per_state
        self.made = Made.room(order.program, self.block)
        self.weights = np.ones(self.block, np.int64)
        self.marker = order.markers() if order.markers else None
        self.boxes = [self._box() for _ in range(2)] if order.workers > 1 else []
        words, may_grow = order.program.state_words, search.room.has
        self.seen: Seen = (
            Whole(self.record, words, may_grow) if order.exact else Fingerprints(self.record, may_grow)
        )
        self.shelf = Shelf(order.program.waiting_words, order.folder)
        self.frontier, self.following = self._frontier(), self._frontier()
        self.turn, self.level, self.tally = 0, 0, Tally()
        self.bad: tuple[int, Words] | None = None
        self.stuck: tuple[int, Words] | None = None
        self.cut_short = ""
        self.levels: list[Frontier] = []

    def _box(self) -> tuple[Array, Bytes, Counts]:
        workers = self.order.workers
        size = self.box_room * workers
        return np.empty(size * self.record, np.uint64), np.empty(size, np.uint8), np.zeros(workers, np.int64)

    def _frontier(self) -> Frontier:
        return Frontier(self.shelf, self.order.keep_levels)

    # The search --------------------------------------------------------------------------

    def begin(self, record: Array) -> None:
        """Starts with this state."""
        self._take(record, np.array([INITIAL], np.uint8), 0, 1, self.frontier, self.level)

    def run(self) -> None:
        """Works off level after level, in step with the others."""
        while self._level():
            self.frontier, self.following = self.following, self._frontier()
            self.level += 1
            if self.order.levels_apart:
                self.seen.forget(self.frontier.waiting())
        if self.cut_short and self.cut_short != NOT_APART:
            self.search.save(self.number)
        self._count_the_rest(self.frontier)
        self._count_the_rest(self.following)

    def _level(self) -> bool:
        """Expands what is left of the frontier; False if the search is to end, or no level comes after."""
        limit = self.order.limits.depth_max
        beyond = limit is not None and self.level >= limit
        if self.order.keep_levels:
            self.levels.append(self.frontier)
        while True:
            busy, count = bool(self.frontier), 0
            if not beyond and (block := self.frontier.take(self.block)) is not None:
                count = self._expand(*block)
            if self.order.workers > 1:
                self._send(count)
            told = self._meet(busy)
            self._take_all(count)
            if not told.busy:
                return told.more  # a search that was gone on with may begin where a level has just ended
            self.search.depth = self.level + (not beyond)
            if told.end or beyond:
                if told.end != FOUND:
                    self.cut_short = told.end or f"the depth limit of {limit} levels was reached"
                return False
            self._look_at_memory(told.short)
            if told.save:
                self.search.save(self.number)
            if not told.left:
                return True

    def _meet(self, busy: bool) -> Told:
        """What all say; the first worker also says what the search as a whole wants."""
        self.turn += 1
        end, save, short = self._why_stop(), False, False
        if self.number == 0:
            end = end or self.search.why_stop()
            save = self.search.save_due()
            short = self.search.room.short()
        told = Told(busy, bool(self.frontier), bool(self.following), end, save, short)
        return self.search.meet(self.number, self.turn, told)

    def _why_stop(self) -> str:
        if self.bad or self.stuck:
            return FOUND
        if self.order.levels_apart and self.tally.totals[UNSURE]:
            return NOT_APART
        if self.seen.full:
            return f"memory is full: {self.search.room}"
        if self.shelf.full_disk and not self.search.room.has(0):
            return f"memory is full: {self.search.room}, and the disk takes no more: {self.shelf.full_disk}"
        return ""

    def _look_at_memory(self, short: bool) -> None:
        """If memory is short, puts on disk what waits."""
        self.shelf.save_memory(short)
        if short:
            self.frontier.put_on_disk()
            self.following.put_on_disk()

    def _count_the_rest(self, frontier: Frontier) -> None:
        """Counts the states that were found and will not be expanded."""
        while (block := frontier.take(self.block)) is not None:
            chunk, low, high = block
            if self.marker:
                self.marker.weigh(chunk.states, low, high, self.weights)
            weights = self.weights[: high - low]
            self.tally.totals[DISTINCT] += int(weights.sum())
            np.add.at(self.tally.found, chunk.came[low:high], weights)

    def _expand(self, chunk: Chunk, low: int, high: int) -> int:
        program, tally = self.program, self.tally
        count = program.expand(chunk.states, low, high, self.made)
        tally.expanded += high - low
        if self.marker:
            self.marker.mark(chunk.states, low, high, self.made, self.weights)
        settle(
            self.made.ends, self.made.fired, program.kinds, program.unsure, high - low,
            self.made.out, self.made.via, self.record, program.state_words,
            self.weights, chunk.came[low:high], tally.taken, tally.found, tally.totals,
        )  # fmt: skip
        if self.order.stop_at_deadlock and self.stuck is None and tally.totals[STUCK] >= 0:
            self.stuck = self.level, self._state(chunk, low + int(tally.totals[STUCK]))
        return count

    def _send(self, count: int) -> None:
        """Puts the successors into the boxes of the meeting that comes."""
        box, via, sizes = self.boxes[(self.turn + 1) & 1]
        sizes[:] = 0
        route(self.made.out, self.made.via, count, self.record, box, via, self.box_room, sizes)

    def _take_all(self, count: int) -> None:
        """Takes what everybody has made for this worker."""
        if self.order.workers == 1:
            self._take(self.made.out, self.made.via, 0, count, self.following, self.level + 1)
            return
        for sender in self.search.workers:
            box, via, sizes = sender.boxes[self.turn & 1]
            self._take(
                box, via, self.number * self.box_room, int(sizes[self.number]), self.following, self.level + 1
            )

    def _take(self, box: Array, via: Bytes, start: int, count: int, into: Frontier, level: int) -> None:
        """Keeps what is new of some records, and checks it."""
        while count:
            chunk = into.open_chunk()
            before = chunk.count
            taken = self.seen.absorb(box, via, start, count, chunk)
            start, count = start + taken, count - taken
            self.tally.stored += chunk.count - before
            if self.bad is None and (bad := self.program.check(chunk.states, before, chunk.count)) >= 0:
                self.bad = level, self._state(chunk, bad)

    def _state(self, chunk: Chunk, index: int) -> Words:
        start = index * chunk.words
        return tuple(int(w) for w in chunk.states[start : start + self.program.state_words])

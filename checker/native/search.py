"""Breadth-first search by workers that share nothing: each owns the states whose fingerprints are its own.

A level is worked off in rounds.  In a round every worker expands a block of its states, sorts the successors by owner
into its boxes, meets the others, and takes what all boxes hold for it.  Boxes are used in turns of two, so one meeting
a round is enough and nothing is ever locked.  Between two rounds nothing is under way: that is where a search ends,
where it is written down to be gone on with, and where it looks whether memory is short.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from .order import INTERRUPTED, Order, Outcome, Told
from .room import Room
from .worker import Worker

BEAT_SECONDS = 0.1


class Saver(Protocol):
    """What writes down how far a search has come."""

    def due(self) -> bool:
        """Whether it is time to."""
        ...

    def save(self, search: Search) -> None:
        """Does so."""
        ...


class Search:
    """A search in progress: its workers, and what they agree on.

    The saver, if there is one, is called between two rounds: when it is time to, and when the search is cut short.
    """

    def __init__(self, order: Order, saver: Saver | None = None) -> None:
        self.order, self.saver = order, saver
        self.started = time.perf_counter()
        self.earlier_seconds = 0.0
        self.depth = 1
        self.reason = ""
        self.room = Room(order.memory_bytes_max)
        self.barrier = threading.Barrier(order.workers)
        self._slots = [[Told()] * order.workers for _ in range(2)]
        self.workers = [Worker(self, i) for i in range(order.workers)]
        self.begun = False
        self._failures: list[BaseException] = []

    def begin(self) -> None:
        """Starts at the initial state."""
        self.begun = True
        mark = self.order.first_fingerprint
        record = np.zeros(self.order.program.waiting_words + 1, np.uint64)
        record[: 1 + len(self.order.first)] = [mark, *self.order.first]
        self.owner(mark).begin(record)

    def owner(self, mark: int) -> Worker:
        """The worker that a fingerprint belongs to."""
        return self.workers[(mark & 0xFFFF) * len(self.workers) >> 16]

    def run(self, beat: Callable[[Search], None] | None = None) -> Outcome:
        """Searches to the end; calls `beat` now and then.  Ctrl-C ends it early, with what there is."""
        if not self.begun:
            self.begin()
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
                self.reason = INTERRUPTED
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
            self.barrier.abort()

    def meet(self, worker: int, turn: int, told: Told) -> Told:
        """What all workers say this turn.  Two sets of slots suffice: nobody is two meetings ahead."""
        self._slots[turn & 1][worker] = told
        self.barrier.wait()
        return Told.by_all(self._slots[turn & 1])

    def save(self, worker: int) -> None:
        """Writes down how far the search has come, while every worker waits."""
        self.barrier.wait()
        if worker == 0 and self.saver:
            self.saver.save(self)
        self.barrier.wait()

    def save_due(self) -> bool:
        """Whether it is time to."""
        return self.saver is not None and self.saver.due()

    def seconds(self) -> float:
        """How long it has been searched, in all calls together."""
        return self.earlier_seconds + time.perf_counter() - self.started

    def waiting(self) -> int:
        """How many states are known and not yet expanded."""
        return sum(w.tally.stored - w.tally.expanded for w in self.workers)

    def why_stop(self) -> str:
        """Why the search must end now, if it must."""
        limits = self.order.limits
        if limits.states_max is not None and sum(w.tally.stored for w in self.workers) > limits.states_max:
            return f"the limit of {limits.states_max} states was reached"
        if limits.seconds_max is not None and self.seconds() > limits.seconds_max:
            return f"the time limit of {limits.seconds_max:g} s was reached"
        return self.reason

    def outcome(self) -> Outcome:
        """What was found until now."""
        out = Outcome(depth=self.depth)
        for w in self.workers:
            out.tally.add(w.tally)
            out.bad = min(filter(None, (out.bad, w.bad)), default=None)
            out.stuck = min(filter(None, (out.stuck, w.stuck)), default=None)
            out.cut_short = out.cut_short or w.cut_short
            out.written_bytes += w.shelf.written_bytes
        levels = zip(*(w.levels for w in self.workers), strict=False)
        out.levels = [
            list(each) for each in itertools.takewhile(lambda level: any(f.held() for f in level), levels)
        ]
        return out

"""What is asked of a search, what its workers tell one another, and what it has found.

It speaks of states of so many words, fingerprints, and a program that expands them; of no specification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from ..explore.result import Limits
from .frontier import Frontier
from .intrinsics import Array, Bytes, Counts
from .kernels import DEADLOCKS, DISTINCT, EDGES, GENERATED, STUCK
from .layout import Words


class Expander(Protocol):
    """What a search needs of a program."""

    @property
    def successors_max(self) -> int: ...
    @property
    def state_words(self) -> int: ...
    @property
    def waiting_words(self) -> int: ...

    kinds: Array
    unsure: Array

    def expand(self, states: Array, low: int, high: int, into: Made) -> int: ...
    def check(self, states: Array, low: int, high: int) -> int: ...


@dataclass(frozen=True)
class Made:
    """Room for what a block of states leads to, and then what they lead to; `code` tells what stands where."""

    out: Array
    via: Bytes
    ends: Array
    fired: Array

    @classmethod
    def room(cls, program: Expander, states: int) -> Made:
        """Room for what so many states lead to."""
        records = states * max(1, program.successors_max)
        return cls(
            np.empty(records * (program.waiting_words + 1), np.uint64),
            np.empty(records, np.uint8),
            np.empty(states, np.uint64),
            np.empty(states * program.kinds.shape[1], np.uint64),
        )


class Marker(Protocol):
    """What gives records their fingerprints and states their weights, where the program itself does not."""

    def mark(self, states: Array, low: int, high: int, made: Made, weights: Counts) -> None:
        """Fills in the successors' fingerprints and what they need not take, and the weights of these states."""
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
    levels_apart: bool = False
    """Whether no state can be found in two levels, so that those of earlier ones need not be remembered."""
    memory_bytes_max: int | None = None
    folder: Path | None = None
    """Where states that wait go when memory is short."""
    markers: Callable[[], Marker] | None = None
    """Makes a marker for each worker; without one, the program's fingerprints are used and every state weighs 1."""


@dataclass
class Tally:
    """What is counted; of several workers, and of what was searched earlier, it adds up."""

    totals: Counts = field(default_factory=lambda: np.array([0, 0, -1, 0, 0, 0], np.int64))
    taken: Counts = field(default_factory=lambda: np.zeros(256, np.int64))
    found: Counts = field(default_factory=lambda: np.zeros(256, np.int64))
    stored: int = 0
    expanded: int = 0

    def add(self, other: Tally) -> None:
        """Adds what another has counted."""
        stuck = self.totals[STUCK]
        self.totals += other.totals
        self.totals[STUCK] = stuck
        self.taken += other.taken
        self.found += other.found
        self.stored += other.stored
        self.expanded += other.expanded


@dataclass
class Outcome:
    """What a search has found so far."""

    tally: Tally = field(default_factory=Tally)
    depth: int = 0
    bad: tuple[int, Words] | None = None
    """A state that breaks a property, and its level, the initial one being 0."""
    stuck: tuple[int, Words] | None = None
    """A state that nothing leads out of, if that was to stop the search."""
    cut_short: str = ""
    written_bytes: int = 0
    """How much was put on disk because memory was short."""
    levels: list[list[Frontier]] = field(default_factory=list)

    @property
    def distinct(self) -> int:
        """The states, each with its weight; while the search is under way, those that were expanded."""
        return int(self.tally.totals[DISTINCT])

    @property
    def edges(self) -> int:
        return int(self.tally.totals[EDGES])

    @property
    def deadlocks(self) -> int:
        return int(self.tally.totals[DEADLOCKS])

    @property
    def generated(self) -> int:
        """How many steps lead from what is stored to something else, whatever it weighs."""
        return int(self.tally.totals[GENERATED])


FOUND = "found"
"""The reason to end that is not one to say that the search was cut short."""
INTERRUPTED = "it was interrupted"
NOT_APART = "a step was taken that does not count as one"
"""The reason to begin again, and to remember every level."""


@dataclass(frozen=True)
class Told:
    """What a worker says when it meets the others, or what all of them say."""

    busy: bool = False
    """There was something to expand."""
    left: bool = False
    """There still is."""
    more: bool = False
    """There is something in the level after."""
    end: str = ""
    """Why the search must end."""
    save: bool = False
    short: bool = False
    """Memory is."""

    @classmethod
    def by_all(cls, told: Sequence[Told]) -> Told:
        ends = [t.end for t in told if t.end]
        end = FOUND if FOUND in ends else next(iter(ends), "")
        flags = {
            name: any(getattr(t, name) for t in told) for name in ("busy", "left", "more", "save", "short")
        }
        return cls(end=end, **flags)

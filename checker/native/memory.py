"""Where states are kept: the frontier in chunks, and tables of what was seen that grow as they fill.

Nothing here is shared between workers; each owns one table and its part of the frontier.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from .intrinsics import Array, Bytes
from .kernels import (
    absorb,
    absorb_whole,
    furthest,
    rehash_whole,
    spread,
)

CHUNK_STATES = 1 << 16
TABLE_LOG2_MIN = 16
LOAD_GROW, LOAD_MAX = 0.6, 0.85
"""A table grows when it is more than the first full, and is never more than the second."""
LARGE_PAGE_BYTES = 1 << 21


# The frontier ------------------------------------------------------------------------------


@dataclass
class Chunk:
    """States side by side, each with the action that it came by."""

    states: Array
    came: Bytes
    count: int = 0

    @property
    def room(self) -> int:
        return len(self.came) - self.count


@dataclass
class Frontier:
    """The states of one level that one worker owns; they are added at the end and used up from the front."""

    words: int
    chunks: list[Chunk] = field(default_factory=list)
    _next: tuple[int, int] = (0, 0)

    def open_chunk(self) -> Chunk:
        """A chunk with room, at the end."""
        if not self.chunks or not self.chunks[-1].room:
            self.chunks.append(
                Chunk(np.empty(CHUNK_STATES * self.words, np.uint64), np.empty(CHUNK_STATES, np.uint8))
            )
        return self.chunks[-1]

    def blocks(self, size: int) -> int:
        """How many blocks of at most this size there are."""
        return sum(-(-c.count // size) for c in self.chunks)

    def take(self, size: int, keep: bool) -> tuple[Chunk, int, int] | None:
        """The next states, at most `size`, as a chunk and a range in it; None when all are used up.

        Unless they are to be kept, chunks are let go behind it.
        """
        index, low = self._next
        if index == len(self.chunks):
            return None
        chunk = self.chunks[index]
        high = min(low + size, chunk.count)
        self._next = (index, high)
        if high == chunk.count:
            self._next = (index + 1, 0)
            if not keep:
                self.chunks[index] = Chunk(chunk.states[:0], chunk.came[:0])
        return chunk, low, high


# What was seen -----------------------------------------------------------------------------


class Seen(Protocol):
    """The states that a worker has seen."""

    count: int

    def absorb(self, box: Array, via: Bytes, start: int, count: int, into: Chunk) -> int:
        """Takes as many of `count` records as there is room for; the new ones are appended to `into`.

        Returns how many were taken, at least one.
        """
        ...

    def grow(self) -> None:
        """Makes room for as many again."""
        ...

    def bytes(self) -> int:
        """The memory that this takes."""
        ...


class Fingerprints:
    """A table of fingerprints, eight bytes a state at full load.

    Two states with the same fingerprint are taken for one: how likely that ever happened is told with the result.
    """

    def __init__(self, record: int) -> None:
        self.record, self.count = record, 0
        self._log2 = TABLE_LOG2_MIN
        self._memory = mmap.mmap(-1, 8 << self._log2, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._map()

    def _map(self) -> None:
        """Sees the memory as a table, on large pages where there are any."""
        if len(self._memory) >= LARGE_PAGE_BYTES and hasattr(mmap, "MADV_HUGEPAGE"):
            self._memory.madvise(mmap.MADV_HUGEPAGE)
        self._table: Array = np.frombuffer(self._memory, np.uint64)

    @property
    def _shift(self) -> np.uint64:
        return np.uint64(64 - self._log2)

    def absorb(self, box: Array, via: Bytes, start: int, count: int, into: Chunk) -> int:
        size = len(self._table)
        if self.count > LOAD_GROW * size:
            self.grow()
            size = len(self._table)
        taken = min(count, into.room, int(LOAD_MAX * size) - self.count)
        kept = absorb(
            box, via, start, taken, self.record, self._table, self._shift, into.states, into.came, into.count
        )
        self.count += kept - into.count
        into.count = kept
        return taken

    def grow(self) -> None:
        before = 1 << self._log2
        low = np.empty(min(before, 2 * int(furthest(self._table, self._shift)) + 1), np.uint64)
        self._log2 += 1
        del self._table  # memory that somebody looks at does not grow
        self._memory.resize(8 << self._log2)
        self._map()
        spread(self._table, before, low, self._shift)

    def bytes(self) -> int:
        return len(self._table) * 8


class Whole:
    """Every state itself, and a table of places: nothing is ever taken for something else."""

    def __init__(self, record: int) -> None:
        self.record, self.count = record, 0
        self._log2 = TABLE_LOG2_MIN
        self._table = np.zeros(1 << self._log2, np.uint64)
        self._store = np.empty((1 << self._log2) * record, np.uint64)

    def absorb(self, box: Array, via: Bytes, start: int, count: int, into: Chunk) -> int:
        if self.count > LOAD_GROW * len(self._table):
            self.grow()
        taken = min(count, into.room, int(LOAD_MAX * len(self._table)) - self.count)
        kept = absorb_whole(
            box, via, start, taken, self.record, self._table, np.uint64(64 - self._log2),
            self._store, self.count, into.states, into.came, into.count,
        )  # fmt: skip
        self.count += kept - into.count
        into.count = kept
        return taken

    def grow(self) -> None:
        self._log2 += 1
        store = np.empty((1 << self._log2) * self.record, np.uint64)
        store[: self.count * self.record] = self._store[: self.count * self.record]
        self._store, self._table = store, np.zeros(1 << self._log2, np.uint64)
        rehash_whole(store, self.count, self.record, self._table, np.uint64(64 - self._log2))

    def bytes(self) -> int:
        return len(self._table) * 8 + self.count * self.record * 8

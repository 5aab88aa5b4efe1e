"""What a worker has seen: tables of fingerprints, or of whole states, that grow as they fill.

Nothing here is shared between workers; each owns one table.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from .frontier import Chunk
from .intrinsics import Array, Bytes
from .kernels import (
    absorb,
    absorb_whole,
    furthest,
    insert_all,
    place_whole,
    spread,
)

TABLE_LOG2_MIN = 16
LOAD_GROW, LOAD_FULL, LOAD_MAX = 0.7, 0.8, 0.9
"""A table grows when it is more than the first full; if it may not, it is called full at the second; and it is never
more than the third."""
LARGE_PAGE_BYTES = 1 << 21
SLICE = 1 << 16
"""How many entries are handed out at a time."""

MayGrow = Callable[[int], bool]
"""Whether so many bytes more may be taken."""


def _always(_bytes: int) -> bool:
    return True


class Seen(Protocol):
    """The states that a worker has seen."""

    count: int
    full: bool
    """Whether it would have grown and might not."""

    def absorb(self, box: Array, via: Bytes, start: int, count: int, into: Chunk) -> int:
        """Takes as many of `count` records as there is room for; the new ones are appended to `into`.

        Returns how many were taken, at least one.
        """
        ...

    def forget(self, expected: int) -> None:
        """Forgets everything, and makes room for so many."""
        ...

    def entries(self) -> Iterator[Array]:
        """All that is remembered, a few at a time: `entry_words` words each, a fingerprint first."""
        ...

    @property
    def entry_words(self) -> int: ...

    def expect(self, count: int) -> None:
        """Makes room for so many more.

        Before `remember`: what it is given is sorted as the table is, and would crowd one end of a small one.
        """
        ...

    def remember(self, entries: Array) -> None:
        """Puts back what `entries` gave; none of it is there yet."""
        ...


class _Table:
    """What both kinds of table have: when they grow."""

    def __init__(self, may_grow: MayGrow) -> None:
        self.count, self.full = 0, False
        self._may_grow = may_grow
        self._log2 = TABLE_LOG2_MIN

    @property
    def _shift(self) -> np.uint64:
        return np.uint64(64 - self._log2)

    def _room(self, load: float) -> int:
        """How many more entries there may be under this load."""
        return int(load * (1 << self._log2)) - self.count

    def _make_room(self) -> None:
        """Grows if it is time to, and that is allowed or cannot be helped."""
        if self._room(LOAD_GROW) >= 0:
            return
        allowed = self._may_grow(self._growth_bytes())
        self.full = not allowed and self._room(LOAD_FULL) < 0
        if allowed or self._room(LOAD_MAX) <= 0:
            self.grow()

    def expect(self, count: int) -> None:
        while self._room(LOAD_GROW) < count:
            self.grow()

    def _growth_bytes(self) -> int:
        """How much memory it takes to grow."""
        raise NotImplementedError

    def grow(self) -> None:
        """Makes room for as many again."""
        raise NotImplementedError


class Fingerprints(_Table):
    """A table of fingerprints, eight bytes a state at full load.

    Two states with the same fingerprint are taken for one: how likely that ever happened is told with the result.
    """

    entry_words = 1

    def __init__(self, record: int, may_grow: MayGrow = _always) -> None:
        super().__init__(may_grow)
        self.record = record
        self._memory = mmap.mmap(-1, 8 << self._log2, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._map()

    def _map(self) -> None:
        """Sees the memory as a table, on large pages where there are any."""
        if len(self._memory) >= LARGE_PAGE_BYTES and hasattr(mmap, "MADV_HUGEPAGE"):
            self._memory.madvise(mmap.MADV_HUGEPAGE)
        self._whole: Array = np.frombuffer(self._memory, np.uint64)

    @property
    def _table(self) -> Array:
        """The part of the memory that is in use."""
        return self._whole[: 1 << self._log2]

    def absorb(self, box: Array, via: Bytes, start: int, count: int, into: Chunk) -> int:
        self._make_room()
        taken = min(count, into.room, self._room(LOAD_MAX))
        kept = absorb(
            box, via, start, taken, self.record, self._table, self._shift, into.states, into.came, into.count
        )
        self.count += kept - into.count
        into.count = kept
        return taken

    def _growth_bytes(self) -> int:
        return max(0, (16 << self._log2) - len(self._memory))

    def grow(self) -> None:
        before = 1 << self._log2
        low = np.empty(min(before, 2 * int(furthest(self._table, self._shift)) + 1), np.uint64)
        self._log2 += 1
        if 2 * before > len(self._whole):
            del self._whole  # memory that somebody looks at does not grow
            self._memory.resize(16 * before)
            self._map()
        else:
            self._whole[before : 2 * before] = 0
        spread(self._table, before, low, self._shift)

    def forget(self, expected: int) -> None:
        self.count = 0
        self._log2 = TABLE_LOG2_MIN
        while expected > LOAD_GROW * (1 << self._log2) and 2 << self._log2 <= len(self._whole):
            self._log2 += 1
        self._table[:] = 0

    def entries(self) -> Iterator[Array]:
        table = self._table
        for low in range(0, len(table), SLICE):
            part = table[low : low + SLICE]
            yield part[part != 0]

    def remember(self, entries: Array) -> None:
        for low in range(0, len(entries), SLICE):
            part = entries[low : low + SLICE]
            self.expect(len(part))
            insert_all(self._table, part, self._shift)
            self.count += len(part)


class Whole(_Table):
    """Every state itself, and a table of places: nothing is ever taken for something else."""

    def __init__(self, record: int, words: int, may_grow: MayGrow = _always) -> None:
        super().__init__(may_grow)
        self.record, self.words = record, words
        self._table = np.zeros(1 << self._log2, np.uint64)
        self._store = np.empty((1 << self._log2) * self.entry_words, np.uint64)

    @property
    def entry_words(self) -> int:
        return self.words + 1

    def absorb(self, box: Array, via: Bytes, start: int, count: int, into: Chunk) -> int:
        self._make_room()
        taken = min(count, into.room, self._room(LOAD_MAX))
        kept = absorb_whole(
            box, via, start, taken, self.record, self.words, self._table, self._shift,
            self._store, self.count, into.states, into.came, into.count,
        )  # fmt: skip
        self.count += kept - into.count
        into.count = kept
        return taken

    def _growth_bytes(self) -> int:
        return (8 << self._log2) * (1 + self.entry_words)

    def grow(self) -> None:
        self._log2 += 1
        words = self.entry_words
        store = np.empty((1 << self._log2) * words, np.uint64)
        store[: self.count * words] = self._store[: self.count * words]
        self._store, self._table = store, np.zeros(1 << self._log2, np.uint64)
        place_whole(store, 0, self.count, words, self._table, self._shift)

    def forget(self, expected: int) -> None:
        self.count = 0
        self._table[:] = 0

    def entries(self) -> Iterator[Array]:
        size = SLICE * self.entry_words
        for low in range(0, self.count * self.entry_words, size):
            yield self._store[low : min(low + size, self.count * self.entry_words)]

    def remember(self, entries: Array) -> None:
        words, count = self.entry_words, len(entries) // self.entry_words
        self.expect(count)
        self._store[self.count * words : (self.count + count) * words] = entries
        self.count += count
        place_whole(self._store, self.count - count, self.count, words, self._table, self._shift)

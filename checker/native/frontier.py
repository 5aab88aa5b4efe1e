"""Where states wait to be expanded: in chunks, in memory as long as there is some, on disk beyond.

A shelf is one worker's: it hands out chunks, takes them back to be used again, and puts full ones on disk when told
that memory is short.  Files have no name, so nothing is left of them whatever becomes of the process.
"""

from __future__ import annotations

import mmap
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np

from .intrinsics import Array, Bytes

CHUNK_BYTES = 1 << 22
FREE_MAX = 2
"""How many chunks are kept to be used again when memory is short."""
FILE_BYTES = 1 << 28
"""A file is let go of when all that it holds was read, so that what is read makes room."""


@dataclass
class Chunk:
    """States side by side, each with the action that it came by."""

    states: Array
    came: Bytes
    count: int = 0

    @property
    def room(self) -> int:
        return len(self.came) - self.count

    @property
    def words(self) -> int:
        """How many words a state takes here."""
        return len(self.states) // len(self.came)

    @classmethod
    def empty(cls, words: int, room: int) -> Chunk:
        """Memory of its own, which goes back to the system when it is let go of."""
        memory = mmap.mmap(-1, room * (8 * words + 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        states = np.frombuffer(memory, np.uint64, room * words)
        return cls(states, np.frombuffer(memory, np.uint8, room, 8 * room * words))


@dataclass(frozen=True)
class OnDisk:
    """A full chunk, in a file."""

    file: IO[bytes]
    offset: int
    count: int


Part: TypeAlias = Chunk | OnDisk


@dataclass
class Shelf:
    """A worker's chunks.  `full_disk` says why the disk took no more, if it did not."""

    words: int
    folder: Path | None = None
    short: bool = False
    """Whether memory is short."""
    full_disk: str = ""
    written_bytes: int = 0
    _free: list[Chunk] = field(default_factory=list)
    _file: IO[bytes] | None = None

    @property
    def room(self) -> int:
        """How many states a chunk takes."""
        return max(1, CHUNK_BYTES // (8 * self.words + 1))

    def take(self) -> Chunk:
        """An empty chunk."""
        if self._free:
            return self._free.pop()
        return Chunk.empty(self.words, self.room)

    def give_back(self, chunk: Chunk) -> None:
        """A chunk that nobody looks at any more."""
        chunk.count = 0
        if not self.short or len(self._free) < FREE_MAX:
            self._free.append(chunk)

    def save_memory(self, short: bool) -> None:
        """Says whether memory is short; if so, lets go of what is not used."""
        self.short = short
        if short:
            del self._free[FREE_MAX:]

    def put_on_disk(self, chunk: Chunk) -> Part:
        """The chunk, on disk if that takes it."""
        if self.full_disk:
            return chunk
        try:
            if self._file is None or self._file.tell() >= FILE_BYTES:
                self._file = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115
            offset, size = self._file.tell(), chunk.count * self.words
            for part in (chunk.states[:size].view(np.uint8), chunk.came[: chunk.count]):
                _write(self._file, part)
        except OSError as why:
            self.full_disk = f"{why.strerror} in {self.folder or tempfile.gettempdir()}"
            return chunk
        kept = OnDisk(self._file, offset, chunk.count)
        self.written_bytes += chunk.count * (8 * self.words + 1)
        self.give_back(chunk)
        return kept

    def fetch(self, part: Part) -> Chunk:
        """A part in memory."""
        if isinstance(part, Chunk):
            return part
        chunk, size = self.take(), part.count * self.words
        end = part.file.tell()
        part.file.seek(part.offset)
        for into in (chunk.states[:size].view(np.uint8), chunk.came[: part.count]):
            _read(part.file, into)
        part.file.seek(end)
        chunk.count = part.count
        return chunk


def _write(file: IO[bytes], part: Bytes) -> None:
    done = 0
    while done < len(part):
        done += file.write(part[done:].data)


def _read(file: IO[bytes], into: Bytes) -> None:
    done = 0
    while done < len(into):
        got = file.readinto(into[done:].data)  # type: ignore[attr-defined]  # files without a buffer have it
        if not got:
            raise OSError("a file of this process is shorter than what was written to it")
        done += got


@dataclass
class Frontier:
    """The states of one level that one worker is to expand; added at the end, used up from the front.

    If they are to be kept, what was used up can be looked at again.
    """

    shelf: Shelf
    keep: bool = False
    _parts: deque[Part] = field(default_factory=deque)
    _used: list[Part] = field(default_factory=list)
    _reading: Chunk | None = None
    """The first part, in memory, while it is being used up."""
    _low: int = 0
    """How much of it is."""

    def open_chunk(self) -> Chunk:
        """A chunk with room, at the end."""
        last = self._parts[-1] if self._parts else None
        if isinstance(last, Chunk) and last.room:
            return last
        if self.shelf.short:
            self.put_on_disk()
        chunk = self.shelf.take()
        self._parts.append(chunk)
        return chunk

    def add(self, states: Array, came: Bytes) -> None:
        """Adds states at the end."""
        done = 0
        while done < len(came):
            chunk = self.open_chunk()
            low, count, words = chunk.count, min(chunk.room, len(came) - done), chunk.words
            chunk.states[low * words : (low + count) * words] = states[done * words : (done + count) * words]
            chunk.came[low : low + count] = came[done : done + count]
            chunk.count += count
            done += count

    def put_on_disk(self) -> None:
        """Puts what is full and not being read on disk."""
        for i, part in enumerate(self._parts):
            if isinstance(part, Chunk) and not part.room and part is not self._reading:
                self._parts[i] = self.shelf.put_on_disk(part)

    def __bool__(self) -> bool:
        """Whether there are states that were not taken."""
        return self.waiting() > 0

    def waiting(self) -> int:
        """How many states there are that were not taken."""
        return sum(part.count for part in self._parts) - self._low

    def held(self) -> int:
        """How many states there are, those that were used up and kept among them."""
        return sum(part.count for part in (*self._used, *self._parts))

    def take(self, size: int) -> tuple[Chunk, int, int] | None:
        """The next states, at most `size`, as a chunk and a range in it; None when all are used up.

        Where they lay may be used again as soon as the next ones are taken.
        """
        if self._reading is not None and self._low == self._reading.count:
            self._leave(self._reading)
        if not self._parts:
            return None
        if self._reading is None:
            self._reading = self.shelf.fetch(self._parts[0])
        low, self._low = self._low, min(self._low + size, self._reading.count)
        return self._reading, low, self._low

    def _leave(self, chunk: Chunk) -> None:
        """Goes on to the next part."""
        part = self._parts.popleft()
        if self.keep:
            self._used.append(part)
        if not self.keep or part is not chunk:
            self.shelf.give_back(chunk)
        self._reading, self._low = None, 0

    def rest(self) -> Iterator[tuple[Chunk, int, int]]:
        """What was not taken, as chunks and ranges in them, each to be looked at before the next."""
        low = self._low
        for chunk in self._in_memory(self._parts):
            if low < chunk.count:
                yield chunk, low, chunk.count
            low = 0

    def all(self) -> Iterator[Chunk]:
        """Every state of a frontier that was kept, chunk by chunk, each to be looked at before the next."""
        return self._in_memory([*self._used, *self._parts])

    def _in_memory(self, parts: Iterable[Part]) -> Iterator[Chunk]:
        for part in parts:
            chunk = self.shelf.fetch(part)
            yield chunk
            if part is not chunk:
                self.shelf.give_back(chunk)

"""A search written down, so that it can be gone on with: by another process, with as many workers as you like.

A checkpoint is one file: a line of text, a header (JSON), then states that wait, states of the level after, all that
was seen, and a checksum.  It is written beside its name, synced, and renamed, so that whatever becomes of this process
there is always the last whole one.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from .frontier import Frontier
from .intrinsics import Array
from .kernels import route
from .order import Tally
from .search import Search

MAGIC = b"quorate checkpoint, version 2\n"
HEADER_BYTES_MAX = 1 << 24
PIECE_WORDS_MAX = 1 << 28
PARTS = ("frontier", "following")
SHARE = 10
"""The next checkpoint waits at least so many times as long as writing the last one took."""
TALLIES = ("totals", "taken", "found")


class BadCheckpoint(Exception):
    """A checkpoint cannot be written, or not be gone on with; the message is one line that says which and why."""


@dataclass
class Checkpoints:
    """Where and how often a search is written down, and for which model, as `identity` names it."""

    file: Path
    identity: str
    model: str
    """The model, as a person calls it."""
    every_seconds: float = 60.0
    resumed: Path | None = None
    """What the search goes on with: the only file that may be there already, and be replaced."""
    failed: str = ""
    """Why the last one could not be written, if it could not."""
    _ours: bool = False
    """Whether the file is of this search."""
    _next_s: float = 0.0

    def __post_init__(self) -> None:
        self._next_s = time.monotonic() + self.every_seconds
        try:
            self._ours = self.resumed is not None and self.file.samefile(self.resumed)
            if self.file.exists() and not self._ours:
                raise BadCheckpoint(
                    f"{self.file}: it exists and is left as it is; name a new file, "
                    "or go on with a checkpoint by --resume"
                )
            with self._beside.open("wb"):
                pass
            self._beside.unlink()
        except OSError as why:
            raise BadCheckpoint(f"{self.file}: {why.strerror}; name a file that can be written") from None

    @property
    def _beside(self) -> Path:
        return self.file.with_name(self.file.name + ".part")

    def due(self) -> bool:
        """Whether it is time for the next."""
        return time.monotonic() >= self._next_s

    def save(self, search: Search) -> None:
        """Writes down a search that stands between two rounds.  What goes wrong is kept in `failed`."""
        started = time.monotonic()
        try:
            with self._beside.open("wb", buffering=0) as file:
                _Writer(file).write(self._header(search), search)
                os.fsync(file.fileno())
            self._beside.replace(self.file)
            self._ours = True
            folder = os.open(self.file.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self.failed = ""
        except OSError as why:
            self.failed = f"{self.file}: {why.strerror}"
            self._beside.unlink(missing_ok=True)
        took = time.monotonic() - started
        self._next_s = time.monotonic() + max(self.every_seconds, SHARE * took)

    def remove(self) -> None:
        """Removes what is no use any more, the search having come to its end."""
        if self._ours:
            self.file.unlink(missing_ok=True)

    def _header(self, search: Search) -> dict[str, Any]:
        tally, workers = Tally(), search.workers
        for w in workers:
            tally.add(w.tally)
        return {
            "identity": self.identity,
            "model": self.model,
            "levels_apart": search.order.levels_apart,
            "level": workers[0].level,
            "seconds": search.seconds(),
            "waiting_words": workers[0].program.waiting_words,
            "entry_words": workers[0].seen.entry_words,
            "remembered": sum(w.seen.count for w in workers),
            "stored": tally.stored,
            "expanded": tally.expanded,
            **{name: getattr(tally, name).tolist() for name in TALLIES},
        }


class _Writer:
    """Writes words, and remembers their checksum."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.sum = file, 0

    def write(self, header: Mapping[str, Any], search: Search) -> None:
        text = json.dumps(header).encode()
        self.put(MAGIC)
        self.put(len(text).to_bytes(8, "little"))
        self.put(text)
        for part in PARTS:
            for w in search.workers:
                for chunk, low, high in getattr(w, part).rest():
                    self.piece(chunk.states[low * chunk.words : high * chunk.words], high - low)
                    self.put(chunk.came[low:high])
            self.piece((), 0)
        for w in search.workers:
            for entries in filter(len, w.seen.entries()):
                self.piece(entries, len(entries) // w.seen.entry_words)
        self.piece((), 0)
        self.file.write(self.sum.to_bytes(4, "little"))

    def piece(self, words: Any, count: int) -> None:
        """Words, after how many things they are; nothing ends a row of pieces."""
        self.put(count.to_bytes(8, "little"))
        if count:
            self.put(words)

    def put(self, piece: Any) -> None:
        view = memoryview(piece).cast("B")
        self.sum = zlib.crc32(view, self.sum)
        while len(view):
            view = view[self.file.write(view) :]


# Going on ----------------------------------------------------------------------------------


def levels_apart(file: Path, identity: str) -> bool:
    """Whether the search written down here remembers one level alone.  Raises `BadCheckpoint` as `resume` does."""
    with _opened(file) as reader:
        return bool(reader.header(identity)["levels_apart"])


def resume(file: Path, identity: str, search: Search) -> None:
    """Puts a search that has not begun where the checkpoint left off.

    Raises `BadCheckpoint` if it is not whole or of another specification, instance or way to explore.
    """
    with _opened(file) as reader:
        reader.read(identity, search)


@contextmanager
def _opened(file: Path) -> Iterator[_Reader]:
    try:
        with file.open("rb") as opened:
            yield _Reader(file, opened)
    except OSError as why:
        raise BadCheckpoint(f"{file}: {why.strerror}; name a checkpoint that was written") from None


class _Reader:
    """Reads words back, and checks their sum."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path, self.file, self.sum = path, file, 0

    def read(self, identity: str, search: Search) -> None:
        self._fill(self.header(identity), search)
        if self.file.read(4) != self.sum.to_bytes(4, "little"):
            raise self._broken()

    def header(self, identity: str) -> dict[str, Any]:
        """The header, which must be of this model."""
        if self.get(len(MAGIC)) != MAGIC:
            raise BadCheckpoint(f"{self.path}: this is no checkpoint of quorate, or one of another version")
        size = int.from_bytes(self.get(8), "little")
        if size > HEADER_BYTES_MAX:
            raise self._broken()
        try:
            header: dict[str, Any] = json.loads(self.get(size))
        except ValueError:
            raise self._broken() from None
        if header.get("identity") != identity:
            raise BadCheckpoint(
                f"{self.path}: it is of {header.get('model', 'another model')}, "
                "not what is asked for now; specification, sizes, properties, exactness and symmetry must be the same"
            )
        return header

    def _fill(self, header: Mapping[str, Any], search: Search) -> None:
        workers, words = search.workers, header["waiting_words"]
        search.begun, search.earlier_seconds, search.depth = True, header["seconds"], header["level"] + 1
        first = workers[0].tally
        first.stored, first.expanded = header["stored"], header["expanded"]
        for name in TALLIES:
            getattr(first, name)[:] = header[name]
        for w in workers:
            w.level = header["level"]
            w.seen.expect(header["remembered"] // len(workers))
        for part in PARTS:
            frontiers: list[Frontier] = [getattr(w, part) for w in workers]
            for count, states in self.pieces(words):
                _deal(states, self.get(count), words, frontiers)
        for _, entries in self.pieces(header["entry_words"]):
            _remember(entries, header["entry_words"], search)

    def get(self, size: int) -> bytes:
        """So many bytes."""
        out = bytearray()
        while len(out) < size:
            more = self.file.read(size - len(out))
            if not more:
                raise self._broken()
            out += more
        self.sum = zlib.crc32(out, self.sum)
        return bytes(out)

    def pieces(self, words: int) -> Iterator[tuple[int, Array]]:
        """The pieces of a row: how many things each has, of so many words, and these."""
        while count := int.from_bytes(self.get(8), "little"):
            if count * words > PIECE_WORDS_MAX:
                raise self._broken()
            yield count, np.frombuffer(self.get(8 * count * words), np.uint64)

    def _broken(self) -> BadCheckpoint:
        return BadCheckpoint(f"{self.path}: the file is cut off or damaged; start again without --resume")


def _deal(states: Array, came: bytes, words: int, frontiers: Sequence[Frontier]) -> None:
    """Shares out states among frontiers, of which any will do."""
    count = len(came)
    for i, frontier in enumerate(frontiers):
        low, high = (count * x // len(frontiers) for x in (i, i + 1))
        frontier.add(states[low * words : high * words], np.frombuffer(came, np.uint8)[low:high])


def _remember(entries: Array, words: int, search: Search) -> None:
    """Gives every worker what it owns of these entries."""
    count, workers = len(entries) // words, search.workers
    boxes, sizes = np.empty(len(entries) * len(workers), np.uint64), np.zeros(len(workers), np.int64)
    unused = np.empty(count * len(workers), np.uint8)
    route(entries, unused, count, words, boxes, unused, count, sizes)
    for i, w in enumerate(workers):
        start = i * count * words
        w.seen.remember(boxes[start : start + int(sizes[i]) * words])

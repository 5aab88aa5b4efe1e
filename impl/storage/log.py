"""The durable log of one node: what was committed to it survives any crash, and nothing else is read from it.

It knows batches, segments and the folder; what a record says is the core's to know, and what is torn or damaged is
decided in `frame`. Its caller owes it one thing: to speak of a record only after `commit` returned.

- One batch is one frame, one pwrite, one fdatasync, however many steps of the replica it gathers (group commit).
- A batch is written only after the one before it was synced: at most one batch of a log is ever unsynced.
- After an error of the disk the log is dead: every later call says so. A failed fdatasync is never tried again,
  for the kernel may have dropped the pages that it could not write, and report success the second time.
- Opening a log makes durable what it found: the last batch may have been written by a process that was killed
  before its fdatasync, and after a failed one its pages count as clean. It is written again and synced before
  anybody is told of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final, Self

from ..core.records import Record, Recovered, recover
from .errors import DiskFailed, StorageError
from .folder import Folder, Identity
from .frame import ALIGN, encode_frame, frame_bytes
from .records import encode_batch
from .recovery import Reading
from .segment import HEADER_BYTES, Segment, Shape

SEGMENT_BYTES: Final = 16 << 20
"""Making a segment of this size takes some 10 ms, once in about 100,000 records of 128 bytes: rare enough not to show,
short enough to stay far below a time-out. Recovery holds one segment in memory at a time."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a folder held when it was opened."""

    boot: int
    """1 at the first start of the node in this folder, then one more at each."""
    state: Recovered
    """What the records amount to."""
    batches: int
    """How many batches were ever committed."""
    torn: str | None
    """One line about the unfinished batch that a crash left at the end, if there was one: nobody was told of it."""


class DurableLog:
    """An open log: `commit` batches of records to it, then `close` it. Safe to use from several threads."""

    def __init__(
        self, folder: Folder, segment: Segment, offset: int, sequence: int, segment_bytes: int
    ) -> None:
        """Use `open`."""
        self._folder = folder
        self._segment = segment
        self._offset = offset
        self._sequence = sequence
        self._segment_bytes = segment_bytes
        self._one_at_a_time = Lock()
        self._dead: str | None = None

    @classmethod
    def open(
        cls, folder: Path, identity: Identity, *, segment_bytes: int = SEGMENT_BYTES
    ) -> tuple[Self, Opened]:
        """Open the log in `folder`, making both if there are none, and recover what it holds.

        Raises WrongFolder, FolderInUse, UnknownFormat, DamagedLog, DiskFull or DiskFailed; nothing that was
        committed is then lost, and the folder is free again.
        """
        if segment_bytes < HEADER_BYTES + 2 * ALIGN or segment_bytes % ALIGN:
            raise ValueError(f"segment_bytes: {segment_bytes} is no multiple of {ALIGN}, or too small")
        locked = Folder(folder, identity)
        reading = Reading(locked)
        try:
            state = recover(reading.records())
            segment = _settled(reading, segment_bytes)
            boot = locked.begin_boot(reading.sequence)
        except BaseException:
            reading.close()
            locked.close()
            raise
        log = cls(locked, segment, reading.offset, reading.sequence, segment_bytes)
        return log, Opened(boot, state, reading.sequence, reading.torn)

    @property
    def batches(self) -> int:
        """How many batches are durable."""
        return self._sequence

    def commit(self, records: Sequence[Record]) -> None:
        """Append one batch and return when it is on disk: then all of it survives, whatever happens.

        When it raises DiskFull or DiskFailed, the batch counts as never committed, though a later `open` may find
        it; the log is dead. Blocks for as long as the disk takes. Raises ValueError for an empty batch.
        """
        if not records:
            raise ValueError("a batch without records needs no commit")
        with self._one_at_a_time:
            if self._dead is not None:
                raise DiskFailed(f"{self._folder.path}: the log takes nothing more since: {self._dead}")
            try:
                self._append(encode_batch(records))
            except StorageError as error:
                self._dead = str(error)
                raise

    def close(self) -> None:
        """Note how far the log reaches, and let go of the folder. A second call does nothing."""
        with self._one_at_a_time:
            if self._dead is None:
                self._dead = "it was closed"
                try:
                    self._folder.note_synced(self._sequence)
                finally:
                    self._release()
            else:
                self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, body: bytes) -> None:
        sequence = self._sequence + 1
        if not self._segment.fits(self._offset, len(body)):
            self._roll(sequence, len(body))
        frame = encode_frame(sequence, body, self._segment.shape.salt)
        self._segment.write(frame, self._offset)
        self._offset += len(frame)
        self._sequence = sequence

    def _roll(self, first: int, body_bytes: int) -> None:
        """Go on in a new segment; one made to measure if the batch is larger than a segment."""
        room = max(self._segment_bytes, HEADER_BYTES + frame_bytes(body_bytes))
        following = _new_segment(self._folder, self._segment.shape.number + 1, first, room)
        self._segment.close()
        self._segment, self._offset = following, HEADER_BYTES

    def _release(self) -> None:
        self._segment.close()
        self._folder.close()


def _new_segment(folder: Folder, number: int, first: int, size_bytes: int) -> Segment:
    shape = Shape(number, first, size_bytes, secrets.randbits(32))
    return Segment.create(folder.path, folder.identity, shape)


def _settled(reading: Reading, segment_bytes: int) -> Segment:
    """The segment to go on in: what was read of it is durable, and nothing but zeros follows."""
    if reading.segment is None:
        return _new_segment(reading.folder, 1, 1, segment_bytes)
    if reading.last_frame is not None:
        at, data = reading.last_frame
        reading.segment.write(data, at)
    if reading.torn is not None:
        reading.segment.clear(reading.offset)
    return reading.segment

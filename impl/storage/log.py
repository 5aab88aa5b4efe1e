"""The durable log of one node: what was committed to it survives any crash, and nothing else is read from it.

It knows batches, segments and the folder; what a record says is the core's to know, and what is torn or damaged is
decided in `frame`. Its caller owes it one thing: to speak of a record only after `commit` returned.

- One batch is one frame, one pwrite, one fdatasync, however many steps of the replica it gathers (group commit).
- A batch is written only after the one before it was synced: at most one batch of a log is ever unsynced.
- A log rests on a checkpoint once there is one: `checkpoint` makes a new one durable, `truncate` lets go of the
  segments that hold nothing above a slot. What those said of ballots is in the manifest by then, so no promise is lost.
- A new segment that finds no room is no harm: nothing of the batch was written, and it may be committed again later.
- After any other error of the disk the log is dead: every later call says so. A failed fdatasync is never tried again,
  for the kernel may have dropped the pages that it could not write, and report success the second time.
- Opening a log makes durable what it found: the last batch may have been written by a process that was killed
  before its fdatasync, and after a failed one its pages count as clean. It is written again and synced before
  anybody is told of it; so are the zeros behind it, for they may hide what a torn batch left on the disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final, Self

from msgspec import UNSET
from msgspec.structs import replace

from ..core.records import (
    AcceptRecord,
    BallotRecord,
    PromiseRecord,
    Record,
    Recovered,
    higher,
    recover,
)
from .checkpoint import (
    IncomingCheckpoint,
    StoredCheckpoint,
    checkpoint_path,
    checkpoint_slots,
    read_piece,
    stored_checkpoint,
    write_checkpoint,
)
from .errors import DiskFailed, DiskFull, StorageError
from .files import REAL, Files, discard
from .folder import Base, Folder, Identity
from .frame import ALIGN, encode_frame, frame_bytes
from .records import encode_batch
from .recovery import Reading, highest_slot
from .segment import HEADER_BYTES, Segment, Shape, segment_numbers, segment_path

SEGMENT_BYTES: Final = 16 << 20
"""Making a segment of this size takes some 10 ms, once in about 100,000 records of 128 bytes: rare enough not to show,
short enough to stay far below a time-out. Recovery holds one segment in memory at a time."""

PIECE_BYTES: Final = 1 << 20
"""How much of a checkpoint is read, sent and kept at a time."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a folder held when it was opened."""

    boot: int
    """1 at the first start of the node in this folder, then one more at each."""
    state: Recovered
    """What the records amount to."""
    batches: int
    """How many batches were ever committed."""
    checkpoint: StoredCheckpoint | None
    """What the state machine starts from; None if it starts from nothing."""
    torn: str | None
    """One line about the unfinished batch that a crash left at the end, if there was one: nobody was told of it."""


class DurableLog:
    """An open log: `commit` batches of records to it, then `close` it. Safe to use from several threads."""

    def __init__(
        self, reading: Reading, segment: Segment, state: Recovered, segment_bytes: int, piece_bytes: int
    ) -> None:
        """Use `open`."""
        self._folder = reading.folder
        self._files = reading.folder.files
        self._segment = segment
        self._offset = reading.offset
        self._sequence = reading.sequence
        self._segment_bytes = segment_bytes
        self._piece_bytes = piece_bytes
        self._base = Base(state.low, reading.first, state.promised, state.ballot_used)
        """What the manifest would say now."""
        self._slots = reading.slots
        """By segment, the highest slot that was accepted in it."""
        self._incoming = IncomingCheckpoint(self._folder.path, self._folder.identity.cluster, self._files)
        self._one_at_a_time = Lock()
        self._dead: str | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        identity: Identity,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        piece_bytes: int = PIECE_BYTES,
        files: Files = REAL,
    ) -> tuple[Self, Opened]:
        """Open the log in `folder`, making both if there are none, and recover what it holds.

        `piece_bytes` is how much of a checkpoint is read, sent and kept at a time.

        Raises WrongFolder, FolderInUse, UnknownFormat, DamagedLog, DiskFull or DiskFailed; nothing that was
        committed is then lost, and the folder is free again.
        """
        if segment_bytes < HEADER_BYTES + 2 * ALIGN or segment_bytes % ALIGN:
            raise ValueError(f"segment_bytes: {segment_bytes} is no multiple of {ALIGN}, or too small")
        locked = Folder(folder, identity, files)
        reading = Reading(locked)
        try:
            base = locked.manifest.base
            stored = None
            known = Recovered()
            if base is not UNSET:
                stored = stored_checkpoint(folder, identity.cluster, base.checkpoint, files)
                known = Recovered(base.promised, (), base.checkpoint, base.ballot_used)
            state = recover(reading.records(), known)
            segment = _settled(reading, segment_bytes)
            boot = locked.begin_boot(reading.sequence)
            log = cls(reading, segment, state, segment_bytes, piece_bytes)
            log._clear_away()
        except BaseException:
            reading.close()
            locked.close()
            raise
        return log, Opened(boot, state, reading.sequence, stored, reading.torn)

    @property
    def batches(self) -> int:
        """How many batches are durable."""
        return self._sequence

    def commit(self, records: Sequence[Record]) -> None:
        """Append one batch and return when it is on disk: then all of it survives, whatever happens.

        When there is no room for a new segment it raises DiskFull, and the same batch may be committed again once there
        is. After any other error the batch counts as never committed, though a later `open` may find it; the log is
        dead. Blocks for as long as the disk takes. Raises ValueError for an empty batch.
        """
        if not records:
            raise ValueError("a batch without records needs no commit")
        with self._one_at_a_time:
            self._check_alive()
            body = encode_batch(records)
            try:
                if not self._segment.fits(self._offset, len(body)):
                    self._roll(len(body))
            except DiskFull:
                raise  # nothing of the batch was written
            except StorageError as error:
                self._dead = str(error)
                raise
            try:
                self._append(body)
            except StorageError as error:
                self._dead = str(error)
                raise
            self._note(records)

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

    # Checkpoints -------------------------------------------------------------------------

    def checkpoint(self, slot: int, content: Iterable[bytes]) -> int:
        """Write the checkpoint of a slot, and return its size when the log rests on it, durably. Commits go on
        meanwhile.

        Raises DiskFull, after which all is as before; or DiskFailed.
        """
        size = write_checkpoint(self._folder.path, self._folder.identity.cluster, slot, content, self._files)
        self.rest_on(slot)
        return size

    def read_piece(self, slot: int, offset: int) -> tuple[int, int, int, bytes]:
        """A piece of the checkpoint of a slot, as (slot, size in all, offset, data): or, if that is gone, of the one
        that counts, from its beginning."""
        found = read_piece(self._folder.path, slot, offset, self._piece_bytes, self._files)
        if found is None:
            slot, offset = self._base.checkpoint, 0
            found = read_piece(self._folder.path, slot, offset, self._piece_bytes, self._files)
        if found is None:
            raise DiskFailed(f"{checkpoint_path(self._folder.path, slot)}: is gone; check the disk")
        return slot, found[0], offset, found[1]

    def keep_piece(self, offset: int, data: bytes) -> None:
        """Keep a piece of another node's checkpoint; the one at 0 begins anew."""
        self._incoming.keep(offset, data)

    def receive(self, slot: int) -> StoredCheckpoint | None:
        """The checkpoint whose pieces were kept, durable under its name; None if they are not the whole one of this
        slot. It counts once the log is told to `rest_on` it."""
        if self._incoming.install(slot) is None:
            return None
        return stored_checkpoint(self._folder.path, self._folder.identity.cluster, slot, self._files)

    def truncate(self, slot: int) -> None:
        """Let go of the segments in which nothing above a slot was accepted, as far as they are the oldest.

        The slot is one that the checkpoint covers. Raises DiskFull, after which all is as before; or DiskFailed.
        """
        with self._one_at_a_time:
            assert slot <= self._base.checkpoint, "a log is truncated below its checkpoint"
            first, last = self._base.first, self._segment.shape.number
            while first < last and self._slots.get(first, 0) <= slot:
                first += 1
            self._check_alive()
            if first > self._base.first:
                base = replace(self._base, first=first)
                self._folder.rest_on(base)
                self._base = base
                self._clear_away()

    def rest_on(self, slot: int) -> None:
        """Let the checkpoint of this slot be the one that counts, unless a later one does; return when that is
        durable."""
        with self._one_at_a_time:
            self._check_alive()
            if slot > self._base.checkpoint:
                before = self._base.checkpoint
                self._folder.rest_on(replace(self._base, checkpoint=slot))
                self._base = replace(self._base, checkpoint=slot)
                for old in checkpoint_slots(self._folder.path, self._files):
                    if old < before:  # the one before may be on its way to another node
                        discard(self._files, checkpoint_path(self._folder.path, old))

    def _clear_away(self) -> None:
        """Remove what the manifest has no use for: segments before the first, checkpoints that never came to count.
        What cannot be removed now is another time."""
        for number in segment_numbers(self._folder.path, self._files):
            if number < self._base.first:
                discard(self._files, segment_path(self._folder.path, number))
                self._slots.pop(number, None)
        for slot in checkpoint_slots(self._folder.path, self._files):
            if slot > self._base.checkpoint:
                discard(self._files, checkpoint_path(self._folder.path, slot))

    def _note(self, records: Sequence[Record]) -> None:
        """Keep in mind what the manifest has to say once these records are truncated."""
        number = self._segment.shape.number
        self._slots[number] = max(self._slots.get(number, 0), highest_slot(records))
        promised, used = self._base.promised, self._base.ballot_used
        for record in records:
            if isinstance(record, BallotRecord):
                used = higher(used, record.ballot)
            elif isinstance(record, PromiseRecord | AcceptRecord):
                promised = higher(promised, record.ballot)
        if (promised, used) != (self._base.promised, self._base.ballot_used):
            self._base = replace(self._base, promised=promised, ballot_used=used)

    def _check_alive(self) -> None:
        if self._dead is not None:
            raise DiskFailed(f"{self._folder.path}: the log takes nothing more since: {self._dead}")

    # Batches -----------------------------------------------------------------------------

    def _append(self, body: bytes) -> None:
        sequence = self._sequence + 1
        frame = encode_frame(sequence, body, self._segment.shape.salt)
        self._segment.write(frame, self._offset)
        self._offset += len(frame)
        self._sequence = sequence

    def _roll(self, body_bytes: int) -> None:
        """Go on in a new segment; one made to measure if the batch is larger than a segment."""
        room = max(self._segment_bytes, HEADER_BYTES + frame_bytes(body_bytes))
        following = _new_segment(self._folder, self._segment.shape.number + 1, self._sequence + 1, room)
        self._segment.close()
        self._segment, self._offset = following, HEADER_BYTES

    def _release(self) -> None:
        self._segment.close()
        self._folder.close()


def _new_segment(folder: Folder, number: int, first: int, size_bytes: int) -> Segment:
    shape = Shape(number, first, size_bytes, folder.files.randbits(32))
    return Segment.create(folder.path, folder.identity, shape, folder.files)


def _settled(reading: Reading, segment_bytes: int) -> Segment:
    """The segment to go on in: what was read of it is durable, and nothing but zeros follows."""
    if reading.segment is None:
        return _new_segment(reading.folder, 1, 1, segment_bytes)
    if reading.last_frame is not None:
        at, data = reading.last_frame
        reading.segment.write(data, at)
    reading.segment.clear(reading.offset)
    return reading.segment

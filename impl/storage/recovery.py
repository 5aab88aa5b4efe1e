"""Reads a log from its first segment to its last, and says where it ends and what a crash left there.

It changes nothing. Whether a bad frame is torn or damaged is `frame`'s to say; what this file adds is the order
of segments: a segment is only made when every batch before it was synced, so only the last one may end torn,
no number may be missing, and each must begin with the batch that follows the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import UNSET

from ..core.records import AcceptRecord, Record
from .errors import DamagedLog
from .folder import Folder
from .records import decode_batch
from .segment import HEADER_BYTES, Segment, Tail, read_frames, segment_numbers, segment_path


class Reading:
    """One pass over the log of a folder: exhaust `records`, then read the rest."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.sequence = 0
        """The number of the last batch read."""
        self.segment: Segment | None = None
        """The segment that the log ends in, open; None if there is none."""
        self.offset = HEADER_BYTES
        """Where in it the next batch goes."""
        self.last_frame: tuple[int, bytes] | None = None
        """Where the last batch in it begins, and its bytes, if it has one."""
        base = folder.manifest.base
        self.first = 1 if base is UNSET else base.first
        """The number of the first segment that is not truncated."""
        self.slots: dict[int, int] = {}
        """By segment, the highest slot that was accepted in it."""
        self.torn: str | None = None
        """One line about the unfinished batch at the end, if there is one."""

    def records(self) -> Iterator[Record]:
        """Every record, in the order in which they were committed. Raises what `DurableLog.open` does."""
        found = segment_numbers(self.folder.path, self.folder.files)
        numbers = [number for number in found if number >= self.first]
        if not numbers and self.folder.manifest.boot > 0:
            raise _missing(self.folder, self.first)
        for expected, number in enumerate(numbers, start=self.first):
            if number != expected:
                raise _missing(self.folder, expected)
            self.close()
            yield from self._segment_records(number)
            if self.torn is not None and number != numbers[-1]:
                raise DamagedLog(
                    f"{self.torn}, though later segments follow; put back an intact copy of this file"
                )
        if self.sequence < self.folder.manifest.synced:
            raise DamagedLog(
                f"{self.folder.path}: the log ends with batch {self.sequence}, but batch "
                f"{self.folder.manifest.synced} was synced; put back the files that are missing, or replace the node"
            )

    def close(self) -> None:
        """Close the segment that is open, if any."""
        if self.segment is not None:
            self.segment.close()

    def _segment_records(self, number: int) -> Iterator[Record]:
        folder = self.folder
        self.segment, data = Segment.open(folder.path, folder.identity, number, folder.files)
        path, shape = self.segment.path, self.segment.shape
        if number == self.first > 1:
            self.sequence = shape.first - 1  # the batches before it are truncated
        if shape.first != self.sequence + 1:
            raise DamagedLog(
                f"{path}: begins with batch {shape.first}, but the segments before it end with batch {self.sequence}; "
                "put back intact copies of them"
            )
        self.offset, self.last_frame = HEADER_BYTES, None
        for read in read_frames(path, data, shape):
            if isinstance(read, Tail):
                if read.bad is not None:
                    self.torn = f"{path}: at byte {read.offset} {read.bad.reason}"
                return
            self.last_frame = (self.offset, data[self.offset : read.end])
            self.sequence, self.offset = read.sequence, read.end
            records = decode_batch(read.body, f"{path}: batch {read.sequence}")
            self.slots[number] = max(self.slots.get(number, 0), highest_slot(records))
            yield from records


def highest_slot(records: Iterable[Record]) -> int:
    """The highest slot that is accepted in any of these records; 0 if none is."""
    accepts = (record.entries for record in records if isinstance(record, AcceptRecord))
    return max((slot for entries in accepts for slot, _ in entries), default=0)


def _missing(folder: Folder, number: int) -> DamagedLog:
    return DamagedLog(f"{segment_path(folder.path, number)}: is missing; put it back, or replace the node")

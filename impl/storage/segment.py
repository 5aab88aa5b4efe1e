"""A segment is one preallocated file of the log: a header, then frames, then zeros.

It knows where frames go in a file, and what a file may look like after a crash; not what a record means, nor
which segment comes next.

A segment is made under a temporary name: its header and zeros up to its full size are written, the file is synced,
renamed, and the folder synced. From then on its size and its header never change, so a segment that is short,
or whose header cannot be read, was damaged and not torn. Real zeros, not a hole: writing into them later changes
no metadata, which makes fdatasync cheaper than on a growing file, and cannot run out of space.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from .errors import DamagedLog, WrongFolder, disk_error, name_error
from .files import REAL, Files, discard, read_bytes, write_all
from .folder import TEMPORARY, Identity, numbers_in
from .frame import SECTOR, BadFrame, Frame, blank, frame_bytes, later_frame, read_frame

HEADER_BYTES: Final = SECTOR

_MAGIC: Final = b"qSegmnt1"
_HEADER: Final = struct.Struct("<8sQQQII")
_PATTERN: Final = "log-*.segment"
_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Shape:
    """What a segment's header says."""

    number: int
    """Segments are numbered 1, 2, 3 ... in the order in which they are filled."""
    first: int
    """The sequence number of the first batch in it."""
    bytes: int
    salt: int
    """What the checksums of its frames start from."""


@dataclass(frozen=True, slots=True)
class Tail:
    """What stands in a segment behind its last whole frame."""

    offset: int
    bad: BadFrame | None
    """None if there are only zeros."""


class Segment:
    """An open segment file. Every error of the disk is raised as a StorageError."""

    def __init__(self, path: Path, descriptor: int, shape: Shape, files: Files) -> None:
        self.path = path
        self.shape = shape
        self._files = files
        self._descriptor = descriptor

    @classmethod
    def create(cls, folder: Path, identity: Identity, shape: Shape, files: Files) -> Self:
        """Make a segment that is durable before anything is written to it.

        When there is no space for it, no trace of it is left. When it has its name and that cannot be synced, nobody
        knows whether it is there after a crash: that is a DiskFailed even if it was for want of space, since going on
        in the segment before it would leave two that hold the same batches.
        """
        path = segment_path(folder, shape.number)
        beside = path.with_name(path.name + TEMPORARY)
        descriptor = -1
        try:
            descriptor = files.open(beside, "anew")
            write_all(files, descriptor, _encode_header(shape, identity).ljust(HEADER_BYTES, b"\0"), 0)
            _write_zeros(files, descriptor, HEADER_BYTES, shape.bytes)
            files.fsync(descriptor)
            files.rename(beside, path)
        except OSError as error:
            if descriptor >= 0:
                files.close(descriptor)
                discard(files, beside)
            raise disk_error(error, path, "make a new segment") from error
        try:
            files.sync_folder(folder)
        except OSError as error:
            files.close(descriptor)
            raise name_error(error, path) from error
        return cls(path, descriptor, shape, files)

    @classmethod
    def open(cls, folder: Path, identity: Identity, number: int, files: Files = REAL) -> tuple[Self, bytes]:
        """An existing segment, and all of its bytes. Raises DamagedLog, WrongFolder or DiskFailed."""
        path = segment_path(folder, number)
        try:
            data = read_bytes(files, path)
            shape = _decode_header(path, data, number, identity)
            return cls(path, files.open(path, "write"), shape, files), data
        except OSError as error:
            raise disk_error(error, path, "read") from error

    def fits(self, offset: int, body_bytes: int) -> bool:
        """Is there room at `offset` for a batch of `body_bytes`?"""
        return offset + frame_bytes(body_bytes) <= self.shape.bytes

    def write(self, data: bytes, offset: int) -> None:
        """Write at `offset`, and return when it is on disk."""
        try:
            write_all(self._files, self._descriptor, data, offset)
            self._files.fdatasync(self._descriptor)
        except OSError as error:
            raise disk_error(error, self.path, "write") from error

    def clear(self, start: int) -> None:
        """Zero everything from `start` on, durably: what a torn batch left must not look like a later one's."""
        try:
            _write_zeros(self._files, self._descriptor, start, self.shape.bytes)
            self._files.fdatasync(self._descriptor)
        except OSError as error:
            raise disk_error(error, self.path, "clear the tail of") from error

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        if self._descriptor >= 0:
            self._files.close(self._descriptor)
            self._descriptor = -1


def segment_path(folder: Path, number: int) -> Path:
    """Where a folder has the segment of this number."""
    return folder / _PATTERN.replace("*", f"{number:08d}")


def segment_numbers(folder: Path, files: Files = REAL) -> list[int]:
    """The numbers of the segments in a folder, in order."""
    return numbers_in(folder, _PATTERN, files)


def read_frames(path: Path, data: bytes, shape: Shape) -> Iterator[Frame | Tail]:
    """The frames of a segment in order, and then its tail.

    Raises DamagedLog if a frame is bad that later ones follow, or one that no crash can have left so.
    """
    offset, expected = HEADER_BYTES, shape.first
    while True:
        read = read_frame(data, offset, shape.salt)
        if isinstance(read, BadFrame):
            yield _tail(path, data, offset, shape, read)
            return
        if read.sequence != expected:
            raise _damaged(path, offset, f"batch {read.sequence} stands where batch {expected} must be")
        yield read
        offset, expected = read.end, expected + 1


def _tail(path: Path, data: bytes, offset: int, shape: Shape, bad: BadFrame) -> Tail:
    if blank(data[offset:]):
        return Tail(offset, None)
    later = later_frame(data, offset, shape.salt)
    if later is not None:
        raise _damaged(path, offset, f"{bad.reason}, and a later batch follows at byte {later}")
    if not bad.torn:
        raise _damaged(path, offset, bad.reason)
    return Tail(offset, bad)


def _damaged(path: Path, offset: int, reason: str) -> DamagedLog:
    return DamagedLog(
        f"{path}: damaged at byte {offset}: {reason}; put back an intact copy of this file, or replace the node "
        "(dropping the damage would forget what this node promised)"
    )


def _encode_header(shape: Shape, identity: Identity) -> bytes:
    checked = _HEADER.pack(_MAGIC, shape.number, shape.first, shape.bytes, shape.salt, _owner(identity))
    return checked + zlib.crc32(checked).to_bytes(4, "little")


def _decode_header(path: Path, data: bytes, number: int, identity: Identity) -> Shape:
    checked = data[: _HEADER.size]
    crc = int.from_bytes(data[_HEADER.size : _HEADER.size + 4], "little")
    if len(data) < HEADER_BYTES or not checked.startswith(_MAGIC) or zlib.crc32(checked) != crc:
        raise _damaged(path, 0, "the header of the segment cannot be read")
    _, *numbers, owner = _HEADER.unpack(checked)
    shape = Shape(*numbers)
    if owner != _owner(identity):
        raise WrongFolder(f"{path}: was written by another node; put back this node's own file")
    if shape.number != number:
        raise _damaged(path, 0, f"this is segment {shape.number} under the name of segment {number}")
    if shape.bytes != len(data):
        raise _damaged(path, len(data), f"the file has {len(data)} bytes and was made with {shape.bytes}")
    return shape


def _owner(identity: Identity) -> int:
    return zlib.crc32(f"{identity.cluster}\0{identity.node}".encode())


def _write_zeros(files: Files, descriptor: int, start: int, stop: int) -> None:
    zeros = bytes(min(_CHUNK_BYTES, stop - start))
    for at in range(start, stop, _CHUNK_BYTES):
        write_all(files, descriptor, zeros[: min(_CHUNK_BYTES, stop - at)], at)

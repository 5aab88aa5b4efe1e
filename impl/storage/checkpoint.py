"""A checkpoint is one file: the state machine as a slot left it, written beside, checked, synced and renamed.

It knows a file's header, its checksum and its pieces; not what the state machine is, nor which checkpoint counts (the
manifest says so). A file is

    header    36 bytes: magic, slot, size of the file, checksum of the content, the cluster, checksum of the header
    content   what the state machine made of itself

and the same at every node of a cluster: a node that is too far behind is sent the file as it is.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .errors import DamagedLog, disk_error
from .files import REAL, Files, discard, opened, pieces, write_all
from .folder import TEMPORARY, numbers_in

READ_BYTES: Final = 1 << 20

_MAGIC: Final = b"qChkPnt1"
_HEADER: Final = struct.Struct("<8sQQII")
_PATTERN: Final = "checkpoint-*.state"
_INCOMING: Final = f"incoming{TEMPORARY}"

HEADER_BYTES: Final = _HEADER.size + 4


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint in a folder, whose header was read."""

    path: Path
    slot: int
    size_bytes: int
    crc: int
    files: Files = field(repr=False, compare=False)

    def content(self) -> Iterator[bytes]:
        """What the state machine wrote, in pieces. Raises DamagedLog, at the end, if it has changed since."""
        crc = 0
        try:
            with opened(self.files, self.path, "read") as descriptor:
                for piece in pieces(self.files, descriptor, HEADER_BYTES, READ_BYTES):
                    crc = zlib.crc32(piece, crc)
                    yield piece
        except OSError as error:
            raise disk_error(error, self.path, "read") from error
        if crc != self.crc:
            raise _damaged(self.path, "its checksum is wrong")


def checkpoint_path(folder: Path, slot: int) -> Path:
    """Where a folder has the checkpoint of this slot."""
    return folder / _PATTERN.replace("*", f"{slot:016d}")


def checkpoint_slots(folder: Path, files: Files = REAL) -> list[int]:
    """The slots of the checkpoints in a folder, in order."""
    return numbers_in(folder, _PATTERN, files)


def write_checkpoint(folder: Path, cluster: str, slot: int, content: Iterable[bytes], files: Files) -> int:
    """Write a checkpoint, and return its size once it is durable under its name.

    Raises DiskFull or DiskFailed; then no trace of it is left.
    """
    path = checkpoint_path(folder, slot)
    beside = path.with_name(path.name + TEMPORARY)
    size, crc = HEADER_BYTES, 0
    try:
        with opened(files, beside, "anew") as descriptor:
            for piece in content:
                write_all(files, descriptor, piece, size)
                size, crc = size + len(piece), zlib.crc32(piece, crc)
            write_all(files, descriptor, _encode_header(cluster, slot, size, crc), 0)
            files.fsync(descriptor)
        files.rename(beside, path)
        files.sync_folder(folder)
    except OSError as error:
        discard(files, beside)
        raise disk_error(error, path, "write the checkpoint") from error
    return size


def stored_checkpoint(folder: Path, cluster: str, slot: int, files: Files) -> StoredCheckpoint:
    """The checkpoint of a slot. Raises DamagedLog if it is not there, or cannot be one."""
    path = checkpoint_path(folder, slot)
    try:
        with opened(files, path, "read") as descriptor:
            header = files.pread(descriptor, HEADER_BYTES, 0)
            size = files.size(descriptor)
    except FileNotFoundError as error:
        raise DamagedLog(f"{path}: is missing; put it back, or replace the node") from error
    except OSError as error:
        raise disk_error(error, path, "read") from error
    if (fault := _fault(header, size, cluster, slot)) is not None:
        raise _damaged(path, fault)
    return StoredCheckpoint(path, slot, size, _HEADER.unpack(header[: _HEADER.size])[3], files)


def read_piece(folder: Path, slot: int, offset: int, room: int, files: Files) -> tuple[int, bytes] | None:
    """The size of a checkpoint, and up to `room` bytes of its file from `offset` on; None if it is gone."""
    path = checkpoint_path(folder, slot)
    try:
        with opened(files, path, "read") as descriptor:
            return files.size(descriptor), files.pread(descriptor, room, offset)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk_error(error, path, "read") from error


class IncomingCheckpoint:
    """Another node's checkpoint as it comes, piece by piece, in a file that is nothing before it is whole."""

    def __init__(self, folder: Path, cluster: str, files: Files) -> None:
        self._folder = folder
        self._files = files
        self._cluster = cluster
        self._path = folder / _INCOMING

    def keep(self, offset: int, data: bytes) -> None:
        """Keep a piece; the one at 0 begins anew. Raises DiskFull, after which none is kept, or DiskFailed."""
        try:
            with opened(self._files, self._path, "anew" if offset == 0 else "write") as descriptor:
                write_all(self._files, descriptor, data, offset)
        except OSError as error:
            discard(self._files, self._path)
            raise disk_error(error, self._path, "write") from error

    def install(self, slot: int) -> int | None:
        """Make it durable under its name, if it is whole and of this slot, and return its size; None if it is not."""
        try:
            with opened(self._files, self._path, "write") as descriptor:
                header = self._files.pread(descriptor, HEADER_BYTES, 0)
                size, crc = HEADER_BYTES, 0
                for piece in pieces(self._files, descriptor, HEADER_BYTES, READ_BYTES):
                    size, crc = size + len(piece), zlib.crc32(piece, crc)
                fault = _fault(header, size, self._cluster, slot)
                if fault is not None or crc != _HEADER.unpack(header[: _HEADER.size])[3]:
                    self._files.unlink(self._path)
                    return None
                self._files.fsync(descriptor)
            self._files.rename(self._path, checkpoint_path(self._folder, slot))
            self._files.sync_folder(self._folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk_error(error, self._path, "install") from error
        return size


def _encode_header(cluster: str, slot: int, size: int, crc: int) -> bytes:
    fields = _HEADER.pack(_MAGIC, slot, size, crc, zlib.crc32(cluster.encode()))
    return fields + zlib.crc32(fields).to_bytes(4, "little")


def _fault(header: bytes, size: int, cluster: str, slot: int) -> str | None:
    """Why a file of this size that begins so is not the cluster's checkpoint of this slot; None if it may be."""
    fields = header[: _HEADER.size]
    if len(header) < HEADER_BYTES or zlib.crc32(fields) != int.from_bytes(header[_HEADER.size :], "little"):
        return "its header cannot be read"
    magic, of_slot, of_size, _, of_cluster = _HEADER.unpack(fields)
    if magic != _MAGIC or of_cluster != zlib.crc32(cluster.encode()):
        return "it is another cluster's"
    if of_slot != slot:
        return f"it is the checkpoint of slot {of_slot}"
    return None if of_size == size else f"it has {size} bytes and was written with {of_size}"


def _damaged(path: Path, why: str) -> DamagedLog:
    return DamagedLog(f"{path}: is damaged: {why}; put back an intact copy of this file, or replace the node")

"""A backup is one file: the state machine as a slot left it, with whose it is, when it was taken, and a checksum.

It does not know nodes or data folders (`restore` makes those of it), nor how the file comes to where it is kept. A file
is

    quorate backup 1\\n     the first line
    {"cluster": ...}\\n     the second: an `About`, in JSON
    image                  what the state machine made of itself (`impl.kv.image`)
    checksum               36 bytes: four zeros, where an image has the length of a part, and the SHA-256 of all before

It can be written as a stream, and whoever reads it can tell one that breaks off from one that is whole.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import msgspec

from ..decoding import UNREADABLE
from .kv.image import BadImage, Beginning, beginning
from .storage.files import REAL, discard

FIRST_LINE: Final = b"quorate backup 1\n"
ABOUT_BYTES_MAX: Final = 4096
READ_BYTES: Final = 1 << 20

_END: Final = bytes(4)
_CHECKSUM_BYTES: Final = len(_END) + hashlib.sha256().digest_size


class BadBackup(Exception):
    """A file is no backup, or not a whole one, or cannot be read or written; the text is one line with what to do."""


class About(msgspec.Struct, frozen=True):
    """What a backup says of itself."""

    cluster: str
    node: str
    """Who it was taken of."""
    slot: int
    """Every slot up to it is in the image."""
    taken: str
    """When, in UTC, as ISO 8601 has it."""
    current: bool
    """Is everything in it that was answered before it was asked for? If not, it is what one node knew by itself."""


def about(cluster: str, node: str, slot: int, *, current: bool) -> About:
    """What is said of a backup that is taken now."""
    return About(cluster, node, slot, datetime.now(UTC).isoformat(timespec="seconds"), current)


def encoded(said: About, image: Iterable[bytes]) -> Iterator[bytes]:
    """A backup as a stream: the bytes of its file, piece by piece."""
    checksum = hashlib.sha256()
    for piece in _content(said, image):
        checksum.update(piece)
        yield piece
    yield _END
    checksum.update(_END)
    yield checksum.digest()


def _content(said: About, image: Iterable[bytes]) -> Iterator[bytes]:
    yield FIRST_LINE + msgspec.json.encode(said) + b"\n"
    yield from image


def write(path: Path, stream: Iterable[bytes]) -> Backup:
    """Keep a stream as a file, and return it when it is durable, and was read back whole.

    Raises BadBackup, also if there is such a file already; then no trace is left of it.
    """
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")  # FILE.tmp may be somebody's
    if os.path.lexists(path):
        raise BadBackup(f"{path}: is there already; name another file")
    try:
        with beside.open("xb") as file:
            for piece in stream:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        Backup.open(beside).verify()
        beside.rename(path)
        REAL.sync_folder(path.parent)
    except OSError as error:
        raise BadBackup(f"{path}: cannot be written: {error.strerror}; name another file") from error
    finally:
        discard(REAL, beside)
    return Backup.open(path)


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup whose beginning and end were read."""

    path: Path
    about: About
    begins: Beginning
    """What its image says of itself."""
    size_bytes: int
    _image_at: int

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read what a file says of itself. Raises BadBackup if it is no backup, or breaks off."""
        try:
            with path.open("rb") as file:
                if file.read(len(FIRST_LINE)) != FIRST_LINE:
                    raise BadBackup(f"{path}: is no backup; name a file that `quorate backup` made")
                said = _about(path, file.readline(ABOUT_BYTES_MAX))
                image_at = file.tell()
                size = file.seek(0, os.SEEK_END)
                file.seek(max(image_at, size - _CHECKSUM_BYTES))
                if file.read(len(_END)) != _END:
                    raise BadBackup(f"{path}: breaks off; take it again, or use another copy")
                file.seek(image_at)
                begins = beginning(iter(lambda: file.read(4096), b""))
        except OSError as error:
            raise _unreadable(path, error) from error
        except BadImage as error:
            raise BadBackup(
                f"{path}: of its image, {error}; use the version that wrote it, or another copy"
            ) from error
        return cls(path, said, begins, size, image_at)

    def image(self) -> Iterator[bytes]:
        """The image, in pieces. Raises BadBackup, at the end, if anything in the file was changed."""
        checksum = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                checksum.update(file.read(self._image_at))
                left = self.size_bytes - self._image_at - _CHECKSUM_BYTES
                while left > 0 and (piece := file.read(min(READ_BYTES, left))):
                    left -= len(piece)
                    checksum.update(piece)
                    yield piece
                checksum.update(file.read(len(_END)))
                if left or file.read() != checksum.digest():
                    raise BadBackup(f"{self.path}: is damaged: its checksum is wrong; use another copy")
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def verify(self) -> None:
        """Read all of it. Raises BadBackup if anything in it was changed."""
        for _ in self.image():
            pass


def _about(path: Path, line: bytes) -> About:
    try:
        return msgspec.json.decode(line, type=About)
    except UNREADABLE as error:
        raise BadBackup(
            f"{path}: is damaged: its second line cannot be read ({error}); use another copy"
        ) from error


def _unreadable(path: Path, error: OSError) -> BadBackup:
    return BadBackup(f"{path}: cannot be read: {error.strerror}; name a file that `quorate backup` made")

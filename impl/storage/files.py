"""What storage asks of the operating system, in a dozen verbs: real files answer them, or a simulated disk.

It knows neither what stands in a file nor what an error means for the log: every verb raises OSError with its errno,
and `errors` finds the words. Paths are only names here; an open file is its descriptor, a number.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal, Protocol

Mode = Literal["read", "write", "anew"]
"""How a file is opened: to be read; to be written too, where it is there; to be written from nothing, whatever was
there."""

_FLAGS: Final[dict[Mode, int]] = {
    "read": os.O_RDONLY,
    "write": os.O_RDWR,
    "anew": os.O_RDWR | os.O_CREAT | os.O_TRUNC,
}


class Files(Protocol):
    """A file system as storage sees it. What was written survives a crash once it is synced, and not before; a name,
    once its folder is."""

    def open(self, path: Path, mode: Mode) -> int:
        """The descriptor of a file."""
        ...

    def lock(self, path: Path) -> int:
        """The descriptor of a file that nobody else can lock until it is closed, made if need be.

        Raises BlockingIOError if it is locked.
        """
        ...

    def close(self, descriptor: int) -> None: ...

    def pwrite(self, descriptor: int, data: memoryview, offset: int) -> int:
        """How many bytes of `data` were written at `offset`: at least one."""
        ...

    def pread(self, descriptor: int, room: int, offset: int) -> bytes:
        """At most `room` bytes from `offset` on; none at the end of the file."""
        ...

    def size(self, descriptor: int) -> int:
        """The size of an open file in bytes."""
        ...

    def fdatasync(self, descriptor: int) -> None:
        """Make durable what was written to a file, and its size."""
        ...

    def fsync(self, descriptor: int) -> None:
        """Make durable what was written to a file, and everything else that is known of it but its name."""
        ...

    def rename(self, path: Path, to: Path) -> None:
        """Give a file another name in its folder, in the place of what has that name."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file, if it is there."""
        ...

    def mkdir(self, path: Path) -> None:
        """Make a folder in one that is there."""
        ...

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, in any order."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        ...

    def randbits(self, bits: int) -> int:
        """A number of so many bits that no other call has drawn."""
        ...


class RealFiles:
    """The files of the operating system, each verb by its call of that name."""

    def open(self, path: Path, mode: Mode) -> int:
        return os.open(path, _FLAGS[mode] | os.O_CLOEXEC, 0o644)

    def lock(self, path: Path) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def pwrite(self, descriptor: int, data: memoryview, offset: int) -> int:
        return os.pwrite(descriptor, data, offset)

    def pread(self, descriptor: int, room: int, offset: int) -> bytes:
        return os.pread(descriptor, room, offset)

    def size(self, descriptor: int) -> int:
        return os.fstat(descriptor).st_size

    def fdatasync(self, descriptor: int) -> None:
        os.fdatasync(descriptor)

    def fsync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def rename(self, path: Path, to: Path) -> None:
        path.rename(to)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def mkdir(self, path: Path) -> None:
        path.mkdir()

    def names(self, folder: Path) -> list[str]:
        return os.listdir(folder)

    def sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def randbits(self, bits: int) -> int:
        return secrets.randbits(bits)


REAL: Final[Files] = RealFiles()


@contextmanager
def opened(files: Files, path: Path, mode: Mode) -> Iterator[int]:
    """The descriptor of a file, which is closed afterwards."""
    descriptor = files.open(path, mode)
    try:
        yield descriptor
    finally:
        files.close(descriptor)


def discard(files: Files, path: Path) -> None:
    """Remove a file that is of no use, as far as that is possible: what went wrong with it was said already."""
    with suppress(OSError):
        files.unlink(path)


def write_all(files: Files, descriptor: int, data: bytes, offset: int) -> None:
    """pwrite until everything is written: a write that was cut short says why when it goes on."""
    view = memoryview(data)
    while view:
        written = files.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def pieces(files: Files, descriptor: int, offset: int, room: int) -> Iterator[bytes]:
    """What a file holds from `offset` on, at most `room` bytes at a time."""
    while piece := files.pread(descriptor, room, offset):
        yield piece
        offset += len(piece)


def read_bytes(files: Files, path: Path) -> bytes:
    """All that a file holds."""
    with opened(files, path, "read") as descriptor:
        return b"".join(pieces(files, descriptor, 0, files.size(descriptor) + 1))

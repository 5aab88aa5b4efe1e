"""What can go wrong with a data folder, each as one line that says what, where and what to do.

It does not know how anything is found out: it only gives the words. Every error here is a `StorageError`,
and `str()` of it is the line to print.
"""

from __future__ import annotations

import errno
from pathlib import Path


class StorageError(Exception):
    """Something is wrong with a data folder; the text is one line for the person who runs the node."""


class WrongFolder(StorageError):
    """The folder is not this node's: another node's, another cluster's, or no data folder at all."""


class FolderInUse(StorageError):
    """Another process holds the folder."""


class UnknownFormat(StorageError):
    """The folder was written by a version that knows more than this one."""


class DamagedLog(StorageError):
    """Something that was synced cannot be read back. Going on would forget a promise or an acceptance."""


class DiskFull(StorageError):
    """There is no room for what must be written; what was synced before stays."""


class DiskFailed(StorageError):
    """The disk refused to read, write or sync; nothing after that may be believed."""


def disk_error(error: OSError, path: Path, act: str) -> StorageError:
    """The line for an error of the operating system while doing `act` ("write", "sync" ...) to `path`."""
    why = error.strerror or str(error)
    if error.errno in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EMFILE,
        errno.ENFILE,
    ):  # what is full now has room later
        return DiskFull(f"{path}: cannot {act}: {why}; make room, nothing synced is lost")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return WrongFolder(f"{path}: cannot {act}: {why}; give the user of this process the right to")
    return DiskFailed(f"{path}: cannot {act}: {why}; check the disk, then start the node again")


def name_error(error: OSError, path: Path) -> DiskFailed:
    """The line for a new file whose name may or may not be durable, for want of room as for any other reason."""
    return DiskFailed(
        f"{path}: cannot make its name durable: {error.strerror or error}; check the disk, then start the node again"
    )

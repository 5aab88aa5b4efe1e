"""A data folder belongs to one node of one cluster, and to one process at a time.

It knows the lock and the manifest (who owns the folder, and its boot number), not the log beside them.

    lock            held while a process uses the folder
    manifest.json   replaced as a whole: written beside, synced, renamed, the folder synced

A folder that was emptied is a new folder: the node that starts in it has forgotten what it promised. Never
give a node a new folder under its old name while the cluster it was a member of lives on.
"""

from __future__ import annotations

import errno
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from ...decoding import UNREADABLE
from ..core.messages import Ballot
from .errors import DamagedLog, FolderInUse, UnknownFormat, WrongFolder, disk_error
from .files import Files, opened, read_bytes, write_all

FORMAT: Final = 2
"""The version of everything in a data folder; one that is higher is refused. With 2 came checkpoints."""

LOCK: Final = "lock"
MANIFEST: Final = "manifest.json"
TEMPORARY: Final = ".tmp"
"""How the name of a file ends that is not yet whole; such a file is removed when the folder is opened."""


_NOT_OURS: Final = (errno.EACCES, errno.EPERM, errno.EINVAL)
"""Why a folder high up is not synced: it belongs to somebody else, or its file system has nothing to sync."""


class Identity(msgspec.Struct, frozen=True):
    """Whose folder it is."""

    cluster: str
    node: str


class Base(msgspec.Struct, frozen=True):
    """What the log rests on, once it has been truncated or a checkpoint was taken."""

    checkpoint: int
    """The slot of the checkpoint that counts: it is durable under its name."""
    first: int
    """The number of the first segment; those before it are truncated."""
    promised: Ballot | None
    """The highest ballot that any record of a truncated segment joined or accepted in; perhaps a later one."""
    ballot_used: Ballot | None
    """The same of the node's own ballots."""


class Manifest(msgspec.Struct, frozen=True):
    """What a folder says about itself."""

    format: int
    cluster: str
    node: str
    boot: int
    """How often the node was started in this folder."""
    synced: int
    """A log that ends before this batch has lost something: it was on disk when the manifest was written."""
    base: Base | UnsetType = UNSET
    """What the log rests on; nothing if it goes back to the beginning."""
    crc: int = 0
    """Of the manifest without it: a boot number misread is a boot number used twice."""


class Folder:
    """A locked data folder. Opening it makes it when there is none; `close` lets go of it."""

    def __init__(self, path: Path, identity: Identity, files: Files) -> None:
        """Lock the folder and read its manifest.

        Raises WrongFolder, FolderInUse, UnknownFormat, DamagedLog, DiskFull or DiskFailed.
        """
        self.path = path
        self.identity = identity
        self.files = files
        self._lock = _lock(path, files)
        try:
            self.manifest = self._read_manifest()
            for name in files.names(path):
                if name.endswith(TEMPORARY):
                    files.unlink(path / name)
        except OSError as error:
            self.close()
            raise disk_error(error, path, "read") from error
        except BaseException:
            self.close()
            raise

    def begin_boot(self, synced: int) -> int:
        """Count one more start of the node, durably, and return its number."""
        self._write(msgspec.structs.replace(self.manifest, boot=self.manifest.boot + 1, synced=synced))
        return self.manifest.boot

    def note_synced(self, synced: int) -> None:
        """Keep, durably, how far the log reaches."""
        self._write(msgspec.structs.replace(self.manifest, synced=synced))

    def rest_on(self, base: Base) -> None:
        """Keep, durably, what the log rests on from here on."""
        self._write(msgspec.structs.replace(self.manifest, format=FORMAT, base=base))

    def close(self) -> None:
        """Let go of the folder. A second call does nothing."""
        if self._lock >= 0:
            self.files.close(self._lock)
            self._lock = -1

    def _read_manifest(self) -> Manifest:
        path = self.path / MANIFEST
        try:
            text = read_bytes(self.files, path)
        except FileNotFoundError:
            return self._first_manifest()
        version = _decode(path, text, _Versioned).format
        if version > FORMAT:
            raise UnknownFormat(
                f"{path}: format {version} is newer than {FORMAT}; start the node with the version that wrote it"
            )
        manifest = _decode(path, text, Manifest)
        if manifest != _sealed(manifest):
            raise DamagedLog(f"{path}: is damaged (its checksum is wrong); put back the file that was there")
        if (manifest.cluster, manifest.node) != (self.identity.cluster, self.identity.node):
            raise WrongFolder(
                f"{self.path}: the folder belongs to node {manifest.node!r} of cluster {manifest.cluster!r}, not to "
                f"{self.identity.node!r} of {self.identity.cluster!r}; give each node a data folder of its own"
            )
        if manifest.boot == 0:
            self.files.sync_folder(self.path)  # the first start died, perhaps before it did
        return manifest

    def _first_manifest(self) -> Manifest:
        self._keep()
        self._write(Manifest(FORMAT, self.identity.cluster, self.identity.node, boot=0, synced=0))
        return self.manifest

    def _keep(self) -> None:
        """Make durable the way to a new folder, which this start may have made, or one that died: a folder that is gone
        after a crash has forgotten what was promised in it."""
        for above in self.path.parents:
            try:
                self.files.sync_folder(above)
            except OSError as error:
                if error.errno not in _NOT_OURS:
                    raise disk_error(error, above, "sync") from error

    def _write(self, manifest: Manifest) -> None:
        path = self.path / MANIFEST
        beside = path.with_name(path.name + TEMPORARY)
        sealed = _sealed(manifest)
        try:
            with opened(self.files, beside, "anew") as descriptor:
                write_all(self.files, descriptor, msgspec.json.format(msgspec.json.encode(sealed)) + b"\n", 0)
                self.files.fsync(descriptor)
            self.files.rename(beside, path)
            self.files.sync_folder(self.path)
        except OSError as error:
            raise disk_error(error, path, "write") from error
        self.manifest = sealed


def _sealed(manifest: Manifest) -> Manifest:
    """The manifest with the checksum that it should have."""
    plain = msgspec.structs.replace(manifest, crc=0)
    return msgspec.structs.replace(plain, crc=zlib.crc32(msgspec.json.encode(plain)))


class _Versioned(msgspec.Struct):
    format: int


Shape = TypeVar("Shape")


def _decode(path: Path, text: bytes, kind: type[Shape]) -> Shape:
    try:
        return msgspec.json.decode(text, type=kind)
    except UNREADABLE as error:
        raise DamagedLog(f"{path}: is damaged ({error}); put back the file that was there") from error


def _lock(path: Path, files: Files) -> int:
    """Make the folder if need be, and hold its lock; returns the descriptor that holds it."""
    try:
        try:
            names = files.names(path)
        except FileNotFoundError:
            _make(path, files)
        else:
            _refuse_strangers(path, names)
        return files.lock(path / LOCK)
    except NotADirectoryError as error:
        raise WrongFolder(f"{path}: is not a folder; name a data folder") from error
    except BlockingIOError as error:
        raise FolderInUse(f"{path}: another process uses this data folder; stop it first") from error
    except OSError as error:
        raise disk_error(error, path, "open the data folder") from error


def _make(path: Path, files: Files) -> None:
    """Make a folder, and those above it that are missing."""
    try:
        files.mkdir(path)
    except FileNotFoundError:
        _make(path.parent, files)
        files.mkdir(path)


def _refuse_strangers(path: Path, names: Sequence[str]) -> None:
    """Touch nothing in a folder that is not ours: one without a manifest must be empty, but for a first start's."""
    strangers = sorted({*names} - {LOCK, MANIFEST + TEMPORARY})
    if MANIFEST not in names and strangers:
        raise WrongFolder(
            f"{path}: holds {strangers[0]!r} but no {MANIFEST}; name a folder that is empty or does not exist"
        )


def numbers_in(folder: Path, pattern: str, files: Files) -> list[int]:
    """What stands for the * of a pattern in the names of a folder, where that is a number, in order."""
    before, _, behind = pattern.partition("*")
    try:
        names = files.names(folder)
    except OSError as error:
        raise disk_error(error, folder, "list") from error
    found = [name for name in names if name.startswith(before) and name.endswith(behind)]
    numbers = (name.removeprefix(before).removesuffix(behind) for name in found)
    return sorted(int(number) for number in numbers if number.isascii() and number.isdigit())

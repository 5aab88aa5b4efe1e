"""A disk in memory for one node of a simulation, which knows what of it a crash may leave.

It answers the verbs of storage (`Files`) and knows nothing of logs. Of each file it has what a reader sees (the cache)
and what is on the disk, with the writes between the two in their order; of each folder the same of its names.

    sync            what was written is on the disk
    failed sync     it is not, and never will be: the cache counts as clean, until a crash takes it away
    kill            the process is gone, its locks with it; the cache stays
    power loss      of each write since the last sync all sectors, none or any are on the disk, whatever became of the
                    writes before it; where a sector was written twice, it is as it was at some moment since. A file
                    that grew has its new size or not, with zeros for what did not land. Of the changes to the names in
                    a folder each is kept or lost. The cache is what the disk holds
    interruption    a pwrite that `before` raises from has written up to any byte

Where real disks and file systems differ this one is worse: a file made anew under a taken name may be found as it was,
whether its own data was synced or not. Better than the worst in two things: a folder whose sync failed can be synced
again, for no file system goes on with half a journal; and a sector is whole or not at all.

What happens is a function of the calls and of the numbers drawn: nothing depends on a hash, an address or a clock.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from ..storage.files import Mode
from ..storage.frame import SECTOR

Before = Callable[[str, Path], None]
"""Called with a verb of `Files` and the path it is about, before anything is done."""


class SimulatedDisk:
    """One node's files. A simulation is one thread; so is this."""

    def __init__(self, random: Random, *, capacity_bytes: int | None = None) -> None:
        self.capacity_bytes = capacity_bytes
        """What all files together may hold; None for no limit. Files that are too large already stay."""
        self.before: Before | None = None
        """What it raises, the caller of the verb gets; the verb was then not carried out, or a pwrite in part."""
        self.used_bytes = 0
        """What all files that have a name hold together."""
        self._random = random
        self._root = _Folder()
        self._open: dict[int, _Open] = {}
        self._opened = 0
        """How often a file was opened: a descriptor is never used again, and one from before a crash never works."""
        self._failing: dict[str, int] = {}
        """By kind of verb, the error that the next one raises."""

    # What a simulator does to it ---------------------------------------------------------

    def crash(self, *, power: bool = True) -> None:
        """End the process, or with `power` the supply of current, as told above."""
        self._open.clear()
        if power:
            self._root.crash(self._random)
            self.used_bytes = 0
            for file in self._root.files():
                file.named = True
                self.used_bytes += len(file.cache)

    def fail_next_sync(self, code: int = errno.EIO) -> None:
        """Let the next sync, of a file or a folder, raise this error."""
        self._failing["sync"] = code

    def fail_next_read(self, code: int = errno.EIO) -> None:
        """Let the next pread raise this error."""
        self._failing["read"] = code

    def rot(self, path: Path, start: int = 0, stop: int | None = None, *, bits: int = 1) -> list[int]:
        """Flip a bit in each of so many bytes, drawn from what is on the disk of a file from start to stop; returns
        which bytes.

        A reader sees them where nothing newer is in the cache. Raises OSError if the file is not there, and ValueError
        if the disk has fewer bytes there.
        """
        file = self._file(path)
        places = self._random.sample(range(len(file.disk))[start:stop], bits)
        for at in places:
            file.flip(at, 1 << self._random.randrange(8))
        return places

    # What storage asks of it -------------------------------------------------------------

    def open(self, path: Path, mode: Mode) -> int:
        self._begin("open", path)
        if mode != "anew":
            return self._descriptor(path, self._file(path), writable=mode == "write")
        return self._descriptor(path, self._create(path), writable=True)

    def lock(self, path: Path) -> int:
        self._begin("lock", path)
        folder, name = self._place(path)
        file = self._file(path) if name in folder.names else self._create(path)
        if any(held.locks and held.file is file for held in self._open.values()):
            raise _error(errno.EAGAIN, path)
        return self._descriptor(path, file, writable=True, locks=True)

    def close(self, descriptor: int) -> None:
        """Close a file. One that a crash closed is closed again for nothing, by who is told of the crash."""
        self._open.pop(descriptor, None)

    def pwrite(self, descriptor: int, data: memoryview, offset: int) -> int:
        path, file, writable, _ = self._held(descriptor)
        if not writable:
            raise _error(errno.EBADF, path)
        if self.before is not None:
            try:
                self.before("pwrite", path)
            except BaseException:
                if descriptor in self._open:
                    with suppress(OSError):
                        self._write(path, file, data[: self._random.randint(0, len(data))], offset)
                raise
        return self._write(path, file, data, offset)

    def pread(self, descriptor: int, room: int, offset: int) -> bytes:
        path, file, *_ = self._held(descriptor)
        self._begin("pread", path, "read")
        with memoryview(file.cache) as view:
            return bytes(view[offset : offset + room])

    def size(self, descriptor: int) -> int:
        path, file, *_ = self._held(descriptor)
        self._begin("size", path)
        return len(file.cache)

    def fdatasync(self, descriptor: int) -> None:
        self._sync("fdatasync", descriptor)

    def fsync(self, descriptor: int) -> None:
        self._sync("fsync", descriptor)

    def rename(self, path: Path, to: Path) -> None:
        self._begin("rename", path)
        folder, name = self._place(path)
        target, new_name = self._place(to)
        if target is not folder:
            raise _error(errno.EXDEV, to)
        file = self._file(path)
        if new_name != name:
            self._let_go(folder.names.get(new_name))
            folder.change({name: None, new_name: file})

    def unlink(self, path: Path) -> None:
        self._begin("unlink", path)
        folder, name = self._place(path)
        if name in folder.names:
            self._let_go(self._file(path))
            folder.change({name: None})

    def mkdir(self, path: Path) -> None:
        self._begin("mkdir", path)
        folder, name = self._place(path)
        if name in folder.names:
            raise _error(errno.EEXIST, path)
        folder.change({name: _Folder()})

    def names(self, folder: Path) -> list[str]:
        self._begin("names", folder)
        return list(self._folder(folder).names)

    def sync_folder(self, folder: Path) -> None:
        found = self._folder(folder)
        self._begin("sync_folder", folder, "sync")
        found.sync()

    def randbits(self, bits: int) -> int:
        return self._random.getrandbits(bits)

    # The same, in pieces -----------------------------------------------------------------

    def _begin(self, verb: str, path: Path, kind: str = "") -> None:
        if self.before is not None:
            self.before(verb, path)
        if kind in self._failing:
            raise _error(self._failing.pop(kind), path)

    def _write(self, path: Path, file: _File, data: memoryview, offset: int) -> int:
        grown = offset + len(data) - len(file.cache)
        if grown > 0 and file.named:
            if self.capacity_bytes is not None:
                beyond = min(grown, self.used_bytes + grown - self.capacity_bytes)
                if beyond >= len(data):
                    raise _error(errno.ENOSPC, path)
                if beyond > 0:
                    data, grown = data[:-beyond], grown - beyond
            self.used_bytes += grown
        file.write(bytes(data), offset)
        return len(data)

    def _sync(self, verb: str, descriptor: int) -> None:
        path, file, *_ = self._held(descriptor)
        try:
            self._begin(verb, path, "sync")
        except OSError:
            file.lose()
            raise
        file.sync()

    def _create(self, path: Path) -> _File:
        folder, name = self._place(path)
        if name in folder.names:
            self._let_go(self._file(path))
        made = _File()
        folder.change({name: made})
        return made

    def _let_go(self, file: _File | _Folder | None) -> None:
        if isinstance(file, _File):
            file.named = False
            self.used_bytes -= len(file.cache)

    def _descriptor(self, path: Path, file: _File, *, writable: bool, locks: bool = False) -> int:
        self._opened += 1
        self._open[self._opened] = _Open(path, file, writable, locks)
        return self._opened

    def _held(self, descriptor: int) -> _Open:
        try:
            return self._open[descriptor]
        except KeyError:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None

    def _file(self, path: Path) -> _File:
        folder, name = self._place(path)
        found = folder.names.get(name)
        if isinstance(found, _File):
            return found
        raise _error(errno.ENOENT if found is None else errno.EISDIR, path)

    def _folder(self, path: Path) -> _Folder:
        found = self._root
        for part in path.parts[1:] if path.anchor else path.parts:
            child = found.names.get(part)
            if not isinstance(child, _Folder):
                raise _error(errno.ENOENT if child is None else errno.ENOTDIR, path)
            found = child
        return found

    def _place(self, path: Path) -> tuple[_Folder, str]:
        return self._folder(path.parent), path.name


class _File:
    """What a reader sees of a file, what is on the disk, and what lies between."""

    __slots__ = ("cache", "disk", "lost", "named", "unsynced")

    def __init__(self) -> None:
        self.cache = bytearray()
        self.disk = bytearray()
        self.unsynced: list[tuple[int, bytes]] = []
        """What was written since the last sync, in order, as offset and bytes."""
        self.lost: list[tuple[int, bytes]] = []
        """What was in a sync that failed, since the last crash."""
        self.named = True
        """Does it take room?"""

    def write(self, data: bytes, offset: int) -> None:
        _put(self.cache, offset, data)
        self.unsynced.append((offset, data))

    def sync(self) -> None:
        for offset, data in self.unsynced:
            _put(self.disk, offset, data)
        self.unsynced.clear()

    def lose(self) -> None:
        """A sync failed."""
        self.lost += self.unsynced
        self.unsynced.clear()

    def flip(self, at: int, bit: int) -> None:
        if self.cache[at] == self.disk[at]:
            self.cache[at] ^= bit
        self.disk[at] ^= bit

    def crash(self, random: Random) -> None:
        if not self.unsynced and not self.lost:
            return
        landed: dict[int, int] = {}
        for index in reversed(range(len(self.unsynced))):
            offset, data = self.unsynced[index]
            for sector in _landing(_sectors(offset, data), random):
                landed.setdefault(sector, index)
        for index, (offset, data) in enumerate(self.unsynced):
            for sector in _sectors(offset, data):
                if landed.get(sector, -1) >= index:
                    start = max(offset, sector * SECTOR)
                    _put(self.disk, start, data[start - offset : (sector + 1) * SECTOR - offset])
            if random.getrandbits(1):
                _put(self.disk, offset + len(data), b"")
        del self.cache[len(self.disk) :]
        for offset, data in (*self.lost, *self.unsynced):
            piece = self.disk[offset : offset + len(data)]
            self.cache[offset : offset + len(piece)] = piece
        self.lost.clear()
        self.unsynced.clear()


class _Folder:
    """The names in a folder: as they are seen, as they are on the disk, and the changes between."""

    __slots__ = ("disk", "names", "unsynced")

    def __init__(self) -> None:
        self.names: dict[str, _File | _Folder] = {}
        self.disk: dict[str, _File | _Folder] = {}
        self.unsynced: list[dict[str, _File | _Folder | None]] = []
        """The changes since the last sync, in order: what each name stood for after it, None for nothing."""

    def change(self, names: dict[str, _File | _Folder | None]) -> None:
        _change(self.names, names)
        self.unsynced.append(names)

    def sync(self) -> None:
        for names in self.unsynced:
            _change(self.disk, names)
        self.unsynced.clear()

    def crash(self, random: Random) -> None:
        self.unsynced = [names for names in self.unsynced if random.getrandbits(1)]
        self.sync()
        self.names = dict(self.disk)
        for found in self.names.values():
            found.crash(random)

    def files(self) -> Iterator[_File]:
        for found in self.names.values():
            if isinstance(found, _File):
                yield found
            else:
                yield from found.files()


class _Open(NamedTuple):
    """An open file."""

    path: Path
    file: _File
    writable: bool
    locks: bool


def _put(content: bytearray, offset: int, data: bytes) -> None:
    """Write at an offset, which may lie behind the end: zeros come between."""
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _change(held: dict[str, _File | _Folder], names: dict[str, _File | _Folder | None]) -> None:
    for name, meant in names.items():
        if meant is None:
            held.pop(name, None)
        else:
            held[name] = meant


def _sectors(offset: int, data: bytes) -> range:
    """The sectors that a write covers, the first and last perhaps in part."""
    return range(offset // SECTOR, -(-(offset + len(data)) // SECTOR))


def _landing(sectors: range, random: Random) -> Iterable[int]:
    """Those of a write's sectors that reached the disk: all, none or any."""
    fate = random.randrange(3)
    if fate == 0:
        return ()
    if fate == 1:
        return sectors
    drawn = random.getrandbits(len(sectors))
    return [sector for index, sector in enumerate(sectors) if drawn >> index & 1]


def _error(code: int, path: Path) -> OSError:
    """The error of the operating system with this number; OSError itself picks the kind."""
    return OSError(code, os.strerror(code), str(path))

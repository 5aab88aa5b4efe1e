"""The simulated disk: what was synced survives, what was not is kept, lost or torn, and a seed says which."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.impl.sim.disk import SimulatedDisk
from quorate.impl.storage.files import REAL, Files, opened, read_bytes, write_all
from quorate.impl.storage.frame import SECTOR

HOME = Path("/node")
FILE = HOME / "file"
SEEDS = 400
SIZE = 5 * SECTOR


def disk_with(data: bytes, seed: int = 0) -> tuple[SimulatedDisk, int]:
    """A disk with one file, which is durable, and its descriptor."""
    disk = SimulatedDisk(Random(seed))
    disk.mkdir(HOME)
    disk.sync_folder(HOME.parent)
    descriptor = disk.open(FILE, "anew")
    if data:
        write_all(disk, descriptor, data, 0)
    disk.fsync(descriptor)
    disk.sync_folder(HOME)
    return disk, descriptor


def after_crash(act: Callable[[SimulatedDisk, int], object], data: bytes = bytes(SIZE)) -> list[bytes]:
    """What the file may hold after something was done to it and the power was lost, one for each seed."""
    found = []
    for seed in range(SEEDS):
        disk, descriptor = disk_with(data, seed)
        act(disk, descriptor)
        disk.crash()
        found.append(read_bytes(disk, FILE))
    return found


def sectors(data: bytes) -> list[bytes]:
    return [data[at : at + SECTOR] for at in range(0, len(data), SECTOR)]


# What a crash leaves -----------------------------------------------------------------------


def test_what_was_synced_survives_any_crash() -> None:
    def act(disk: SimulatedDisk, descriptor: int) -> None:
        write_all(disk, descriptor, b"x" * 900, 100)
        disk.fdatasync(descriptor)

    assert set(after_crash(act)) == {(bytes(100) + b"x" * 900).ljust(SIZE, b"\0")}


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    steps=st.lists(
        st.tuples(st.integers(0, 3000), st.integers(1, 1500), st.sampled_from(["", "sync", "kill", "crash"]))
    ),
)
def test_each_byte_is_one_that_was_written_there_since_the_last_sync(
    seed: int, steps: list[tuple[int, int, str]]
) -> None:
    """Or what was synced there. A byte that nobody wrote since is what it was."""
    disk, descriptor = disk_with(b"", seed)
    may: dict[int, set[int]] = {}
    tags = count(1)
    for offset, length, then in steps:
        tag = next(tags) % 255 + 1
        write_all(disk, descriptor, bytes([tag]) * length, offset)
        for at in range(offset, offset + length):
            may.setdefault(at, {0}).add(tag)
        if then == "sync":
            disk.fdatasync(descriptor)
        elif then:
            disk.crash(power=then == "crash")
            descriptor = disk.open(FILE, "write")
        held = read_bytes(disk, FILE)
        if then == "sync":
            assert len(held) >= offset + length
        if then in ("sync", "crash"):
            for at, choices in may.items():
                assert (held[at] if at < len(held) else 0) in choices
            may = {at: {held[at] if at < len(held) else 0} for at in may}


def test_what_was_not_synced_is_kept_lost_or_torn_by_sectors_and_each_is_seen() -> None:
    written = bytes(range(1, 252)) * 10  # no zeros
    found = after_crash(lambda disk, descriptor: write_all(disk, descriptor, written[:1500], 300))
    whole = (bytes(300) + written[:1500]).ljust(SIZE, b"\0")
    assert whole in found
    assert bytes(SIZE) in found
    patterns = set()
    for data in found:
        assert len(data) == SIZE
        pieces = list(zip(sectors(data), sectors(whole), sectors(bytes(SIZE)), strict=True))
        assert all(piece in (new, old) for piece, new, old in pieces), "a sector is whole or not at all"
        patterns.add(tuple(piece == new for piece, new, _ in pieces[:4]))
    assert len(patterns) == 2**4, "any subset of the sectors, in any order"


def test_of_two_writes_the_later_may_land_without_the_earlier() -> None:
    def act(disk: SimulatedDisk, descriptor: int) -> None:
        write_all(disk, descriptor, b"1" * SECTOR, 0)
        write_all(disk, descriptor, b"2" * SECTOR, SECTOR)

    firsts = {(data[0:1], data[SECTOR : SECTOR + 1]) for data in after_crash(act)}
    assert firsts == {(b"\0", b"\0"), (b"1", b"\0"), (b"\0", b"2"), (b"1", b"2")}


def test_a_sector_that_was_written_twice_is_as_it_was_at_some_moment() -> None:
    def act(disk: SimulatedDisk, descriptor: int) -> None:
        write_all(disk, descriptor, b"1", 0)
        write_all(disk, descriptor, b"2", 1)
        write_all(disk, descriptor, b"3", 0)

    assert {data[:2] for data in after_crash(act)} == {b"\0\0", b"1\0", b"12", b"32"}


def test_a_file_whose_name_is_durable_and_whose_data_is_not_has_holes_or_no_tail() -> None:
    found = after_crash(lambda disk, descriptor: write_all(disk, descriptor, b"x" * SIZE, 0), b"")
    assert {len(data) for data in found} >= {0, SIZE}
    assert bytes(SIZE) in found, "the size came, and nothing of the data"
    assert any(set(data) == {0, ord("x")} for data in found)
    assert any(0 < len(data) < SIZE for data in found)


def test_a_kill_takes_nothing_and_a_later_loss_of_power_may() -> None:
    found = set()
    for seed in range(SEEDS):
        disk, descriptor = disk_with(b"old", seed)
        write_all(disk, descriptor, b"new", 0)
        disk.rename(FILE, HOME / "other")
        disk.crash(power=False)
        assert read_bytes(disk, HOME / "other") == b"new"
        disk.crash()
        (name,) = disk.names(HOME)
        found.add((name, read_bytes(disk, HOME / name)))
    assert found == {(name, data) for name in ("file", "other") for data in (b"old", b"new")}


@pytest.mark.parametrize(
    "change",
    [
        lambda disk: disk.rename(FILE, HOME / "other"),
        lambda disk: disk.unlink(FILE),
        lambda disk: disk.close(disk.open(HOME / "other", "anew")),
        lambda disk: disk.mkdir(HOME / "other"),
        lambda disk: disk.close(disk.open(FILE, "anew")),
    ],
    ids=["a rename", "a removal", "a new file", "a new folder", "a file made anew"],
)
def test_a_change_of_names_may_be_lost_until_its_folder_is_synced(
    change: Callable[[SimulatedDisk], None],
) -> None:
    def seen(disk: SimulatedDisk) -> tuple[list[str], bytes]:
        names = disk.names(HOME)
        return sorted(names), read_bytes(disk, FILE) if "file" in names else b""

    unsynced, synced = set(), set()
    for seed in range(SEEDS):
        for sync, found in ((False, unsynced), (True, synced)):
            disk, _ = disk_with(b"data", seed)
            before = seen(disk)
            change(disk)
            after = seen(disk)
            if sync:
                disk.sync_folder(HOME)
            disk.crash()
            found.add(str(seen(disk)))
    assert unsynced == {str(before), str(after)}
    assert synced == {str(after)}


def test_a_folder_that_is_lost_takes_along_what_is_in_it() -> None:
    found = set()
    for seed in range(SEEDS):
        disk = SimulatedDisk(Random(seed))
        disk.mkdir(HOME)
        with opened(disk, FILE, "anew") as descriptor:
            write_all(disk, descriptor, b"data", 0)
            disk.fsync(descriptor)
        disk.sync_folder(HOME)
        disk.crash()
        found.add(tuple(disk.names(HOME.parent)))
    assert found == {(), ("node",)}


def test_of_several_changes_of_names_each_is_kept_or_lost() -> None:
    found = set()
    for seed in range(SEEDS):
        disk, _ = disk_with(b"", seed)
        for name in ("one", "two", "three"):
            disk.close(disk.open(HOME / name, "anew"))
        disk.crash()
        found.add(frozenset(disk.names(HOME)))
    assert len(found) == 8


@pytest.mark.parametrize("power", [False, True])
def test_a_crash_lets_go_of_locks_and_of_open_files(power: bool) -> None:
    disk, descriptor = disk_with(b"data")
    disk.lock(HOME / "lock")
    with pytest.raises(BlockingIOError):
        disk.lock(HOME / "lock")
    disk.crash(power=power)
    for stale in (
        lambda: disk.pwrite(descriptor, memoryview(b"late"), 0),
        lambda: disk.pread(descriptor, 1, 0),
        lambda: disk.fdatasync(descriptor),
    ):
        with pytest.raises(OSError) as refused:
            stale()
        assert refused.value.errno == errno.EBADF
    disk.close(descriptor)
    disk.close(disk.lock(HOME / "lock"))
    disk.lock(HOME / "lock")
    assert disk.open(FILE, "read") != descriptor


# Faults ------------------------------------------------------------------------------------


def test_a_full_disk_takes_what_fits_and_keeps_what_was_synced() -> None:
    disk, descriptor = disk_with(b"data")
    disk.capacity_bytes = 10
    assert disk.pwrite(descriptor, memoryview(b"0123456789"), 4) == 6
    for offset in (10, 100):
        with pytest.raises(OSError) as refused:
            disk.pwrite(descriptor, memoryview(b"x"), offset)
        assert refused.value.errno == errno.ENOSPC
    assert disk.pwrite(descriptor, memoryview(b"DATA"), 0) == 4, "what is there is written over"
    assert read_bytes(disk, FILE) == b"DATA012345"
    disk.fsync(descriptor)
    disk.crash()
    assert read_bytes(disk, FILE) == b"DATA012345"
    assert disk.used_bytes == 10


def test_room_is_had_again_by_removing_replacing_or_losing_a_file() -> None:
    disk, _ = disk_with(b"data")
    disk.capacity_bytes = 8
    for free in (
        lambda: disk.unlink(HOME / "other"),
        lambda: disk.rename(FILE, HOME / "other"),
        lambda: disk.close(disk.open(HOME / "other", "anew")),
    ):
        with opened(disk, HOME / "other", "anew") as descriptor:
            write_all(disk, descriptor, b"more", 0)
            with pytest.raises(OSError):
                write_all(disk, descriptor, b"x", 4)
        assert disk.used_bytes == 8
        free()
        assert disk.used_bytes == 4
        if "file" not in disk.names(HOME):
            disk.rename(HOME / "other", FILE)
    disk.unlink(HOME / "other")
    disk.unlink(FILE)
    assert disk.used_bytes == 0
    disk.crash()
    assert disk.used_bytes == sum(len(read_bytes(disk, HOME / name)) for name in disk.names(HOME))


def test_a_file_that_a_crash_brought_back_takes_room_again() -> None:
    back = 0
    for seed in range(20):
        disk, _ = disk_with(b"data", seed)
        disk.unlink(FILE)
        disk.crash()
        if disk.names(HOME):
            back += 1
            write_all(disk, disk.open(FILE, "write"), b"more", 4)
            assert disk.used_bytes == 8
    assert 0 < back < 20


@pytest.mark.parametrize("again", [False, True])
def test_what_was_in_a_failed_sync_is_lost_though_a_later_one_says_nothing(again: bool) -> None:
    def act(disk: SimulatedDisk, descriptor: int) -> None:
        write_all(disk, descriptor, b"lost", 0)
        disk.fail_next_sync()
        with pytest.raises(OSError) as refused:
            disk.fdatasync(descriptor)
        assert refused.value.errno == errno.EIO
        assert read_bytes(disk, FILE)[:4] == b"lost", "the cache still has it"
        if again:
            write_all(disk, descriptor, b"kept", 4)
            disk.fdatasync(descriptor)

    kept = b"kept" if again else bytes(4)
    assert set(after_crash(act)) == {(bytes(4) + kept).ljust(SIZE, b"\0")}


def test_a_folder_whose_sync_failed_can_be_synced_again() -> None:
    for seed in range(SEEDS):
        disk, _ = disk_with(b"data", seed)
        disk.rename(FILE, HOME / "other")
        disk.fail_next_sync(errno.ENOSPC)
        with pytest.raises(OSError) as refused:
            disk.sync_folder(HOME)
        assert refused.value.errno == errno.ENOSPC
        disk.sync_folder(HOME)
        disk.crash()
        assert disk.names(HOME) == ["other"]


def test_rot_flips_one_bit_where_it_is_told_and_a_crash_heals_nothing() -> None:
    for seed in range(SEEDS):
        disk, _ = disk_with(bytes(SIZE), seed)
        (at,) = disk.rot(FILE, 100, 110)
        assert 100 <= at < 110
        seen = read_bytes(disk, FILE)
        assert [index for index, byte in enumerate(seen) if byte] == [at]
        assert seen[at].bit_count() == 1
        disk.crash()
        assert read_bytes(disk, FILE) == seen
    assert len(disk.rot(FILE, bits=7)) == 7
    with pytest.raises(ValueError):
        disk.rot(FILE, SIZE)


def test_rot_under_a_newer_cache_is_not_seen_and_written_over() -> None:
    disk, descriptor = disk_with(bytes(4))
    write_all(disk, descriptor, b"data", 0)
    disk.rot(FILE)
    assert read_bytes(disk, FILE) == b"data"
    disk.fdatasync(descriptor)
    disk.crash()
    assert read_bytes(disk, FILE) == b"data"


def test_a_read_fails_once_when_it_is_told_to() -> None:
    disk, _ = disk_with(b"data")
    disk.fail_next_read()
    with pytest.raises(OSError) as refused:
        read_bytes(disk, FILE)
    assert refused.value.errno == errno.EIO
    assert read_bytes(disk, FILE) == b"data"


# Being crashed inside a verb -----------------------------------------------------------------


class Killed(BaseException):
    """The process dies here."""


def test_before_is_called_with_every_verb_and_stops_it() -> None:
    disk, descriptor = disk_with(b"data")
    seen: list[tuple[str, Path]] = []

    def before(verb: str, path: Path) -> None:
        seen.append((verb, path))
        raise Killed

    verbs: dict[str, Callable[[], object]] = {
        "open": lambda: disk.open(HOME / "new", "anew"),
        "lock": lambda: disk.lock(HOME / "lock"),
        "pwrite": lambda: disk.pwrite(descriptor, memoryview(b""), 0),
        "pread": lambda: disk.pread(descriptor, 1, 0),
        "size": lambda: disk.size(descriptor),
        "fdatasync": lambda: disk.fdatasync(descriptor),
        "fsync": lambda: disk.fsync(descriptor),
        "rename": lambda: disk.rename(FILE, HOME / "other"),
        "unlink": lambda: disk.unlink(FILE),
        "mkdir": lambda: disk.mkdir(HOME / "folder"),
        "names": lambda: disk.names(HOME),
        "sync_folder": lambda: disk.sync_folder(HOME),
    }
    assert {*verbs} == {name for name in vars(Files) if not name.startswith("_")} - {"close", "randbits"}
    write_all(disk, descriptor, b"DATA", 0)
    disk.before = before
    for verb in verbs.values():
        with pytest.raises(Killed):
            verb()
    assert [verb for verb, _ in seen] == [*verbs]
    assert {path for _, path in seen} == {FILE, HOME, HOME / "new", HOME / "lock", HOME / "folder"}
    disk.before = None
    assert disk.names(HOME) == ["file"]
    disk.fail_next_sync()
    with pytest.raises(OSError):
        disk.fsync(descriptor)  # so that only a sync before it could have kept anything
    disk.crash()
    assert read_bytes(disk, FILE) == b"data"


def test_a_write_that_is_interrupted_has_happened_up_to_any_byte() -> None:
    lengths = set()
    for seed in range(SEEDS):
        disk, descriptor = disk_with(bytes(20), seed)

        def before(verb: str, path: Path) -> None:
            raise Killed

        disk.before = before
        with pytest.raises(Killed):
            write_all(disk, descriptor, b"0123456789", 5)
        disk.before = None
        disk.crash(power=False)
        held = read_bytes(disk, FILE)
        written = held[5:15].rstrip(b"\0")
        assert held == (bytes(5) + b"0123456789"[: len(written)]).ljust(20, b"\0")
        lengths.add(len(written))
    assert lengths == {*range(11)}


def test_a_crash_inside_before_leaves_the_write_undone() -> None:
    disk, descriptor = disk_with(bytes(20))

    def before(verb: str, path: Path) -> None:
        disk.crash()
        raise Killed

    disk.before = before
    with pytest.raises(Killed):
        write_all(disk, descriptor, b"0123456789", 5)
    disk.before = None
    assert read_bytes(disk, FILE) == bytes(20)


# The same as elsewhere -----------------------------------------------------------------------

PROGRAM = """
import sys
from pathlib import Path
from random import Random
from quorate.impl.core.messages import Ballot
from quorate.impl.core.records import AcceptRecord
from quorate.impl.sim.disk import SimulatedDisk
from quorate.impl.storage import DurableLog, Identity
from quorate.impl.storage.files import read_bytes

class Killed(BaseException):
    pass

def before(verb, path):
    told.append((verb, path.name))
    if random.random() < 0.02:
        raise Killed

random = Random(7)
disk = SimulatedDisk(random)
told = []
for life in range(40):
    disk.before = None
    log, found = DurableLog.open(Path("/node"), Identity("orchard", "a"), segment_bytes=4096, files=disk)
    told.append(found)
    disk.before = before
    try:
        for slot in range(1, random.randrange(2, 20)):
            log.commit([AcceptRecord(Ballot(life + 1, "a"), ((slot, random.randbytes(random.randrange(900))),))])
        log.checkpoint(life, [b"state"])
        log.truncate(life)
    except Killed:
        told.append("killed")
    disk.crash(power=random.random() < 0.7)
disk.before = None
print(told)
for name in sorted(disk.names(Path("/node"))):
    print(name, read_bytes(disk, Path("/node") / name).hex())
"""


def test_a_seed_gives_the_same_bytes_in_every_process() -> None:
    told = []
    for hash_seed in ("0", "1", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True
        )
        told.append(done.stdout)
    assert told[0] == told[1] == told[2]
    assert told[0].count(b"killed") > 5
    assert b"was not written to its end" in told[0], "a torn batch was among it"


names = st.sampled_from(["a", "b"])
steps = st.one_of(
    st.tuples(st.just("open"), names, st.sampled_from(["read", "write", "anew"])),
    st.tuples(st.just("write"), names, st.integers(0, 40), st.binary(min_size=1, max_size=20)),
    st.tuples(st.just("read"), names, st.integers(0, 40), st.integers(1, 40)),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("unlink"), names),
    st.tuples(st.just("lock"), names),
    st.tuples(st.just("mkdir"), st.sampled_from(["folder", "none/folder"])),
    st.tuples(st.just("names"), st.sampled_from(["", "folder", "none", "a"])),
    st.tuples(st.just("sync"), names),
    st.tuples(st.just("close")),
)


class Session:
    """A caller of files, with one descriptor for each name."""

    def __init__(self, files: Files, home: Path) -> None:
        self.files = files
        self.home = home
        self.held: dict[str, int] = {}
        self.locks: list[int] = []

    def answer(self, verb: str, *given: object) -> object:
        """What comes of a step: a value, or the number of an error."""
        try:
            return getattr(self, verb)(*given)
        except OSError as error:
            return errno.errorcode[error.errno or 0]

    def open(self, name: str, mode: str) -> None:
        descriptor = self.files.open(self.home / name, mode)  # type: ignore[arg-type]
        if name in self.held:
            self.files.close(self.held[name])
        self.held[name] = descriptor

    def write(self, name: str, offset: int, data: bytes) -> int | None:
        return self.files.pwrite(self.held[name], memoryview(data), offset) if name in self.held else None

    def read(self, name: str, offset: int, room: int) -> tuple[int, bytes] | None:
        if name not in self.held:
            return None
        return self.files.size(self.held[name]), self.files.pread(self.held[name], room, offset)

    def rename(self, name: str, to: str) -> None:
        self.files.rename(self.home / name, self.home / to)

    def unlink(self, name: str) -> None:
        self.files.unlink(self.home / name)

    def lock(self, name: str) -> None:
        self.locks.append(self.files.lock(self.home / name))

    def mkdir(self, name: str) -> None:
        self.files.mkdir(self.home / name)

    def names(self, name: str) -> list[str]:
        return sorted(self.files.names(self.home / name))

    def sync(self, name: str) -> None:
        if name in self.held:
            self.files.fsync(self.held[name])
        self.files.sync_folder(self.home)

    def close(self) -> None:
        for descriptor in (*self.held.values(), *self.locks):
            self.files.close(descriptor)
        self.held.clear()
        self.locks.clear()


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, max_size=25))
def test_without_a_crash_it_answers_as_the_operating_system_does(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, ...]]
) -> None:
    """A file made anew under a taken name apart: whoever has the old one open keeps it."""
    disk = SimulatedDisk(Random(0))
    real = Session(REAL, tmp_path_factory.mktemp("real"))
    simulated = Session(disk, Path())
    try:
        for verb, *given in steps:
            if (verb, *given[1:]) == ("open", "anew"):
                for session in (real, simulated):
                    session.close()
            assert simulated.answer(verb, *given) == real.answer(verb, *given)
    finally:
        real.close()

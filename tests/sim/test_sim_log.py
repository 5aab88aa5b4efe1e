"""The durable log over the simulated disk: what `commit` returned for is found after any crash, and nothing else is."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from quorate.impl.core.messages import Ballot
from quorate.impl.core.records import (
    AcceptRecord,
    Record,
)
from quorate.impl.sim.disk import Before, SimulatedDisk
from quorate.impl.storage import (
    DiskFailed,
    DiskFull,
    DurableLog,
    Identity,
    Opened,
    StorageError,
)
from quorate.impl.storage.folder import TEMPORARY
from quorate.impl.storage.segment import segment_numbers

FOLDER = Path("/srv/cluster/a")
IDENTITY = Identity("orchard", "a")
SEGMENT_BYTES = 4096
Batch = Sequence[Record]


class Killed(BaseException):
    """The process dies here."""


def opened(disk: SimulatedDisk) -> tuple[DurableLog, Opened]:
    return DurableLog.open(FOLDER, IDENTITY, segment_bytes=SEGMENT_BYTES, files=disk)


def accepted(slot: int, size_bytes: int) -> Batch:
    return [AcceptRecord(Ballot(1, "a"), ((slot, bytes([slot]) * size_bytes),))]


def upon(verb: str, act: Callable[[], None], *, which: int = 1) -> Before:
    """A hook that acts before the verb is carried out for the so-manieth time."""
    left = which

    def before(called: str, path: Path) -> None:
        nonlocal left
        left -= called == verb
        if called == verb and left == 0:
            act()

    return before


def die() -> None:
    raise Killed


def die_at(disk: SimulatedDisk, step: int, *, power: bool) -> bool:
    """Start, and die before so many verbs were carried out; returns whether it came to that."""
    left = step

    def before(verb: str, path: Path) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    disk.before = before
    with suppress(Killed):
        opened(disk)
    disk.before = None
    disk.crash(power=power)
    return left < 0


def test_the_way_to_a_new_folder_is_durable_wherever_its_first_start_died() -> None:
    for step in range(100):
        for seed in range(8):
            disk = SimulatedDisk(Random(seed))
            died = die_at(disk, step, power=False)
            log, _ = opened(disk)
            log.commit(accepted(1, 10))
            disk.crash()
            assert opened(disk)[1].batches == 1
        if not died:
            break
    assert 20 < step < 100


def test_a_first_start_that_died_twice_at_any_steps_can_start_again() -> None:
    """What the first left in the cache the second takes for granted; a loss of power may take it away."""
    for first in range(100):
        died = False
        for second in range(45):
            disk = SimulatedDisk(Random(second))
            died = die_at(disk, first, power=False)
            die_at(disk, second, power=True)
            assert opened(disk)[1].batches == 0
        if not died:
            break
    assert 20 < first < 100


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_new_segment_whose_name_could_not_be_synced_ends_the_log(code: int) -> None:
    """Whether it is there after a crash nobody knows: so nothing more may go into the one before."""
    disk = SimulatedDisk(Random(0))
    log, _ = opened(disk)
    log.commit(accepted(1, 1000))
    disk.before = upon("sync_folder", lambda: disk.fail_next_sync(code))
    with pytest.raises(DiskFailed, match="check the disk"):
        log.commit(accepted(2, 3500))
    disk.before = None
    with pytest.raises(DiskFailed, match="takes nothing more"):
        log.commit(accepted(3, 10))
    disk.crash(power=False)
    log, found = opened(disk)
    assert found.batches == 1
    log.commit(accepted(3, 10))
    disk.crash()
    assert opened(disk)[1].batches == 2


def test_a_torn_tail_that_could_not_be_cleared_is_cleared_at_the_next_start() -> None:
    """The cache then says that it is: of a failed sync the pages count as clean."""
    torn = 0
    for seed in range(100):
        disk = SimulatedDisk(Random(seed))
        log, _ = opened(disk)
        log.commit(accepted(1, 10))
        disk.before = upon("fdatasync", die)
        with pytest.raises(Killed):
            log.commit(accepted(2, 2000))
        disk.before = None
        disk.crash()
        disk.before = upon("fdatasync", disk.fail_next_sync, which=2)
        with suppress(DiskFailed):
            opened(disk)
            disk.crash(power=False)
            continue
        torn += 1
        disk.before = None
        disk.crash(power=False)
        log, found = opened(disk)
        log.commit(accepted(3, 100))
        disk.crash()
        assert opened(disk)[1].batches == found.batches + 1
    assert torn > 10


def test_a_truncation_that_found_no_room_is_carried_out_when_there_is() -> None:
    disk = SimulatedDisk(Random(0))
    log, _ = opened(disk)
    for slot in range(1, 11):
        log.commit(accepted(slot, 1500))
    log.checkpoint(9, [b"state"])
    disk.capacity_bytes = disk.used_bytes
    with pytest.raises(DiskFull):
        log.truncate(9)
    before = segment_numbers(FOLDER, disk)
    disk.capacity_bytes = None
    log.truncate(9)
    assert segment_numbers(FOLDER, disk)[0] > before[0] == 1


@pytest.mark.parametrize("for_good", [False, True])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_an_error_of_the_system_at_any_step_is_one_line_and_leaves_the_folder_free(
    code: int, for_good: bool
) -> None:
    """Once, or from then on: then what was begun cannot even be removed."""
    for step in range(1000):
        disk = SimulatedDisk(Random(step))
        log, _ = opened(disk)
        for slot in range(1, 9):
            log.commit(accepted(slot, 1500))
        log.checkpoint(2, [b"state"])
        disk.close(disk.open(FOLDER / f"left{TEMPORARY}", "anew"))
        disk.crash(power=False)
        left = step

        def before(verb: str, path: Path) -> None:
            nonlocal left
            left -= 1
            if left == -1 or (left < 0 and for_good):
                raise OSError(code, os.strerror(code))

        disk.before = before
        everything_that_a_log_does(disk)
        disk.before = None
        assert opened(disk)[1].batches in (8, 9)
        if left >= 0:
            break
    assert 60 < step < 1000


def everything_that_a_log_does(disk: SimulatedDisk) -> None:
    """Each in turn, whether or not those before it came to anything."""
    try:
        log, _ = opened(disk)
    except StorageError as error:
        assert_one_line(error)
        return
    acts: list[Callable[[], object]] = [
        lambda: log.commit(accepted(9, 3000)),
        lambda: log.checkpoint(6, [b"state"]),
        lambda: log.truncate(2),
        lambda: log.keep_piece(0, log.read_piece(2, 0)[3]),
        lambda: log.receive(2),
        lambda: log.close(),
    ]
    for act in acts:
        try:
            act()
        except StorageError as error:
            assert_one_line(error)


def assert_one_line(error: StorageError) -> None:
    assert "\n" not in str(error)
    assert str(error).startswith("/")

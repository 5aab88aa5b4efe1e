"""The durable log over the simulated disk: what `commit` returned for is found after any crash, and nothing else is."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from quorate.impl.core.messages import Ballot
from quorate.impl.core.records import (
    AcceptRecord,
    BallotRecord,
    PromiseRecord,
    Record,
    Recovered,
    recover,
)
from quorate.impl.sim.disk import Before, SimulatedDisk
from quorate.impl.storage import (
    DamagedLog,
    DiskFailed,
    DiskFull,
    DurableLog,
    Identity,
    Opened,
    StorageError,
)
from quorate.impl.storage.checkpoint import checkpoint_path
from quorate.impl.storage.folder import LOCK, MANIFEST, TEMPORARY
from quorate.impl.storage.frame import ALIGN
from quorate.impl.storage.records import encode_batch
from quorate.impl.storage.segment import HEADER_BYTES, segment_numbers, segment_path

FOLDER = Path("/srv/cluster/a")
IDENTITY = Identity("orchard", "a")
SEGMENT_BYTES = 4096
Batch = Sequence[Record]


class Killed(BaseException):
    """The process dies here."""


def some_batch(random: Random) -> Batch:
    """Some records, often small, sometimes larger than a segment."""
    ballot = Ballot(random.randint(1, 5), random.choice("abc"))
    size = random.choice((0, 20, 300, 1500, 1500, 6000))
    values = (random.randbytes(random.randrange(size + 1)) for _ in range(random.randint(1, 3)))
    accepted = AcceptRecord(ballot, tuple((random.randint(1, 60), value) for value in values))
    return random.choice(([accepted], [accepted], [PromiseRecord(ballot), accepted], [BallotRecord(ballot)]))


def state_at(slot: int) -> bytes:
    """What the state machine is at a slot, whoever wrote it down."""
    return Random(slot).randbytes(700 * (slot % 4))


def opened(disk: SimulatedDisk) -> tuple[DurableLog, Opened]:
    return DurableLog.open(FOLDER, IDENTITY, segment_bytes=SEGMENT_BYTES, files=disk)


class Node:
    """A node that lives and dies on one disk, and what must be found there."""

    def __init__(self, seed: int, *, faults: bool) -> None:
        self.random = Random(seed)
        self.disk = SimulatedDisk(self.random)
        self.faults = faults
        self.committed: list[Batch] = []
        """What `commit` returned for."""
        self.perhaps: list[Batch] = []
        """What it did not return for since: one of these may be found at the end."""
        self.rests_on = 0
        """The checkpoint that counts."""
        self.begun: set[int] = set()
        """Those that may have come to count."""
        self.boot = 0
        self.seen: Counter[str] = Counter()

    def run(self, lives: int) -> None:
        for _ in range(lives):
            try:
                self._trouble()
                self._live()
            except Killed:
                self.seen["killed"] += 1
            except StorageError as error:
                if not self.faults or isinstance(error, DamagedLog):
                    raise
                self.seen[type(error).__name__] += 1
            self._die()
        self._well()
        log, found = opened(self.disk)
        self._check(found)
        log.close()

    def _live(self) -> None:
        log, found = opened(self.disk)
        self._check(found)
        while self.random.random() < 0.97:
            act = self.random.choice(
                (self._commit, self._commit, self._commit, self._checkpoint, self._fetch)
            )
            try:
                act(log)
            except DiskFull:
                if self.random.random() < 0.3:
                    raise
                self._well()
        log.close()

    def _commit(self, log: DurableLog) -> None:
        batch = some_batch(self.random)
        self.perhaps.append(batch)
        log.commit(batch)
        self.committed.append(batch)
        self.perhaps.clear()

    def _checkpoint(self, log: DurableLog) -> None:
        slot = self.rests_on + self.random.randint(1, 9)
        self.begun.add(slot)
        log.checkpoint(slot, [state_at(slot)])
        self._rests(slot)
        log.truncate(self.random.randint(0, slot))

    def _fetch(self, log: DurableLog) -> None:
        """The checkpoint of another node, perhaps not all of it."""
        slot = self.rests_on + self.random.randint(1, 9)
        other, _ = DurableLog.open(
            FOLDER, Identity("orchard", "b"), files=SimulatedDisk(Random(0)), segment_bytes=1024
        )
        other.checkpoint(slot, [state_at(slot)])
        data = other.read_piece(slot, 0)[3]
        whole = self.random.random() < 0.8
        for at in range(0, len(data) if whole else len(data) - 1, 500):
            log.keep_piece(at, data[at : at + 500])
        if not whole:
            return
        stored = log.receive(slot)
        assert stored is not None
        assert b"".join(stored.content()) == state_at(slot)
        self.begun.add(slot)
        log.rest_on(slot)
        self._rests(slot)

    def _rests(self, slot: int) -> None:
        self.rests_on = slot
        self.begun.clear()

    def _check(self, found: Opened) -> None:
        """What is found is what must be there, and no more than may be."""
        slot = found.state.low
        assert slot == self.rests_on or slot in self.begun
        assert (found.checkpoint is None) == (slot == 0)
        if found.checkpoint is not None:
            assert b"".join(found.checkpoint.content()) == state_at(slot)
        more = found.batches - len(self.committed)
        assert more in (0, 1)
        for last in [[batch] for batch in self.perhaps] if more else [[]]:
            records = [record for batch in [*self.committed, *last] for record in batch]
            if found.state == recover(records, Recovered(None, (), slot, None)):
                self.committed += last
                break
        else:
            raise AssertionError("what was found is not what was committed")
        assert found.boot > self.boot
        assert not [name for name in self.disk.names(FOLDER) if name.endswith(TEMPORARY)]
        self.seen["torn"] += found.torn is not None
        self.seen["unacknowledged, and found"] += more
        self.seen["truncated"] += segment_numbers(FOLDER, self.disk)[0] > 1
        self.boot = found.boot
        self.perhaps.clear()
        self._rests(slot)

    def _trouble(self) -> None:
        """What is going to happen in this life."""
        left = self.random.randrange(self.random.choice((6, 60, 300)))
        mortal = self.random.choice(("", "fdatasync", "pwrite"))

        def before(verb: str, path: Path) -> None:
            nonlocal left
            left -= mortal in verb
            if left < 0:
                raise Killed
            if self.faults and self.random.random() < (0.02 if "sync" in verb else 0.002):
                self._fault()

        self.disk.before = before

    def _fault(self) -> None:
        kind = self.random.choice(("sync", "sync", "read", "full"))
        if kind == "sync":
            self.disk.fail_next_sync(self.random.choice((errno.EIO, errno.ENOSPC)))
        elif kind == "read":
            self.disk.fail_next_read()
        else:
            self.disk.capacity_bytes = self.disk.used_bytes + self.random.randrange(2 * SEGMENT_BYTES)

    def _well(self) -> None:
        self.disk.capacity_bytes = None

    def _die(self) -> None:
        self.disk.before = None
        power = self.random.random() < 0.5
        self.disk.crash(power=power)
        self.seen["power lost"] += power
        if self.random.random() < 0.5:
            self._well()
        self.disk._failing.clear()


@pytest.mark.parametrize("faults", [False, True], ids=["a sound disk", "a failing disk"])
def test_what_was_committed_is_found_after_any_crash_and_nothing_is_invented(faults: bool) -> None:
    seen: Counter[str] = Counter()
    for seed in range(80):
        node = Node(seed, faults=faults)
        try:
            node.run(12)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        seen += node.seen
    for what in ("killed", "power lost", "torn", "unacknowledged, and found", "truncated"):
        assert seen[what] > 3, f"of {what} there was too little: {seen}"
    assert (seen["DiskFailed"] > 20) == (seen["DiskFull"] > 20) == faults


# What the runs above have found, each by itself ------------------------------------------------


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


def test_a_checkpoint_that_came_from_another_node_is_durable_under_its_name_before_it_counts() -> None:
    for seed in range(20):
        disk = SimulatedDisk(Random(seed))
        log, _ = opened(disk)
        log.checkpoint(1, [b"state"])
        log.keep_piece(0, log.read_piece(1, 0)[3])
        disk.unlink(checkpoint_path(FOLDER, 1))
        disk.sync_folder(FOLDER)
        assert log.receive(1) is not None
        disk.crash()
        assert checkpoint_path(FOLDER, 1).name in disk.names(FOLDER)


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


# Rot ------------------------------------------------------------------------------------------


def test_a_flipped_bit_is_refused_or_stands_where_nothing_does() -> None:
    refused: Counter[str] = Counter()
    for seed in range(250):
        random = Random(seed)
        disk = SimulatedDisk(random)
        log, _ = opened(disk)
        batches = [some_batch(random) for _ in range(random.randint(2, 12))]
        for batch in batches:
            log.commit(batch)
        log.checkpoint(30, [state_at(7)])
        disk.crash(power=random.random() < 0.5)
        name = random.choice([name for name in disk.names(FOLDER) if name != LOCK])
        (at,) = disk.rot(FOLDER / name)
        try:
            _, found = opened(disk)
            assert found.checkpoint is not None
            content = b"".join(found.checkpoint.content())
        except DamagedLog as error:
            refused[name] += name in str(error)
            continue
        except StorageError:
            assert name == MANIFEST
            continue
        records = [record for batch in batches for record in batch]
        assert found.state == recover(records, Recovered(None, (), 30, None)), (
            f"seed {seed}: byte {at} of {name}"
        )
        assert content == state_at(7)
    assert refused[checkpoint_path(FOLDER, 30).name] > 30
    assert refused[MANIFEST] > 30
    assert sum(refused.values()) > 150, "padding apart, and the room behind the last batch"


def test_rot_in_the_middle_of_the_log_is_refused_whatever_a_crash_left_at_its_end() -> None:
    size = next(s for s in range(400, 500) if (len(encode_batch(accepted(1, s))) + 1) % ALIGN == 0)
    for seed in range(100):
        disk = SimulatedDisk(Random(seed))
        log, _ = opened(disk)
        for slot in range(1, 4):
            log.commit(accepted(slot, size))  # no padding
        middle = log._offset
        log.commit(accepted(4, size))
        disk.before = upon("fdatasync", die)
        with pytest.raises(Killed):
            log.commit(accepted(5, 900))
        disk.before = None
        disk.crash()
        disk.rot(segment_path(FOLDER, 1), HEADER_BYTES, middle)
        with pytest.raises(DamagedLog):
            opened(disk)

"""The durable log over the simulated disk: what `commit` returned for is found after any crash, and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from quorate.impl.core.messages import Ballot
from quorate.impl.core.records import (
    AcceptRecord,
    Record,
)
from quorate.impl.sim.disk import SimulatedDisk
from quorate.impl.storage import (
    DiskFull,
    DurableLog,
    Identity,
    Opened,
)
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


@pytest.mark.parametrize("step", range(40))
def test_the_way_to_a_new_folder_is_durable_wherever_its_first_start_died(step: int) -> None:
    for seed in range(8):
        disk = SimulatedDisk(Random(seed))
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
        disk.crash(power=False)
        log, _ = opened(disk)
        log.commit(accepted(1, 10))
        disk.crash()
        assert opened(disk)[1].batches == 1


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

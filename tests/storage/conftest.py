"""What the storage tests share: small logs, and a disk that can fail."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from quorate.impl.core.messages import Ballot
from quorate.impl.core.records import AcceptRecord, BallotRecord, PromiseRecord, Record, Recovered, recover
from quorate.impl.storage import DurableLog, Identity, Opened

Batches = Sequence[Sequence[Record]]
Reopen = Callable[[Path], Recovered]

IDENTITY = Identity("orchard", "a")
SEGMENT_BYTES = 1920


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where the system offers it: thousands of files are written here, and no disk is under test."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="quorate-test-", dir=memory) as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a crash leaves is played on the bytes of files, thousands of times: nothing is gained by real syncs."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: None)


@pytest.fixture
def identity() -> Identity:
    return IDENTITY


@pytest.fixture
def batches() -> list[list[Record]]:
    """Every kind of record; batches below and above a sector; enough of them to fill a second segment."""
    first, second = Ballot(1, "a"), Ballot(2, "b")
    return [
        [BallotRecord(first), PromiseRecord(first)],
        [AcceptRecord(first, ((1, b"set x 1"), (2, b"set y 2")))],
        [AcceptRecord(first, tuple((slot, b"value %d " % slot * 11) for slot in range(3, 15)))],
        [PromiseRecord(second), AcceptRecord(second, ((2, b"set y 2"),))],
        [AcceptRecord(second, ((15, b"tail"),)), AcceptRecord(second, ((16, b"end"),))],
    ]


@pytest.fixture
def write_log(tmp_path: Path) -> Callable[[Batches], Path]:
    """Commits batches to a new log, closes nothing, and returns its folder: as a killed process leaves it."""

    def write(batches: Batches) -> Path:
        folder = tmp_path / "data"
        log, _ = DurableLog.open(folder, IDENTITY, segment_bytes=SEGMENT_BYTES)
        for batch in batches:
            log.commit(batch)
        log._release()  # the kernel does this much for a process that dies
        return folder

    return write


@pytest.fixture
def open_once() -> Callable[[Path], Opened]:
    """Opens a log, closes it as a crash would, and returns what it held."""

    def opened(folder: Path) -> Opened:
        log, found = DurableLog.open(folder, IDENTITY, segment_bytes=SEGMENT_BYTES)
        log._release()
        return found

    return opened


@pytest.fixture
def prefixes(batches: Batches) -> list[Recovered]:
    """The state after each number of batches."""
    return [
        recover(record for batch in batches[:count] for record in batch) for count in range(len(batches) + 1)
    ]

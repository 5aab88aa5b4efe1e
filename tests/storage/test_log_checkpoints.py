"""A log that rests on a checkpoint: what may go is gone, what was promised stays, and no crash leaves neither the old
checkpoint nor the new one."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from quorate.impl.core.messages import Ballot
from quorate.impl.core.records import AcceptRecord, BallotRecord, PromiseRecord, Record, Recovered
from quorate.impl.storage import DamagedLog, DiskFailed, DiskFull, DurableLog, Identity, Opened
from quorate.impl.storage.checkpoint import HEADER_BYTES, checkpoint_path, checkpoint_slots
from quorate.impl.storage.folder import MANIFEST
from quorate.impl.storage.log import PIECE_BYTES
from quorate.impl.storage.segment import segment_numbers, segment_path

ONE, TWO = Ballot(1, "a"), Ballot(2, "b")
IDENTITY = Identity("orchard", "a")
SEGMENT_BYTES = 1920
STATE = [b"the state ", b"of the machine", b""]

Open = Callable[[Path], Opened]


def opened(folder: Path) -> tuple[DurableLog, Opened]:
    return DurableLog.open(folder, IDENTITY, segment_bytes=SEGMENT_BYTES)


def accepted(*slots: int, ballot: Ballot = ONE) -> list[Record]:
    return [AcceptRecord(ballot, tuple((slot, b"value %d " % slot * 11) for slot in slots))]


@pytest.fixture
def long_log(tmp_path: Path) -> DurableLog:
    """Sixty slots over several segments; the promises and the ballots stand in the first."""
    log, _ = opened(tmp_path / "data")
    log.commit([BallotRecord(ONE), PromiseRecord(TWO)])
    for slot in range(1, 61):
        log.commit(accepted(slot, ballot=TWO))
    return log


def reopened(log: DurableLog) -> Opened:
    """What a process finds that starts after this one was killed."""
    folder = log._folder.path
    log._release()
    again, found = opened(folder)
    again._release()
    return found


def test_recovery_starts_at_the_checkpoint_and_goes_on_with_the_log(long_log: DurableLog) -> None:
    long_log.checkpoint(40, STATE)
    found = reopened(long_log)
    assert found.state.low == 40
    assert [slot for slot, _, _ in found.state.accepted] == list(range(41, 61))
    assert found.checkpoint is not None
    assert b"".join(found.checkpoint.content()) == b"the state of the machine"


def test_truncation_takes_the_segments_that_hold_nothing_above_and_no_others(long_log: DurableLog) -> None:
    folder = long_log._folder.path
    before = segment_numbers(folder)
    long_log.checkpoint(40, STATE)
    assert segment_numbers(folder) == before
    long_log.truncate(40)
    kept = segment_numbers(folder)
    assert kept
    assert kept == before[-len(kept) :]
    assert len(kept) < len(before)
    found = reopened(long_log)
    assert [slot for slot, _, _ in found.state.accepted] == list(range(41, 61))
    assert found.batches == 61


def test_what_was_promised_survives_the_segments_that_said_so(long_log: DurableLog) -> None:
    long_log.checkpoint(60, STATE)
    long_log.truncate(60)
    assert segment_numbers(long_log._folder.path)[0] > 1
    found = reopened(long_log)
    assert found.state == Recovered(TWO, (), 60, ONE)


def test_a_second_truncation_goes_on_from_the_first_also_after_a_restart(long_log: DurableLog) -> None:
    long_log.checkpoint(20, STATE)
    long_log.truncate(20)
    long_log._release()
    log, _ = opened(long_log._folder.path)
    log.commit([*accepted(61, ballot=TWO), PromiseRecord(Ballot(7, "c"))])
    log.checkpoint(61, STATE)
    log.truncate(50)
    found = reopened(log)
    assert found.state == Recovered(Ballot(7, "c"), (), 61, ONE)


def test_a_segment_with_one_late_acceptance_is_kept_and_all_after_it(tmp_path: Path) -> None:
    log, _ = opened(tmp_path / "data")
    log.commit(accepted(99))
    for slot in range(1, 41):
        log.commit(accepted(slot))
    log.checkpoint(40, STATE)
    log.truncate(40)
    assert segment_numbers(tmp_path / "data")[0] == 1
    assert [slot for slot, _, _ in reopened(log).state.accepted] == [99]


def test_the_checkpoint_before_the_last_is_kept_for_whoever_is_fetching_it(long_log: DurableLog) -> None:
    for slot in (10, 20, 30):
        long_log.checkpoint(slot, STATE)
    assert checkpoint_slots(long_log._folder.path) == [20, 30]
    assert long_log.read_piece(20, 0)[0] == 20
    assert long_log.read_piece(10, 5)[:3:2] == (30, 0), "what is gone is begun anew with the last"


def test_an_older_checkpoint_does_not_take_the_place_of_a_newer_one(long_log: DurableLog) -> None:
    long_log.checkpoint(30, STATE)
    long_log.checkpoint(20, [b"old"])
    found = reopened(long_log)
    assert found.state.low == 30


def test_a_checkpoint_goes_to_another_node_piece_by_piece(long_log: DurableLog, tmp_path: Path) -> None:
    content = os.urandom(2 * PIECE_BYTES + 77)
    size = long_log.checkpoint(60, [content])
    other, _ = DurableLog.open(tmp_path / "other", Identity("orchard", "b"), segment_bytes=SEGMENT_BYTES)
    at = 0
    while at < size:
        slot, whole, offset, data = long_log.read_piece(60, at)
        assert (slot, whole, offset) == (60, size, at)
        assert len(data) <= PIECE_BYTES
        other.keep_piece(at, data)
        at += len(data)
    stored = other.receive(60)
    assert stored is not None
    assert b"".join(stored.content()) == content
    other.rest_on(60)
    other._release()
    _, found = DurableLog.open(tmp_path / "other", Identity("orchard", "b"), segment_bytes=SEGMENT_BYTES)
    assert found.state == Recovered(None, (), 60, None)


@pytest.mark.parametrize(
    "wrong", ["a byte changed", "the end missing", "of another slot", "another cluster's"]
)
def test_what_did_not_come_whole_is_not_installed(long_log: DurableLog, tmp_path: Path, wrong: str) -> None:
    long_log.checkpoint(60, [b"x" * 1000])
    cluster = "vineyard" if wrong == "another cluster's" else "orchard"
    other, _ = DurableLog.open(tmp_path / "other", Identity(cluster, "b"), segment_bytes=SEGMENT_BYTES)
    data = long_log.read_piece(60, 0)[3]
    if wrong == "a byte changed":
        data = data[:500] + b"y" + data[501:]
    elif wrong == "the end missing":
        data = data[:-1]
    other.keep_piece(0, data)
    assert other.receive(59 if wrong == "of another slot" else 60) is None
    assert checkpoint_slots(tmp_path / "other") == []
    other._release()


@pytest.mark.parametrize("at", [0, 9, 20, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 10])
def test_a_damaged_checkpoint_is_refused_with_what_to_do(long_log: DurableLog, at: int) -> None:
    long_log.checkpoint(40, STATE)
    path = checkpoint_path(long_log._folder.path, 40)
    data = path.read_bytes()
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(DamagedLog, match="intact copy of this file, or replace the node") as refused:
        checkpoint = reopened(long_log).checkpoint
        assert checkpoint is not None
        list(checkpoint.content())
    assert str(path) in str(refused.value)


def test_a_checkpoint_that_is_missing_is_refused(long_log: DurableLog) -> None:
    long_log.checkpoint(40, STATE)
    checkpoint_path(long_log._folder.path, 40).unlink()
    with pytest.raises(DamagedLog, match="is missing"):
        reopened(long_log)


def test_a_truncated_segment_that_should_be_there_is_refused(long_log: DurableLog) -> None:
    long_log.checkpoint(40, STATE)
    long_log.truncate(40)
    folder = long_log._folder.path
    segment_path(folder, segment_numbers(folder)[0]).unlink()
    with pytest.raises(DamagedLog, match="is missing"):
        reopened(long_log)


class Killed(BaseException):
    """The process dies here."""


def test_a_crash_at_any_step_of_a_checkpoint_and_a_truncation_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write, sync, rename and removal is one such step; another life begins after it."""
    lived = 0
    for step in range(200):
        folder = tmp_path / str(step)
        log, _ = opened(folder)
        log.commit([BallotRecord(ONE), PromiseRecord(TWO)])
        for slot in range(1, 41):
            log.commit(accepted(slot, ballot=TWO))
        log.checkpoint(10, [b"ten"])
        with monkeypatch.context() as patch:
            left = [step]

            def dying(original: Callable, left: list[int] = left) -> Callable:
                def act(*args: object, **kwargs: object) -> object:
                    left[0] -= 1
                    if left[0] < 0:
                        raise Killed
                    return original(*args, **kwargs)

                return act

            for name in ("pwrite", "fsync"):
                patch.setattr(os, name, dying(getattr(os, name)))
            for name in ("rename", "unlink"):
                patch.setattr(Path, name, dying(getattr(Path, name)))
            try:
                log.checkpoint(30, STATE)
                log.truncate(30)
                lived = step
            except Killed:
                pass
        found = reopened(log)
        assert found.state.low in (10, 30)
        assert (found.state.promised, found.state.ballot_used) == (TWO, ONE)
        assert [slot for slot, _, _ in found.state.accepted] == list(range(found.state.low + 1, 41))
        assert found.checkpoint is not None
        assert b"".join(found.checkpoint.content()) == (b"ten" if found.state.low == 10 else b"".join(STATE))
        assert not list(folder.glob("*.tmp"))
        if lived:
            break
    assert lived > 10
    assert found.state.low == 30


def no_room(code: int = errno.ENOSPC) -> Callable:
    def fails(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return fails


def test_a_checkpoint_that_finds_no_room_leaves_all_as_it_was(
    long_log: DurableLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_log.checkpoint(10, STATE)
    names = sorted(path.name for path in long_log._folder.path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", no_room())
        with pytest.raises(DiskFull, match="make room"):
            long_log.checkpoint(40, STATE)
    assert sorted(path.name for path in long_log._folder.path.iterdir()) == names
    long_log.commit(accepted(61))
    long_log.checkpoint(40, STATE)
    assert reopened(long_log).state.low == 40


def test_a_batch_that_found_no_room_for_a_segment_is_committed_when_there_is(
    long_log: DurableLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = accepted(*range(61, 75))
    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", no_room())
            with pytest.raises(DiskFull, match="make room"):
                long_log.commit(batch)
    long_log.commit(batch)
    long_log.commit(accepted(75))
    found = reopened(long_log)
    assert [slot for slot, _, _ in found.state.accepted] == list(range(1, 76))
    assert found.batches == 63


def test_a_sync_that_failed_is_never_tried_again_not_even_for_a_checkpoint(
    long_log: DurableLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", no_room(errno.EIO))
        with pytest.raises(DiskFailed):
            long_log.commit(accepted(61))
    for act in (lambda: long_log.commit(accepted(61)), lambda: long_log.checkpoint(40, STATE)):
        with pytest.raises(DiskFailed, match="takes nothing more"):
            act()
    assert reopened(long_log).state.low == 0


def test_a_folder_of_the_first_format_is_opened_and_kept_until_it_has_a_checkpoint(
    tmp_path: Path, long_log: DurableLog
) -> None:
    manifest = long_log._folder.path / MANIFEST
    assert b"base" not in manifest.read_bytes()
    long_log.checkpoint(40, STATE)
    assert b'"checkpoint": 40' in manifest.read_bytes()
    assert reopened(long_log).state.low == 40


def test_a_restart_makes_truncation_take_no_more_than_it_would_have(tmp_path: Path) -> None:
    kept = []
    for name, restarts in (("steady", False), ("restarted", True)):
        log, _ = opened(tmp_path / name)
        for slot in range(1, 61):
            log.commit(accepted(slot))
        if restarts:
            log._release()
            log, _ = opened(tmp_path / name)
        log.checkpoint(60, STATE)
        log.truncate(30)
        kept.append(segment_numbers(tmp_path / name))
        log._release()
    assert kept[0] == kept[1]
    assert kept[0][0] > 1
    assert len(kept[0]) > 1

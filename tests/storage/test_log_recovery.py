"""What was committed is there after any crash; what was torn is cut; what was damaged is refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from quorate.impl.core.messages import Ballot
from quorate.impl.core.records import AcceptRecord, PromiseRecord, Record, Recovered
from quorate.impl.storage import DamagedLog, DurableLog, Identity, Opened, StorageError
from quorate.impl.storage.folder import MANIFEST
from quorate.impl.storage.frame import ALIGN, SECTOR, Frame
from quorate.impl.storage.segment import HEADER_BYTES, Segment, read_frames, segment_numbers, segment_path

SEGMENT_BYTES = 1920
Write = Callable[[Sequence[Sequence[Record]]], Path]
Open = Callable[[Path], Opened]


def last_segment(folder: Path) -> Path:
    return segment_path(folder, segment_numbers(folder)[-1])


def frames(folder: Path, identity: Identity, number: int) -> list[tuple[int, int]]:
    """Where each frame of a segment begins and ends."""
    segment, data = Segment.open(folder, identity, number)
    segment.close()
    read = read_frames(segment.path, data, segment.shape)
    ends = [frame.end for frame in read if isinstance(frame, Frame)]
    return list(zip([HEADER_BYTES, *ends], ends, strict=False))


def one_line(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    return text


def opened(open_once: Open, folder: Path) -> tuple[str | None, Recovered | None]:
    """Why the folder was refused, or what it holds."""
    try:
        return None, open_once(folder).state
    except StorageError as error:
        return one_line(error), None


def test_what_was_committed_is_there_after_a_kill(
    write_log: Write, open_once: Open, batches: list[list[Record]], prefixes: list[Recovered]
) -> None:
    folder = write_log(batches)
    found = open_once(folder)
    assert found.state == prefixes[-1]
    assert (found.boot, found.batches, found.torn) == (2, len(batches), None)


def test_the_log_goes_on_where_it_ended(
    write_log: Write,
    open_once: Open,
    identity: Identity,
    batches: list[list[Record]],
    prefixes: list[Recovered],
) -> None:
    folder = write_log(batches[:2])
    for batch in batches[2:]:
        log, _ = DurableLog.open(folder, identity, segment_bytes=SEGMENT_BYTES)
        log.commit(batch)
        log.close()
    assert open_once(folder).state == prefixes[-1]


def test_the_boot_number_grows_at_every_start(write_log: Write, open_once: Open) -> None:
    folder = write_log([])
    assert [open_once(folder).boot for _ in range(3)] == [2, 3, 4]


def test_segments_follow_each_other_and_a_large_batch_gets_one_to_measure(
    write_log: Write, open_once: Open, identity: Identity
) -> None:
    large = [AcceptRecord(Ballot(1, "a"), ((9, b"x" * 10_000),))]
    small = [[AcceptRecord(Ballot(1, "a"), ((slot, b"y" * 400),))] for slot in range(1, 9)]
    folder = write_log([*small, large, *small])
    assert segment_numbers(folder) == list(range(1, len(segment_numbers(folder)) + 1))
    assert max(segment_path(folder, number).stat().st_size for number in segment_numbers(folder)) > 10_000
    assert len(frames(folder, identity, 1)) == 2
    assert open_once(folder).batches == 17


def test_every_flip_of_a_bit_in_an_acknowledged_batch_is_refused_and_none_elsewhere_loses_a_record(
    write_log: Write,
    open_once: Open,
    identity: Identity,
    batches: list[list[Record]],
    prefixes: list[Recovered],
) -> None:
    """Every byte of every segment, padding and free room included; the last batch is no exception."""
    folder = write_log(batches)
    manifest = (folder / MANIFEST).read_bytes()
    assert len(segment_numbers(folder)) == 2
    for number in segment_numbers(folder):
        path = segment_path(folder, number)
        whole = path.read_bytes()
        padding = _padding(whole, [end for _, end in frames(folder, identity, number)])
        for at in range(len(whole)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
            (folder / MANIFEST).write_bytes(manifest)
            refused, state = opened(open_once, folder)
            assert refused is None or path.name in refused
            if refused is None:
                assert state == prefixes[-1]
                assert at in padding, f"byte {at} of {path.name} changed, and nobody saw it"
        path.write_bytes(whole)


def _padding(whole: bytes, ends: list[int]) -> set[int]:
    """Where a segment holds nothing: behind its header, between a batch and the next, behind the last."""
    starts = [len(whole[:end].rstrip(b"\0")) for end in (HEADER_BYTES, *ends[:-1], len(whole))]
    stops = [HEADER_BYTES, *ends[:-1], len(whole)]
    return {at for start, stop in zip(starts, stops, strict=True) for at in range(start, stop)}


def test_a_segment_that_was_cut_short_anywhere_is_refused(
    write_log: Write, open_once: Open, batches: list[list[Record]]
) -> None:
    """A segment has its full size before it is used, so that no crash makes it shorter."""
    folder = write_log(batches)
    for number in segment_numbers(folder):
        path = segment_path(folder, number)
        whole = path.read_bytes()
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            with pytest.raises(DamagedLog) as refusal:
                open_once(folder)
            assert path.name in one_line(refusal.value)
        path.write_bytes(whole)


def test_a_write_that_stopped_at_any_byte_loses_that_batch_and_no_other(
    write_log: Write,
    open_once: Open,
    identity: Identity,
    batches: list[list[Record]],
    prefixes: list[Recovered],
) -> None:
    """A process killed inside pwrite: a prefix, and zeros behind it."""
    folder = write_log(batches)
    path = last_segment(folder)
    whole = path.read_bytes()
    start, end = frames(folder, identity, 2)[-1]
    seen = set()
    for stop in range(start, end):
        path.write_bytes(whole[:stop].ljust(len(whole), b"\0"))
        found = open_once(folder)
        assert found.state in (prefixes[-2], prefixes[-1])
        assert (found.torn is None) == (stop == start or found.state == prefixes[-1])
        seen.add(found.batches)
    assert seen == {len(batches) - 1, len(batches)}


def test_sectors_that_landed_in_any_order_are_a_torn_batch(
    write_log: Write,
    open_once: Open,
    identity: Identity,
    prefixes: list[Recovered],
    batches: list[list[Record]],
) -> None:
    folder = write_log(batches[:3])
    path = last_segment(folder)
    whole = path.read_bytes()
    start, end = frames(folder, identity, 1)[-1]
    edges = [start, *range(start - start % SECTOR + SECTOR, end, SECTOR), end]
    pieces = list(pairwise(edges))
    assert len(pieces) == 3
    for landed in range(2 ** len(pieces) - 1):
        torn = bytearray(whole)
        for bit, (left, right) in enumerate(pieces):
            if not landed >> bit & 1:
                torn[left:right] = bytes(right - left)
        path.write_bytes(torn)
        found = open_once(folder)
        assert found.state == prefixes[2]
        assert (found.torn is None) == (landed == 0)


def test_a_torn_tail_is_reported_once_and_cleared(
    write_log: Write, open_once: Open, identity: Identity, batches: list[list[Record]]
) -> None:
    folder = write_log(batches[:3])
    path = last_segment(folder)
    whole = path.read_bytes()
    start, end = frames(folder, identity, 1)[-1]
    path.write_bytes(whole[: end - 200].ljust(len(whole), b"\0"))
    torn = open_once(folder).torn
    assert torn is not None
    assert path.name in torn
    assert f"byte {start}" in torn
    assert path.read_bytes() == whole[:start].ljust(len(whole), b"\0")
    assert open_once(folder).torn is None


def test_a_bad_batch_with_a_torn_one_behind_it_is_damaged_not_torn(
    write_log: Write, open_once: Open, identity: Identity, batches: list[list[Record]]
) -> None:
    """The header of the later batch is evidence that the earlier one was synced."""
    folder = write_log(batches[:3])
    path = last_segment(folder)
    whole = bytearray(path.read_bytes())
    *_, (before, _), (start, _) = frames(folder, identity, 1)
    whole[before:start] = bytes(start - before)
    whole[start + SECTOR :] = bytes(len(whole) - start - SECTOR)
    path.write_bytes(whole)
    with pytest.raises(DamagedLog, match=f"byte {before}.*later batch"):
        open_once(folder)


def test_a_header_that_lost_its_mark_while_its_content_stands_is_damaged(
    write_log: Write, open_once: Open, identity: Identity, batches: list[list[Record]]
) -> None:
    """A write that was cut short in its header leaves only zeros behind the cut."""
    folder = write_log(batches)
    path = last_segment(folder)
    whole = bytearray(path.read_bytes())
    start, _ = frames(folder, identity, 2)[-1]
    whole[start + ALIGN - 1] = 0
    path.write_bytes(whole)
    with pytest.raises(DamagedLog, match="has changed since"):
        open_once(folder)


def test_a_batch_in_the_place_of_another_is_refused(
    write_log: Write, open_once: Open, identity: Identity
) -> None:
    """A write that went astray: whole, of this very segment, and not the batch that belongs there."""
    folder = write_log([[PromiseRecord(Ballot(number, "a"))] for number in (1, 2, 3)])
    path = last_segment(folder)
    whole = bytearray(path.read_bytes())
    (first, second), (_, third), _ = frames(folder, identity, 1)
    whole[second:third] = whole[first:second]
    path.write_bytes(whole)
    with pytest.raises(DamagedLog, match="batch 1 stands where batch 2 must be"):
        open_once(folder)


def test_only_the_last_segment_may_end_torn(
    write_log: Write, open_once: Open, identity: Identity, batches: list[list[Record]]
) -> None:
    folder = write_log(batches)
    path = segment_path(folder, 1)
    whole = path.read_bytes()
    start, end = frames(folder, identity, 1)[-1]
    path.write_bytes(whole[: end - 40].ljust(len(whole), b"\0"))
    with pytest.raises(DamagedLog, match="later segments follow"):
        open_once(folder)
    path.write_bytes(whole[:start].ljust(len(whole), b"\0"))
    with pytest.raises(DamagedLog, match="begins with batch"):
        open_once(folder)


@pytest.mark.parametrize(("number", "words"), [(1, "00001.segment: is missing"), (2, "was synced")])
def test_a_missing_segment_is_noticed(
    write_log: Write, open_once: Open, batches: list[list[Record]], number: int, words: str
) -> None:
    folder = write_log(batches)
    open_once(folder)  # the manifest now knows how far the log reaches
    segment_path(folder, number).unlink()
    with pytest.raises(DamagedLog, match=words):
        open_once(folder)


def test_a_segment_under_the_name_of_another_is_refused(
    write_log: Write, open_once: Open, batches: list[list[Record]]
) -> None:
    folder = write_log(batches)
    segment_path(folder, 1).replace(segment_path(folder, 2))
    segment_path(folder, 1).write_bytes(segment_path(folder, 2).read_bytes())
    with pytest.raises(DamagedLog, match="this is segment 1 under the name of segment 2"):
        open_once(folder)


def test_a_log_without_any_segment_is_not_taken_for_a_new_one(write_log: Write, open_once: Open) -> None:
    folder = write_log([])
    segment_path(folder, 1).unlink()
    with pytest.raises(DamagedLog, match="missing"):
        open_once(folder)


def test_a_zeroed_end_is_noticed_after_an_orderly_stop(
    tmp_path: Path, open_once: Open, identity: Identity, batches: list[list[Record]]
) -> None:
    """After a crash nobody can tell it from a batch that was never written; a stop leaves a note of the end."""
    folder = tmp_path / "data"
    with DurableLog.open(folder, identity, segment_bytes=SEGMENT_BYTES)[0] as log:
        for batch in batches:
            log.commit(batch)
    path = last_segment(folder)
    start, _ = frames(folder, identity, 2)[-1]
    path.write_bytes(path.read_bytes()[:start].ljust(SEGMENT_BYTES, b"\0"))
    with pytest.raises(DamagedLog, match="was synced"):
        open_once(folder)


def test_a_frame_from_elsewhere_is_not_taken_for_a_later_batch(
    write_log: Write,
    open_once: Open,
    identity: Identity,
    batches: list[list[Record]],
    prefixes: list[Recovered],
) -> None:
    """The picture of another log's frame behind a torn batch, as a client's value may hold one."""
    folder = write_log(batches[:2])
    whole = bytearray(last_segment(folder).read_bytes())
    (_, second), (_, third) = frames(folder, identity, 1)
    log, _ = DurableLog.open(folder.with_name("foreign"), identity, segment_bytes=SEGMENT_BYTES)
    for batch in batches[:2]:
        log.commit(batch)
    log.close()
    foreign = last_segment(folder.with_name("foreign")).read_bytes()
    whole[second:third] = bytes(ALIGN) + foreign[second : third - ALIGN]
    last_segment(folder).write_bytes(whole)
    assert open_once(folder).state == prefixes[1]


def test_the_last_batch_and_the_zeros_behind_it_are_synced_again_before_anybody_is_told_of_it(
    write_log: Write,
    open_once: Open,
    identity: Identity,
    batches: list[list[Record]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process killed between pwrite and fdatasync leaves a batch that only the page cache holds; one that could not
    clear a torn tail leaves one that only the disk holds."""
    folder = write_log(batches)
    start, end = frames(folder, identity, 2)[-1]
    done: list[object] = []
    pwrite, fdatasync = os.pwrite, os.fdatasync
    monkeypatch.setattr(
        os, "pwrite", lambda fd, data, at: (done.append((at, len(data))), pwrite(fd, data, at))[1]
    )
    monkeypatch.setattr(os, "fdatasync", lambda fd: (done.append("sync"), fdatasync(fd))[1])
    open_once(folder)
    assert done[:4] == [(start, end - start), "sync", (end, SEGMENT_BYTES - end), "sync"]
    assert "sync" not in done[4:], "the rest is the manifest's"


def test_a_new_file_is_synced_before_it_gets_its_name_and_its_name_before_it_is_used(
    tmp_path: Path, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    done: list[str] = []
    rename, pwrite = Path.rename, os.pwrite
    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append("sync"))
    monkeypatch.setattr(
        os, "pwrite", lambda descriptor, data, at: (done.append("write"), pwrite(descriptor, data, at))[1]
    )
    monkeypatch.setattr(Path, "rename", lambda path, name: (done.append(path.name), rename(path, name))[1])
    log, _ = DurableLog.open(folder, identity, segment_bytes=SEGMENT_BYTES)
    log.commit([PromiseRecord(Ballot(1, "a"))])
    log.close()
    manifest = ["write", "sync", "manifest.json.tmp", "sync"]
    segment = ["write", "write", "sync", "log-00000001.segment.tmp", "sync"]
    above = ["sync"] * len(folder.parents)
    assert done == [*above, *manifest, *segment, *manifest, "write", *manifest]

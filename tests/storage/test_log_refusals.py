"""A folder that is not ours, and a disk that fails: one clear line each, and nothing lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from quorate.impl.core.messages import Ballot
from quorate.impl.core.records import PromiseRecord, Record, Recovered
from quorate.impl.storage import (
    DamagedLog,
    DiskFailed,
    DiskFull,
    DurableLog,
    FolderInUse,
    Identity,
    Opened,
    StorageError,
    UnknownFormat,
    WrongFolder,
)
from quorate.impl.storage.folder import MANIFEST
from quorate.impl.storage.segment import segment_numbers, segment_path

Write = Callable[[Sequence[Sequence[Record]]], Path]
Open = Callable[[Path], Opened]
PROMISE: Record = PromiseRecord(Ballot(9, "c"))


def refusal(kind: type[StorageError], folder: Path, identity: Identity) -> str:
    """The line with which a folder is refused."""
    with pytest.raises(kind) as caught:
        DurableLog.open(folder, identity)
    assert caught.type is kind
    text = str(caught.value)
    assert "\n" not in text
    assert str(folder) in text
    return text


@pytest.mark.parametrize("other", [Identity("orchard", "b"), Identity("meadow", "a")])
def test_the_folder_of_another_node_or_cluster_is_refused(write_log: Write, other: Identity) -> None:
    text = refusal(WrongFolder, write_log([[PROMISE]]), other)
    assert "'a'" in text
    assert "'orchard'" in text


def test_a_segment_of_another_node_is_refused(write_log: Write, tmp_path: Path, identity: Identity) -> None:
    folder = write_log([[PROMISE]])
    other, _ = DurableLog.open(tmp_path / "other", Identity("orchard", "b"))
    other.close()
    segment_path(tmp_path / "other", 1).replace(segment_path(folder, 1))
    assert "another node" in refusal(WrongFolder, folder, identity)


def test_a_file_is_no_folder(tmp_path: Path, identity: Identity) -> None:
    (tmp_path / "file").write_text("mine")
    assert "not a folder" in refusal(WrongFolder, tmp_path / "file", identity)


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path, identity: Identity) -> None:
    for name in ("thesis.tex", "notes.tmp"):
        (tmp_path / name).write_text("mine")
    assert "notes.tmp" in refusal(WrongFolder, tmp_path, identity)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "thesis.tex": "mine",
        "notes.tmp": "mine",
    }


def test_a_name_with_a_digit_that_is_no_number_is_no_segment(write_log: Write, open_once: Open) -> None:
    folder = write_log([[PROMISE]])
    (folder / "log-\u00b200.segment").write_text("mine")
    assert open_once(folder).batches == 1
    assert (folder / "log-\u00b200.segment").read_text() == "mine"


def test_what_a_crash_left_half_made_is_removed(write_log: Write, open_once: Open) -> None:
    folder = write_log([[PROMISE]])
    for name in (f"{MANIFEST}.tmp", "log-00000002.segment.tmp"):
        (folder / name).write_bytes(b"half")
    assert open_once(folder).batches == 1
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "log-00000001.segment", MANIFEST]


def test_a_folder_that_may_not_be_written_is_refused(
    tmp_path: Path, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert "Permission denied" in refusal(WrongFolder, tmp_path / "data", identity)


def test_two_logs_never_share_a_folder(tmp_path: Path, identity: Identity) -> None:
    log, _ = DurableLog.open(tmp_path / "data", identity)
    assert "another process" in refusal(FolderInUse, tmp_path / "data", identity)
    log.close()
    again, _ = DurableLog.open(tmp_path / "data", identity)
    again.close()


def test_the_lock_dies_with_its_process(tmp_path: Path, identity: Identity) -> None:
    """A process that is killed leaves a folder that the next one can open."""
    folder = tmp_path / "data"
    program = (
        "import os, sys; from pathlib import Path; from quorate.impl.storage import DurableLog, Identity\n"
        "log, _ = DurableLog.open(Path(sys.argv[1]), Identity('orchard', 'a')); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(folder)], check=False).returncode == 9
    log, found = DurableLog.open(folder, identity)
    log.close()
    assert found.boot == 2


def test_a_newer_format_is_refused(write_log: Write, identity: Identity) -> None:
    folder = write_log([[PROMISE]])
    (folder / MANIFEST).write_text('{"format": 3, "surprise": true}')
    assert "newer" in refusal(UnknownFormat, folder, identity)


def test_an_unknown_record_is_refused(write_log: Write, open_once: Open, identity: Identity) -> None:
    """A newer version's record, in a batch whose checksum is right."""

    class LeaseRecord(msgspec.Struct, array_like=True, tag="lease"):
        until_ms: int

    folder = write_log([[PROMISE], [LeaseRecord(5)]])  # type: ignore[list-item]
    text = refusal(UnknownFormat, folder, identity)
    assert "'lease'" in text
    assert "batch 2" in text


def test_a_batch_that_is_no_batch_is_refused(write_log: Write, identity: Identity) -> None:
    folder = write_log([[PromiseRecord("high")]])  # type: ignore[arg-type]
    assert "batch 1" in refusal(DamagedLog, folder, identity)


@pytest.mark.parametrize("bit", [1, 128])
@pytest.mark.parametrize("at", range(0, 100, 3))
def test_a_damaged_manifest_is_refused(write_log: Write, identity: Identity, at: int, bit: int) -> None:
    """A digit of the boot number as much as a brace; and what is no text any more."""
    folder = write_log([[PROMISE]])
    text = (folder / MANIFEST).read_bytes()
    significant = [index for index, byte in enumerate(text) if not chr(byte).isspace()]
    index = significant[at % len(significant)]
    (folder / MANIFEST).write_bytes(text[:index] + bytes([text[index] ^ bit]) + text[index + 1 :])
    with pytest.raises(StorageError) as caught:
        DurableLog.open(folder, identity)
    assert "\n" not in str(caught.value)


def test_a_first_start_that_died_at_any_step_can_start_again(
    tmp_path: Path, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fsync and each rename of a first start is one such step."""

    class DiedError(BaseException):
        pass

    steps = 0
    while True:
        left = steps

        def die_or(act: Callable[..., object]) -> Callable[..., object]:
            def step(*given: object) -> object:
                nonlocal left
                if left == 0:
                    raise DiedError
                left -= 1
                return act(*given)

            return step

        folder = tmp_path / f"died-after-{steps}"
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", die_or(os.fsync))
            patch.setattr(Path, "rename", die_or(Path.rename))
            try:
                DurableLog.open(folder, identity, segment_bytes=1024)[0]._release()
                break
            except DiedError:
                steps += 1
        DurableLog.open(folder, identity, segment_bytes=1024)[0].close()
    assert steps > 8


def failing(error: int, *, after: int) -> Callable[..., int]:
    """A system call that fails with `error`, once `after` calls have succeeded."""
    left = after

    def call(descriptor: int, *given: object) -> int:
        nonlocal left
        if left == 0:
            raise OSError(error, os.strerror(error))
        left -= 1
        return len(given[0]) if given and isinstance(given[0], bytes | memoryview) else 0

    return call


@pytest.mark.parametrize(
    ("name", "error", "kind"),
    [
        ("pwrite", errno.ENOSPC, DiskFull),
        ("pwrite", errno.EDQUOT, DiskFull),
        ("pwrite", errno.EIO, DiskFailed),
        ("fdatasync", errno.EIO, DiskFailed),
        ("fdatasync", errno.ENOSPC, DiskFull),
    ],
)
def test_a_disk_error_kills_the_log_and_loses_nothing(
    tmp_path: Path,
    identity: Identity,
    monkeypatch: pytest.MonkeyPatch,
    open_once: Open,
    batches: list[list[Record]],
    prefixes: list[Recovered],
    name: str,
    error: int,
    kind: type[StorageError],
) -> None:
    folder = tmp_path / "data"
    log, _ = DurableLog.open(folder, identity, segment_bytes=4096)
    for batch in batches[:3]:
        log.commit(batch)
    with monkeypatch.context() as patch:
        patch.setattr(os, name, failing(error, after=0))
        with pytest.raises(kind, match=os.strerror(error)) as caught:
            log.commit(batches[3])
        assert "\n" not in str(caught.value)
    with pytest.raises(DiskFailed, match="takes nothing more"):  # the disk is well again; the log is not
        log.commit(batches[3])
    log.close()
    assert open_once(folder).state in (prefixes[3], prefixes[4])


def test_a_full_disk_at_a_new_segment_loses_nothing_and_leaves_no_trace(
    tmp_path: Path,
    identity: Identity,
    monkeypatch: pytest.MonkeyPatch,
    open_once: Open,
    batches: list[list[Record]],
    prefixes: list[Recovered],
) -> None:
    folder = tmp_path / "data"
    log, _ = DurableLog.open(folder, identity, segment_bytes=1920)
    for batch in batches[:3]:
        log.commit(batch)
    before = sorted(path.name for path in folder.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", failing(errno.ENOSPC, after=1))
        with pytest.raises(DiskFull, match="make room"):
            log.commit(batches[3])
    assert sorted(path.name for path in folder.iterdir()) == before
    log.close()
    assert segment_numbers(folder) == [1]
    assert open_once(folder).state == prefixes[3]


def test_a_short_write_goes_on(
    tmp_path: Path,
    identity: Identity,
    monkeypatch: pytest.MonkeyPatch,
    open_once: Open,
    batches: list[list[Record]],
    prefixes: list[Recovered],
) -> None:
    folder = tmp_path / "data"
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, at: pwrite(descriptor, data[:100], at))
    log, _ = DurableLog.open(folder, identity, segment_bytes=4096)
    for batch in batches:
        log.commit(batch)
    log.close()
    assert open_once(folder).state == prefixes[-1]


def test_a_closed_log_takes_nothing(tmp_path: Path, identity: Identity) -> None:
    log, _ = DurableLog.open(tmp_path / "data", identity)
    log.close()
    log.close()
    with pytest.raises(DiskFailed, match="closed"):
        log.commit([PROMISE])


def test_an_empty_batch_and_an_impossible_segment_are_the_callers_fault(
    tmp_path: Path, identity: Identity
) -> None:
    with pytest.raises(ValueError, match="segment_bytes"):
        DurableLog.open(tmp_path / "data", identity, segment_bytes=1000)
    with (
        DurableLog.open(tmp_path / "data", identity)[0] as log,
        pytest.raises(ValueError, match="without records"),
    ):
        log.commit([])

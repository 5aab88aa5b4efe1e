"""Where a search keeps its states: on disk when memory is short, and in a file from which it can be gone on with."""

from __future__ import annotations

import _thread
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quorate.checker.explore.result import Exploration, Limits
from quorate.checker.instance import Instance
from quorate.checker.mutation import mutants_of, mutate
from quorate.checker.native import (
    BadCheckpoint,
    NoWay,
    Storage,
    explore,
    frontier,
    room,
    search,
    seen,
    worker,
)
from quorate.checker.specification import Specification

CORE = {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}
MIDDLE = {"acceptor": 3, "ballot": 3, "slot": 1, "value": 2}
COUNTS = (185_369, 491_535, 25)


@pytest.fixture
def spec(specs: Mapping[str, Specification]) -> Specification:
    return specs["multipaxos"]


@pytest.fixture
def in_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks, chunks and files so small that a small model fills many of each."""
    monkeypatch.setattr(worker, "BLOCK_STATES_MAX", 500)
    monkeypatch.setattr(frontier, "CHUNK_BYTES", 20_000)
    monkeypatch.setattr(frontier, "FILE_BYTES", 100_000)


def counts(found: Exploration) -> tuple[int, int, int]:
    return found.distinct, found.edges, found.depth


def everything(found: Exploration) -> dict[str, Any]:
    """What must not depend on how a search went."""
    out = found.to_json()
    return {
        k: out[k] for k in ("verdict", "distinct", "edges", "depth", "deadlocks", "properties", "cut_short")
    } | {
        "taken": {name: c.taken for name, c in found.actions.items()},
        "orbits": found.extra.get("orbits"),
        "generated": found.extra["generated"],
    }


# Memory --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_many_pieces")
@pytest.mark.parametrize(
    ("workers", "exact", "symmetry"), [(1, False, False), (2, True, False), (2, False, True)]
)
def test_what_waits_on_disk_is_explored_all_the_same(
    spec: Specification,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    exact: bool,
    symmetry: bool,
) -> None:
    middle = Instance.of(spec, MIDDLE)
    monkeypatch.setattr(room, "SHORT", 0.0)  # memory is short from the beginning, and suffices to the end
    scarce = Storage(memory_bytes_max=1 << 40, folder=tmp_path)
    found = explore(spec, middle, storage=scarce, workers=workers, exact=exact, symmetry=symmetry)
    plenty = explore(spec, middle, workers=workers, exact=exact, symmetry=symmetry)
    assert counts(found) == COUNTS
    assert everything(found) == everything(plenty)
    assert found.extra["on_disk_bytes"] > 100_000
    assert "on_disk_bytes" not in plenty.extra
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("in_many_pieces")
def test_a_counterexample_is_found_on_disk_too(
    spec: Specification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SHORT", 0.0)
    mutant = next(m for m in mutants_of(spec) if m.name == "leader_ignores_reports")
    spoilt = mutate(spec, mutant)
    scarce = Storage(memory_bytes_max=1 << 40, folder=tmp_path)
    found = explore(spoilt, Instance.of(spoilt, MIDDLE), storage=scarce, symmetry=False)
    assert found.violation is not None
    assert len(found.violation.steps) == mutant.steps
    assert found.extra["on_disk_bytes"] > 0


def test_where_there_is_no_room_for_the_way_to_a_violation_that_is_said(
    spec: Specification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = room.Room.has
    spoilt = mutate(spec, next(m for m in mutants_of(spec) if m.name == "leader_ignores_reports"))
    monkeypatch.setattr(seen, "TABLE_LOG2_MIN", 10)
    monkeypatch.setattr(worker, "BLOCK_STATES_MAX", 100)
    searches: list[bool] = []

    def has(self: room.Room, more: int) -> bool:
        return not searches[-1] and plain(self, more)

    begin = search.Search.begin
    monkeypatch.setattr(
        search.Search, "begin", lambda self: (searches.append(self.order.keep_levels), begin(self))[1]
    )
    monkeypatch.setattr(room.Room, "has", has)
    with pytest.raises(
        NoWay, match=r"a violation was found, but not the way to it: memory is full: .* allow more"
    ):
        explore(
            spoilt,
            Instance.of(spoilt, MIDDLE),
            storage=Storage(memory_bytes_max=1 << 40, folder=tmp_path),
            symmetry=False,
            workers=1,
        )
    assert searches == [False, True]


@pytest.mark.parametrize("exact", [False, True])
def test_where_a_table_may_not_grow_the_search_ends_and_can_be_gone_on_with(
    spec: Specification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact: bool
) -> None:
    middle = Instance.of(spec, MIDDLE)
    scarce = Storage(memory_bytes_max=1 << 20, folder=tmp_path, checkpoint=tmp_path / "run")
    with monkeypatch.context() as small:
        small.setattr(seen, "TABLE_LOG2_MIN", 10)
        small.setattr(worker, "BLOCK_STATES_MAX", 100)
        found = explore(spec, middle, storage=scarce, symmetry=False, workers=2, exact=exact)
    assert (found.verdict, found.cut_short) == ("unknown", "memory is full: 1 MiB are allowed")
    assert found.extra["checkpoint_failed"] is None
    assert 0 < found.distinct < COUNTS[0]
    again = explore(
        spec, middle, storage=Storage(resume=tmp_path / "run"), symmetry=False, workers=1, exact=exact
    )
    assert counts(again) == COUNTS


@pytest.mark.usefixtures("in_many_pieces")
def test_where_the_disk_takes_no_more_the_search_ends_and_says_so(
    spec: Specification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    scarce = Storage(memory_bytes_max=1 << 20, folder=gone, checkpoint=tmp_path / "run")
    found = explore(spec, Instance.of(spec, MIDDLE), storage=scarce, symmetry=False, workers=2)
    assert found.verdict == "unknown"
    assert found.cut_short == (
        f"memory is full: 1 MiB are allowed, and the disk takes no more: No such file or directory in {gone}"
    )
    again = explore(spec, Instance.of(spec, MIDDLE), storage=Storage(resume=tmp_path / "run"), symmetry=False)
    assert counts(again) == COUNTS


# Checkpoints -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_many_pieces")
@pytest.mark.parametrize(
    ("before", "after", "exact", "symmetry"),
    [
        (1, 2, False, False),
        (2, 1, True, False),
        (2, 3, False, True),
        pytest.param(1, 2, True, False, marks=pytest.mark.long),
        pytest.param(1, 2, False, True, marks=pytest.mark.long),
        pytest.param(2, 1, False, False, marks=pytest.mark.long),
        pytest.param(2, 1, False, True, marks=pytest.mark.long),
        pytest.param(2, 3, False, False, marks=pytest.mark.long),
        pytest.param(2, 3, True, False, marks=pytest.mark.long),
    ],
)
def test_a_search_gone_on_with_ends_as_if_it_had_never_stopped(
    spec: Specification, tmp_path: Path, before: int, after: int, exact: bool, symmetry: bool
) -> None:
    middle, file = Instance.of(spec, MIDDLE), tmp_path / "run"
    whole = explore(spec, middle, exact=exact, symmetry=symmetry)
    stops = 0
    storage = Storage(checkpoint=file)
    workers, limit = before, 1_000
    while True:
        limits = Limits(states_max=limit)
        found = explore(
            spec, middle, limits=limits, workers=workers, exact=exact, symmetry=symmetry, storage=storage
        )
        if found.verdict != "unknown":
            break
        assert found.extra["checkpoint"] == str(file)
        assert found.distinct < whole.distinct
        stops += 1
        workers, limit = (after if workers == before else before), limit + (3_000 if symmetry else 40_000)
        storage = Storage(checkpoint=file, resume=file)
    assert stops > 2
    assert everything(found) == everything(whole)
    assert not file.exists()


@pytest.mark.usefixtures("in_many_pieces")
def test_ctrl_c_leaves_a_file_that_can_be_gone_on_with(
    spec: Specification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    middle, file, rounds = Instance.of(spec, MIDDLE), tmp_path / "run", itertools.count()
    plain = search.Search.why_stop

    def pressed(self: search.Search) -> str:
        if next(rounds) == 20:
            _thread.interrupt_main()
            while not self.reason:  # until the main thread has noticed
                time.sleep(0.001)
        return plain(self)

    monkeypatch.setattr(search.Search, "why_stop", pressed)
    found = explore(spec, middle, symmetry=False, storage=Storage(checkpoint=file))
    assert (found.verdict, found.cut_short) == ("unknown", "it was interrupted")
    assert found.distinct < COUNTS[0]
    assert counts(explore(spec, middle, symmetry=False, storage=Storage(resume=file))) == COUNTS


def test_a_search_that_is_killed_is_gone_on_with(spec: Specification, tmp_path: Path) -> None:
    file = tmp_path / "run"
    sizes = {"acceptor": 3, "ballot": 2, "slot": 2, "value": 2}
    program = (
        "from pathlib import Path\n"
        "from quorate.spec import multipaxos\n"
        "from quorate.checker.instance import Instance\n"
        "from quorate.checker.native import Storage, explore, worker\n"
        "from quorate.checker.specification import Specification\n"
        "worker.BLOCK_STATES_MAX = 50\n"
        "spec = Specification.of(multipaxos)\n"
        f"storage = Storage(checkpoint=Path({str(file)!r}), every_seconds=0.0)\n"
        f"explore(spec, Instance.of(spec, {sizes}), symmetry=False, workers=2, storage=storage)\n"
        "print('done', flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    try:
        seen_first = _wait_for(file, child)
        _wait_for(file, child, but_not=seen_first)  # a second one has replaced the first
    finally:
        os.kill(child.pid, signal.SIGKILL)
        said, _ = child.communicate()
    assert b"done" not in said
    (tmp_path / "run.part").unlink(missing_ok=True)
    found = explore(spec, Instance.of(spec, sizes), symmetry=False, storage=Storage(resume=file))
    assert counts(found) == (661_073, 2_462_666, 25)


def _wait_for(file: Path, child: subprocess.Popen[bytes], but_not: int = 0) -> int:
    """The number of a file that is there, and is not this one."""
    while child.poll() is None:
        if file.exists() and (number := file.stat().st_ino) != but_not:
            return number
        time.sleep(0.001)
    raise AssertionError("the search ended before it was killed")


@pytest.fixture
def written(spec: Specification, tmp_path: Path) -> Path:
    """A checkpoint of a small search."""
    file = tmp_path / "run"
    found = explore(
        spec,
        Instance.of(spec, CORE),
        limits=Limits(states_max=100),
        storage=Storage(checkpoint=file),
        workers=1,
    )
    assert found.verdict == "unknown"
    return file


def test_a_checkpoint_that_is_not_whole_is_refused(spec: Specification, written: Path) -> None:
    small, whole = Instance.of(spec, CORE), written.read_bytes()
    damaged = written.with_name("damaged")
    for size in range(0, len(whole), 97):
        damaged.write_bytes(whole[:size])
        with pytest.raises(
            BadCheckpoint, match=r"damaged: (the file is cut off|this is no checkpoint|it is of)"
        ):
            explore(spec, small, storage=Storage(resume=damaged))
    for at in range(0, len(whole), 1_001):
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(BadCheckpoint):
            explore(spec, small, storage=Storage(resume=damaged))


def test_a_checkpoint_of_something_else_is_refused(spec: Specification, written: Path) -> None:
    small, resumed = Instance.of(spec, CORE), Storage(resume=written)
    others: list[dict[str, Any]] = [{"symmetry": False}, {"properties": ()}, {"symmetry": ["acceptor"]}]
    for other in others:
        with pytest.raises(
            BadCheckpoint, match=r"it is of multipaxos with ballot=2, acceptor=3.* must be the same"
        ):
            explore(spec, small, storage=resumed, **other)
    with pytest.raises(BadCheckpoint, match="must be the same"):
        explore(spec, Instance.of(spec, {**CORE, "value": 1}), storage=resumed)
    spoilt = mutate(spec, mutants_of(spec)[0])
    with pytest.raises(BadCheckpoint, match="must be the same"):
        explore(spoilt, Instance.of(spoilt, CORE), storage=resumed)
    assert explore(spec, small, storage=replace(resumed, checkpoint=None)).distinct == 3_921


def test_a_file_that_cannot_be_written_or_read_is_told_at_once(spec: Specification, tmp_path: Path) -> None:
    small, nowhere = Instance.of(spec, CORE), tmp_path / "no" / "run"
    with pytest.raises(BadCheckpoint, match="No such file or directory; name a file that can be written"):
        explore(spec, small, storage=Storage(checkpoint=nowhere))
    with pytest.raises(BadCheckpoint, match="No such file or directory; name a checkpoint that was written"):
        explore(spec, small, storage=Storage(resume=nowhere))


@pytest.mark.parametrize("limit", [None, 100])
@pytest.mark.parametrize("whose", ["nobody's", "another search's", "this search's"])
def test_a_file_that_is_there_already_is_left_as_it_is(
    spec: Specification, written: Path, limit: int | None, whose: str
) -> None:
    file = written.with_name("there")
    file.write_bytes(b"dear diary" if whose == "nobody's" else written.read_bytes())
    before, sizes = file.read_bytes(), CORE if whose == "this search's" else {**CORE, "value": 1}
    resumed = [None] if whose == "this search's" else [None, written]
    for resume in resumed:
        with pytest.raises(BadCheckpoint, match=r"there: it exists and is left as it is; .* --resume"):
            explore(
                spec,
                Instance.of(spec, sizes),
                limits=Limits(states_max=limit),
                storage=Storage(checkpoint=file, resume=resume),
            )
    assert file.read_bytes() == before


def test_a_file_that_came_meanwhile_is_not_removed(
    spec: Specification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, begin = tmp_path / "run", search.Search.begin
    monkeypatch.setattr(search.Search, "begin", lambda self: (file.write_text("dear diary"), begin(self))[1])
    assert explore(spec, Instance.of(spec, CORE), storage=Storage(checkpoint=file)).verdict == "holds"
    assert file.read_text() == "dear diary"


@pytest.mark.parametrize(("workers", "exact"), [(1, False), (2, False), (1, True)])
def test_what_was_seen_is_put_back_into_tables_that_are_large_enough(
    spec: Specification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, exact: bool
) -> None:
    """It comes in the order of its fingerprints: a table that grows meanwhile is full at one end, and searched long."""
    middle, file = Instance.of(spec, MIDDLE), tmp_path / "run"
    monkeypatch.setattr(seen, "TABLE_LOG2_MIN", 10)
    options: dict[str, Any] = {"symmetry": False, "workers": workers, "exact": exact}
    explore(spec, middle, limits=Limits(states_max=60_000), storage=Storage(checkpoint=file), **options)
    grown: list[int] = []
    for kind in (seen.Fingerprints, seen.Whole):

        def grow(self: Any, plain: Any = kind.grow) -> None:
            grown.append(self.count)
            plain(self)

        monkeypatch.setattr(kind, "grow", grow)
    monkeypatch.setattr(search.Search, "run", lambda self, _: self.outcome())
    explore(spec, middle, storage=Storage(resume=file, checkpoint=file), **options)
    assert grown
    assert max(grown) <= 1  # the initial state may be there


def test_a_checkpoint_that_cannot_be_renamed_leaves_the_last_one_and_is_told(
    spec: Specification, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = written.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    storage = Storage(checkpoint=written, resume=written)
    found = explore(spec, Instance.of(spec, CORE), limits=Limits(states_max=200), storage=storage)
    assert found.verdict == "unknown"
    assert found.extra["checkpoint_failed"] == f"{written}: No space left on device"
    assert written.read_bytes() == before
    assert list(written.parent.iterdir()) == [written]

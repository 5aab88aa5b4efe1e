"""What the run for flat memory says of its rows."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from quorate.bench.memory import grown, on_disk_mib, rss_mib, sampled


def rows(*held: float) -> list[dict]:
    return [{"rss_mib": {"a": one}} for one in held]


def test_growth_is_the_last_quarters_peak_over_the_seconds() -> None:
    assert grown(rows(1, 2, 90, 100, 70, 80, 130, 150)) == {"a": pytest.approx(0.5)}
    assert grown(rows(1, 2, 100, 100, 999, 999, 80, 100)) == {"a": pytest.approx(0.0)}


def test_too_few_rows_say_nothing() -> None:
    assert grown(rows(1, 2, 3)) == {}
    assert grown([]) == {}


def test_a_peak_between_two_rows_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quorate.bench.memory.SAMPLE_S", 0.001)
    with sampled({"me": os.getpid()}) as peaks:
        before = peaks["me"]
        held = bytearray(b"x" * (64 << 20))
        while peaks["me"] < before + 60:
            time.sleep(0.001)
        del held
    assert peaks["me"] >= before + 60


def test_a_process_that_is_gone_holds_nothing() -> None:
    assert rss_mib(2**22 + 1) == 0


def test_what_is_on_disk_is_the_size_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1 << 20))
    (tmp_path / "b").write_bytes(bytes(1 << 19))
    assert on_disk_mib(tmp_path) == 1.5

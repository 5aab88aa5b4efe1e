"""What a person can mend ends a node with one line and exit code 2; and no error leaves anything behind."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from quorate.impl.core.errors import BrokenAgreement
from quorate.impl.core.messages import Ballot
from quorate.impl.core.records import PromiseRecord
from quorate.impl.core.replica import Replica
from quorate.impl.net.cluster import to_toml
from quorate.impl.net.main import main
from quorate.impl.settings import Settings
from quorate.impl.storage import DurableLog, Identity

MakeSettings = Callable[..., Settings]


@pytest.fixture
def refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[[Settings], str]:
    """Runs a node that must give up, in this process, and returns the line it prints."""

    def run(settings: Settings) -> str:
        config = tmp_path / "node.toml"
        config.write_text(to_toml(settings))
        assert main(["--config", str(config)]) == 2
        lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("quorate: ")]
        assert len(lines) == 1
        return lines[0]

    return run


@pytest.mark.parametrize("port", ["client", "peer"])
def test_a_port_in_use(settings: MakeSettings, refused: Callable[[Settings], str], port: str) -> None:
    mine = settings()
    address = mine.client if port == "client" else mine.peer
    with socket.create_server((address.host, address.port)):
        line = refused(mine)
    assert str(address) in line
    assert "in use" in line


def test_an_address_that_is_not_ours(settings: MakeSettings, refused: Callable[[Settings], str]) -> None:
    line = refused(settings(client="192.0.2.1:7001"))
    assert "192.0.2.1:7001" in line
    assert "no address of this machine" in line


def test_the_data_folder_of_another_node(
    settings: MakeSettings, refused: Callable[[Settings], str], tmp_path: Path
) -> None:
    DurableLog.open(tmp_path / "a", Identity("orchard", "b"))[0].close()
    line = refused(settings())
    assert "belongs to node 'b'" in line


def test_a_data_folder_in_use(
    settings: MakeSettings, refused: Callable[[Settings], str], tmp_path: Path
) -> None:
    with DurableLog.open(tmp_path / "a", Identity("orchard", "a"))[0]:
        assert "another process" in refused(settings())


def test_a_damaged_log(settings: MakeSettings, refused: Callable[[Settings], str], tmp_path: Path) -> None:
    with DurableLog.open(tmp_path / "a", Identity("orchard", "a"))[0] as log:
        log.commit([PromiseRecord(Ballot(1, "a"))])
    segment = next((tmp_path / "a").glob("*.segment"))
    whole = bytearray(segment.read_bytes())
    whole[512 + 40] ^= 1
    segment.write_bytes(whole)
    line = refused(settings())
    assert str(segment) in line
    assert "damaged at byte 512" in line


def test_a_trace_folder_that_is_a_file(
    settings: MakeSettings, refused: Callable[[Settings], str], tmp_path: Path
) -> None:
    (tmp_path / "trace").write_text("mine")
    assert str(tmp_path / "trace") in refused(settings(trace=tmp_path / "trace"))


def test_a_disk_that_is_full_at_the_start(
    settings: MakeSettings, refused: Callable[[Settings], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    assert "No space left" in refused(settings())


@pytest.mark.parametrize(("error", "words"), [(errno.ENOSPC, "make room"), (errno.EIO, "check the disk")])
def test_a_disk_that_fails_under_a_running_leader(
    settings: MakeSettings,
    refused: Callable[[Settings], str],
    monkeypatch: pytest.MonkeyPatch,
    error: int,
    words: str,
) -> None:
    """A single node elects itself; the first sync after its start is that of its own ballot."""

    def fail(*_: object) -> int:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fdatasync", fail)
    assert words in refused(settings("a"))


def test_a_missing_settings_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in capfd.readouterr().err


def test_two_values_in_one_slot_end_the_node_with_exit_code_1(
    settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise BrokenAgreement("slot 1: two values are chosen")

    monkeypatch.setattr(Replica, "step", broken)
    config = tmp_path / "node.toml"
    config.write_text(to_toml(settings()))
    assert main(["--config", str(config)]) == 1
    assert "quorate: slot 1: two values are chosen" in capfd.readouterr().err


def test_a_refusal_has_no_traceback_and_says_so_to_the_shell(settings: MakeSettings, tmp_path: Path) -> None:
    mine = settings()
    config = tmp_path / "node.toml"
    config.write_text(to_toml(mine))
    with socket.create_server((mine.client.host, mine.client.port)):
        ended = subprocess.run(
            [sys.executable, "-m", "quorate.impl.net.main", "--config", str(config)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("quorate: ")


def test_a_refused_start_leaves_the_folder_free(
    settings: MakeSettings, refused: Callable[[Settings], str], tmp_path: Path
) -> None:
    mine = settings()
    with socket.create_server((mine.client.host, mine.client.port)):
        refused(mine)
    with DurableLog.open(tmp_path / "a", Identity("orchard", "a"))[0] as log:
        assert log.batches == 0

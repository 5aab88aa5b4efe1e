"""`quorate serve` runs a node until it is told to stop, and says in one line why it cannot."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quorate.impl.net.cluster import free_ports

PATIENCE_S = 60.0


def configuration(folder: Path, port: int) -> Path:
    """The settings of a cluster of one node, which leads alone."""
    peer = free_ports(1)[0]
    file = folder / "a.toml"
    file.write_text(
        f'cluster = "alone"\nnode = "a"\nclient = "127.0.0.1:{port}"\ndata = "data"\ntrace = "trace"\n'
        f'[peers]\na = "127.0.0.1:{peer}"\n'
    )
    return file


@contextmanager
def served(config: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "quorate", "serve", "--config", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_port(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the node did not come up")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_node_serves_until_it_is_told_to_stop(tmp_path: Path, how: signal.Signals) -> None:
    (port,) = free_ports(1)
    with served(configuration(tmp_path, port)) as process:
        wait_for_port(port, process)
        process.send_signal(how)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert not out
    assert "Traceback" not in err
    (trace,) = (tmp_path / "trace").glob("*.ndjson")
    assert '"event":"stop"' in trace.read_text().splitlines()[-1]


def test_a_port_in_use_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with served(configuration(tmp_path, port)) as process:
            _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert f"127.0.0.1:{port}" in err
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1].startswith("quorate: ")

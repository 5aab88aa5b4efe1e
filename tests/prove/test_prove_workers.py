"""Work is shared out, its results come in order, and a process that dies costs its own piece only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quorate.checker.prove.workers import in_order


def square(n: int) -> int:
    return n * n


@pytest.mark.parametrize("jobs", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_results_come_in_the_order_asked(jobs: int, count: int) -> None:
    assert list(in_order(square, list(range(count)), jobs)) == [n * n for n in range(count)]


def test_work_is_done_in_other_processes_and_by_several_at_once(tmp_path: Path) -> None:
    """Each of two pieces of work waits for the other to have begun: done one after the other they would not end."""

    def meet(n: int) -> int:
        (tmp_path / str(n)).touch()
        while not (tmp_path / str(1 - n)).exists():
            time.sleep(0.001)
        return os.getpid()

    first, second = in_order(meet, [0, 1], 2)
    assert len({first, second, os.getpid()}) == 3


def test_a_process_that_dies_costs_its_own_piece_only() -> None:
    def sometimes(n: int) -> int:
        if n % 3 == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    assert list(in_order(sometimes, list(range(8)), 2)) == [0, None, 2, 3, None, 5, 6, None]


def test_all_may_die() -> None:
    def never(n: int) -> int:
        os._exit(1)

    assert list(in_order(never, [1, 2, 3], 2)) == [None, None, None]


def test_whoever_stops_listening_ends_the_processes(tmp_path: Path) -> None:
    def hang(n: int) -> int:
        (tmp_path / f"{os.getpid()}").touch()
        if n:
            time.sleep(600)
        return n

    results = in_order(hang, list(range(4)), 2)
    assert next(results) == 0
    results.close()
    for name in os.listdir(tmp_path):
        with pytest.raises(ProcessLookupError):
            os.kill(int(name), 0)


PARENT = """
import os, signal, sys, time
from pathlib import Path
from quorate.checker.prove.workers import in_order

signal.signal(signal.SIGINT, signal.default_int_handler)  # which is not heeded where tests run in the background

def hang(n):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(600)

list(in_order(hang, [1, 2], 2))
"""


def test_ctrl_c_ends_the_processes_too(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stderr=subprocess.DEVNULL)
    try:
        while len(os.listdir(tmp_path)) < 2:
            assert parent.poll() is None
            time.sleep(0.01)
        os.kill(parent.pid, signal.SIGINT)
        parent.wait(timeout=60)
        while any(alive(int(name)) for name in os.listdir(tmp_path)):
            time.sleep(0.01)
    finally:
        parent.kill()
        parent.wait()


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False

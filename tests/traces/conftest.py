"""Traces that several tests read: a small whole run, and a way to put lines into files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from quorate.traces.build import Script, message


@pytest.fixture
def one_command() -> Script:
    """Three nodes, one ballot, one command: the worked example of docs/trace-format.md, line by line."""
    ballot, entry = (1, "a"), (1, "set x 1")
    script = Script("a", "b", "c")
    a, b, c = (script.boot(node) for node in script.nodes)
    (prepare,) = a.write("prepare", ballot=ballot, send=[message("prepare", "b", "c", ballot=ballot)])
    a.write("promise", ballot=ballot)
    answer = message("promise", "a", ballot=ballot, accepted=[], low=0)
    (from_b,) = b.write("promise", recv=prepare, ballot=ballot, send=[answer])
    a.write("lead", recv=from_b, ballot=ballot, quorum=["a", "b"])
    proposal = message("accept", "b", "c", ballot=ballot, entries=[entry], commit=0)
    (accept,) = a.write("propose", ballot=ballot, entries=[entry], send=[proposal])
    a.write("accept", ballot=ballot, entries=[entry])
    done = message("accepted", "a", ballot=ballot, slots=[1])
    (accepted,) = b.write("accept", recv=accept, ballot=ballot, entries=[entry], send=[done])
    a.write("commit", recv=accepted, ballot=ballot, quorum=["a", "b"], entries=[entry])
    a.write("apply", entries=[entry])
    idle = message("heartbeat", "b", "c", ballot=ballot, commit=1)
    (beat,) = a.write("ignore", reason="idle", send=[idle])
    b.write("commit", recv=beat, entries=[entry], learned=True)
    b.write("apply", entries=[entry])
    (late,) = c.write("promise", recv=prepare, ballot=ballot, send=[answer])
    a.write("ignore", recv=late, reason="leads already")
    for pen in (a, b, c):
        pen.write("stop")
    return script


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, Iterable[str]], Path]:
    """Writes these lines to a file of this name."""

    def write(name: str, lines: Iterable[str]) -> Path:
        file = tmp_path / name
        file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return file

    return write

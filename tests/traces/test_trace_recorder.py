"""What a running node writes: whole numbered lines, a batch at a time, and one clear error when it cannot."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from quorate.traces import CannotRecord, Recorder, decode_line, events, merge, messages, read
from quorate.traces.build import Script
from quorate.traces.files import sources


class Ballot(NamedTuple):
    round: int
    node: str


class Accepted(msgspec.Struct, tag="accepted", array_like=True):
    """A message as an implementation may have it: an array on its wire."""

    id: tuple[str, int, int]
    to: tuple[str, ...]
    ballot: Ballot
    slots: list[int]


class AcceptFields(msgspec.Struct):
    ballot: Ballot
    entries: list[tuple[int, str]]


ACCEPT = {"id": ["b", 1, 512], "kind": "accept", "ballot": (7, "b"), "entries": [(40, "9f3c")], "commit": 39}
ACCEPTED = {"id": ["a", 2, 1], "to": ["b"], "kind": "accepted", "ballot": (7, "b"), "slots": [40]}


def test_a_line_is_what_the_format_says(tmp_path: Path) -> None:
    with Recorder(tmp_path, "a", 2) as recorder:
        recorder.write(
            "accept", {"ballot": (7, "b"), "entries": [(40, "9f3c")]}, recv=ACCEPT, send=[ACCEPTED]
        )
        recorder.write("stop")
    assert recorder.path == tmp_path / "a-2.ndjson"
    assert recorder.path.read_text().splitlines() == [
        '{"v":1,"node":"a","boot":2,"seq":1,"event":"accept","ballot":[7,"b"],"entries":[[40,"9f3c"]],'
        '"recv":{"id":["b",1,512],"kind":"accept","ballot":[7,"b"],"entries":[[40,"9f3c"]],"commit":39},'
        '"send":[{"id":["a",2,1],"to":["b"],"kind":"accepted","ballot":[7,"b"],"slots":[40]}]}',
        '{"v":1,"node":"a","boot":2,"seq":2,"event":"stop"}',
    ]


def test_structs_are_written_by_name_whatever_they_are_on_the_wire(tmp_path: Path) -> None:
    ballot = Ballot(7, "b")
    received = messages.Accept(
        id=messages.MessageId("b", 1, 3), ballot=messages.Ballot(7, "b"), entries=((40, "x"),)
    )
    with Recorder(tmp_path, "a", 2) as recorder:
        fields = AcceptFields(ballot, [(40, "x")])
        recorder.write(
            "accept", fields, recv=received, send=iter([Accepted(("a", 2, 1), ("b",), ballot, [40])])
        )
    (found,) = read(recorder.path)
    assert isinstance(found.line, events.Accept)
    assert found.line.recv == received
    assert found.line.send == (decode_line(msgspec.json.encode(_line_sending(ACCEPTED))).send)


def _line_sending(message: dict[str, Any]) -> dict[str, Any]:
    return {"v": 1, "node": "a", "boot": 2, "seq": 1, "event": "resend", "send": [message]}


def test_what_is_recorded_is_what_is_merged(one_command: Script, tmp_path: Path) -> None:
    recorders = {node: Recorder(tmp_path / "recorded", node, 1) for node in one_command.nodes}
    for line in one_command.lines:
        fields: dict[str, Any] = dict(line)
        node = fields["node"]
        carried = {
            name: value for name, value in fields.items() if name not in ("v", "node", "boot", "seq", "event")
        }
        recv, send = carried.pop("recv", None), carried.pop("send", ())
        recorders[node].write(fields["event"], carried, recv=recv, send=send)
    for recorder in recorders.values():
        recorder.close()
    one_command.save(tmp_path)
    assert [step.line for step in merge(tmp_path / "recorded")] == [step.line for step in merge(tmp_path)]


def test_a_batch_is_one_write_and_nothing_is_written_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    write = os.write

    def counted(fd: int, data: bytes) -> int:
        writes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", counted)
    recorder = Recorder(tmp_path, "a", 1)
    for _ in range(100):
        recorder.write("stop")
    assert writes == []
    assert not recorder.path.exists()  # a boot that did nothing leaves nothing behind
    recorder.flush()
    recorder.flush()
    assert writes == [recorder.path.stat().st_size]
    recorder.close()
    assert len(writes) == 1
    assert recorder.seq == 100


def test_a_full_disk_is_one_clear_error_and_the_trace_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, room = os.write, [60]

    def limited(fd: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = write(fd, bytes(data[: room[0]]))
        room[0] -= taken
        return taken

    monkeypatch.setattr(os, "write", limited)
    recorder = Recorder(tmp_path, "a", 1)
    recorder.write("apply", {"entries": []})
    recorder.write("stop")
    for _ in range(2):
        with pytest.raises(CannotRecord) as caught:
            recorder.flush()
        assert str(caught.value) == (
            f"{recorder.path}: cannot record the trace: No space left on device; "
            "free some space, or record to another folder"
        )
    assert [(gap.node, gap.boot, gap.place.number) for gap in merge(recorder.path).gaps] == [("a", 1, 1)]
    room[0] = 1000
    recorder.close()
    assert [found.line.event for found in read(recorder.path)] == ["apply", "stop"]


def test_a_boot_is_recorded_once(tmp_path: Path) -> None:
    with Recorder(tmp_path, "a", 1) as recorder:
        rival = Recorder(tmp_path, "a", 1)
        recorder.write("stop")
    rival.write("stop")
    with pytest.raises(
        CannotRecord, match="this boot of the node was recorded before; never use a boot number twice"
    ):
        rival.flush()
    with pytest.raises(CannotRecord, match="recorded before"):
        Recorder(tmp_path, "a", 1)
    assert len(list(read(recorder.path))) == 1


def test_a_folder_that_cannot_be_written_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(
            CannotRecord, match="cannot record the trace: Not a directory; name a folder, not"
        ):
            Recorder(folder, "a", 1)
    monkeypatch.setattr(os, "access", lambda *_: False)  # file modes do not stop root
    with pytest.raises(CannotRecord, match="cannot record the trace: Permission denied; check the folder"):
        Recorder(tmp_path / "new", "a", 1)


def test_a_node_may_have_any_name(tmp_path: Path) -> None:
    for node in ("../a", "größe 1", "a-1", "."):
        with Recorder(tmp_path, node, 3) as recorder:
            recorder.write("stop")
        assert recorder.path.parent == tmp_path
        assert [found.line.node for found in read(recorder.path)] == [node]
    assert len(list(tmp_path.iterdir())) == 4


def test_what_cannot_be_encoded_leaves_no_half_line(tmp_path: Path) -> None:
    with Recorder(tmp_path, "a", 1) as recorder:
        with pytest.raises(TypeError):
            recorder.write("apply", {"entries": [object()]})
        recorder.write("stop")
    assert [(found.line.seq, found.line.event) for found in read(recorder.path)] == [(1, "stop")]


def test_a_closed_recorder_writes_no_more(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "a", 1)
    recorder.close()
    recorder.close()
    with pytest.raises(CannotRecord, match="closed"):
        recorder.write("stop")
    assert list(tmp_path.iterdir()) == []


def test_closing_says_once_that_the_last_lines_are_lost(tmp_path: Path) -> None:
    rival = Recorder(tmp_path, "a", 1)
    with Recorder(tmp_path, "a", 1) as recorder:
        recorder.write("stop")
    rival.write("stop")
    with pytest.raises(CannotRecord):
        rival.close()
    rival.close()


CHILD = """
import sys
from quorate.traces import Recorder
recorder = Recorder(sys.argv[1], "a", 1)
while True:
    for _ in range(50):
        recorder.write("apply", {"entries": [(1, "x" * 100)]})
    recorder.flush()
    print(recorder.seq, flush=True)
"""


def test_what_was_flushed_survives_a_kill(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            flushed = [int(next(child.stdout)) for _ in range(20)][-1]
        finally:
            child.kill()
    reading = read(tmp_path)
    assert len(list(reading)) >= flushed


def test_a_full_file_is_continued_in_the_next_and_read_as_one(tmp_path: Path) -> None:
    with Recorder(tmp_path, "a", 1, file_bytes_max=200) as recorder:
        for number in range(40):
            recorder.write("ignore", {"reason": str(number)})
            recorder.flush()
    files = sorted(tmp_path.iterdir(), reverse=True)
    assert len(files) > 10, "and so numbers of one digit and of two"
    assert all(file.stat().st_size <= 300 for file in files)
    [source] = sources(files)
    for _ in range(2):  # the second time it knows how long each file is
        lines = list(source.lines())
        assert [json.loads(line.text)["reason"] for line in lines] == [str(number) for number in range(40)]
        assert [line.number for line in lines] == list(range(1, 41))
        for line in lines:
            assert next(source.lines(line.number, line.offset)) == line


def test_a_continuation_without_its_beginning_is_a_file_of_its_own(tmp_path: Path) -> None:
    lonely = tmp_path / "a-1.2.ndjson"
    lonely.write_text("{}\n")
    assert [source.name for source in sources([lonely])] == [str(lonely)]

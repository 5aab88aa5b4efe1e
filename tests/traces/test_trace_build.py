"""Writing traces by hand: numbered lines and messages, and plain dicts to be doctored."""

from __future__ import annotations

from pathlib import Path

from quorate.traces import Ballot, events, merge, read
from quorate.traces.build import Script, message


def test_lines_and_messages_are_numbered_in_each_boot(tmp_path: Path) -> None:
    script = Script("a", "b")
    for boot in (1, 2):
        pen = script.boot("a")
        first, second = pen.write("resend", send=[message("other", "b"), message("other", "b", "a")])
        (third,) = pen.write("resend", send=[message("other", "b")])
        assert [sent["id"] for sent in (first, second, third)] == [["a", boot, k] for k in (1, 2, 3)]
        assert second["to"] == ["b", "a"]
    script.boot("b")
    files = script.save(tmp_path)
    assert [file.name for file in files] == ["a-1.ndjson", "a-2.ndjson", "b-1.ndjson"]
    assert [(found.line.boot, found.line.seq) for found in read(*files[:2])] == [
        (boot, seq) for boot in (1, 2) for seq in (1, 2, 3)
    ]


def test_a_start_tells_the_cluster_and_what_was_recovered(tmp_path: Path) -> None:
    script = Script("a", phase1=2, phase2=1)
    script.boot("a", promised=(3, "b"), accepted=[(1, (2, "b"), "x")], low=0, ballot_used=(1, "a"))
    (found,) = merge(*script.save(tmp_path))
    assert found.line == events.Start(
        v=1, node="a", boot=1, seq=1, nodes=("a",), phase1=2, phase2=1,
        promised=Ballot(3, "b"), accepted=((1, Ballot(2, "b"), "x"),), low=0, ballot_used=Ballot(1, "a"),
    )  # fmt: skip


def test_what_is_received_is_a_copy_that_can_be_doctored() -> None:
    script = Script("a", "b")
    a, b = script.boot("a"), script.boot("b")
    entries = [[1, "x"]]
    (sent,) = a.write(
        "propose", ballot=[1, "a"], entries=entries, send=[message("accept", "b", entries=entries)]
    )
    b.write("accept", ballot=[1, "a"], entries=entries, recv=sent)
    received = script.lines[-1]["recv"]
    assert received == {"id": ["a", 1, 1], "kind": "accept", "entries": [[1, "x"]]}
    sent["entries"] = []
    entries[0][1] = "y"
    assert received == {"id": ["a", 1, 1], "kind": "accept", "entries": [[1, "x"]]}
    assert '"entries":[[1,"y"]]' not in script.text()


def test_some_lines_alone_can_be_written(one_command: Script) -> None:
    of_b = [line for line in one_command.lines if line["node"] == "b"]
    assert one_command.text(of_b).count("\n") == len(of_b) == 6

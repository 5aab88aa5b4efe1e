"""Files to lines: what may stand where, and the exact place of what may not."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from quorate.traces import BadTrace, Gap, Located, merge, read
from quorate.traces.build import Script

Put = Callable[[str, Iterable[str]], Path]


def step(node: str, boot: int, seq: int, event: str = "apply", **fields: object) -> str:
    return json.dumps(
        {"v": 1, "node": node, "boot": boot, "seq": seq, "event": event, "entries": [], **fields},
        separators=(",", ":"),
    )


def refused(*files: Path | str) -> BadTrace:
    """The error of these files, which must be the same whether they are read or merged."""
    errors = []
    for reader in (read, merge):
        with pytest.raises(BadTrace) as caught:
            list(reader(*files))
        errors.append(caught.value)
    assert str(errors[0]) == str(errors[1])
    assert "\n" not in str(errors[0])
    return errors[0]


def at(error: BadTrace) -> tuple[str, int | None]:
    return Path(error.file).name, error.line


def places(found: Iterable[Located]) -> list[tuple[str, int, str]]:
    return [(Path(one.place.file).name, one.place.number, one.line.event) for one in found]


def test_lines_come_as_they_stand_with_their_places(one_command: Script, tmp_path: Path) -> None:
    file = tmp_path / "all.ndjson"
    file.write_text(one_command.text())
    found = list(read(file))
    assert [one.place.number for one in found] == list(range(1, len(one_command.lines) + 1))
    assert [one.line.event for one in found] == [line["event"] for line in one_command.lines]
    assert str(found[4].place) == f"{file}:5"


def test_a_file_may_hold_nodes_and_boots_interleaved(put: Put) -> None:
    lines = [
        step("a", 1, 1),
        step("b", 4, 1),
        step("a", 1, 2),
        step("a", 3, 1),
        step("b", 4, 2),
        step("b", 5, 1),
    ]
    file = put("all.ndjson", lines)
    assert len(list(read(file))) == len(list(merge(file))) == 6


def test_boots_of_a_node_may_be_in_files_of_any_order(put: Put) -> None:
    late, early = put("late", [step("a", 2, 1)]), put("early", [step("a", 1, 1)])
    assert places(read(late, early)) == [("late", 1, "apply"), ("early", 1, "apply")]
    assert places(merge(late, early)) == [("early", 1, "apply"), ("late", 1, "apply")]


@pytest.mark.parametrize("reader", [read, merge])
def test_a_gzipped_trace_is_read_as_it_is(
    reader: Callable[[Path], Iterable[Located]], one_command: Script, tmp_path: Path
) -> None:
    plain, zipped = tmp_path / "all.ndjson", tmp_path / "all.gz"
    plain.write_text(one_command.text())
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert [one.line for one in reader(zipped)] == [one.line for one in reader(plain)]


@pytest.mark.parametrize("reader", [read, merge])
def test_standard_input_is_a_file_called_minus(
    reader: Callable[[str], Iterable[Located]], one_command: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(one_command.text().encode()), encoding="utf-8")
    )
    found = list(reader("-"))
    assert len(found) == len(one_command.lines)
    assert {one.place.file for one in found} == {"-"}


def test_a_pipe_is_read_once_and_merged_all_the_same(one_command: Script, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(one_command.text(),), daemon=True)
    writer.start()
    assert len(list(merge(pipe))) == len(one_command.lines)
    writer.join()


def test_a_folder_stands_for_the_traces_in_it(one_command: Script, tmp_path: Path) -> None:
    one_command.save(tmp_path)
    (tmp_path / "notes.txt").write_text("not a trace")
    assert len(list(read(tmp_path))) == len(list(merge(tmp_path))) == len(one_command.lines)


def test_unknown_fields_are_kept(put: Put) -> None:
    text = step("a", 1, 1, clock=12.5, send=[])
    (found,) = read(put("a", [text]))
    assert found.extra == {"clock": 12.5}
    assert found.raw == text.encode() + b"\n"


def test_a_last_line_needs_no_line_feed_and_blank_lines_are_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("\n" + step("a", 1, 1) + "\r\n  \n" + step("a", 1, 2))
    reading = read(file)
    assert places(reading) == [("a", 2, "apply"), ("a", 4, "apply")]
    assert reading.gaps == ()
    assert places(merge(file)) == places(reading)


# What may not be


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path / "nowhere.ndjson")
    assert at(error) == ("nowhere.ndjson", None)
    assert error.reason == "cannot be read: No such file or directory"


def test_a_name_that_cannot_even_be_looked_at_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "name too long" in refused("9" * 5000).reason
    assert "Not a directory" in refused(tmp_path / "file" / "below").reason


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text(step("a", 1, 1))

    def forbid(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", forbid)  # file modes do not stop root
    assert refused(file).reason == "cannot be read: Permission denied"


def test_an_empty_file_is_refused(put: Put) -> None:
    full = put("b", [step("b", 1, 1)])
    for name, lines in (("empty", []), ("blank", ["", " "])):
        error = refused(full, put(name, lines))
        assert at(error) == (name, None)
        assert error.reason == "the file is empty"


def test_no_file_at_all_is_refused(tmp_path: Path) -> None:
    for reader in (read, merge):
        with pytest.raises(BadTrace, match="no file was given"):
            reader()
        with pytest.raises(BadTrace, match="no trace in this folder"):
            reader(tmp_path)


def test_a_damaged_compressed_file_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(step("a", 1, 1).encode() * 50)
    for damaged in (whole[:40], whole[:20] + b"\0" * 20 + whole[40:], whole + b"garbage"):
        file = tmp_path / "a.gz"
        file.write_bytes(damaged)
        assert "damaged" in refused(file).reason or "malformed" in refused(file).reason


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ('{"v":1,,}', 8, "malformed JSON: "),
        ('{"v":1,"node":"a"', 18, "malformed JSON: the line breaks off"),
        (step("a", 1, 2, "acept"), None, "unknown event 'acept'"),
        (
            step("a", 1, 2, entries=[[1, "x"], [2, 3]]),
            None,
            "field `entries[1][1]`: expected `str`, got `int`",
        ),
        (step("a", 1, 2, "nack"), None, "missing field `reason`"),
        (step("a", 1, 2, v=3), None, "field `v`: 3 is not version 1 of the format"),
        (
            step("a", 1, 2, recv={"id": ["b", 1, 1], "kind": "x"}),
            None,
            "field `recv.kind`: unknown message kind 'x'",
        ),
        (step("a", 1, 3), None, "field `seq`: 3 where 2 is due (node 'a', boot 1)"),
        (step("a", 1, 1), None, "field `seq`: 1 where 2 is due (node 'a', boot 1)"),
        (step("a", 2, 2), None, "field `seq`: 2 where 1 is due (node 'a', boot 2)"),
    ],
)
def test_a_bad_line_is_named_by_file_line_and_column(
    put: Put, text: str, column: int | None, reason: str
) -> None:
    file = put("a.ndjson", [step("a", 1, 1), text, step("a", 1, 3)])
    error = refused(put("b.ndjson", [step("b", 1, 1)]), file)
    assert at(error) == ("a.ndjson", 2)
    assert error.column == column
    assert error.reason.startswith(reason)


def test_a_boot_may_not_shrink(put: Put) -> None:
    error = refused(put("a", [step("a", 3, 1), step("b", 1, 1), step("a", 2, 1)]))
    assert at(error) == ("a", 3)
    assert error.reason == "boot 2 of node 'a' after its boot 3"
    assert at(refused(put("a", [step("a", 1, 1), step("a", 2, 1), step("a", 1, 2)]))) == ("a", 3)


def test_two_files_may_not_hold_the_same_boot(put: Put) -> None:
    one, two = put("one", [step("b", 1, 1), step("a", 1, 1)]), put("two", [step("a", 1, 2)])
    error = refused(one, two)
    assert at(error) == ("two", 1)
    assert error.reason == f"node 'a', boot 1, is in {one}:2 already"
    assert at(refused(two.with_name("one"), one)) == ("one", 1)


@pytest.mark.parametrize("wrong", [["a", 1, 3], ["a", 2, 2], ["b", 1, 2], ["a", 1, 1]])
def test_message_ids_are_consecutive_in_the_boot(put: Put, wrong: list[object]) -> None:
    def sending(*ids: object) -> list[dict[str, object]]:
        return [{"id": one, "to": ["b"], "kind": "other"} for one in ids]

    lines = [
        step("a", 1, 1, send=sending(["a", 1, 1])),
        step("a", 1, 2, send=sending(["a", 1, 2], ["a", 1, 3])),
    ]
    assert len(list(read(put("good", [*lines, step("a", 2, 1, send=sending(["a", 2, 1]))])))) == 3
    lines[1] = step("a", 1, 2, send=sending(["a", 1, 2], wrong) if wrong == ["a", 1, 1] else sending(wrong))
    error = refused(put("a", lines))
    assert at(error) == ("a", 2)
    position, due = (1, 3) if wrong == ["a", 1, 1] else (0, 2)
    assert error.reason.startswith(f"field `send[{position}].id`: ")
    assert error.reason.endswith(f'where ["a",1,{due}] is due')


def test_a_member_without_a_trace_is_refused(one_command: Script, tmp_path: Path) -> None:
    a, b, _ = one_command.save(tmp_path)
    with pytest.raises(BadTrace) as caught:
        merge(a, b)
    assert at(caught.value) == ("a-1.ndjson", 1)
    assert caught.value.reason == "node 'c' is a member, and no file holds a line of it"


# Torn lines

TORN = step("a", 1, 3)[:-9]


def gaps(*files: Path) -> tuple[Gap, ...]:
    """The gaps of these files, which must be the same whether they are read or merged."""
    reading, merged = read(*files), merge(*files)
    list(reading)
    list(merged)
    assert reading.gaps == merged.gaps
    return merged.gaps


@pytest.mark.parametrize("tail", [TORN, TORN[:9], TORN + "\0\0\0", "\0" * 64, TORN + "\n"])
def test_a_torn_last_line_is_a_gap_of_its_boot(put: Put, tail: str) -> None:
    file = put("a", [step("a", 1, 1), step("a", 1, 2)])
    file.write_text(file.read_text() + tail)
    assert [(gap.node, gap.boot, gap.place.number) for gap in gaps(file)] == [("a", 1, 3)]
    assert places(merge(file)) == [("a", 1, "apply"), ("a", 2, "apply")]


def test_gaps_come_in_the_order_of_nodes_and_boots_whatever_the_files(put: Put) -> None:
    files = [
        put(f"{node}{boot}", [step(node, boot, 1), TORN[:9]]) for node, boot in (("b", 1), ("a", 2), ("a", 1))
    ]
    for order in (files, files[::-1]):
        assert [(gap.node, gap.boot) for gap in merge(*order).gaps] == [("a", 1), ("a", 2), ("b", 1)]


def test_a_torn_line_may_stand_where_the_next_boot_follows(put: Put) -> None:
    file = put("a", [step("a", 1, 1), step("a", 1, 2), TORN[:9], step("a", 2, 1), step("b", 1, 1)])
    assert [(gap.node, gap.boot, gap.place.number) for gap in gaps(file)] == [("a", 1, 3)]


def test_a_torn_line_belongs_to_the_boot_that_it_names(put: Put) -> None:
    file = put("a", [step("a", 1, 1), step("a", 1, 2), step("b", 1, 1), TORN, step("b", 1, 2)])
    assert [(gap.node, gap.boot, gap.place.number) for gap in gaps(file)] == [("a", 1, 4)]


def test_a_torn_line_with_lines_of_its_boot_behind_it_is_refused(put: Put) -> None:
    for name, torn in (("named", TORN), ("unnamed", TORN[:9])):
        error = refused(put(name, [step("a", 1, 1), step("a", 1, 2), torn, step("b", 1, 1), step("a", 1, 3)]))
        assert at(error) == (name, 3)
        assert error.column == len(torn) + 1
    assert at(refused(put("twice", [step("a", 1, 1), step("a", 1, 2), TORN, TORN]))) == ("twice", 4)


@pytest.mark.parametrize(
    "tail", [r'{"v":1,"node":"\x","boot":1,"se', '{"v":1,"node":"a","boot":' + "9" * 5000 + ',"se']
)
def test_a_torn_line_that_names_nobody_who_can_be_is_of_the_boot_before_it(put: Put, tail: str) -> None:
    file = put("a", [step("a", 1, 1)])
    file.write_text(file.read_text() + tail)
    assert [(gap.node, gap.boot, gap.place.number) for gap in gaps(file)] == [("a", 1, 2)]


def test_a_node_with_a_long_name_is_not_quoted_whole(put: Put) -> None:
    assert len(refused(put("a", [step("x" * 5000, 1, 10**300)])).reason) < 200


def test_a_boot_of_which_only_a_torn_line_is_left_is_a_gap(put: Put) -> None:
    first, second = put("a-1", [step("a", 1, 1)]), put("a-2", [step("a", 2, 1)[:35]])
    assert [(gap.node, gap.boot) for gap in gaps(first, second)] == [("a", 2)]


def test_a_file_of_which_nothing_is_left_but_a_torn_line_of_nobody_is_refused(put: Put) -> None:
    whole, torn = put("a-1", [step("a", 1, 1)]), put("a-2", [TORN[:9]])
    assert at(refused(whole, torn)) == ("a-2", 1)


def test_a_line_that_is_cut_in_the_middle_of_a_boot_is_never_skipped(put: Put) -> None:
    lines = [step("a", 1, seq) for seq in range(1, 6)]
    for cut in range(4):
        torn = [*lines[:cut], lines[cut][:40], *lines[cut + 1 :]]
        assert at(refused(put("a", torn))) == ("a", cut + 1)


def test_a_file_that_changes_while_it_is_merged_is_refused(put: Put) -> None:
    file = put("a", [step("a", 1, seq) for seq in range(1, 4)])
    merged = merge(file)
    put("a", [step("a", 1, 1), step("a", 1, 2)])
    with pytest.raises(BadTrace, match="the file changed while it was read"):
        list(merged)
    put("a", [step("a", 1, 1), step("a", 2, 1), step("a", 2, 2)])
    with pytest.raises(BadTrace, match="the file changed while it was read"):
        list(merged)


def test_a_file_that_grows_while_it_is_merged_is_read_as_far_as_it_was(put: Put) -> None:
    file = put("a", [step("a", 1, 1)])
    merged = merge(file)
    put("a", [step("a", 1, 1), step("a", 1, 2)])
    assert len(list(merged)) == 1

"""One line of a trace: what is valid round-trips, what is not is named by its path and its reason."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.traces import BadTrace, decode_line, encode_line, events, messages
from quorate.traces.schema import is_torn, named_in

names = st.text(min_size=1, max_size=5)
numbers = st.integers(min_value=0, max_value=2**64)
slots = st.integers(min_value=1, max_value=2**40)
ballots = st.builds(messages.Ballot, numbers, names)
ids = st.builds(messages.MessageId, names, numbers, slots)
entries = st.lists(st.tuples(slots, st.text(max_size=5)), max_size=3).map(tuple)
reports = st.lists(st.tuples(slots, ballots, st.text(max_size=5)), max_size=3).map(tuple)
members = st.lists(names, max_size=3).map(tuple)

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "accepted": reports,
    "ballot": ballots,
    "ballot_used": st.none() | ballots,
    "boot": numbers,
    "commit": numbers,
    "entries": entries,
    "id": ids,
    "low": numbers,
    "above": numbers,
    "node": names,
    "nodes": members,
    "promised": ballots,
    "quorum": members,
    "reason": names,
    "seq": slots,
    "slot": slots,
    "slots": st.lists(slots, max_size=3).map(tuple),
    "to": members,
    "v": st.just(1),
}
OPTIONAL = {"learned": st.just(True), "phase1": st.none() | slots, "phase2": st.none() | slots}


def kinds_of(base: type[Any], module: ModuleType) -> list[type[Any]]:
    found = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, base)]
    return [kind for kind in found if kind is not base]


def any_of(kinds: list[type[Any]], fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    return st.one_of(
        [st.builds(kind, **{name: fields[name] for name in kind.__struct_fields__}) for kind in kinds]
    )


MESSAGES = kinds_of(messages.Message, messages)
EVENTS = kinds_of(events.Line, events)
any_message = any_of(MESSAGES, FIELDS)
carried = {"recv": st.none() | any_message, "send": st.lists(any_message, max_size=2).map(tuple)}
any_line = any_of(EVENTS, {**FIELDS, **OPTIONAL, **carried})

LINE = {
    "v": 1, "node": "a", "boot": 2, "seq": 81, "event": "accept", "ballot": [7, "b"], "entries": [[40, "9f3c"]],
    "recv": {"id": ["b", 1, 512], "kind": "accept", "ballot": [7, "b"], "entries": [[40, "9f3c"]], "commit": 39},
    "send": [{"id": ["a", 2, 77], "to": ["b"], "kind": "accepted", "ballot": [7, "b"], "slots": [40]}],
}  # fmt: skip
START = {
    "v": 1, "node": "a", "boot": 1, "seq": 1, "event": "start", "nodes": ["a"],
    "promised": None, "accepted": [], "low": 0, "ballot_used": None,
}  # fmt: skip


def refusal(line: object) -> BadTrace:
    raw = line if isinstance(line, bytes) else json.dumps(line).encode()
    with pytest.raises(BadTrace) as caught:
        decode_line(raw, "a.ndjson", 7)
    assert "\n" not in str(caught.value)
    assert (caught.value.file, caught.value.line) == ("a.ndjson", 7)
    return caught.value


def changed(path: str, value: object, line: dict[str, object] = LINE) -> object:
    """A copy of the line with this value at this path, as `send.0.id`."""
    copy = json.loads(json.dumps(line))
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    at = copy
    for part in parents:
        at = at[part]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return copy


def test_every_kind_and_every_event_is_generated() -> None:
    assert sorted(kind.__struct_config__.tag for kind in MESSAGES) == sorted(messages.KINDS)
    assert sorted(kind.__struct_config__.tag for kind in EVENTS) == sorted(events.EVENTS)


@given(any_line)
def test_any_valid_line_round_trips(line: events.AnyLine) -> None:
    assert decode_line(encode_line(line)) == line


@given(
    any_line, st.dictionaries(st.text().map("x-".__add__), st.none() | st.integers() | st.text(), min_size=1)
)
def test_unknown_fields_are_ignored(line: events.AnyLine, extra: dict[str, object]) -> None:
    known = json.loads(encode_line(line))
    assert decode_line(json.dumps({**extra, **known}).encode()) == line


@given(any_line, st.data())
def test_any_beginning_of_a_line_is_torn(line: events.AnyLine, data: st.DataObject) -> None:
    raw = encode_line(line)
    length = data.draw(st.integers(0, len(raw) - 1))
    assert is_torn(raw[:length])
    assert is_torn(raw[:length] + b"\0\0\0")
    assert not is_torn(raw)


def test_a_torn_line_names_its_boot_if_that_much_is_left() -> None:
    raw = json.dumps(LINE).encode()
    assert named_in(raw[: raw.index(b'"seq"')]) == ("a", 2)
    assert named_in(raw[: raw.index(b'"boot": 2') + 9]) is None  # it may have been 20
    assert named_in(b'{"v":1,"no') is None


def test_a_line_knows_its_event_and_a_message_its_kind() -> None:
    line = decode_line(json.dumps(LINE).encode())
    assert isinstance(line, events.Accept)
    assert line.event == "accept"
    assert line.recv is not None
    assert line.recv.kind == "accept"
    assert [sent.kind for sent in line.send] == ["accepted"]
    assert line.ballot == (7, "b")
    assert line.ballot < messages.Ballot(7, "c") < messages.Ballot(8, "a")


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("node", ..., "missing field `node`"),
        ("event", ..., "missing field `event`"),
        ("v", ..., "missing field `v`"),
        ("ballot", ..., "missing field `ballot`"),
        ("recv.kind", ..., "missing field `recv.kind`"),
        ("recv.entries", ..., "missing field `recv.entries`"),
        ("send.0.to", ..., "missing field `send[0].to`"),
        ("send.0.slots", ..., "missing field `send[0].slots`"),
        ("node", "", "field `node`: expected `str` of length >= 1"),
        ("seq", 0, "field `seq`: expected `int` >= 1"),
        ("seq", 1.5, "field `seq`: expected `int`, got `float`"),
        ("boot", True, "field `boot`: expected `int`, got `bool`"),
        ("entries.0.0", "40", "field `entries[0][0]`: expected `int`, got `str`"),
        ("entries.0.1", 9, "field `entries[0][1]`: expected `str`, got `int`"),
        ("ballot", [7], "field `ballot`: expected `array` of length 2"),
        ("recv.entries.0.0", 0, "field `recv.entries[0][0]`: expected `int` >= 1"),
        ("send.0.id.2", 0, "field `send[0].id[2]`: expected `int` >= 1"),
        ("send.0.id", ["a", 2], "field `send[0].id`: expected `array` of length 3"),
        ("event", "acept", "unknown event 'acept'"),
        ("recv.kind", "acept", "field `recv.kind`: unknown message kind 'acept'"),
        ("send.0.kind", "acept", "field `send[0].kind`: unknown message kind 'acept'"),
        ("v", 2, "field `v`: 2 is not version 1 of the format"),
        ("v", True, "field `v`: true is not version 1 of the format"),
        ("event", "x" * 999, "unknown event 'xxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxx'"),
        ("recv.kind", "x" * 999, "field `recv.kind`: unknown message kind 'xxxxxxxxxxxxxxxxxxxxxxxxxxx...x"),
        ("v", "x" * 999, 'field `v`: "xxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxx" is not'),
        ("v", "1", 'field `v`: "1" is not version 1 of the format'),
    ],
)
def test_a_wrong_field_is_named_by_its_path(path: str, value: object, reason: str) -> None:
    error = refusal(changed(path, value))
    assert error.reason.startswith(reason)
    assert error.column is None
    assert str(error) == f"a.ndjson:7: {error.reason}; {error.advice}"


@pytest.mark.parametrize("field", ["nodes", "promised", "accepted", "low", "ballot_used"])
def test_a_start_must_tell_all_that_it_recovered(field: str) -> None:
    assert refusal(changed(field, ..., START)).reason == f"missing field `{field}`"


@pytest.mark.parametrize(
    "event", ["prepare", "promise", "lead", "propose", "commit", "apply", "nack", "ignore"]
)
def test_an_event_without_its_fields_is_refused(event: str) -> None:
    bare = {"v": 1, "node": "a", "boot": 1, "seq": 1, "event": event}
    assert refusal(bare).reason.startswith("missing field")


def test_a_commit_says_how_it_knows() -> None:
    bare = {"v": 1, "node": "a", "boot": 1, "seq": 1, "event": "commit", "entries": []}
    for fields in ({}, {"ballot": [1, "a"]}, {"quorum": ["a"]}, {"learned": False}):
        assert (
            refusal({**bare, **fields}).reason
            == "a commit needs either `ballot` and `quorum`, or `learned` true"
        )
    for fields in ({"ballot": [1, "a"], "quorum": ["a"]}, {"learned": True}):
        assert decode_line(json.dumps({**bare, **fields}).encode()).event == "commit"


def test_the_version_is_judged_before_what_it_may_have_changed() -> None:
    assert refusal({"v": 2, "event": "teleport"}).reason == "field `v`: 2 is not version 1 of the format"


@pytest.mark.parametrize(
    ("raw", "column", "reason"),
    [
        (b'{"v":1,,"node":"a"}\n', 8, "malformed JSON: "),
        (b'{"v":1} {"v":1}\n', 9, "malformed JSON: "),
        ('{"node":"größe" "v":1}\n'.encode(), 17, "malformed JSON: "),
        (b'{"v":1,"node":"a"', 18, "malformed JSON: the line breaks off"),
        (b'{"v":1,"no\n', 11, "malformed JSON: the line breaks off"),
        (b"\0\0\0", 1, "malformed JSON: the line breaks off"),
        (b'{"v":1,"node":"\xff"}\n', 16, "not UTF-8"),
        ('{"node":"ö\udcff"}\n'.encode(errors="surrogateescape"), 11, "not UTF-8"),
        (b"[1]\n", 1, "a line must be a JSON object"),
        (b"null\n", 1, "a line must be a JSON object"),
        (b"hello\n", 1, "malformed JSON: "),
        (b"[" * 100_000, None, "malformed JSON: nested too deeply"),
        (b'{"v":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None, "malformed JSON: nested too deeply"),
    ],
)
def test_malformed_json_is_named_by_its_column(raw: bytes, column: int | None, reason: str) -> None:
    error = refusal(raw)
    assert error.column == column
    assert error.reason.startswith(reason)
    if column is not None:
        assert str(error).startswith(f"a.ndjson:7:{column}: ")


@given(st.binary(max_size=40))
def test_no_bytes_bring_more_than_a_bad_trace(raw: bytes) -> None:
    refusal(raw)
    named_in(raw)
    is_torn(raw)

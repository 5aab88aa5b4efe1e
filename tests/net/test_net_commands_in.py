"""However a stream of commands is cut, the commands come out; what was only announced is not allocated."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.impl.client.link import encode_command
from quorate.impl.net import commands_in
from quorate.impl.net.commands_in import CommandReader
from quorate.impl.net.inline import LINE_BYTES_MAX

TRICKY = st.sampled_from(
    [
        b"*1234567\r\n",
        b">1234567\r\n",
        b"%",
        b"*",
        b"\r\n*99",
        b"$99999999\r\n",
        b"",
        b"SET",
        b"*1\r\n$4\r\nPING\r\n",
    ]
)
ARRAYS = st.lists(st.one_of(TRICKY, st.binary(max_size=40)), min_size=1, max_size=4).map(
    lambda command: (encode_command(command), [command])
)
LINES = st.sampled_from(
    [
        (b"\r\n", []),
        (b"\n", []),
        (b"*0\r\n", []),
        (b"PING\r\n", [[b"PING"]]),
        (b"set a *1234567\n", [[b"set", b"a", b"*1234567"]]),
        (b"get  'a b'  \r\n", [[b"get", b"a b"]]),
    ]
)
COMMANDS = st.lists(st.one_of(ARRAYS, LINES), max_size=9)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[start:stop] for start, stop in pairwise(places)]


@given(COMMANDS, st.lists(st.integers(0, 10_000), max_size=12), st.sampled_from([0, 20, 1 << 18]))
def test_every_cut_gives_the_same_commands(
    commands: list[tuple[bytes, list[list[bytes]]]], cuts: list[int], walk_bytes: int
) -> None:
    reader = CommandReader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands_in, "WALK_BYTES", walk_bytes)
        found = [
            command
            for piece in pieces(b"".join(said for said, _ in commands), cuts)
            for command in reader.feed(piece)
        ]
    assert reader.complaint is None
    assert found == [command for _, meant in commands for command in meant]
    assert not reader.is_partial


@pytest.mark.parametrize("before", [b"", b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$3\r\nGET\r\n"])
@pytest.mark.parametrize("cut", range(9))
@pytest.mark.parametrize("kind", [b"*", b"%", b"~", b">", b"|"])
def test_a_head_that_announces_too_much_is_refused_wherever_it_stands_and_is_cut(
    before: bytes, cut: int, kind: bytes
) -> None:
    reader = CommandReader()
    huge = kind + b"99999999\r\n"
    tracemalloc.start()
    try:
        for piece in (before + huge[: cut + 1], huge[cut + 1 :]):
            if reader.complaint is None:
                reader.feed(piece)
        assert reader.complaint is not None
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_value_cannot_hide_a_head_by_looking_like_a_command() -> None:
    """For a walk that began within the value, the head would lie in a bulk string."""
    inner = encode_command(("PING",))
    reader = CommandReader()
    assert reader.feed(inner) == [[b"PING"]]
    assert reader.feed(b"*2\r\n$3\r\nGET\r\n$41\r\n" + inner) == []
    reader.feed(b"*1\r\n$40\r\n" + bytes(17) + b"\r\n" + b"*99999999\r\n")
    assert reader.complaint is not None


def test_a_command_without_an_end_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands_in, "COMMAND_BYTES_MAX", 1 << 16)
    monkeypatch.setattr(commands_in, "WALK_BYTES", 1 << 12)
    reader = CommandReader()
    reader.feed(b"*9\r\n$3\r\nSET\r\n")
    reader.feed(b"$60000\r\n" + bytes(60000) + b"\r\n")
    assert reader.complaint is None
    reader.feed(b"$60000\r\n" + bytes(60000) + b"\r\n")
    assert "more than" in str(reader.complaint)


def test_a_large_stream_of_commands_is_not_one_large_command() -> None:
    reader = CommandReader()
    command = [b"SET", b"key", bytes(100_000)]
    stream = encode_command(command) * 200
    found = [one for at in range(0, len(stream), 65_521) for one in reader.feed(stream[at : at + 65_521])]
    assert found == [command] * 200


@given(st.sampled_from([b"", b"*", b"PING\r\n"]), st.binary(max_size=200))
def test_no_bytes_break_it_in_another_way(before: bytes, data: bytes) -> None:
    CommandReader().feed(before + data)


@pytest.mark.parametrize("size", [0, 9, 10, 99, 100, 65_535, 65_536, 65_537, 99_999, 100_000])
def test_a_whole_command_of_any_size_leaves_nothing_to_wait_for(size: int) -> None:
    reader = CommandReader()
    command = [b"SET", b"x" * size]
    assert reader.feed(encode_command(command)) == [command]
    assert not reader.is_partial


@pytest.mark.parametrize("count", [1, 9, 10, 4095, 4097, 65_536])
def test_a_whole_command_of_any_number_of_parts_leaves_nothing_to_wait_for(count: int) -> None:
    reader = CommandReader()
    command = [b"x"] * count
    assert reader.feed(encode_command(command)) == [command]
    assert not reader.is_partial


@pytest.mark.parametrize("value", [b"v" * 10_000, b"*123456 " * 1250], ids=["plain", "like a head"])
@pytest.mark.parametrize("chunk", [1000, 4096, 1 << 20])
def test_whole_commands_one_behind_the_other_may_be_of_more_bytes_than_one_may(
    monkeypatch: pytest.MonkeyPatch, value: bytes, chunk: int
) -> None:
    monkeypatch.setattr(commands_in, "COMMAND_BYTES_MAX", 1 << 14)
    monkeypatch.setattr(commands_in, "WALK_BYTES", 1 << 10)
    stream = encode_command(("SET", "k", value)) * 8
    reader = CommandReader()
    found = [
        command for at in range(0, len(stream), chunk) for command in reader.feed(stream[at : at + chunk])
    ]
    assert found == [[b"SET", b"k", value]] * 8


def test_what_is_walked_is_not_walked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else eight bytes that look like a head would cost as much as all that came of their command before."""
    walked: list[int] = []
    walk = commands_in._Walker.walk
    monkeypatch.setattr(
        commands_in._Walker, "walk", lambda self, data: (walked.append(len(data)), walk(self, data))[1]
    )
    reader = CommandReader()
    reader.feed(b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1000000\r\n")
    for _ in range(9):
        reader.feed(bytes(100_000))
    for _ in range(1000):
        reader.feed(b"*123456x")
    assert sum(walked) < 1_000_000


def test_a_head_cannot_hide_behind_a_part_that_does_not_end_its_line() -> None:
    """hiredis does not look at the two bytes behind a part."""
    reader = CommandReader()
    reader.feed(b"*2\r\n$4\r\nPINGxx>99999999\r\n")
    assert reader.complaint is not None


# Lines -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"SET a b", [b"SET", b"a", b"b"]),
        (b"set\ta   b \r", [b"set", b"a", b"b"]),
        (rb'set "a \"b\"" "\x41\n"', [b"set", b'a "b"', b"A\n"]),
        (rb"set 'it\'s' ''", [b"set", b"it's", b""]),
    ],
)
def test_a_line_is_a_command_where_one_may_begin(line: bytes, words: list[bytes]) -> None:
    ping = encode_command(("PING",))
    for before, after in ((b"", b""), (ping, ping), (b"\r\n", b"*0\r\n" + ping)):
        reader = CommandReader()
        found = reader.feed(before + line + b"\n" + after)
        assert [command for command in found if command != [b"PING"]] == [words]
        assert reader.complaint is None
        assert not reader.is_partial


@pytest.mark.parametrize(
    "line",
    [
        b'GET "a\r\n',
        b"GET 'a'b\r\n",
        b"POST / HTTP/1.1\r\n",
        b"Host: here\r\n",
        b"x" * (LINE_BYTES_MAX + 1),
        b"\0",
    ],
)
def test_a_line_that_is_no_command_is_complained_of(line: bytes) -> None:
    reader = CommandReader()
    assert reader.feed(b"PING\r\n" + line) == [[b"PING"]]
    assert reader.complaint is not None


def test_an_unfinished_line_is_an_unfinished_command() -> None:
    reader = CommandReader()
    assert reader.feed(b"PI") == []
    assert reader.is_partial
    assert reader.feed(b"NG\r\n") == [[b"PING"]]
    assert not reader.is_partial


@pytest.mark.parametrize("bad", [b"*99999999\r\n", b"*1\r\n:1\r\n", b"*x\r\n", b"+PING\r\n"])
def test_what_came_before_an_error_is_read(bad: bytes) -> None:
    for before in (encode_command(("PING",)), b"PING\r\n"):
        reader = CommandReader()
        assert reader.feed(before * 3 + bad) == [[b"PING"]] * 3
        assert reader.complaint is not None


def test_lines_between_arrays_are_not_copied_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends both alternately must not cost the square of what was sent."""
    fed: list[int] = []
    read = CommandReader._read
    monkeypatch.setattr(
        CommandReader, "_read", lambda self, data, found: (fed.append(len(data)), read(self, data, found))[1]
    )
    stream = (encode_command(("PING",)) + b"PING\r\n") * 1000
    assert CommandReader().feed(stream) == [[b"PING"]] * 2000
    assert sum(fed) < 3 * len(stream)

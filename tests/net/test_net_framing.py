"""Whatever the network does to a stream of frames, nothing but the frames comes out of it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.impl.core.messages import Ballot, Heartbeat, MessageId
from quorate.impl.net.errors import MalformedFrame
from quorate.impl.net.framing import FrameDecoder, encode_frame
from quorate.impl.net.wire import (
    AskIndex,
    Forward,
    Hello,
    Rejected,
    TellIndex,
    decode_greeting,
    decode_message,
    encode,
)

HEARTBEAT = Heartbeat(MessageId("a", 1, 1), Ballot(1, "a"), 5)


def attempted(act: Callable[[], object]) -> tuple[object, str]:
    """What an act returns, or why it was refused."""
    try:
        return act(), ""
    except MalformedFrame as error:
        return None, str(error)


@given(st.lists(st.binary(max_size=50), max_size=8), st.lists(st.integers(0, 500), max_size=8))
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(
    payloads: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(map(encode_frame, payloads))
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    decoder = FrameDecoder(50)
    pieces = [stream[start:stop] for start, stop in pairwise(edges)]
    assert [payload for piece in pieces for payload in decoder.feed(piece)] == payloads


def test_no_flip_of_a_bit_gets_through() -> None:
    stream = encode_frame(b"first") + encode_frame(b"second")
    for at in range(8 * len(stream)):
        flipped = bytearray(stream)
        flipped[at // 8] ^= 1 << at % 8
        payloads, complaint = attempted(lambda flipped=flipped: FrameDecoder(1000).feed(bytes(flipped)))
        assert payloads in (None, [], [b"first"])
        assert "\n" not in complaint


def test_a_frame_above_the_limit_is_refused_before_it_is_kept() -> None:
    head = (1 << 30).to_bytes(4, "little") + bytes(4)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedFrame, match="limit of 1000"):
            FrameDecoder(1000).feed(head)
        promised = FrameDecoder(1 << 31)
        assert promised.feed(head) == []
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_frame_of_the_limit_passes() -> None:
    assert FrameDecoder(1000).feed(encode_frame(bytes(1000))) == [bytes(1000)]
    with pytest.raises(MalformedFrame):
        FrameDecoder(1000).feed(encode_frame(bytes(1001)))


def test_messages_pass_and_nothing_else_does() -> None:
    for message in (HEARTBEAT, Forward((b"\0\xff", b"")), AskIndex(3), TellIndex(3, 9)):
        assert decode_message(encode(message)) == message
    for payload in (
        b"",
        b"\xc1",
        encode(["nonsense", 1]),
        encode(["heartbeat", ["a", 1, 1]]),
        encode(Rejected("no")),
    ):
        with pytest.raises(MalformedFrame):
            decode_message(payload)


@given(st.binary(max_size=60))
def test_no_bytes_break_a_decoder_in_another_way(payload: bytes) -> None:
    for decode in (decode_greeting, decode_message):
        _, complaint = attempted(lambda decode=decode: decode(payload))
        assert "\n" not in complaint


def test_a_greeting_passes() -> None:
    hello = Hello(1, "orchard", "a", 3, ("a", "b", "c"), 2, 2, "127.0.0.1:7001")
    assert decode_greeting(encode(hello)) == hello

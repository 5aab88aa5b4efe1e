"""A node hears members that say who they are and speak for themselves; others lose their connection, and only that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec
import pytest

from quorate.impl.client import ask_status
from quorate.impl.core.messages import Accept, Accepted, Ballot, Heartbeat, MessageId
from quorate.impl.net import peers
from quorate.impl.net.cluster import free_ports
from quorate.impl.net.framing import HELLO_BYTES_MAX, FrameDecoder, encode_frame
from quorate.impl.net.node import Node
from quorate.impl.net.peers import Incoming, Outgoing
from quorate.impl.net.wire import PROTOCOL, Greeting, Hello, Rejected, decode_greeting, encode
from quorate.impl.settings import Address, Settings

MakeSettings = Callable[..., Settings]
PATIENCE_S = 60
B = Hello(PROTOCOL, "orchard", "b", 1, ("a", "b", "c"), 2, 2, "127.0.0.1:7001")


def run(story: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await story

    asyncio.run(bounded())


async def until(happened: Callable[[], bool]) -> None:
    while not happened():
        await asyncio.sleep(0.01)


class Caller:
    """A connection to a node's port, made by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def dial(cls, address: Address) -> Caller:
        return cls(*await asyncio.open_connection(address.host, address.port))

    async def say(self, *what: msgspec.Struct | bytes) -> None:
        for part in what:
            self.writer.write(part if isinstance(part, bytes) else encode_frame(encode(part)))
        await self.writer.drain()

    async def hear(self) -> Greeting:
        return decode_greeting(FrameDecoder(HELLO_BYTES_MAX).feed(await self.reader.read(65536))[0])

    async def hear_the_end(self) -> None:
        """Wait until the node closes the connection."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass
        self.writer.close()


def with_node(settings: Settings, story: Callable[[Node], Awaitable[None]]) -> None:
    """Run a story beside a running node, which must still answer at its end."""

    async def told() -> None:
        async with Node(settings) as node:
            await story(node)
            assert (await ask_status(settings.client, timeout_s=PATIENCE_S)).node == "a"
            assert not node.driver.ended.done()

    run(told())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cluster": "meadow"}, "is of cluster 'meadow'"),
        ({"node": "x"}, "no peer of a"),
        ({"node": "a"}, "no peer of a"),
        ({"protocol": 1}, "speaks protocol 1"),
        ({"nodes": ("a", "b")}, "other members"),
        ({"phase1": 3, "phase2": 1}, "other members or quorums"),
    ],
)
def test_a_stranger_is_told_why_and_refused(
    settings: MakeSettings, change: dict[str, Any], reason: str
) -> None:
    mine = settings()

    async def story(node: Node) -> None:
        caller = await Caller.dial(mine.peer)
        await caller.say(msgspec.structs.replace(B, **change))
        answer = await caller.hear()
        assert isinstance(answer, Rejected)
        assert reason in answer.reason
        await caller.hear_the_end()

    with_node(mine, story)


def test_a_member_is_greeted_and_heard(settings: MakeSettings) -> None:
    mine = settings()

    async def story(node: Node) -> None:
        caller = await Caller.dial(mine.peer)
        await caller.say(B)
        answer = await caller.hear()
        assert isinstance(answer, Hello)
        assert (answer.node, answer.boot) == ("a", 1)
        await caller.say(Heartbeat(MessageId("b", 1, 1), Ballot(7, "b"), 0))
        await until(lambda: node.status().leader == "b")
        caller.writer.close()

    with_node(mine, story)


@pytest.mark.parametrize(
    "noise",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        bytes(64),
        b"\xff" * 64,
        encode_frame(b"\xc1"),
        encode_frame(encode(Rejected("go away"))),
        encode_frame(encode(["canvass", ["b", 1, 1], "once"])),
        encode_frame(bytes(HELLO_BYTES_MAX + 1)),
    ],
    ids=["http", "zeros", "ones", "no msgpack", "a rejection", "no message", "too long"],
)
@pytest.mark.parametrize("greeted", [False, True])
def test_noise_ends_that_connection_and_nothing_else(
    settings: MakeSettings, noise: bytes, greeted: bool
) -> None:
    mine = settings()

    async def story(node: Node) -> None:
        other = await Caller.dial(mine.peer)
        await other.say(msgspec.structs.replace(B, node="c"))
        assert isinstance(await other.hear(), Hello)
        caller = await Caller.dial(mine.peer)
        if greeted:
            await caller.say(B)
            assert isinstance(await caller.hear(), Hello)
        await caller.say(noise)
        await caller.hear_the_end()
        await other.say(Heartbeat(MessageId("c", 1, 2), Ballot(7, "c"), 0))
        await until(lambda: node.status().leader == "c")
        other.writer.close()

    with_node(mine, story)


def test_a_node_speaks_for_itself_alone(settings: MakeSettings, caplog: pytest.LogCaptureFixture) -> None:
    """Else one node could make up the votes of the others."""
    mine = settings()

    async def story(node: Node) -> None:
        caller = await Caller.dial(mine.peer)
        await caller.say(B)
        assert isinstance(await caller.hear(), Hello)
        await caller.say(Heartbeat(MessageId("c", 1, 1), Ballot(7, "c"), 0))
        await caller.hear_the_end()
        assert node.status().leader is None

    with_node(mine, story)
    assert "speaks for itself alone" in caplog.text


def test_what_no_correct_peer_sends_ends_its_connection(
    settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """An acceptance of a ballot that this node never led: well-formed, and impossible."""
    mine = settings()

    async def story(node: Node) -> None:
        caller = await Caller.dial(mine.peer)
        await caller.say(B)
        assert isinstance(await caller.hear(), Hello)
        await caller.say(Accepted(MessageId("b", 1, 1), Ballot(99, "a"), (1,)))
        await caller.hear_the_end()

    with_node(mine, story)
    assert "closed the connection of b" in caplog.text


def test_a_message_before_the_hello_is_not_heard(settings: MakeSettings) -> None:
    mine = settings()

    async def story(node: Node) -> None:
        caller = await Caller.dial(mine.peer)
        await caller.say(Heartbeat(MessageId("b", 1, 1), Ballot(7, "b"), 0), B)
        await caller.hear_the_end()
        assert node.status().leader is None

    with_node(mine, story)


def test_a_message_may_be_longer_than_a_hello(settings: MakeSettings) -> None:
    mine = settings()

    async def story(node: Node) -> None:
        caller = await Caller.dial(mine.peer)
        await caller.say(B)
        assert isinstance(await caller.hear(), Hello)
        value = b"x" * (2 * HELLO_BYTES_MAX)
        await caller.say(Accept(MessageId("b", 1, 1), Ballot(7, "b"), ((1, value),), 0))
        await until(lambda: node.status().promised == (7, "b"))
        caller.writer.close()

    with_node(mine, story)


def test_a_peer_that_reads_slowly_gets_everything_that_fits_the_queue() -> None:
    """More than sockets and buffers hold: some of it has to wait, and goes on when the peer does."""
    hello = msgspec.structs.replace(B, node="a")
    frames = 40
    goes_on = asyncio.Event()
    heard = 0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        decoder = FrameDecoder(2 << 20)
        heard -= 1  # the hello is no message
        while data := await reader.read(1 << 20):
            if heard < 0:
                writer.write(encode_frame(encode(B)))
                heard += len(decoder.feed(data))
                await goes_on.wait()
            else:
                heard += len(decoder.feed(data))
        writer.close()

    async def story() -> None:
        server = await asyncio.start_server(slow, "127.0.0.1", 0)
        address = Address(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        outgoing = Outgoing("b", address, hello, 60_000)
        dialling = asyncio.create_task(outgoing.keep_connected())
        await until(lambda: outgoing._speaker is not None)
        for _ in range(frames):
            outgoing.send(encode_frame(bytes(1 << 20)))
        await asyncio.sleep(0.05)
        assert outgoing._waiting, "nothing had to wait"
        goes_on.set()
        await until(lambda: heard == frames)
        dialling.cancel()
        server.close()

    run(story())
    assert heard == frames


class OtherLoopsTransport:
    """What a connection is on an event loop that is not asyncio's own: uvloop's is no `asyncio.Transport`."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.write = self.written.extend
        self.close = self.abort = self.pause_reading = self.resume_reading = lambda: None
        self.is_closing = lambda: False
        self.set_write_buffer_limits = lambda high=None, low=None: None
        self.get_extra_info = lambda name, default=None: default


def test_the_transport_of_another_event_loop_will_do() -> None:
    async def story() -> None:
        heard: list[object] = []
        dialled = Incoming(
            msgspec.structs.replace(B, node="a"),
            lambda message, source: heard.append(message),
            lambda errand, peer: heard.append(errand),
            lambda hello: None,
            set(),
        )
        transport: Any = OtherLoopsTransport()
        dialled.connection_made(transport)
        dialled.data_received(encode_frame(encode(B)))
        dialled.data_received(encode_frame(encode(Heartbeat(MessageId("b", 1, 1), Ballot(7, "b"), 0))))
        assert len(heard) == 1
        assert transport.written
        dialled.connection_lost(None)

    run(story())


@pytest.mark.parametrize(
    "noise", [b"POST / HTTP/1.1\r\n\r\n", encode_frame(b"\xc1"), b"*1\r\n:1\r\n", b"*-1\r\n"]
)
def test_noise_at_the_client_port_ends_that_connection_and_nothing_else(
    settings: MakeSettings, noise: bytes
) -> None:
    mine = settings()

    async def story(node: Node) -> None:
        caller = await Caller.dial(mine.client)
        await caller.say(b"*1\r\n$4\r\nPING\r\n", noise)
        await caller.hear_the_end()

    with_node(mine, story)


def test_a_connection_without_a_hello_is_not_kept(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "HELLO_S_MAX", 0.05)
    mine = settings()

    async def story(node: Node) -> None:
        caller = await Caller.dial(mine.peer)
        await caller.hear_the_end()

    with_node(mine, story)


def test_a_crowd_that_says_no_hello_keeps_no_peer_out(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "STRANGERS_MAX", 5)
    mine = settings()

    async def story(node: Node) -> None:
        crowd = [await Caller.dial(mine.peer) for _ in range(20)]
        caller = await Caller.dial(mine.peer)
        await caller.say(B)
        assert isinstance(await caller.hear(), Hello)
        for stranger in crowd[:15]:
            await stranger.hear_the_end()
        await caller.say(Heartbeat(MessageId("b", 1, 1), Ballot(7, "b"), 0))
        await until(lambda: node.status().leader == "b")
        for one in (*crowd, caller):
            one.writer.close()

    with_node(mine, story)


def test_a_full_queue_drops_its_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "QUEUE_BYTES_MAX", 100)
    outgoing = Outgoing("b", Address(host="127.0.0.1", port=1), B, 1000)
    for number in range(20):
        outgoing.send(bytes([number]) * 10)
    assert [frame[0] for frame in outgoing._waiting] == list(range(10, 20))
    assert outgoing.dropped == 10
    outgoing.send(bytes(1000))
    assert [len(frame) for frame in outgoing._waiting] == [1000], (
        "what is larger than the queue may be is sent alone"
    )


def test_frames_of_many_bytes_are_lost_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a dozen promises of one turn would all be kept, or none."""
    monkeypatch.setattr(peers, "QUEUE_BYTES_MAX", 100)
    monkeypatch.setattr(peers, "JOINED_BYTES_MAX", 20)
    outgoing = Outgoing("b", Address(host="127.0.0.1", port=1), B, 1000)
    outgoing.send_all([b"a" * 10, b"b" * 10])
    outgoing.send_all([b"c" * 90, b"d" * 90])
    assert [frame[:1] for frame in outgoing._waiting] == [b"d"]


class Listener:
    """The other end of an `Outgoing`: greets as node b, and keeps what it hears after the hello."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", port)

    async def close(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        decoder = FrameDecoder(HELLO_BYTES_MAX)
        greeted = False
        while data := await reader.read(65536):
            for payload in decoder.feed(data):
                if greeted:
                    self.heard.append(payload)
                else:
                    assert isinstance(decode_greeting(payload), Hello)
                    writer.write(encode_frame(encode(B)))
                    greeted = True


def test_a_peer_is_dialled_until_it_is_there_and_again_when_it_goes(caplog: pytest.LogCaptureFixture) -> None:
    """What waited is sent when it comes; that it cannot be reached is said once, not at every attempt."""
    caplog.set_level(logging.INFO)
    hello = msgspec.structs.replace(B, node="a")

    async def story() -> None:
        peer = Listener()
        [port] = free_ports(1)
        outgoing = Outgoing("b", Address(host="127.0.0.1", port=port), hello, 20)
        dialling = asyncio.create_task(outgoing.keep_connected())
        outgoing.send(encode_frame(b"waited"))
        await until(lambda: "cannot reach b" in caplog.text)
        await asyncio.sleep(0.2)
        assert caplog.text.count("cannot reach b") == 1
        await peer.listen(port)
        await until(lambda: peer.heard == [b"waited"])
        outgoing.send(encode_frame(b"more"))
        await until(lambda: peer.heard == [b"waited", b"more"])
        await peer.close()
        await until(lambda: caplog.text.count("cannot reach b") == 2)
        outgoing.send(encode_frame(b"again"))
        await peer.listen(port)
        await until(lambda: peer.heard[-1] == b"again")
        dialling.cancel()
        await peer.close()

    run(story())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (msgspec.structs.replace(B, node="c"), "is node 'c', not 'b'"),
        (msgspec.structs.replace(B, cluster="meadow"), "is of cluster 'meadow'"),
        (Rejected("is of cluster 'orchard'"), "it refuses this node, which is of cluster 'orchard'"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "cannot reach b"),
        (b"", "before its hello"),
    ],
)
def test_nothing_is_said_to_another_than_the_peer(
    caplog: pytest.LogCaptureFixture, answer: msgspec.Struct | bytes, reason: str
) -> None:
    hello = msgspec.structs.replace(B, node="a")
    heard = bytearray()

    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(65536))
        writer.write(answer if isinstance(answer, bytes) else encode_frame(encode(answer)))
        if not answer:
            writer.close()
        heard.extend(await reader.read())

    async def story() -> None:
        server = await asyncio.start_server(stranger, "127.0.0.1", 0)
        address = Address(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        outgoing = Outgoing("b", address, hello, 60_000)
        outgoing.send(encode_frame(b"secret"))
        dialling = asyncio.create_task(outgoing.keep_connected())
        await until(lambda: reason in caplog.text)
        dialling.cancel()
        server.close()

    run(story())
    assert b"secret" not in heard

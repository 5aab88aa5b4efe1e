"""The connections between nodes: each node dials every other and speaks there; where it is dialled, it listens.

It does not know what messages mean. It loses them when it must (a queue that is full drops its oldest), never
alters one, and hands one on only from a member that has said who it is and that speaks for itself alone.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from ...quoting import quoted
from ..core.messages import AnyMessage, Message
from ..settings import Address
from .errors import MalformedFrame, NetError, Stranger
from .framing import HELLO_BYTES_MAX, PEER_BYTES_MAX, FrameDecoder, encode_frame
from .stream import Stream, as_stream
from .tls import proves
from .wire import Errand, Hello, Rejected, decode_greeting, decode_message, encode

QUEUE_BYTES_MAX: Final = 64 << 20
"""What waits for one peer; beyond it the oldest is dropped. The replicas ask again for what they miss."""

JOINED_BYTES_MAX: Final = 4 << 20
"""Frames of one turn that go together."""

HELLO_S_MAX: Final = 10.0
STRANGERS_MAX: Final = 64
"""Connections that have not said hello; the oldest goes when there is one more, for a peer says it at once."""

UNSENT_S_MAX: Final = 10.0
RECONNECT_S_MIN: Final = 0.02

log = logging.getLogger("quorate.net")

Receive = Callable[[AnyMessage, "Incoming"], None]
RunErrand = Callable[[Errand, str], None]
Greeted = Callable[[Hello], None]
"""Told of each peer that said who it is."""


def why_stranger(ours: Hello, theirs: Hello) -> str | None:
    """Why the two may not talk, or None if they may."""
    if theirs.protocol != ours.protocol:
        return f"speaks protocol {theirs.protocol}, and {ours.node} speaks {ours.protocol}; run one version everywhere"
    if theirs.cluster != ours.cluster:
        return (
            f"is of cluster {quoted(theirs.cluster)}, and {ours.node} is of {quoted(ours.cluster)}; "
            "check the peers' addresses"
        )
    if theirs.node == ours.node or theirs.node not in ours.nodes:
        return f"calls itself {quoted(theirs.node)}, which is no peer of {ours.node}; check node and peers of both"
    if theirs.origin != ours.origin:
        return (
            f"{_began(theirs)}, and {ours.node} {_began(ours)}; give every node a data folder of the same restore, "
            "and start no node with a folder of before"
        )
    if (theirs.nodes, theirs.phase1, theirs.phase2) != (ours.nodes, ours.phase1, ours.phase2):
        return f"has other members or quorums than {ours.node}; give every node the same"
    return None


def _began(node: Hello) -> str:
    return f"began with the restored image {node.origin}" if node.origin else "began with nothing"


class Outgoing:
    """All that is said to one peer, over one connection that is made again whenever it breaks."""

    def __init__(
        self,
        peer: str,
        address: Address,
        hello: Hello,
        reconnect_ms_max: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.peer = peer
        self._tls = tls
        self._address = address
        self._hello = hello
        self._pause_s_max = reconnect_ms_max / 1000
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._speaker: _Speaker | None = None
        self._complaint = ""
        self.dropped = 0
        """Frames that were lost because too much waited."""

    @property
    def is_open(self) -> bool:
        """Is the peer reached just now?"""
        return self._speaker is not None and self._speaker.open

    def send_all(self, frames: Sequence[bytes]) -> None:
        """Send frames: small ones as one, and else each by itself, so that it alone is lost where there is no room."""
        if sum(map(len, frames)) <= JOINED_BYTES_MAX:
            self.send(b"".join(frames))
        else:
            for frame in frames:
                self.send(frame)

    def send(self, frame: bytes) -> None:
        """Send a frame, now or when the peer can be reached; it may be lost."""
        if self._speaker is not None and self._speaker.open:
            self._speaker.write(frame)
            return
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)
        while self._waiting_bytes > QUEUE_BYTES_MAX and len(self._waiting) > 1:
            self._waiting_bytes -= len(self._waiting.popleft())
            self.dropped += 1

    def flow(self) -> None:
        """Send what has waited, for as long as the connection takes it."""
        while self._waiting and self._speaker is not None and self._speaker.open:
            frame = self._waiting.popleft()
            self._waiting_bytes -= len(frame)
            self._speaker.write(frame)

    async def keep_connected(self) -> None:
        """Dial, and dial again, until cancelled."""
        pause_s = RECONNECT_S_MIN
        while True:
            speaker = _Speaker(self, self._hello)
            try:
                await self._connect(speaker)
                self._speaker = speaker
                self._complaint = ""
                pause_s = RECONNECT_S_MIN
                log.info("connected to %s at %s", self.peer, self._address)
                self.flow()
                await speaker.closed
            except (OSError, TimeoutError, NetError) as error:
                self._complain(str(error) or type(error).__name__)
            finally:
                self._speaker = None
                speaker.abort()
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))
            pause_s = min(2 * pause_s, self._pause_s_max)

    async def _connect(self, speaker: _Speaker) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(HELLO_S_MAX):
            await loop.create_connection(
                lambda: speaker, self._address.host, self._address.port, ssl=self._tls
            )
            theirs = await speaker.greeted
        if theirs.node != self.peer:
            raise Stranger(
                f"{self._address} is node {quoted(theirs.node)}, not {quoted(self.peer)}; check the peers' addresses"
            )
        reason = why_stranger(self._hello, theirs)
        if reason is None and not speaker.proves(theirs):
            reason = f"shows no certificate of node {theirs.node}; check its tls settings"
        if reason is not None:
            raise Stranger(f"{self._address} {reason}")

    def _complain(self, reason: str) -> None:
        """Say why the peer cannot be reached, once, not at every attempt."""
        if reason != self._complaint:
            self._complaint = reason
            log.warning("cannot reach %s at %s: %s", self.peer, self._address, reason)


class _Speaker(asyncio.Protocol):
    """The dialling end of a connection: says hello, hears one, and from then on only speaks."""

    def __init__(self, outgoing: Outgoing, hello: Hello) -> None:
        loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[Hello] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.open = False
        """Greeted, and taking more."""
        self._outgoing = outgoing
        self._hello = hello
        self._decoder = FrameDecoder(HELLO_BYTES_MAX)
        self._transport: Stream | None = None

    def write(self, frame: bytes) -> None:
        assert self._transport is not None
        self._transport.write(frame)

    def proves(self, theirs: Hello) -> bool:
        """Did the other end show the certificate of whom it says it is?"""
        return self._transport is not None and proves(self._transport, theirs.node, theirs.cluster)

    def abort(self) -> None:
        """End the connection at once."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()
        self.greeted.cancel()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = as_stream(transport)
        self._transport.set_write_buffer_limits(high=4 << 20)
        _give_up_on_silence(self._transport)
        self._transport.write(encode_frame(encode(self._hello)))

    def data_received(self, data: bytes) -> None:
        try:
            for payload in self._decoder.feed(data):
                self._hear(decode_greeting(payload))
        except NetError as error:
            self._fail(error)

    def _hear(self, greeting: Hello | Rejected) -> None:
        if self.greeted.done():
            raise MalformedFrame("the peer greeted twice")
        if isinstance(greeting, Rejected):
            raise Stranger(f"it refuses this node, which {greeting.reason}")
        self.open = True
        self.greeted.set_result(greeting)

    def _fail(self, error: Exception) -> None:
        if not self.greeted.done():
            self.greeted.set_exception(error)
        assert self._transport is not None
        self._transport.abort()

    def pause_writing(self) -> None:
        self.open = False

    def resume_writing(self) -> None:
        self.open = True
        self._outgoing.flow()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if not self.greeted.done():
            self.greeted.set_exception(
                exc or ConnectionResetError("it closed the connection before its hello")
            )
        if not self.closed.done():
            self.closed.set_result(None)


class Incoming(asyncio.Protocol):
    """The dialled end of a connection: hears a hello, says one, and from then on only listens."""

    def __init__(
        self,
        hello: Hello,
        receive: Receive,
        run_errand: RunErrand,
        greeted: Greeted,
        connections: set[Incoming],
    ) -> None:
        self._hello = hello
        self._receive = receive
        self._run_errand = run_errand
        self._greeted = greeted
        self._connections = connections
        self._decoder = FrameDecoder(HELLO_BYTES_MAX)
        self._transport: Stream | None = None
        self._peer: str | None = None
        self._since_s = 0.0
        self._deadline: asyncio.TimerHandle | None = None

    def close(self, reason: str | None = None) -> None:
        """End the connection, and say why if anybody is to blame."""
        if reason is not None:
            log.warning("closed the connection of %s: %s", self._peer or self._where(), reason)
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = as_stream(transport)
        self._connections.add(self)
        loop = asyncio.get_running_loop()
        self._since_s = loop.time()
        self._deadline = loop.call_later(HELLO_S_MAX, self._expire)
        strangers = [other for other in self._connections if other._peer is None]
        if len(strangers) > STRANGERS_MAX:
            min(strangers, key=lambda other: other._since_s).close("too many say no hello")

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        try:
            for payload in self._decoder.feed(data):
                if self._peer is None:
                    self._greet(decode_greeting(payload))
                else:
                    self._hear(decode_message(payload))
        except NetError as error:
            self.close(str(error))

    def _greet(self, theirs: Hello | Rejected) -> None:
        if isinstance(theirs, Rejected):
            raise MalformedFrame("a connection must begin with a hello")
        assert self._transport is not None
        reason = why_stranger(self._hello, theirs)
        if reason is None and not proves(self._transport, theirs.node, theirs.cluster):
            reason = f"shows no certificate of node {theirs.node}; check its tls settings"
        if reason is not None:
            self._transport.write(encode_frame(encode(Rejected(reason))))
            raise Stranger(f"the node that dialled {reason}")
        self._peer = theirs.node
        self._greeted(theirs)
        self._decoder.frame_bytes_max = PEER_BYTES_MAX
        self._transport.write(encode_frame(encode(self._hello)))

    def _hear(self, message: AnyMessage | Errand) -> None:
        if not isinstance(message, Message):
            assert self._peer is not None, "who has not said hello is not heard"
            self._run_errand(message, self._peer)
            return
        if message.sender != self._peer:
            raise Stranger(f"it sent a message of {quoted(message.sender)}; a node speaks for itself alone")
        self._receive(message, self)

    def _expire(self) -> None:
        if self._peer is None:
            self.close(f"no hello came within {HELLO_S_MAX:.0f} s")

    def _where(self) -> str:
        return str(self._transport.get_extra_info("peername")) if self._transport is not None else "nobody"

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()


def _give_up_on_silence(transport: Stream) -> None:
    """Let the kernel end a connection whose other end acknowledges nothing, where it can be told to."""
    connection = transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNSENT_S_MAX * 1000))

"""A client's connection to one node: commands go out, replies come back in the same order.

It does not know sessions, nor which node to talk to.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import hiredis

from ..net.stream import Stream, as_stream

Part: TypeAlias = bytes | str | int
MISUNDERSTOOD: Final = "ERR Protocol error"
"""What a node says when it cannot understand what follows. That ends the link: it answers no command."""

Taker: TypeAlias = Callable[[object], None]
"""Takes the reply to one command: what hiredis makes of it."""


def as_bytes(part: Part) -> bytes:
    """A part as it goes over the wire: text as UTF-8, a number in digits."""
    return part if isinstance(part, bytes) else str(part).encode()


def encode_command(parts: Iterable[Part]) -> bytes:
    """A command as it goes over the wire."""
    texts = [as_bytes(part) for part in parts]
    return b"*%d\r\n%b" % (len(texts), b"".join([b"$%d\r\n%b\r\n" % (len(text), text) for text in texts]))


class Link(asyncio.Protocol):
    """One connection, from being made until `ended` says why it is over."""

    def __init__(self) -> None:
        self.ended: Final[asyncio.Future[str]] = asyncio.get_running_loop().create_future()
        self.replies = 0
        self._takers: deque[Taker] = deque()
        self._reader = hiredis.Reader()
        self._stream: Stream | None = None

    @property
    def is_waiting(self) -> bool:
        """Does a command wait for its reply?"""
        return bool(self._takers)

    def send(self, frame: bytes, take: Taker) -> bytes:
        """Expect a reply to `frame`, which is returned for the caller to `write`, alone or with others."""
        self._takers.append(take)
        return frame

    def write(self, data: bytes | bytearray) -> None:
        """Send what was announced with `send`."""
        if self._stream is not None and data:
            self._stream.write(data)

    async def ask(self, *parts: Part) -> object:
        """Send a command and wait for its reply. Raises ConnectionError if the link ends first."""
        reply: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        def take(said: object) -> None:
            if not reply.done():
                reply.set_result(said)

        self.write(self.send(encode_command(parts), take))
        await asyncio.wait((reply, self.ended), return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            raise ConnectionError(self.ended.result())
        return reply.result()

    def end(self, reason: str) -> None:
        """There is nothing more to expect of this link."""
        if not self.ended.done():
            self.ended.set_result(reason)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._stream = as_stream(transport)

    def data_received(self, data: bytes) -> None:
        if self.ended.done():
            return
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                if not self._takers:
                    self.end(f"it said what nobody asked for: {reply!r:.100}")
                    return
                if isinstance(reply, hiredis.ReplyError) and str(reply).startswith(MISUNDERSTOOD):
                    self.end(f"it said: {reply}")
                    return
                self.replies += 1
                self._takers.popleft()(reply)
                if self.ended.done():
                    return
        except hiredis.ProtocolError as error:
            self.end(f"it does not speak RESP: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(str(exc) if exc is not None else "it closed the connection")

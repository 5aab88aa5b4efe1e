"""The client port: takes commands and questions, gives back answers, in our own small protocol.

It does not know what a command does, nor who leads: the driver answers. Only what is a command gets that far.
Another protocol for clients is another class like `ClientConnection`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from ..kv import decode
from .errors import MalformedFrame
from .framing import CLIENT_BYTES_MAX, FrameDecoder, encode_frame
from .stream import Stream, as_stream
from .wire import Command, Invalid, NodeStatus, Reply, decode_request, encode

log = logging.getLogger("quorate.clients")


class Commands(Protocol):
    """Where commands go; `Driver` is one."""

    def submit(self, asker: ClientConnection, number: int, command: str) -> None: ...


class ClientConnection(asyncio.Protocol):
    """One client. Requests are taken as they come, any number in flight; replies go back in any order."""

    def __init__(
        self,
        commands: Commands,
        status: Callable[[int], NodeStatus],
        connections: set[ClientConnection],
    ) -> None:
        self._commands = commands
        self._status = status
        self._connections = connections
        self._decoder = FrameDecoder(CLIENT_BYTES_MAX)
        self._transport: Stream | None = None
        self._replies = bytearray()

    def reply(self, reply: Reply) -> None:
        """Add a reply to the next `flush`; one for a client that has gone is lost."""
        self._replies += encode_frame(encode(reply))

    def flush(self) -> None:
        """Send the replies."""
        replies, self._replies = self._replies, bytearray()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(replies)

    def close(self) -> None:
        """Send what there is, and end the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = as_stream(transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            for payload in self._decoder.feed(data):
                self._take(payload)
        except MalformedFrame as error:
            log.warning("closed the connection of a client: %s", error)
            self.close()

    def _take(self, payload: bytes) -> None:
        request = decode_request(payload)
        if not isinstance(request, Command):
            self.reply(self._status(request.number))
            self.flush()
            return
        if decode(request.command) is None:
            self.reply(Invalid(request.number, "it is no command that the state machine knows"))
            self.flush()
            return
        self._commands.submit(self, request.number, request.command)

    def pause_writing(self) -> None:
        """A client that does not read its answers is not read either."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None

"""What a connection offers to those who speak on it, whichever event loop made it.

asyncio's own class will not do as a type to ask for: uvloop's transports are no instances of it.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any, Final, Protocol, runtime_checkable

_WATCH: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 120_000}
"""Seconds and numbers, the last in milliseconds: whoever says nothing at all for two minutes has vanished."""


@runtime_checkable
class Stream(Protocol):
    """Of `asyncio.Transport`, what we use."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def is_closing(self) -> bool: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def get_extra_info(self, name: str, default: Any = None) -> Any: ...


def as_stream(transport: asyncio.BaseTransport) -> Stream:
    """A TCP connection's transport, as what it is."""
    assert isinstance(transport, Stream)
    return transport


def watch(stream: Stream) -> None:
    """Have the system end a connection whose other end vanished without a word, as far as it knows how."""
    connection = stream.get_extra_info("socket")
    if connection is None:
        return
    with suppress(OSError):  # it has ended already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _WATCH.items():
            if (option := getattr(socket, name, None)) is not None:
                connection.setsockopt(socket.IPPROTO_TCP, option, value)

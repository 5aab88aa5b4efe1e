"""What a connection offers to those who speak on it, whichever event loop made it.

asyncio's own class will not do as a type to ask for: uvloop's transports are no instances of it.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, runtime_checkable


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

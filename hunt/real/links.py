"""The links between nodes: a proxy of our own for each directed pair, which can cut, delay and throttle what goes by.

A node dials every other and speaks there, so the link from one node to another is where the first dials the second. Its
connections carry bytes both ways: those of the caller take the *way* from it to the other node, the answers take the
way back, and trouble on a way is felt by everything that takes it. The proxies are TCP servers on the loopback, in this
process; they need no privileges, and lose nothing unless a connection is reset, as a network does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from ...impl.settings import Address

CHUNK_BYTES: Final = 16 << 10
CHUNKS_MAX: Final = 256
"""What a connection holds of one direction; beyond, its sender is not read."""


@dataclass(frozen=True, eq=False, slots=True)
class Trouble:
    """Something wrong with the way from one node to another."""

    resets: bool = False
    """The connections of the one that dials there are reset, and new ones are as soon as they are made."""
    silent: bool = False
    """Nothing gets through, and nobody is told: what is under way waits until this is over."""
    delay_s: float = 0.0
    bytes_per_s: float = 0.0
    """How much gets through; 0 for all."""


class Way:
    """How bytes get from one node to another just now."""

    def __init__(self) -> None:
        self.troubles: list[Trouble] = []
        self._changed = asyncio.Event()
        self._free_s = 0.0
        """When what has passed last leaves room for more."""

    @property
    def is_silent(self) -> bool:
        return any(trouble.silent for trouble in self.troubles)

    @property
    def resets(self) -> bool:
        return any(trouble.resets for trouble in self.troubles)

    def change(self) -> None:
        """Its troubles are others now: whoever waits looks again."""
        self._free_s = 0.0
        self._changed.set()
        self._changed = asyncio.Event()

    async def passed(self, size: int, came_s: float) -> None:
        """Wait until a chunk of so many bytes, which came at that time, has got through."""
        while (wait_s := self._wait_s(came_s)) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(None if self.is_silent else wait_s):
                    await self._changed.wait()
        rates = [trouble.bytes_per_s for trouble in self.troubles if trouble.bytes_per_s]
        if rates:
            self._free_s = max(self._free_s, time.monotonic()) + size / min(rates)

    def _wait_s(self, came_s: float) -> float:
        if self.is_silent:
            return 1.0
        delay_s = max((trouble.delay_s for trouble in self.troubles), default=0.0)
        return max(came_s + delay_s, self._free_s) - time.monotonic()


class _Link:
    """The proxy that stands between a node and another that it dials."""

    def __init__(self, target: Address, there: Way, back: Way) -> None:
        self.there = there
        self._target = target
        self._back = back
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> Address:
        """Listen; where."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        return Address(host=host, port=port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        connections = list(self._connections)
        self.reset()
        await asyncio.gather(*connections, return_exceptions=True)

    def reset(self) -> None:
        """End every connection at once."""
        for connection in self._connections:
            connection.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None, "a server calls this in a task"
        self._connections.add(connection)
        with suppress(OSError, asyncio.CancelledError):  # whoever cancels it wants it to end, and it does
            try:
                if not self.there.resets:
                    await self._join(reader, writer)
            finally:
                writer.transport.abort()
        self._connections.discard(connection)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what the two ends say to each other, until one of them ends it."""
        there, speaker = await asyncio.open_connection(self._target.host, self._target.port)
        carrying = [
            asyncio.ensure_future(_carry(self.there, reader, speaker)),
            asyncio.ensure_future(_carry(self._back, there, writer)),
        ]
        try:
            await asyncio.wait(carrying, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in carrying:
                one.cancel()
            await asyncio.gather(*carrying, return_exceptions=True)
            speaker.transport.abort()


async def _carry(way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction of a connection to its end."""
    waiting = asyncio.Queue[tuple[float, bytes]](CHUNKS_MAX)

    async def take() -> None:
        data = b" "
        while data:
            try:
                data = await reader.read(CHUNK_BYTES)
            except OSError:
                data = b""
            await waiting.put((time.monotonic(), data))

    taking = asyncio.ensure_future(take())
    try:
        while True:
            came_s, data = await waiting.get()
            await way.passed(len(data), came_s)
            if not data:
                return
            writer.write(data)
            await writer.drain()
    finally:
        taking.cancel()


class Links:
    """All links of a cluster, as an async context; `peers` are the addresses at which the nodes listen."""

    def __init__(self, peers: Mapping[str, Address]) -> None:
        self._peers = dict(peers)
        pairs = [(one, other) for one in peers for other in peers if one != other]
        self._ways = {pair: Way() for pair in pairs}
        self._links = {
            (source, to): _Link(peers[to], self._ways[source, to], self._ways[to, source])
            for source, to in pairs
        }
        self._addresses: dict[tuple[str, str], Address] = {}

    async def __aenter__(self) -> Self:
        try:
            for pair, link in self._links.items():
                self._addresses[pair] = await link.open()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for link in self._links.values():
            await link.close()

    def peers_of(self, node: str) -> dict[str, Address]:
        """The peers of a node as its settings are to have them: itself where it listens, the others through a link."""
        return {
            peer: address if peer == node else self._addresses[node, peer]
            for peer, address in self._peers.items()
        }

    def begin(self, source: str, to: str, trouble: Trouble) -> None:
        """From now on there is this trouble on the way from one node to another."""
        way = self._ways[source, to]
        way.troubles.append(trouble)
        way.change()
        if trouble.resets:
            self._links[source, to].reset()

    def end(self, source: str, to: str, trouble: Trouble) -> None:
        """It is over."""
        way = self._ways[source, to]
        way.troubles.remove(trouble)
        way.change()

"""The links of a real round: they cut, delay and heal one direction and not the other, and lose nothing that waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from quorate.hunt.real.links import CHUNK_BYTES, CHUNKS_MAX, Links, Trouble
from quorate.impl.net.cluster import free_ports
from quorate.impl.settings import Address

PATIENCE_S = 60
FOREVER_S = 3600.0


class Peer:
    """The one that is dialled: it keeps what it hears, and says what it is told to."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.writers: list[asyncio.StreamWriter] = []
        self.changed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.changed.set()
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                self.heard += data
                self.changed.set()
        writer.close()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()


Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[Links, Peer, Dial]]:
    """Node a dials node b through a link; b is a peer of ours."""
    ports = free_ports(2)
    peers = {name: Address(host="127.0.0.1", port=port) for name, port in zip("ab", ports, strict=True)}
    peer = Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", peers["b"].port)
    opened: list[asyncio.StreamWriter] = []

    async with Links(peers) as links:
        address = links.peers_of("a")["b"]
        assert address != peers["b"]
        assert links.peers_of("a")["a"] == peers["a"], "a node listens where it is"

        async def dial() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection(address.host, address.port)
            opened.append(writer)
            return reader, writer

        try:
            yield links, peer, dial
        finally:
            server.close()
            for writer in (*opened, *peer.writers):
                writer.close()


def story(tell: Callable[[Links, Peer, Dial], Awaitable[None]]) -> None:
    async def told() -> None:
        async with asyncio.timeout(2 * PATIENCE_S), linked() as (links, peer, dial):
            await tell(links, peer, dial)

    asyncio.run(told())


def test_what_is_said_goes_through_both_ways() -> None:
    async def tell(links: Links, peer: Peer, dial: Dial) -> None:
        reader, writer = await dial()
        writer.write(b"x" * (3 * CHUNK_BYTES))
        await peer.until(lambda: len(peer.heard) == 3 * CHUNK_BYTES)
        peer.writers[0].write(b"hello")
        assert await reader.readexactly(5) == b"hello"

    story(tell)


@pytest.mark.parametrize("trouble", [Trouble(silent=True), Trouble(delay_s=FOREVER_S)], ids=["cut", "delay"])
def test_trouble_on_one_way_leaves_the_other_alone_and_ends_at_once(trouble: Trouble) -> None:
    """Without a clock: what goes the good way arrives, though it was said later than what goes the bad way."""

    async def tell(links: Links, peer: Peer, dial: Dial) -> None:
        reader, writer = await dial()
        writer.write(b"first")
        await peer.until(lambda: peer.heard == b"first")
        links.begin("a", "b", trouble)
        writer.write(b", second")
        peer.writers[0].write(b"answer")
        assert await reader.readexactly(6) == b"answer"
        assert peer.heard == b"first"
        links.end("a", "b", trouble)
        await peer.until(lambda: peer.heard == b"first, second")

        links.begin("b", "a", trouble)
        peer.writers[0].write(b"again")
        writer.write(b", third")
        await peer.until(lambda: peer.heard.endswith(b"third"))
        hearing = asyncio.ensure_future(reader.readexactly(5))
        await asyncio.sleep(0)
        assert not hearing.done()
        links.end("b", "a", trouble)
        assert await hearing == b"again"

    story(tell)


def test_a_cut_that_is_noticed_resets_what_is_there_and_what_comes_until_it_heals() -> None:
    async def tell(links: Links, peer: Peer, dial: Dial) -> None:
        reader, writer = await dial()
        writer.write(b"one")
        await peer.until(lambda: peer.heard == b"one")
        trouble = Trouble(resets=True)
        links.begin("a", "b", trouble)
        assert await ends(reader)
        for _ in range(3):
            refused, other = await dial()
            with suppress(ConnectionError):
                other.write(b"lost")
            assert await ends(refused)
        links.end("a", "b", trouble)
        _, writer = await dial()
        writer.write(b", two")
        await peer.until(lambda: len(peer.heard) > 3)
        assert peer.heard == b"one, two"

    async def ends(reader: asyncio.StreamReader) -> bool:
        try:
            return await reader.read(1) == b""
        except ConnectionError:
            return True

    story(tell)


def test_of_two_troubles_the_other_stays_when_one_ends() -> None:
    async def tell(links: Links, peer: Peer, dial: Dial) -> None:
        reader, writer = await dial()
        one, other = Trouble(silent=True), Trouble(silent=True)
        links.begin("a", "b", one)
        links.begin("a", "b", other)
        links.end("a", "b", one)
        writer.write(b"word")
        await peer.until(lambda: bool(peer.writers))
        peer.writers[0].write(b"answer")
        assert await reader.readexactly(6) == b"answer"
        assert peer.heard == b""
        links.end("a", "b", other)
        await peer.until(lambda: peer.heard == b"word")

    story(tell)


def test_a_delay_and_a_throttle_take_at_least_their_time() -> None:
    async def tell(links: Links, peer: Peer, dial: Dial) -> None:
        _, writer = await dial()
        for trouble, data, least_s in (
            (Trouble(delay_s=0.3), b"d", 0.3),
            (Trouble(bytes_per_s=100_000), b"t" * (4 * CHUNK_BYTES), 3 * CHUNK_BYTES / 100_000),
        ):
            peer.heard.clear()
            links.begin("a", "b", trouble)
            began_s = time.monotonic()
            writer.write(data)
            await peer.until(lambda data=data: len(peer.heard) == len(data))  # type: ignore[misc]
            assert time.monotonic() - began_s >= least_s
            links.end("a", "b", trouble)

    story(tell)


def test_what_waits_at_a_cut_is_bounded_and_none_of_it_is_lost() -> None:
    """Beyond what a link holds its sender is not read, as with a network."""

    async def tell(links: Links, peer: Peer, dial: Dial) -> None:
        _, writer = await dial()
        trouble = Trouble(silent=True)
        links.begin("a", "b", trouble)
        size = 16 * CHUNK_BYTES * CHUNKS_MAX  # more than it holds, and than the kernel does
        writer.write(bytes(size))
        left, unchanged = size, 0
        while left and unchanged < 50:
            await asyncio.sleep(0.01)
            before, left = left, writer.transport.get_write_buffer_size()
            unchanged = unchanged + 1 if left == before else 0
        assert left > 0
        assert not peer.heard
        links.end("a", "b", trouble)
        await peer.until(lambda: len(peer.heard) == size)

    story(tell)

"""A node in this process: it serves alone, is not drowned by a client, and stops even when its disk does not answer."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import hiredis
import pytest

from quorate.impl.client import Client, Swap
from quorate.impl.client.link import encode_command
from quorate.impl.net import driver as driver_module
from quorate.impl.net.clients import READS_MAX
from quorate.impl.net.cluster import free_ports
from quorate.impl.net.errors import NetError
from quorate.impl.net.node import Node, serve
from quorate.impl.settings import Settings
from quorate.impl.storage import DurableLog, Identity

MakeSettings = Callable[..., Settings]
PATIENCE_S = 60
QUICK = {"timing.heartbeat_ms": 5, "timing.election_ms_min": 20, "timing.election_ms_max": 40}


def run(story: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await story

    asyncio.run(bounded())


async def until(happened: Callable[[], bool]) -> None:
    while not happened():
        await asyncio.sleep(0.005)


def test_every_command_does_what_it_says(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK)

    async def story() -> None:
        async with Node(mine), Client({"a": mine.client}, timeout_s=PATIENCE_S) as client:
            version = await client.set("x", "1")
            assert await client.get("x") == b"1"
            assert await client.get_item("x") == (b"1", version)
            assert await client.compare_and_set("x", version, "5") == Swap(True, version + 1)
            assert await client.compare_and_set("x", version, "9") == Swap(False, version + 1)
            assert await client.increment("x", 2) == 7
            assert await client.transact([("SET", "y", 1), ("GET", "x")], {b"y": 0}) == [b"OK", b"7"]
            assert await client.transact([("SET", "y", 2)], {b"y": 0}) is None
            assert await client.compare_and_delete("x", version) == Swap(False, version + 2)
            assert await client.delete("x", "z") == 1
            assert await client.get("x") is None
            assert await client.get_item("x") == (None, 0)

    run(story())


def test_what_was_answered_is_there_after_a_restart(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK)

    async def story() -> None:
        for boot in (1, 2, 3):
            async with Node(mine) as node, Client({"a": mine.client}, timeout_s=PATIENCE_S) as client:
                assert await client.increment("boots") == boot
                assert node.status().boot == boot

    run(story())


def test_a_torn_tail_is_told_and_survived(
    settings: MakeSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = settings("a", **QUICK)
    DurableLog.open(mine.data, Identity("orchard", "a"))[0].close()
    segment = next(mine.data.glob("*.segment"))
    whole = bytearray(segment.read_bytes())
    whole[1000] = 7
    segment.write_bytes(whole)

    async def story() -> None:
        async with Node(mine), Client({"a": mine.client}, timeout_s=PATIENCE_S) as client:
            await client.set("x", "1")

    run(story())
    assert f"{segment}: at byte 512" in caplog.text


def test_a_client_that_does_not_read_its_answers_is_not_read_either(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK)
    big = bytes(1 << 20)

    async def story() -> None:
        async with Node(mine) as node, Client({"a": mine.client}, timeout_s=PATIENCE_S) as client:
            await client.set("big", big)
            reader, writer = await asyncio.open_connection(mine.client.host, mine.client.port, limit=1 << 16)
            writer.write(encode_command(("GET", "big")) * 400 + encode_command(("INCR", "n")))
            await until(lambda: node.status().queries > 0)
            await asyncio.sleep(0.3)
            assert node.status().queries <= READS_MAX
            assert node.status().commands == 2, "the session's beginning, and the SET"
            replies = hiredis.Reader()
            answered: list[object] = []
            while len(answered) < 401:
                replies.feed(await reader.read(1 << 20))
                while (reply := replies.gets()) is not False:
                    answered.append(reply)
            assert answered == [big] * 400 + [1]
            writer.close()

    run(story())


def test_a_stop_that_takes_too_long_is_cut_short(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = settings("a", **QUICK, **{"timing.stop_ms_max": 50})
    disk_goes_on, stuck = threading.Event(), threading.Event()
    commit = DurableLog.commit

    def hang(log: DurableLog, records: Any) -> None:
        stuck.set()
        assert disk_goes_on.wait(PATIENCE_S)
        commit(log, records)

    monkeypatch.setattr(DurableLog, "commit", hang)

    async def story() -> None:
        async with Node(mine) as node:
            await until(stuck.is_set)
            node.stop()
            with pytest.raises(NetError, match="more than 50 ms"):
                await node.driver.ended
            disk_goes_on.set()

    run(story())


def test_a_node_that_is_told_to_stop_while_it_begins_stops_in_order_as_soon_as_it_serves(
    settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal may come as soon as a port is open, and a port is open before the node serves."""
    mine = settings("a", trace=tmp_path / "trace")
    begin = Node._begin

    async def told_meanwhile(node: Node) -> None:
        signal.raise_signal(signal.SIGTERM)
        await begin(node)

    monkeypatch.setattr(Node, "_begin", told_meanwhile)
    asyncio.run(asyncio.wait_for(serve(mine), PATIENCE_S))
    (trace,) = (tmp_path / "trace").glob("*.ndjson")
    assert '"event":"stop"' in trace.read_text().splitlines()[-1]


def test_what_a_peer_says_finds_the_driver_started(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long opening a port takes: the one for peers is the last, and the start follows at once."""
    mine = settings("abc", admin=f"127.0.0.1:{free_ports(1)[0]}")
    began: list[object] = []
    listen, start = Node._listen, driver_module.Driver.start

    async def told_listen(node: Node, address: object, *given: Any) -> None:
        await listen(node, address, *given)
        began.append(address)

    def told_start(driver: driver_module.Driver) -> None:
        began.append("start")
        start(driver)

    monkeypatch.setattr(Node, "_listen", told_listen)
    monkeypatch.setattr(driver_module.Driver, "start", told_start)

    async def story() -> None:
        async with Node(mine):
            assert began == [mine.client, mine.peer, "start"]

    asyncio.run(story())


def test_leaving_closes_the_ports_and_the_connections(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK)

    async def story() -> None:
        async with Node(mine):
            reader, writer = await asyncio.open_connection(mine.client.host, mine.client.port)
        assert await reader.read() == b""
        writer.close()
        for address in (mine.client, mine.peer):
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(address.host, address.port)

    run(story())


def test_a_message_that_no_peer_would_take_is_not_sent(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(driver_module, "PEER_BYTES_MAX", 10)
    mine = settings("ab", **QUICK)
    carried: list[Sequence[bytes]] = []
    monkeypatch.setattr(Node, "_carry", lambda node, peer, frames: carried.append(frames))

    async def story() -> None:
        async with Node(mine):
            await until(lambda: "too large to be sent" in caplog.text)

    run(story())
    assert carried == []

"""A node in this process: it serves alone, is not drowned by a client, and stops even when its disk does not answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from quorate.impl.kv import Get, encode
from quorate.impl.net import driver as driver_module
from quorate.impl.net import wire
from quorate.impl.net.client import Client
from quorate.impl.net.errors import NetError
from quorate.impl.net.framing import CLIENT_BYTES_MAX, FrameDecoder, encode_frame
from quorate.impl.net.node import Node
from quorate.impl.net.wire import Answer, Command, Invalid, decode_reply
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
            version = (await client.set("x", "1")).version
            assert (await client.get("x")).value == "1"
            assert (await client.compare_and_set("x", version, "5")).error is None
            assert (await client.compare_and_set("x", version, "9")).error == "the key has another version"
            assert (await client.increment("x", 2)).value == "7"
            await client.delete("x")
            assert (await client.get("x")).value is None

    run(story())


def test_what_was_answered_is_there_after_a_restart(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK)

    async def story() -> None:
        for boot in (1, 2, 3):
            async with Node(mine) as node, Client({"a": mine.client}, timeout_s=PATIENCE_S) as client:
                assert (await client.increment("boots")).value == str(boot)
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


async def ask(writer: asyncio.StreamWriter, numbers: range) -> None:
    for number in numbers:
        writer.write(encode_frame(wire.encode(Command(number, encode(Get("slow reader", number, 1, "big"))))))
    await writer.drain()


def test_a_client_that_does_not_read_its_answers_is_not_read_either(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK)
    big = "x" * (1 << 20)

    async def story() -> None:
        async with Node(mine) as node, Client({"a": mine.client}, timeout_s=PATIENCE_S) as client:
            await client.set("big", big)
            before = node.status().applied
            reader, writer = await asyncio.open_connection(mine.client.host, mine.client.port, limit=1 << 16)
            await ask(writer, range(1, 41))
            await until(lambda: node.status().applied == before + 40)
            await ask(writer, range(41, 81))
            await asyncio.sleep(0.3)
            assert node.status().applied == before + 40
            decoder = FrameDecoder(CLIENT_BYTES_MAX)
            answered: list[int] = []
            while len(answered) < 80:
                for payload in decoder.feed(await reader.read(1 << 20)):
                    reply = decode_reply(payload)
                    assert isinstance(reply, Answer)
                    assert reply.result.value == big
                    answered.append(reply.number)
            assert answered == list(range(1, 81))
            writer.close()

    run(story())


@pytest.mark.parametrize(
    "command", ["noop", "", "{}", '["set","c",1,1,"key"]', '["set","c",0,1,"key","value"]']
)
def test_what_is_no_command_is_refused_and_never_reaches_the_log(
    settings: MakeSettings, command: str
) -> None:
    mine = settings("a", **QUICK)

    async def story() -> None:
        async with Node(mine) as node:
            await until(lambda: node.status().role == "leader")
            reader, writer = await asyncio.open_connection(mine.client.host, mine.client.port)
            writer.write(encode_frame(wire.encode(Command(7, command))))
            [payload] = FrameDecoder(CLIENT_BYTES_MAX).feed(await reader.read(65536))
            reply = decode_reply(payload)
            assert isinstance(reply, Invalid)
            assert reply.number == 7
            assert node.status().committed == 0
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
    carried: list[bytes] = []
    monkeypatch.setattr(Node, "_carry", lambda node, peer, frames: carried.append(frames))

    async def story() -> None:
        async with Node(mine):
            await until(lambda: "too large to be sent" in caplog.text)

    run(story())
    assert carried == []

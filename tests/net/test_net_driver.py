"""The driver fulfils the replica's duties: disk before words, trace before messages, nothing after a failure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from quorate.impl.core.config import Config
from quorate.impl.core.effects import Apply, Effect, Line, Persist, Refuse, Sent
from quorate.impl.core.errors import PeerError
from quorate.impl.core.events import Event, Persisted, Received, Start, Stop, Submitted, Tick
from quorate.impl.core.messages import Ballot, Heartbeat, MessageId
from quorate.impl.core.records import PromiseRecord, Record
from quorate.impl.kv import KeyValue, Set, encode
from quorate.impl.net.driver import Driver
from quorate.impl.net.framing import FrameDecoder
from quorate.impl.net.wire import Answer, Elsewhere, Reply, decode_message
from quorate.impl.storage import DiskFailed, DiskFull
from quorate.traces import CannotRecord

PATIENCE_S = 60
BALLOT = Ballot(1, "b")


def heartbeat(number: int) -> Heartbeat:
    return Heartbeat(MessageId("a", 1, number), BALLOT, 0)


class Stage:
    """Everything around a driver, played: `happened` tells what left it, in order."""

    def __init__(self, script: Callable[[Event], list[Effect]]) -> None:
        self.config = Config(
            node="a",
            nodes=("a", "b", "c"),
            boot=1,
            heartbeat_ms=1000,
            election_ms_min=1001,
            election_ms_max=2000,
        )
        self.happened: list[object] = []
        self.events: list[Event] = []
        self.commits: list[list[Record]] = []
        self.disk_goes_on = threading.Event()
        self.disk_goes_on.set()
        self.disk_error: Exception | None = None
        self.trace_error: Exception | None = None
        self._script = script
        self.driver = Driver(self, self, self, KeyValue(), self.carry)  # type: ignore[arg-type]

    # the replica

    def step(self, event: Event) -> list[Effect]:
        if not isinstance(event, Tick):
            self.events.append(event)
        return self._script(event)

    # the durable log

    def commit(self, records: Sequence[Record]) -> None:
        assert self.disk_goes_on.wait(PATIENCE_S)
        if self.disk_error is not None:
            raise self.disk_error
        self.commits.append(list(records))

    # the trace

    def write(self, event: str, fields: object, *, recv: object, send: object) -> None:
        self.happened.append(event)

    def flush(self) -> None:
        if self.happened and self.happened[-1] != "flush":
            self.happened.append("flush")
        if self.trace_error is not None:
            raise self.trace_error

    # the peers

    def carry(self, peer: str, frames: bytes) -> None:
        for payload in FrameDecoder(1000).feed(frames):
            self.happened.append((peer, decode_message(payload).id.number))

    # a client

    def reply(self, reply: Reply) -> None:
        self.happened.append(reply)

    def close(self, reason: str) -> None:
        self.happened.append(reason)


class Client:
    """Asks, and keeps what it is told."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.replies: list[Reply] = []

    def reply(self, reply: Reply) -> None:
        self.replies.append(reply)

    def flush(self) -> None:
        self.stage.happened.append("answered")


def run(
    script: Callable[[Event], list[Effect]], story: Callable[[Stage], Coroutine[Any, Any, None]]
) -> Stage:
    async def told() -> Stage:
        stage = Stage(script)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await story(stage)
        finally:
            stage.disk_goes_on.set()
            stage.driver.close()
        return stage

    return asyncio.run(told())


async def until(happened: Callable[[], bool]) -> None:
    while not happened():
        await asyncio.sleep(0.005)


def persist_each_message(event: Event) -> list[Effect]:
    """One record for every message; a word for every acknowledgement."""
    if isinstance(event, Received):
        return [Persist(event.message.id.number, (PromiseRecord(Ballot(event.message.id.number, "b")),))]
    if isinstance(event, Persisted):
        return [Line("promise", send=(Sent(("b", "a", "c"), heartbeat(event.number)),))]
    return []


def test_the_trace_is_written_before_messages_leave_and_nothing_is_sent_to_oneself() -> None:
    def script(event: Event) -> list[Effect]:
        if not isinstance(event, Start):
            return []
        return [
            Line("prepare", send=(Sent(("b", "a"), heartbeat(1)),)),
            Line("lead", send=(Sent(("b",), heartbeat(2)),)),
        ]

    async def story(stage: Stage) -> None:
        stage.driver.start()
        await until(lambda: ("b", 2) in stage.happened)

    assert run(script, story).happened[:5] == ["prepare", "lead", "flush", ("b", 1), ("b", 2)]


def test_what_gathers_during_a_sync_is_one_batch_for_the_next() -> None:
    async def story(stage: Stage) -> None:
        stage.driver.start()
        stage.disk_goes_on.clear()
        stage.driver.receive(heartbeat(1), stage)
        await until(lambda: len(stage.events) == 2)
        for number in (2, 3, 4):
            stage.driver.receive(heartbeat(number), stage)
            await asyncio.sleep(0.01)
        assert stage.happened == []
        stage.disk_goes_on.set()
        await until(lambda: ("c", 4) in stage.happened)

    stage = run(persist_each_message, story)
    assert [len(batch) for batch in stage.commits] == [1, 3]
    assert [event.number for event in stage.events if isinstance(event, Persisted)] == [1, 4]


def test_a_disk_that_fails_ends_the_driver_and_nothing_leaves() -> None:
    async def story(stage: Stage) -> None:
        stage.disk_error = DiskFailed("broken")
        stage.driver.start()
        stage.driver.receive(heartbeat(1), stage)
        with pytest.raises(DiskFailed, match="broken"):
            await stage.driver.ended
        stage.driver.receive(heartbeat(2), stage)
        await asyncio.sleep(0.05)

    stage = run(persist_each_message, story)
    assert stage.happened == []
    assert not any(isinstance(event, Persisted) for event in stage.events)


def test_a_full_disk_sends_clients_elsewhere_and_goes_on_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("quorate.impl.net.driver.ROOM_S", 0.01)

    async def story(stage: Stage) -> None:
        client = Client(stage)
        stage.disk_error = DiskFull("no room")
        stage.driver.start()
        stage.driver.receive(heartbeat(1), stage)
        while not client.replies:
            await asyncio.sleep(0.02)
            stage.driver.submit(client, 7, "x")
        assert client.replies[0] == Elsewhere(7, "the disk of this node is full", None)
        assert not stage.driver.ended.done()
        assert stage.commits == []
        assert not any(isinstance(event, Persisted) for event in stage.events)
        stage.disk_error = None
        while not any(isinstance(event, Persisted) for event in stage.events):
            await asyncio.sleep(0.005)
        told = len(client.replies)
        stage.driver.submit(client, 8, "y")
        await asyncio.sleep(0.05)
        assert len(client.replies) == told

    stage = run(persist_each_message, story)
    assert len(stage.commits) == 1
    assert any(isinstance(event, Submitted) for event in stage.events)


def test_after_a_failure_nothing_more_is_done() -> None:
    def script(event: Event) -> list[Effect]:
        return [Line("resend", send=(Sent(("b",), heartbeat(1)),))] if isinstance(event, Received) else []

    async def story(stage: Stage) -> None:
        stage.driver.start()
        stage.driver.receive(heartbeat(1), stage)
        stage.driver.fail(DiskFull("no room"))
        stage.driver.receive(heartbeat(2), stage)
        await asyncio.sleep(0.05)
        with pytest.raises(DiskFull):
            await stage.driver.ended

    assert run(script, story).happened == []


def test_a_trace_that_cannot_be_written_ends_the_driver_and_nothing_leaves() -> None:
    async def story(stage: Stage) -> None:
        stage.trace_error = CannotRecord("trace", "full", "make room")
        stage.driver.start()
        stage.driver.receive(heartbeat(1), stage)
        with pytest.raises(CannotRecord):
            await stage.driver.ended

    assert ("b", 1) not in run(persist_each_message, story).happened


def test_a_fault_of_the_replica_ends_the_driver_and_nothing_leaves() -> None:
    def script(event: Event) -> list[Effect]:
        if isinstance(event, Received):
            raise AssertionError("two values")
        return [Line("start", send=(Sent(("b",), heartbeat(1)),))]

    async def story(stage: Stage) -> None:
        stage.driver.start()
        stage.driver.receive(heartbeat(1), stage)
        with pytest.raises(AssertionError):
            await stage.driver.ended

    assert run(script, story).happened == ["start"]


def test_a_fault_of_a_peer_costs_its_connection_and_no_more() -> None:
    def script(event: Event) -> list[Effect]:
        if isinstance(event, Received) and event.message.id.number == 1:
            raise PeerError("impossible")
        return persist_each_message(event)

    async def story(stage: Stage) -> None:
        stage.driver.start()
        stage.driver.receive(heartbeat(1), stage)
        stage.driver.receive(heartbeat(2), stage)
        await until(lambda: ("b", 2) in stage.happened)

    assert "impossible" in run(script, story).happened


def test_commands_that_wait_together_travel_together_and_each_gets_its_own_reply() -> None:
    def command(number: int) -> str:
        return encode(Set("client", number, 1, f"k{number}", "v"))

    def script(event: Event) -> list[Effect]:
        if not isinstance(event, Submitted):
            return []
        (first, value), (second, _) = event.requests
        return [
            Apply(((1, "noop"), (2, value)), {2: first}),
            Refuse((second,), "deposed", "b"),
        ]

    async def story(stage: Stage) -> None:
        client = Client(stage)
        stage.driver.start()
        stage.driver.submit(client, 71, command(1))
        stage.driver.submit(client, 72, command(2))
        await until(lambda: len(client.replies) == 2)
        answered, refused = client.replies
        assert isinstance(answered, Answer)
        assert (answered.number, answered.result.version) == (71, 2)
        assert refused == Elsewhere(72, "deposed", "b")
        assert stage.driver.machine.applied == 2

    stage = run(script, story)
    assert sum(isinstance(event, Submitted) for event in stage.events) == 1
    assert stage.happened.count("answered") == 1


def test_an_orderly_stop_waits_for_the_disk_and_ends_with_the_stop_line() -> None:
    stopping: list[bool] = []

    def script(event: Event) -> list[Effect]:
        if isinstance(event, Stop):
            stopping.append(True)
            return []
        if isinstance(event, Persisted) and stopping:
            return [*persist_each_message(event), Line("stop")]
        return persist_each_message(event)

    async def story(stage: Stage) -> None:
        stage.driver.start()
        stage.disk_goes_on.clear()
        stage.driver.receive(heartbeat(1), stage)
        await until(lambda: len(stage.events) == 2)
        stage.driver.stop()
        stage.driver.receive(heartbeat(2), stage)  # comes too late to matter
        await until(lambda: bool(stopping))
        assert not stage.driver.ended.done()
        stage.disk_goes_on.set()
        await stage.driver.ended

    stage = run(script, story)
    assert stage.happened == ["promise", "stop", "flush", ("b", 1), ("c", 1)]
    assert sum(isinstance(event, Received) for event in stage.events) == 1

"""The driver fulfils the replica's duties: disk before words, trace before messages, nothing after a failure."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from quorate.impl.core.config import Config
from quorate.impl.core.effects import Apply, Effect, Line, Persist, Readable, Sent
from quorate.impl.core.errors import PeerError
from quorate.impl.core.events import (
    Announce,
    Asked,
    Event,
    Persisted,
    Received,
    Start,
    Stop,
    Submitted,
    Tick,
    Transfer,
)
from quorate.impl.core.messages import Ballot, Heartbeat, MessageId
from quorate.impl.core.records import PromiseRecord, Record
from quorate.impl.core.replica import Status
from quorate.impl.kv.machine import Batch, KeyValue, encode
from quorate.impl.kv.replies import OK, Reply
from quorate.impl.net.driver import Driver
from quorate.impl.net.framing import payload_of
from quorate.impl.net.gateway import NO_LEADER, NO_ROOM
from quorate.impl.net.wire import AskIndex, Forward, TellIndex, decode_message
from quorate.impl.storage import DiskFailed, DiskFull

PATIENCE_S = 60
BALLOT = Ballot(1, "b")


def heartbeat(number: int) -> Heartbeat:
    return Heartbeat(MessageId("a", 1, number), BALLOT, 0)


class Stage:
    """Everything around a driver, played: `happened` tells what left it, in order."""

    def __init__(self, script: Callable[[Event], list[Effect]], boot: int = 1) -> None:
        self.config = Config(
            node="a",
            nodes=("a", "b", "c"),
            boot=boot,
            heartbeat_ms=1000,
            election_ms_min=1001,
            election_ms_max=2001,
        )
        self.happened: list[object] = []
        self.events: list[Event] = []
        self.commits: list[list[Record]] = []
        self.disk_goes_on = threading.Event()
        self.disk_goes_on.set()
        self.disk_error: Exception | None = None
        self.seen = Status("follower", None, None, 0)
        self.is_ready = True
        self.room = 1000
        self.whole_flushes = 0
        self.carried: list[tuple[str, object]] = []
        self._script = script
        self.driver = Driver(self, self, self, KeyValue(), self.carry)  # type: ignore[arg-type]

    # the replica

    def step(self, event: Event) -> list[Effect]:
        if not isinstance(event, Tick):
            self.events.append(event)
        return self._script(event)

    def status(self) -> Status:
        return self.seen

    # the durable log

    def commit(self, records: Sequence[Record]) -> None:
        assert self.disk_goes_on.wait(PATIENCE_S)
        if self.disk_error is not None:
            raise self.disk_error
        self.commits.append(list(records))

    # the trace

    def write(self, line: Line) -> None:
        self.happened.append(line.event)

    def flush(self, *, all_lines: bool = False) -> None:
        self.whole_flushes += all_lines
        if self.happened and self.happened[-1] != "flush":
            self.happened.append("flush")

    # the peers

    def carry(self, peer: str, frames: Sequence[bytes]) -> None:
        for frame in frames:
            message = decode_message(payload_of(frame))
            if isinstance(message, Forward | AskIndex | TellIndex):
                self.carried.append((peer, message))
            else:
                self.happened.append((peer, message.id.number))

    # a connection

    def close(self, reason: str) -> None:
        self.happened.append(reason)


class Client:
    """Asks, and keeps what it is told."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.replies: list[Reply] = []

    def answer(self, reply: Reply) -> None:
        self.replies.append(reply)

    def flush(self) -> None:
        self.stage.happened.append("answered")


def run(
    script: Callable[[Event], list[Effect]],
    story: Callable[[Stage], Coroutine[Any, Any, None]],
    boot: int = 1,
) -> Stage:
    async def told() -> Stage:
        stage = Stage(script, boot)
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


async def meet_a_full_disk(stage: Stage) -> None:
    stage.disk_error = DiskFull("no room")
    stage.driver.start()
    stage.driver.receive(heartbeat(1), stage)
    await until(lambda: stage.driver.gateway.is_full)


def test_a_full_disk_sends_clients_elsewhere_and_goes_on_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("quorate.impl.net.commits.ROOM_S", 0.01)

    async def story(stage: Stage) -> None:
        await meet_a_full_disk(stage)
        assert not stage.driver.ended.done()
        assert stage.commits == []
        assert not any(isinstance(event, Persisted) for event in stage.events)
        stage.disk_error = None
        await until(lambda: any(isinstance(event, Persisted) for event in stage.events))
        assert not stage.driver.gateway.is_full

    stage = run(persist_each_message, story)
    assert len(stage.commits) == 1


def test_a_full_disk_is_not_waited_for_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quorate.impl.net.commits.ROOM_S", 0.01)

    async def story(stage: Stage) -> None:
        await meet_a_full_disk(stage)
        stage.driver.fail(OSError("something else"))
        stage.disk_error = None
        await asyncio.sleep(0.1)

    stage = run(persist_each_message, story)
    assert stage.commits == []


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


LEADING = Status("leader", "a", BALLOT, 0)
FOLLOWING = Status("follower", "b", BALLOT, 0)
INCR = [b"INCR", b"n"]


def apply_what_is_submitted(event: Event) -> list[Effect]:
    if isinstance(event, Submitted):
        return [Apply(tuple(enumerate((value for _, value in event.requests), 1)), {})]
    return []


def test_commands_that_wait_together_are_one_batch_and_each_gets_its_own_reply() -> None:
    async def story(stage: Stage) -> None:
        stage.seen = LEADING
        client, other = Client(stage), Client(stage)
        stage.driver.start()
        for asker, command in ((client, INCR), (other, [b"SET", b"x", b"1"]), (client, INCR)):
            stage.driver.gateway.write(asker, list(command))
        stage.driver.call_turn()
        await until(lambda: len(client.replies) == 2)
        assert client.replies == [1, 2]
        assert other.replies == [OK]

    stage = run(apply_what_is_submitted, story)
    assert [len(event.requests) for event in stage.events if isinstance(event, Submitted)] == [1]
    assert stage.happened.count("answered") == 2


def test_a_leader_that_waits_for_its_disk_lets_commands_gather() -> None:
    async def story(stage: Stage) -> None:
        stage.seen = LEADING
        stage.is_ready = False
        client = Client(stage)
        stage.driver.start()
        for _ in range(5):
            stage.driver.gateway.write(client, list(INCR))
            stage.driver.call_turn()
            await asyncio.sleep(0.01)
        assert client.replies == []
        stage.is_ready = True
        stage.driver.call_turn()
        await until(lambda: len(client.replies) == 5)

    stage = run(apply_what_is_submitted, story)
    assert sum(isinstance(event, Submitted) for event in stage.events) == 1


def test_a_follower_hands_its_batches_to_the_leader_and_answers_when_it_has_applied_them() -> None:
    applied: list[Effect] = []

    def script(event: Event) -> list[Effect]:
        return [applied.pop()] if applied and isinstance(event, Received) else []

    async def story(stage: Stage) -> None:
        stage.seen = FOLLOWING
        client = Client(stage)
        stage.driver.start()
        stage.driver.gateway.write(client, list(INCR))
        stage.driver.call_turn()
        await until(lambda: bool(stage.carried))
        [(peer, forward)] = stage.carried
        assert peer == "b"
        assert isinstance(forward, Forward)
        assert client.replies == []
        applied.append(Apply(((1, forward.values[0]),), {}))
        stage.driver.receive(heartbeat(1), stage)
        await until(lambda: bool(client.replies))
        assert client.replies == [1]

    run(script, story)


def test_a_new_leader_is_handed_what_is_under_way_in_order_before_anything_new() -> None:
    async def story(stage: Stage) -> None:
        stage.seen = FOLLOWING
        client = Client(stage)
        stage.driver.start()
        for number in range(2):
            stage.driver.gateway.write(client, list(INCR))
            stage.driver.call_turn()
            await until(lambda number=number: len(stage.carried) > number)
        stage.seen = Status("follower", "c", Ballot(2, "c"), 0)
        stage.driver.gateway.write(client, list(INCR))
        stage.driver.call_turn()
        await until(lambda: len(stage.carried) == 3)
        (_, first), (_, second), (peer, again) = stage.carried
        assert peer == "c"
        assert again.values[:2] == (*first.values, *second.values)
        assert len(again.values) == 3

    run(lambda event: [], story)


def test_what_others_forward_is_proposed_and_they_are_told_when_it_is_committed() -> None:
    value = encode(Batch("b.1", 1, [INCR]))

    async def story(stage: Stage) -> None:
        stage.seen = LEADING
        stage.driver.start()
        stage.driver.run_errand(Forward((value,)), "b")
        await until(lambda: any(isinstance(event, Announce) for event in stage.events))
        assert stage.driver.machine.store.items[b"n"][0] == b"1"

    run(apply_what_is_submitted, story)


def test_where_room_is_little_what_others_forward_and_what_is_asked_for_here_take_turns() -> None:
    first, second, third = (encode(Batch("b.1", number, [INCR])) for number in (1, 2, 3))
    slots = itertools.count(1)

    def script(event: Event) -> list[Effect]:
        if not isinstance(event, Submitted):
            return []
        return [Apply(tuple((next(slots), value) for _, value in event.requests), {})]

    async def story(stage: Stage) -> None:
        stage.seen, stage.room = LEADING, 1
        client = Client(stage)
        stage.driver.start()
        stage.driver.gateway.write(client, list(INCR))
        stage.driver.run_errand(Forward((first, second, third)), "b")
        for _ in range(4):
            await asyncio.sleep(0.01)
            stage.driver.call_turn()
        await until(lambda: bool(client.replies))
        assert client.replies == [2]

    stage = run(script, story)
    submitted = [event.requests for event in stage.events if isinstance(event, Submitted)]
    assert [len(requests) for requests in submitted] == [1, 1, 1, 1]
    assert [submitted[number][0][1] for number in (0, 2, 3)] == [first, second, third]


def test_whoever_waits_for_room_at_a_leader_is_not_told_that_there_is_none() -> None:
    async def story(stage: Stage) -> None:
        stage.seen, stage.room = LEADING, 0
        here = Client(stage)
        stage.driver.start()
        stage.driver.gateway.write(here, list(INCR))
        stage.driver.call_turn()
        await until(lambda: stage.driver.gateway.is_held_up)
        stage.driver.gateway.tick(10**9)
        assert here.replies == [NO_ROOM]
        stage.seen = Status("follower", None, None, 0)
        stage.driver.gateway.write(here, list(INCR))
        stage.driver.call_turn()
        await until(lambda: not stage.driver.gateway.is_held_up)
        stage.driver.gateway.tick(2 * 10**9)
        assert here.replies == [NO_ROOM, NO_LEADER]

    run(lambda _: [], story)


def test_what_is_forwarded_again_while_it_waits_is_proposed_once() -> None:
    first, second = (encode(Batch("b.1", number, [INCR])) for number in (1, 2))

    async def story(stage: Stage) -> None:
        stage.seen, stage.room = LEADING, 0
        stage.driver.start()
        stage.driver.run_errand(Forward((first,)), "b")
        stage.driver.run_errand(Forward((first, second)), "b")
        await asyncio.sleep(0.02)
        stage.room = 10
        stage.driver.call_turn()
        await until(lambda: any(isinstance(event, Submitted) for event in stage.events))

    stage = run(apply_what_is_submitted, story)
    [submitted] = [event for event in stage.events if isinstance(event, Submitted)]
    assert [value for _, value in submitted.requests] == [first, second]


def test_what_others_forwarded_to_a_node_that_leads_no_more_is_forgotten() -> None:
    value = encode(Batch("b.1", 1, [INCR]))

    async def story(stage: Stage) -> None:
        stage.seen, stage.room = LEADING, 0
        stage.driver.start()
        stage.driver.run_errand(Forward((value,)), "b")
        await asyncio.sleep(0.02)
        stage.seen = FOLLOWING
        stage.driver.call_turn()
        await asyncio.sleep(0.02)
        stage.seen, stage.room = LEADING, 1
        stage.driver.call_turn()
        await asyncio.sleep(0.02)

    assert not any(isinstance(event, Submitted) for event in run(apply_what_is_submitted, story).events)


def test_with_a_tick_every_line_goes_to_the_kernel_and_otherwise_only_what_others_hear_of() -> None:
    async def story(stage: Stage) -> None:
        stage.driver.start()
        await asyncio.sleep(0.02)
        for number in range(1, 4):
            stage.driver.receive(heartbeat(number), stage)
            await asyncio.sleep(0.01)
        assert not stage.whole_flushes
        await until(lambda: stage.whole_flushes == 1)

    run(lambda event: [], story)


def test_reads_wait_for_their_index_and_share_it() -> None:
    def script(event: Event) -> list[Effect]:
        if isinstance(event, Asked):
            return [Readable(event.tickets, 1)]
        return apply_what_is_submitted(event)

    async def story(stage: Stage) -> None:
        stage.seen = LEADING
        client, writer = Client(stage), Client(stage)
        stage.driver.start()
        for _ in range(3):
            stage.driver.gateway.read(client, [b"GET", b"n"])
        stage.driver.call_turn()
        await until(lambda: any(isinstance(event, Asked) for event in stage.events))
        await asyncio.sleep(0.02)
        assert client.replies == [], "slot 1 is not applied"
        stage.driver.gateway.write(writer, list(INCR))
        stage.driver.call_turn()
        await until(lambda: len(client.replies) == 3)
        assert client.replies == [b"1"] * 3

    stage = run(script, story)
    assert sum(isinstance(event, Asked) for event in stage.events) == 1


def test_a_follower_asks_the_leader_for_the_index_of_its_reads() -> None:
    async def story(stage: Stage) -> None:
        stage.seen = FOLLOWING
        client = Client(stage)
        stage.driver.start()
        stage.driver.gateway.read(client, [b"GET", b"n"])
        stage.driver.call_turn()
        await until(lambda: bool(stage.carried))
        [(leader, asked)] = stage.carried
        assert leader == "b"
        assert isinstance(asked, AskIndex)
        stage.driver.run_errand(TellIndex(asked.number, 0), "b")
        await until(lambda: client.replies == [None])

    run(lambda event: [], story)


def test_an_answer_that_was_meant_for_an_earlier_boot_is_nobodys() -> None:
    asked: list[int] = []

    def ask(stage: Stage) -> Client:
        client = Client(stage)
        stage.seen = FOLLOWING
        stage.driver.start()
        stage.driver.gateway.read(client, [b"GET", b"n"])
        stage.driver.call_turn()
        return client

    async def first(stage: Stage) -> None:
        ask(stage)
        await until(lambda: bool(stage.carried))
        asked.extend(errand.number for _, errand in stage.carried if isinstance(errand, AskIndex))

    async def second(stage: Stage) -> None:
        client = ask(stage)
        await until(lambda: bool(stage.carried))
        stage.driver.run_errand(TellIndex(asked[0], 0), "b")
        stage.driver.transfer("b")  # something to wait for: what was told before has been looked at by then
        await until(lambda: any(isinstance(event, Transfer) for event in stage.events))
        assert not client.replies

    run(lambda event: [], first, boot=1)
    run(lambda event: [], second, boot=2)
    assert len(asked) == 1


def test_a_leader_tells_a_follower_the_index() -> None:
    def script(event: Event) -> list[Effect]:
        return [Readable(event.tickets, 7)] if isinstance(event, Asked) else []

    async def story(stage: Stage) -> None:
        stage.seen = LEADING
        stage.driver.start()
        stage.driver.run_errand(AskIndex(3), "c")
        await until(lambda: stage.carried == [("c", TellIndex(3, 7))])

    run(script, story)


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

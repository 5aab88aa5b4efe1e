"""A gateway gathers what waits, hands it over until it is applied, answers in order, and holds only so much."""

from __future__ import annotations

import pytest

from quorate.impl.kv.machine import Batch, KeyValue, decode
from quorate.impl.kv.replies import Failure, Reply
from quorate.impl.net import gateway as gateway_module
from quorate.impl.net.gateway import Gateway

PATIENCE_MS, RESEND_MS = 1000, 100


class Client:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.flushes = 0

    def answer(self, reply: Reply) -> None:
        self.replies.append(reply)

    def flush(self) -> None:
        self.flushes += 1

    @property
    def codes(self) -> list[str]:
        return [reply.text.split()[0] for reply in self.replies if isinstance(reply, Failure)]


class Stage:
    """A gateway beside a state machine, and a log in which a test puts what it likes."""

    def __init__(self) -> None:
        self.machine = KeyValue()
        self.gateway = Gateway("a.1", self.machine, patience_ms=PATIENCE_MS, resend_ms=RESEND_MS)
        self.gateway.tick(0)

    def incr(self, client: Client, times: int = 1) -> None:
        for _ in range(times):
            self.gateway.write(client, [b"INCR", b"n"])

    def due(self, window: int = 64, room: int = 64) -> list[Batch]:
        batches = [decode(value) for value in self.gateway.batches_due(window, room)]
        assert None not in batches
        return batches  # type: ignore[return-value]

    def apply(self, *batches: Batch) -> None:
        from quorate.impl.kv.machine import encode

        for batch in batches:
            applied = self.machine.apply(self.machine.applied + 1, encode(batch))
            if applied is not None:
                self.gateway.applied(applied)
        self.gateway.answer_reads()
        self.gateway.flush()


@pytest.fixture
def stage() -> Stage:
    return Stage()


def numbers(batches: list[Batch]) -> list[int]:
    return [batch.number for batch in batches]


def test_a_command_of_many_small_parts_weighs_what_it_takes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "BYTES_MAX", 20_000)
    stage.gateway.write(Client(), [b"MSET", *[b"xy"] * 1000])
    assert stage.gateway.is_full


def test_what_waits_is_one_batch_and_is_answered_when_it_is_applied(stage: Stage) -> None:
    client, other = Client(), Client()
    stage.incr(client, 2)
    stage.incr(other)
    [batch] = stage.due()
    assert len(batch.commands) == 3
    assert client.replies == []
    stage.apply(batch)
    assert (client.replies, other.replies) == ([1, 2], [3])
    assert (client.flushes, other.flushes) == (1, 1)
    assert stage.gateway.is_idle


def test_the_window_bounds_what_is_under_way_and_the_rest_gathers(stage: Stage) -> None:
    client = Client()
    for _ in range(2):
        stage.incr(client)
        stage.due(window=2)
    stage.incr(client, 5)
    assert stage.due(window=2) == []
    assert stage.due(window=0) == []
    [batch] = stage.due(window=3)
    assert len(batch.commands) == 5


def test_a_leader_gets_no_more_than_it_has_room_for_and_the_rest_in_order(stage: Stage) -> None:
    client = Client()
    for _ in range(4):
        stage.incr(client)
        stage.due()
    stage.gateway.leader_changed()
    stage.incr(client)
    assert numbers(stage.due(room=3)) == [1, 2, 3]
    assert numbers(stage.due(room=0)) == []
    assert numbers(stage.due(room=1)) == [4]
    assert numbers(stage.due(room=1)) == [5]


def test_a_batch_is_bounded_in_commands_and_bytes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "BATCH_COMMANDS_MAX", 3)
    monkeypatch.setattr(gateway_module, "BATCH_BYTES_MAX", 1000)
    client = Client()
    stage.incr(client, 7)
    assert [len(batch.commands) for batch in stage.due()] == [3, 3, 1]
    for size in (500, 2000, 100, 100):
        stage.gateway.write(client, [b"SET", b"x", bytes(size)])
    assert [len(batch.commands) for batch in stage.due()] == [1, 1, 2]


def test_a_new_leader_gets_what_is_under_way_again_first_and_in_order(stage: Stage) -> None:
    client = Client()
    for _ in range(3):
        stage.incr(client)
        stage.due()
    stage.incr(client)
    stage.gateway.leader_changed()
    assert numbers(stage.due()) == [1, 2, 3, 4]
    assert stage.due() == []


def test_batches_that_were_chosen_twice_or_out_of_order_answer_once_and_in_order(stage: Stage) -> None:
    client = Client()
    for _ in range(3):
        stage.incr(client)
    first = stage.due()
    stage.incr(client, 2)
    second = stage.due()
    stage.apply(*second, *first, *first, *second, *second)
    assert client.replies == [1, 2, 3, 4, 5]


def test_what_has_no_answer_for_long_is_handed_over_again(stage: Stage) -> None:
    client = Client()
    stage.incr(client)
    batches = stage.due()
    stage.gateway.tick(RESEND_MS - 1)
    assert stage.due() == []
    stage.gateway.tick(RESEND_MS)
    assert stage.due() == batches


def test_as_long_as_one_batch_after_the_other_is_applied_none_is_handed_over_again(stage: Stage) -> None:
    client = Client()
    batches = []
    for _ in range(4):
        stage.incr(client)
        batches += stage.due()
    for number in (0, 1):
        stage.gateway.tick((number + 1) * (RESEND_MS - 1))
        stage.apply(batches[number])
        assert stage.due() == []
    stage.gateway.tick(3 * RESEND_MS)
    assert numbers(stage.due()) == [3, 4], "nothing for so long"


def test_a_round_that_is_late_is_asked_for_again_and_nothing_else(stage: Stage) -> None:
    client = Client()
    stage.incr(client)
    [batch] = stage.due()
    stage.gateway.read(client, [b"GET", b"n"])
    [number] = stage.gateway.rounds_due()
    stage.gateway.tick(RESEND_MS - 1)
    stage.incr(client)
    stage.due()
    stage.apply(batch)
    stage.gateway.tick(RESEND_MS)
    assert stage.due() == []
    assert stage.gateway.rounds_due() == [number]
    stage.gateway.readable(number, 99)
    stage.gateway.tick(2 * RESEND_MS - 2)
    assert stage.gateway.rounds_due() == [], "it has its index"


def test_who_waits_too_long_for_a_leader_is_told_that_nothing_was_done(stage: Stage) -> None:
    client, reader = Client(), Client()
    stage.incr(client)
    stage.gateway.read(reader, [b"GET", b"n"])
    stage.gateway.tick(PATIENCE_MS - 1)
    assert client.replies == reader.replies == []
    stage.gateway.tick(2 * PATIENCE_MS)
    assert client.codes == reader.codes == ["NOLEADER"]
    assert client.flushes == reader.flushes == 1
    assert stage.due() == []
    assert stage.gateway.is_idle


def test_what_a_leader_was_given_is_uncertain_once_and_still_seen_through(stage: Stage) -> None:
    client = Client()
    stage.incr(client, 2)
    batches = stage.due()
    for now_ms in (PATIENCE_MS, PATIENCE_MS + 1, 2 * PATIENCE_MS):
        stage.gateway.tick(now_ms)
    assert client.codes == ["UNCERTAIN"] * 2
    assert stage.gateway.held == 2
    assert stage.due() == batches
    stage.apply(*batches)
    assert len(client.replies) == 2
    assert stage.gateway.held == 0
    assert stage.machine.store.items[b"n"][0] == b"2"


def test_a_full_gateway_says_so_until_it_is_applied(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "COMMANDS_MAX", 3)
    client = Client()
    stage.incr(client, 3)
    assert stage.gateway.is_full
    batches = stage.due()
    assert stage.gateway.is_full
    stage.apply(*batches)
    assert not stage.gateway.is_full


def test_bytes_fill_a_gateway_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "BYTES_MAX", 1000)
    client = Client()
    stage.gateway.write(client, [b"SET", b"x", bytes(1000)])
    assert stage.gateway.is_full
    stage.apply(*stage.due())
    assert not stage.gateway.is_full


def test_what_is_given_up_makes_room_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "COMMANDS_MAX", 1)
    stage.incr(Client())
    stage.gateway.tick(PATIENCE_MS)
    assert not stage.gateway.is_full


def test_reads_that_wait_share_a_round_and_only_so_many_rounds_are_under_way(stage: Stage) -> None:
    client = Client()
    for _ in range(4):
        stage.gateway.read(client, [b"GET", b"n"])
        stage.gateway.read(client, [b"GET", b"n"])
        stage.gateway.rounds_due()
    stage.gateway.readable(2, 0)
    stage.gateway.answer_reads()
    assert client.replies == [], "in order"
    stage.gateway.readable(1, 0)
    stage.gateway.answer_reads()
    assert client.replies == [None] * 4
    assert stage.gateway.rounds_due() == [3]
    stage.gateway.readable(3, 0)
    stage.gateway.answer_reads()
    assert client.replies == [None] * 8


def test_a_read_is_answered_only_when_so_much_is_applied(stage: Stage) -> None:
    client, writer = Client(), Client()
    stage.gateway.read(client, [b"GET", b"n"])
    assert stage.gateway.rounds_due() == [1]
    stage.gateway.readable(1, 1)
    stage.gateway.answer_reads()
    assert client.replies == []
    stage.incr(writer)
    stage.apply(*stage.due())
    assert client.replies == [b"1"]


def test_a_round_is_asked_again_of_a_new_leader_unless_it_has_its_index(stage: Stage) -> None:
    client = Client()
    stage.gateway.read(client, [b"GET", b"n"])
    stage.gateway.rounds_due()
    stage.gateway.read(client, [b"GET", b"n"])
    stage.gateway.rounds_due()
    stage.gateway.readable(1, 5)
    stage.gateway.leader_changed()
    assert stage.gateway.rounds_due() == [2]
    stage.gateway.readable(99, 0)  # of a round that nobody waits for


def test_batches_that_came_with_anothers_state_are_told_as_applied_without_a_result(stage: Stage) -> None:
    client = Client()
    for _ in range(3):
        stage.incr(client)
        batches = stage.due()
    stage.machine.gateways["a.1"] = 2
    stage.gateway.skipped()
    assert client.codes == ["UNCERTAIN"] * 2
    assert stage.gateway.held == 1
    stage.apply(*batches)
    assert client.replies[2] == 1
    assert stage.gateway.is_idle

"""The state machine does each command as it says, once, the same on every node, whatever stands in the log."""

from __future__ import annotations

from collections.abc import ItemsView

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quorate.impl.core.messages import NOOP
from quorate.impl.kv import machine as machine_module
from quorate.impl.kv.commands import COMMANDS, INTEGER_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX, fault
from quorate.impl.kv.image import freeze, thaw
from quorate.impl.kv.machine import (
    ANSWERED,
    NO_SESSION,
    NOT_KEPT,
    TOO_MANY,
    Batch,
    KeyValue,
    Session,
    decode,
    encode,
    fault_of,
    transaction,
)
from quorate.impl.kv.replies import OK, Failure, Reply, size_of


class Client:
    """Says one command after another to a state machine, as its only gateway."""

    def __init__(self, machine: KeyValue | None = None, gateway: str = "a.1") -> None:
        self.machine = machine or KeyValue()
        self.gateway = gateway
        self.number = 0

    def say(self, *parts: bytes | str | int) -> Reply:
        command = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
        return self.batch(command)[0]

    def batch(self, *commands: list[bytes]) -> list[Reply]:
        self.number += 1
        value = encode(Batch(self.gateway, self.number, list(commands)))
        applied = self.machine.apply(self.machine.applied + 1, value)
        assert applied is not None
        assert (applied.gateway, applied.number) == (self.gateway, self.number)
        return applied.replies


@pytest.fixture
def client() -> Client:
    return Client()


def test_a_value_is_there_until_it_is_deleted(client: Client) -> None:
    assert client.say("GET", "x") is None
    assert client.say("SET", "x", "1") == OK
    assert client.say("GET", "x") == b"1"
    assert client.say("EXISTS", "x", "y", "x") == 2
    assert client.say("DEL", "x", "y") == 1
    assert client.say("GET", "x") is None


def test_any_bytes_are_keys_and_values(client: Client) -> None:
    every = bytes(range(256))
    client.say("SET", every, every)
    assert client.say("MGET", every, b"\xff") == [every, None]


def test_every_write_has_a_version_of_its_own_that_never_comes_back(client: Client) -> None:
    assert client.say("VERSION", "x") == [0]
    first = client.say("PUT", "x", "1")
    assert client.say("GETVERSION", "x") == [b"1", first]
    assert client.say("PUT", "y", "1") == first + 1
    client.say("DEL", "x")
    assert client.say("GETVERSION", "x") == [None, 0]
    assert client.say("PUT", "x", "1") > first + 1


def test_writes_of_one_batch_have_different_versions(client: Client) -> None:
    client.batch([b"SET", b"x", b"1"], [b"SET", b"y", b"1"])
    versions = client.say("VERSION", "x", "y")
    assert versions == [1, 2]


def test_comparing_by_version_writes_only_if_it_is_met(client: Client) -> None:
    assert client.say("CAS", "x", 0, "1") == [1, 1]
    assert client.say("CAS", "x", 0, "2") == [0, 1]
    assert client.say("CAS", "x", 1, "2") == [1, 2]
    assert client.say("SET", "x", "3", "IFVERSION", 1) is None
    assert client.say("SET", "x", "3", "ifversion", 2) == OK
    assert client.say("GETVERSION", "x") == [b"3", 3]
    assert client.say("CAD", "x", 2) == [0, 3]
    assert client.say("CAD", "x", 3) == [1, 0]
    assert client.say("CAS", "x", "-1", "1") == client.say("CAS", "x", "one", "1")
    assert isinstance(client.say("SET", "x", "3", "IFVERSION"), Failure)


def test_set_has_conditions_and_may_give_the_old_value(client: Client) -> None:
    assert client.say("SET", "x", "1", "XX") is None
    assert client.say("SET", "x", "1", "NX") == OK
    assert client.say("SET", "x", "2", "NX") is None
    assert client.say("SET", "x", "3", "XX", "GET") == b"1"
    assert client.say("GET", "x") == b"3"
    assert client.say("SET", "x", "4", "NX", "GET") == b"3"
    assert client.say("GET", "x") == b"3"
    for nonsense in (("EX", "10"), ("NX", "XX"), ("KEEPTTL",)):
        assert client.say("SET", "x", "5", *nonsense) == Failure("ERR syntax error")
    assert client.say("GET", "x") == b"3"


def test_the_smaller_commands_do_what_redis_does(client: Client) -> None:
    assert client.say("SETNX", "x", "1") == 1
    assert client.say("SETNX", "x", "2") == 0
    assert client.say("GETSET", "x", "ab") == b"1"
    assert client.say("APPEND", "x", "cd") == 4
    assert client.say("STRLEN", "x") == 4
    assert client.say("MSET", "y", "1", "z", "2") == OK
    assert isinstance(client.say("MSET", "y", "1", "z"), Failure)
    assert client.say("DBSIZE") == 3
    assert client.say("GETDEL", "x") == b"abcd"
    assert client.say("UNLINK", "y", "z", "x") == 2
    assert client.say("DBSIZE") == 0


def test_an_append_does_not_make_a_value_too_large(client: Client) -> None:
    client.say("SET", "x", bytes(VALUE_BYTES_MAX))
    assert isinstance(client.say("APPEND", "x", "1"), Failure)
    assert client.say("STRLEN", "x") == VALUE_BYTES_MAX


def test_counters_count_and_stop_at_64_bits(client: Client) -> None:
    assert client.say("INCR", "n") == 1
    assert client.say("INCRBY", "n", 41) == 42
    assert client.say("DECR", "n") == 41
    assert client.say("DECRBY", "n", 50) == -9
    assert client.say("GET", "n") == b"-9"
    client.say("SET", "n", INTEGER_MAX)
    assert isinstance(client.say("INCR", "n"), Failure)
    assert client.say("GET", "n") == b"%d" % INTEGER_MAX
    client.say("SET", "n", -INTEGER_MAX - 1)
    assert isinstance(client.say("DECR", "n"), Failure)


@pytest.mark.parametrize("text", ["", "1.5", " 1", "01", "+1", "1_0", "x", "9" * 30, str(2**63), "\u0663"])
def test_what_is_no_plain_number_is_not_counted_with(client: Client, text: str) -> None:
    client.say("SET", "n", text)
    assert isinstance(client.say("INCR", "n"), Failure)
    assert isinstance(client.say("INCRBY", "m", text), Failure)
    assert client.say("GET", "n") == text.encode()
    assert client.say("GET", "m") is None


def test_a_batch_counts_only_if_it_is_its_gateways_next() -> None:
    machine = KeyValue()
    first, second, third = (encode(Batch("a.1", number, [[b"INCR", b"n"]])) for number in (1, 2, 3))
    counted = [
        machine.apply(slot, value) is not None
        for slot, value in enumerate((first, first, third, second, second, third), 1)
    ]
    assert counted == [True, False, False, True, False, True]
    assert machine.store.items[b"n"][0] == b"3"


def test_gateways_number_their_batches_for_themselves() -> None:
    machine = KeyValue()
    for gateway in ("a.1", "b.1", "a.2"):
        assert Client(machine, gateway).say("INCR", "n") in (1, 2, 3)


def test_the_gateways_that_spoke_longest_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_module, "GATEWAYS_MAX", 2)
    machine = KeyValue()
    first, *others = (Client(machine, name) for name in ("a.1", "b.1", "c.1"))
    first.say("INCR", "n")
    others[0].say("INCR", "n")
    first.say("INCR", "n")
    others[1].say("INCR", "n")
    assert list(machine.gateways) == ["a.1", "c.1"]


def test_a_command_of_a_session_is_applied_once_and_answered_alike(client: Client) -> None:
    assert client.say("SESSION", "s", 1, 1, "INCR", "n") == 1
    assert client.say("SESSION", "s", 2, 1, "INCR", "n") == 2
    assert client.say("SESSION", "s", 1, 1, "INCR", "n") == 1
    assert client.say("GET", "n") == b"2"


def test_a_failure_is_answered_alike_too(client: Client) -> None:
    client.say("SET", "n", "x")
    failed = client.say("SESSION", "s", 1, 1, "INCR", "n")
    client.say("SET", "n", "1")
    assert isinstance(failed, Failure)
    assert client.say("SESSION", "s", 1, 1, "INCR", "n") == failed


def test_numbers_may_come_in_any_order_through_any_gateway(client: Client) -> None:
    assert client.say("SESSION", "s", 2, 1, "INCR", "n") == 1
    assert Client(client.machine, "b.1").say("SESSION", "s", 1, 1, "INCR", "n") == 2
    assert client.say("SESSION", "s", 1, 1, "INCR", "n") == 2


def test_two_clients_with_the_same_number_do_not_meet(client: Client) -> None:
    assert client.say("SESSION", "s", 1, 1, "INCR", "n") == 1
    assert client.say("SESSION", "t", 1, 1, "INCR", "n") == 2


def test_an_answer_below_the_floor_is_forgotten_and_its_command_not_applied_again(client: Client) -> None:
    client.say("SESSION", "s", 1, 1, "INCR", "n")
    client.say("SESSION", "s", 3, 3, "INCR", "n")
    for number in (1, 2):
        assert client.say("SESSION", "s", number, 1, "INCR", "n") == ANSWERED
    assert client.say("GET", "n") == b"2"
    assert list(client.machine.sessions[b"s"].answers) == [3]


def test_a_session_that_was_forgotten_is_not_begun_anew() -> None:
    client = Client(KeyValue(sessions_max=2))
    for name in ("s", "t"):
        client.say("SESSION", name, 1, 1, "INCR", "n")
    client.say("SESSION", "s", 2, 2, "INCR", "n")
    client.say("SESSION", "u", 1, 1, "INCR", "n")
    assert set(client.machine.sessions) == {b"s", b"u"}
    assert client.say("SESSION", "t", 3, 2, "INCR", "n") == NO_SESSION
    assert client.say("GET", "n") == b"4"


def test_an_answer_that_is_too_large_is_given_and_not_kept(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_module, "ANSWERS_BYTES_MAX", 1000)
    client.say("SET", "x", "y" * 400)
    again = ("SESSION", "s", 1, 1, *transaction((), [[b"INCR", b"n"], *[[b"GET", b"x"]] * 3]))
    assert client.say(*again) == [1, *[b"y" * 400] * 3]
    assert client.say(*again) == NOT_KEPT
    assert client.say("GET", "n") == b"1"


def test_a_session_whose_answers_are_large_is_told_to_raise_its_floor(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_module, "ANSWERS_BYTES_MAX", 1000)
    client.say("SET", "x", "y" * 600)
    for number in (1, 2):
        assert client.say("SESSION", "s", number, 1, "GET", "x") == b"y" * 600
    assert client.say("SESSION", "s", 3, 1, "INCR", "n") == TOO_MANY
    assert client.say("SESSION", "s", 3, 2, "INCR", "n") == 1
    here = KeyValue()
    thaw(freeze(client.machine).parts(), here)
    assert here.sessions[b"s"].bytes == client.machine.sessions[b"s"].bytes
    assert here.sessions[b"s"].bytes > 600


@pytest.mark.parametrize("step", [1, 2, 40])
def test_a_floor_that_rises_by_a_little_or_by_much_drops_what_is_below_it(client: Client, step: int) -> None:
    for number in range(1, 121):
        floor = max(1, (number - 30) // step * step)
        client.say("SESSION", "s", number, floor, "PUT", "x", "y" * number)
        session = client.machine.sessions[b"s"]
        assert list(session.answers) == list(range(floor, number + 1))
        assert session.bytes == sum(map(size_of, session.answers.values()))


def test_a_floor_that_rises_with_every_command_costs_no_pass_over_the_session() -> None:
    class Counted(dict[int, Reply]):
        passes = 0

        def items(self) -> ItemsView[int, Reply]:
            Counted.passes += 1
            return super().items()

    session = Session()
    session.answers = Counted()
    for number in range(1, 2001):
        session.forget_below(max(1, number - 1000))
        session.keep(number, number)
    assert Counted.passes == 0
    assert list(session.answers) == list(range(1000, 2001))


def test_a_session_that_keeps_too_much_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_module, "ANSWERS_MAX", 3)
    for number in (1, 2, 3):
        client.say("SESSION", "s", number, 1, "INCR", "n")
    assert client.say("SESSION", "s", 4, 1, "INCR", "n") == TOO_MANY
    assert client.say("SESSION", "s", 2, 1, "INCR", "n") == 2
    assert client.say("SESSION", "s", 4, 2, "INCR", "n") == 4


def test_a_transaction_is_applied_together_and_its_failures_stand_in_it(client: Client) -> None:
    client.say("SET", "x", "text")
    replies = client.batch(transaction((), [[b"INCR", b"n"], [b"INCR", b"x"], [b"GET", b"n"]]))
    [[one, failed, two]] = replies
    assert (one, two) == (1, b"1")
    assert isinstance(failed, Failure)


def test_a_transaction_does_nothing_if_a_watched_key_was_written(client: Client) -> None:
    version = client.say("PUT", "x", "1")
    assert isinstance(version, int)
    assert client.batch(transaction([(b"x", version), (b"y", 0)], [[b"INCR", b"n"]])) == [[1]]
    client.say("SET", "y", "1")
    assert client.batch(transaction([(b"x", version), (b"y", 0)], [[b"INCR", b"n"]])) == [None]
    client.say("SET", "x", "1")
    assert client.batch(transaction([(b"x", version)], [[b"INCR", b"n"]])) == [None]
    assert client.say("GET", "n") == b"1"


def test_a_transaction_of_a_session_is_applied_once(client: Client) -> None:
    for _ in range(2):
        assert client.say("SESSION", "s", 1, 1, *transaction((), [[b"INCR", b"n"]])) == [1]


def test_reading_finds_what_a_read_in_the_log_finds_and_changes_nothing(client: Client) -> None:
    client.say("SET", "x", "1")
    before = client.machine.store.version
    assert client.machine.read([b"GET", b"x"]) == b"1"
    assert client.machine.store.version == before
    with pytest.raises(AssertionError):
        client.machine.read([b"SET", b"x", b"2"])


@pytest.mark.parametrize(
    "command",
    [
        [b"NONSENSE"],
        [b"NON\r\nSENSE"],
        [b"get", b"x"],
        [b"GET"],
        [b"GET", b"x", b"y"],
        [b"GET", bytes(KEY_BYTES_MAX + 1)],
        [b"SET", b"x", bytes(VALUE_BYTES_MAX + 1)],
        [b"MSET", b"x", b"1", bytes(KEY_BYTES_MAX + 1), b"2"],
        [b"SESSION", b"s", b"1", b"1"],
        [b"SESSION", b"s", b"0", b"0", b"GET", b"x"],
        [b"SESSION", b"s", b"1", b"2", b"GET", b"x"],
        [b"SESSION", b"", b"1", b"1", b"GET", b"x"],
        [b"SESSION", b"s", b"1", b"1", b"SESSION", b"s", b"1", b"1", b"GET", b"x"],
        [b"EXEC"],
        [b"EXEC", b"\xc1"],
        transaction((), [[]]),
        transaction((), [[b"NONSENSE"]]),
        transaction((), [[b"EXEC", b""]]),
    ],
)
def test_what_can_do_nothing_is_told_before_the_log_and_does_nothing_in_it(
    client: Client, command: list[bytes]
) -> None:
    bad = fault_of(command)
    assert isinstance(bad, Failure)
    assert "\n" not in bad.text
    [reply] = client.batch(command)
    if command[0] not in COMMANDS:  # sizes are the gateway's to refuse; the log holds what it let in
        assert isinstance(reply, Failure)
        assert client.machine.store.version == 0


def test_the_limits_themselves_pass() -> None:
    assert fault([b"SET", bytes(KEY_BYTES_MAX), bytes(VALUE_BYTES_MAX)]) is None
    assert fault([b"MSET", b"x", bytes(VALUE_BYTES_MAX), b"y", bytes(KEY_BYTES_MAX + 1)]) is None


def test_slots_are_applied_in_order(client: Client) -> None:
    machine = client.machine
    assert machine.apply(1, NOOP) is None
    for slot in (1, 3):
        with pytest.raises(ValueError, match="does not follow 1"):
            machine.apply(slot, NOOP)


@given(st.binary(max_size=40))
@example(b"\x93\xa3\x00\x00\x80")  # a batch of a gateway whose name is no text
def test_no_bytes_in_the_log_break_the_state_machine(value: bytes) -> None:
    machine = KeyValue()
    machine.apply(1, value)
    assert machine.applied == 1


@given(st.lists(st.lists(st.binary(max_size=6), max_size=4), max_size=4))
def test_no_commands_in_a_batch_break_it(commands: list[list[bytes]]) -> None:
    assert len(Client().batch(*commands)) == len(commands)


def test_a_command_that_is_in_the_table_with_too_few_parts_breaks_nothing() -> None:
    for name in COMMANDS:
        assert len(Client().batch([name])) == 1


@given(st.text(max_size=5), st.integers(1, 2**60), st.lists(st.lists(st.binary(max_size=9), min_size=1)))
def test_a_batch_is_read_back_and_is_never_the_no_op(
    gateway: str, number: int, commands: list[list[bytes]]
) -> None:
    batch = Batch(gateway, number, commands)
    assert decode(encode(batch)) == batch
    assert encode(batch) != NOOP


def test_nodes_that_apply_the_same_log_agree() -> None:
    log = [
        encode(Batch("a.1", 1, [[b"SET", b"x", b"1"], [b"INCR", b"x"], [b"DEL", b"y"]])),
        NOOP,
        encode(Batch("b.1", 1, [[b"SESSION", b"s", b"1", b"1", b"INCR", b"x"]])),
        encode(Batch("b.1", 1, [[b"SESSION", b"s", b"1", b"1", b"INCR", b"x"]])),
    ]
    machines = [KeyValue(), KeyValue()]
    answers = [[machine.apply(slot, value) for slot, value in enumerate(log, 1)] for machine in machines]
    assert answers[0] == answers[1]
    assert machines[0].store.items == machines[1].store.items == {b"x": (b"3", 3)}

"""The key-value state machine: answers, versions, and a retried command that applies once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.impl.core.messages import NOOP
from quorate.impl.kv import (
    ANSWERED,
    INTEGER_MAX,
    MALFORMED,
    NO_SESSION,
    TOO_MANY,
    CompareAndSet,
    Delete,
    Get,
    Increment,
    KeyValue,
    Result,
    Set,
    decode,
    encode,
)


class Client:
    """Numbers commands and applies them to a machine at once."""

    def __init__(self, machine, name="c"):
        self.machine, self.name, self.sequence = machine, name, 0

    def do(self, kind, *fields):
        self.sequence += 1
        return self.again(self.sequence, self.sequence, kind, *fields)

    def again(self, sequence, floor, kind, *fields):
        command = encode(kind(self.name, sequence, floor, *fields))
        return self.machine.apply(self.machine.applied + 1, command)


@pytest.fixture
def machine():
    return KeyValue()


@pytest.fixture
def client(machine):
    return Client(machine)


def test_what_is_set_is_read_with_the_slot_that_wrote_it(client):
    assert client.do(Set, "k", "v") == Result(None, 1)
    assert client.do(Set, "k", "w") == Result(None, 2)
    assert client.do(Get, "k") == Result("w", 2)


def test_a_key_that_is_not_there_reads_as_nothing(client):
    assert client.do(Get, "k") == Result(None, 0)


def test_an_empty_value_is_there(client):
    client.do(Set, "k", "")
    assert client.do(Get, "k") == Result("", 1)


def test_a_deleted_key_is_gone(client):
    client.do(Set, "k", "v")
    assert client.do(Delete, "k") == Result(None, 1)
    assert client.do(Delete, "k") == Result(None, 0)
    assert client.do(Get, "k") == Result(None, 0)


def test_compare_and_set_takes_the_version_that_is_there_and_no_other(client):
    assert client.do(CompareAndSet, "k", 0, "v") == Result(None, 1)
    assert client.do(CompareAndSet, "k", 0, "w") == Result(None, 1, "the key has another version")
    assert client.do(CompareAndSet, "k", 1, "w") == Result(None, 3)
    assert client.do(Get, "k") == Result("w", 3)


def test_a_version_is_not_used_again_for_a_key_that_is_written_anew(client):
    client.do(Set, "k", "v")
    client.do(Delete, "k")
    client.do(Set, "k", "v")
    assert client.do(CompareAndSet, "k", 1, "w").error == "the key has another version"


def test_a_counter_counts_from_nothing(client):
    assert client.do(Increment, "k", 5) == Result("5", 1)
    assert client.do(Increment, "k", -7) == Result("-2", 2)


@pytest.mark.parametrize("value", ["", "x", " 1", "1_0", "01", "+1", "1" * 30, "\u0661"])
def test_what_is_not_a_number_is_not_counted_on(client, value):
    client.do(Set, "k", value)
    assert client.do(Increment, "k", 1) == Result(None, 1, "the value is not a number")
    assert client.do(Get, "k").value == value


def test_a_counter_stays_within_64_bits(client):
    client.do(Set, "k", str(INTEGER_MAX))
    assert client.do(Increment, "k", 1) == Result(None, 1, "the sum has more than 64 bits")


def test_a_retried_command_applies_once_and_answers_the_same(client):
    assert client.again(1, 1, Increment, "k", 1) == Result("1", 1)
    assert client.again(1, 1, Increment, "k", 1) == Result("1", 1)
    assert client.again(2, 1, Get, "k") == Result("1", 1)


def test_a_retry_may_come_after_later_commands(client):
    assert client.again(2, 1, Increment, "k", 10) == Result("10", 1)
    assert client.again(1, 1, Increment, "k", 1) == Result("11", 2)
    assert client.again(2, 1, Increment, "k", 10) == Result("10", 1)


def test_an_answer_that_the_client_has_is_forgotten_and_never_given_anew(client, machine):
    client.again(1, 1, Increment, "k", 1)
    client.again(2, 2, Increment, "k", 1)
    assert client.again(1, 1, Increment, "k", 1) == ANSWERED
    assert list(machine.sessions["c"].answers) == [2]
    assert client.again(3, 3, Get, "k").value == "2"


def test_an_answer_at_the_floor_is_kept(client):
    assert client.again(2, 1, Increment, "k", 1) == Result("1", 1)
    client.again(3, 2, Get, "k")
    assert client.again(2, 2, Increment, "k", 1) == Result("1", 1)


def test_two_clients_with_the_same_numbers_do_not_conflict(machine):
    one, two = Client(machine, "one"), Client(machine, "two")
    assert one.do(Increment, "k", 1).value == "1"
    assert two.do(Increment, "k", 1).value == "2"


def test_the_session_that_was_silent_longest_makes_room(monkeypatch):
    machine = KeyValue(sessions_max=2)
    first, second, third = (Client(machine, name) for name in ("first", "second", "third"))
    for client in (first, second, first, third):
        client.do(Get, "k")
    assert list(machine.sessions) == ["first", "third"]
    assert second.do(Get, "k") == NO_SESSION
    assert first.do(Get, "k") == Result(None, 0)


def test_a_client_that_never_raises_its_floor_is_refused_in_the_end(machine, monkeypatch):
    monkeypatch.setattr("quorate.impl.kv.ANSWERS_MAX", 3)
    client = Client(machine)
    for number in (1, 2, 3):
        client.again(number, 1, Increment, "k", 1)
    assert client.again(4, 1, Increment, "k", 1) == TOO_MANY
    assert client.again(3, 1, Increment, "k", 1).value == "3"
    assert client.again(4, 4, Increment, "k", 1).value == "4"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "{}",
        "[]",
        '["unknown","c",1,1,"k"]',
        '["get","c",0,1,"k"]',
        '["get","c",1,2,"k"]',
        '["get","c",1,1]',
    ],
)
def test_what_is_no_command_changes_nothing(machine, text):
    assert machine.apply(1, text) == MALFORMED
    assert not machine.sessions


def test_a_no_op_changes_nothing_but_the_slot(machine):
    assert machine.apply(1, NOOP) is None
    assert (machine.applied, machine.items, machine.sessions) == (1, {}, {})


@pytest.mark.parametrize("slot", [0, 1, 3])
def test_slots_come_in_order_each_once(machine, slot):
    machine.apply(1, NOOP)
    with pytest.raises(ValueError, match="does not follow 1"):
        machine.apply(slot, NOOP)


KEYS = st.text(max_size=3)
COMMANDS = st.one_of(
    st.builds(Set, st.text(max_size=2), st.just(3), st.integers(1, 3), KEYS, st.text(max_size=5)),
    st.builds(Get, st.text(max_size=2), st.just(3), st.integers(1, 3), KEYS),
    st.builds(Delete, st.text(max_size=2), st.just(3), st.integers(1, 3), KEYS),
    st.builds(
        CompareAndSet,
        st.text(max_size=2),
        st.just(3),
        st.just(1),
        KEYS,
        st.integers(0, 9),
        st.text(max_size=5),
    ),
    st.builds(Increment, st.text(max_size=2), st.just(3), st.just(1), KEYS, st.integers(-9, 9)),
)


@given(COMMANDS)
def test_a_command_is_what_it_was_after_the_log(command):
    assert decode(encode(command)) == command
    assert encode(command) != NOOP

"""What a checkpoint holds is the whole state machine, sessions included, and nothing is taken for it that is not."""

import random

import pytest

from quorate.impl import image
from quorate.impl.image import BadImage, freeze, thaw
from quorate.impl.kv import CompareAndSet, Delete, Get, Increment, KeyValue, Set, encode


def busy(commands=300, seed=1):
    """A machine that has seen every kind of command, from several clients."""
    chance, machine = random.Random(seed), KeyValue(sessions_max=8)
    sequences = {}
    for slot in range(1, commands + 1):
        client = f"client {chance.randrange(12)}"
        number = sequences[client] = sequences.get(client, 0) + 1
        if client not in machine.sessions:
            number = sequences[client] = 1
        head = (client, number, max(1, number - 3))
        key = f"key {chance.randrange(40)}"
        command = chance.choice(
            [
                Set(*head, key, "ü" * chance.randrange(30)),
                Get(*head, key),
                Delete(*head, key),
                CompareAndSet(*head, key, chance.randrange(slot), "swapped"),
                Increment(*head, f"count {key}", 3),
            ]
        )
        machine.apply(slot, encode(command))
    return machine


def whole(machine):
    """All that a machine is: the order of its sessions decides which of them goes first."""
    sessions = [(client, s.floor, s.answers) for client, s in machine.sessions.items()]
    return machine.applied, dict(machine.items), list(machine.items), sessions


def again(frozen, pieces_bytes=7):
    data = b"".join(frozen.parts())
    machine = KeyValue(sessions_max=8)
    thaw([data[at : at + pieces_bytes] for at in range(0, len(data), pieces_bytes)], machine)
    return machine


@pytest.mark.parametrize("pieces_bytes", [1, 7, 1000, 10**9])
def test_a_machine_comes_back_whole_from_its_image(pieces_bytes):
    machine = busy()
    assert machine.sessions
    assert whole(again(freeze(machine), pieces_bytes)) == whole(machine)


def test_an_empty_machine_comes_back_empty():
    assert whole(again(freeze(KeyValue()))) == whole(KeyValue())


def test_many_parts_are_as_good_as_few(monkeypatch):
    machine = busy()
    few = len(list(freeze(machine).parts()))
    monkeypatch.setattr(image, "PART_CHARACTERS", 50)
    assert len(list(freeze(machine).parts())) > few + 20
    assert whole(again(freeze(machine))) == whole(machine)


def test_what_is_frozen_stays_as_it_was():
    machine = busy()
    frozen, before = freeze(machine), whole(machine)
    for slot in range(301, 400):
        machine.apply(slot, encode(Set(f"client {slot % 12}", 1, 1, f"key {slot % 40}", "later")))
    assert whole(machine) != before
    assert whole(again(frozen)) == before


def test_a_machine_that_comes_back_goes_on_alike_and_applies_nothing_twice():
    machine = busy()
    client = next(iter(machine.sessions))
    session = machine.sessions[client]
    number = max(session.answers)
    copy = again(freeze(machine))
    repeated = encode(Increment(client, number, session.floor, "count", 1))
    assert copy.apply(301, repeated) == machine.apply(301, repeated) == session.answers[number]
    for slot in range(302, 340):
        value = encode(Set(f"new client {slot}", 1, 1, "key", str(slot)))
        assert copy.apply(slot, value) == machine.apply(slot, value)
    assert whole(copy) == whole(machine)


def test_a_machine_becomes_another_and_is_it_then():
    machine, other = KeyValue(), busy()
    expected = whole(other)
    machine.become(other)
    assert whole(machine) == expected


def parts():
    return list(freeze(busy()).parts())


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda p: p[:-1], "parts of it are missing"),
        (lambda p: [p[0], p[2]], "parts of it are missing"),
        (lambda p: p[1:], "does not begin"),
        (lambda p: [], "does not begin"),
        (lambda p: [*p[:-1], p[-1][:-3]], "breaks off"),
        (lambda p: [image._part(["begins", 2, 1, 0, 0])], "it has version 2, and this is version 1"),
        (lambda p: [p[0], image._part(["locks", []])], "a part 'locks', which is unknown here"),
        (lambda p: [p[0], b"\x01\x00\x00\x00\xc1"], "cannot be read"),
        (lambda p: [p[0], image._part(["keys", [["only a key"]]])], "cannot be read"),
    ],
)
def test_what_is_no_image_is_refused(spoil, why):
    with pytest.raises(BadImage, match=why):
        thaw(spoil(parts()), KeyValue())

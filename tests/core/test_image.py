"""What a checkpoint holds is the whole state machine, sessions included, and nothing is taken for it that is not."""

import random

import pytest

from quorate.impl.kv import image
from quorate.impl.kv.image import BadImage, begun_anew, freeze, thaw
from quorate.impl.kv.machine import Batch, KeyValue, encode, transaction


def busy(commands=300, seed=1):
    """A machine that has seen every kind of command, from several clients."""
    chance, machine = random.Random(seed), KeyValue(sessions_max=8)
    sequences = {}
    for slot in range(1, commands + 1):
        client = f"client {chance.randrange(12)}"
        number = sequences[client] = sequences.get(client, 0) + 1
        if client.encode() not in machine.sessions:
            number = sequences[client] = 1
        head = [text.encode() for text in ("SESSION", client, str(number), str(max(1, number - 3)))]
        key = f"key {chance.randrange(40)}".encode()
        command = chance.choice(
            [
                [b"SET", key, bytes(range(chance.randrange(256)))],
                [b"GET", key],
                [b"MGET", key, b"nothing"],
                [b"DEL", key],
                [b"CAS", key, b"%d" % chance.randrange(slot), b"swapped"],
                [b"INCRBY", b"count " + key, b"3"],
                [b"INCR", key],
                transaction((), [[b"SET", key, b"x"], [b"GET", key]]),
            ]
        )
        gateway = chance.choice("abc") + ".1"
        batch = Batch(gateway, machine.gateways.get(gateway, 0) + 1, [[*head, *command]])
        assert machine.apply(slot, encode(batch)) is not None
    machine.origin = "what was there before"
    return machine


def said(machine, *commands):
    """The next batch of gateway a, as it stands in the log."""
    return encode(Batch("a.1", machine.gateways.get("a.1", 0) + 1, list(commands)))


def whole(machine):
    """All that a machine is: the order of its sessions decides which of them goes first."""
    sessions = [(client, s.floor, s.answers) for client, s in machine.sessions.items()]
    items = machine.store.items
    gateways = list(machine.gateways.items())
    begins = (machine.applied, machine.store.version, machine.origin)
    return *begins, gateways, dict(items), list(items), sessions


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
    monkeypatch.setattr(image, "PART_BYTES", 50)
    assert len(list(freeze(machine).parts())) > few + 20
    assert whole(again(freeze(machine))) == whole(machine)


def test_what_is_frozen_stays_as_it_was():
    machine = busy()
    frozen, before = freeze(machine), whole(machine)
    for slot in range(301, 400):
        machine.apply(slot, said(machine, [b"SET", b"key %d" % (slot % 40), b"later"]))
    assert whole(machine) != before
    assert whole(again(frozen)) == before


def test_a_machine_that_comes_back_goes_on_alike_and_applies_nothing_twice():
    machine = busy()
    client = next(iter(machine.sessions))
    session = machine.sessions[client]
    number = max(session.answers)
    copy = again(freeze(machine))
    repeated = said(machine, [b"SESSION", client, b"%d" % number, b"%d" % session.floor, b"INCR", b"count"])
    there, here = copy.apply(301, repeated), machine.apply(301, repeated)
    assert there == here
    assert here is not None
    assert here.replies == [session.answers[number]]
    assert copy.apply(302, repeated) is machine.apply(302, repeated) is None, "a batch is applied once"
    for slot in range(303, 340):
        value = said(machine, [b"SESSION", b"new %d" % slot, b"1", b"1", b"PUT", b"key", b"%d" % slot])
        assert copy.apply(slot, value) == machine.apply(slot, value)
    assert whole(copy) == whole(machine)


def test_a_machine_becomes_another_and_is_it_then():
    machine, other = KeyValue(), busy()
    expected = whole(other)
    machine.become(other)
    assert whole(machine) == expected


@pytest.mark.parametrize("pieces_bytes", [7, 10**9])
def test_a_new_cluster_begins_with_the_keys_and_sessions_and_before_the_first_slot(pieces_bytes):
    machine = busy()
    data = b"".join(freeze(machine).parts())
    pieces = [data[at : at + pieces_bytes] for at in range(0, len(data), pieces_bytes)]
    anew = KeyValue(sessions_max=8)
    thaw(begun_anew(pieces, "orchard of Monday"), anew)
    applied, _, _, gateways, *rest = whole(machine)
    assert applied
    assert gateways
    assert whole(anew) == (0, machine.store.version, "orchard of Monday", [], *rest)


def test_the_first_batch_of_a_gateway_counts_in_a_new_cluster_though_it_had_that_name_before():
    machine = busy()
    assert machine.gateways["a.1"] > 1
    client = next(iter(machine.sessions))
    session = machine.sessions[client]
    number = max(session.answers)
    anew = KeyValue()
    thaw(begun_anew(freeze(machine).parts(), "x"), anew)
    known = [b"SESSION", client, b"%d" % number, b"%d" % session.floor, b"INCR", b"count"]
    applied = anew.apply(1, encode(Batch("a.1", 1, [known, [b"GET", b"count"]])))
    assert applied is not None
    assert applied.replies == [session.answers[number], None], "a session knows what was applied before"


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
        (
            lambda p: [image._part(["begins", 4, 1, 0, [], "", 0, 0])],
            "it has version 4, and this is version 3",
        ),
        (lambda p: [image._part(["begins", 3, "one"]), *p[1:]], "its beginning cannot be read"),
        (lambda p: [image._part([]), *p[1:]], "does not begin"),
        (lambda p: [p[0], image._part(["locks", []])], "a part 'locks', which is unknown here"),
        (lambda p: [p[0], b"\x01\x00\x00\x00\xc1"], "cannot be read"),
        (lambda p: [p[0], image._part(["keys", [["only a key"]]])], "cannot be read"),
    ],
)
def test_what_is_no_image_is_refused(spoil, why):
    with pytest.raises(BadImage, match=why):
        thaw(spoil(parts()), KeyValue())


def test_whatever_a_part_says_that_is_no_state_is_a_bad_image():
    data, refused = b"".join(freeze(busy(40)).parts()), 0
    for at in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            changed = bytearray(data)
            changed[at] ^= flip
            try:
                thaw([bytes(changed)], KeyValue())
            except BadImage:
                refused += 1
    assert refused > len(data) / 10, "what is let through is another state, and no other error came"


@pytest.mark.parametrize(
    "part", [b"\x92\xa1\x92\x90", b"\x91" * 5000, b"\x91\xa4keys", b"\x93\xa4keys\x90\x90", b"\x92\x91\x90\x90"],
    ids=["no text", "lists without end", "too short", "too long", "no name"],
)  # fmt: skip
def test_a_part_that_is_none_is_a_bad_image(part):
    first = next(iter(freeze(KeyValue()).parts()))
    with pytest.raises(BadImage):
        thaw([first, len(part).to_bytes(image._LENGTH_BYTES, "little") + part], KeyValue())

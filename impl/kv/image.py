"""The state machine as bytes, and back: what a checkpoint holds, the sessions included.

It does not know files or checkpoints.  An image is a row of parts, each a length in four bytes and a MessagePack array
whose first element names it:

    begins    the version of the image, the last slot that was applied, how many writes there were, the gateways and
              their last batches, the one that spoke last at the end, what the cluster began with, how many keys and
              sessions follow
    keys      some of the keys: key, value, version
    sessions  some of the sessions, the one that spoke last at the end: client, floor, and number and answer of each

`freeze` copies references only, some 20 ms for a million keys, for values never change; what was frozen may be written
in another thread, while the machine goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from ...decoding import UNREADABLE
from .commands import Item
from .machine import KeyValue, Session
from .replies import Failure, Reply, Word, size_of

VERSION: Final = 3

PART_BYTES: Final = 1 << 18
"""A part ends with the key or session that makes it as large as this."""

_LENGTH_BYTES: Final = 4

Kept: TypeAlias = tuple[bytes, int, dict[int, Reply]]
"""A session: client, floor, answers."""


class Beginning(NamedTuple):
    """What the first part of an image says, behind its name and its version."""

    applied: int
    """The last slot that was applied."""
    version: int
    """The number of the last write."""
    gateways: list[tuple[str, int]]
    origin: str
    keys: int
    """How many there are."""
    sessions: int


class BadImage(Exception):
    """Bytes are no image of a state machine that this version knows; the text says why."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A state machine as it was at one moment."""

    applied: int
    version: int
    gateways: list[tuple[str, int]]
    origin: str
    items: dict[bytes, Item]
    sessions: list[Kept]

    def parts(self) -> Iterator[bytes]:
        """The image, part by part."""
        counts = (len(self.items), len(self.sessions))
        begins = Beginning(self.applied, self.version, self.gateways, self.origin, *counts)
        yield _part(["begins", VERSION, *begins])
        rows: list[object] = []
        size = 0
        for key, (value, version) in self.items.items():
            rows.append((key, value, version))
            size += len(key) + len(value)
            if size >= PART_BYTES:
                yield _part(["keys", rows])
                rows, size = [], 0
        yield _part(["keys", rows])
        rows, size = [], 0
        for client, floor, answers in self.sessions:
            rows.append((client, floor, list(answers.items())))
            size += len(client) + sum(map(size_of, answers.values()))
            if size >= PART_BYTES:
                yield _part(["sessions", rows])
                rows, size = [], 0
        yield _part(["sessions", rows])


def freeze(machine: KeyValue) -> Frozen:
    """The machine as it is now, whatever becomes of it."""
    sessions = [(client, s.floor, dict(s.answers)) for client, s in machine.sessions.items()]
    gateways = list(machine.gateways.items())
    items = dict(machine.store.items)
    return Frozen(machine.applied, machine.store.version, gateways, machine.origin, items, sessions)


def thaw(image: Iterable[bytes], machine: KeyValue) -> None:
    """Let a machine be the one of the image, which may come in any pieces.

    Raises BadImage; the machine is then of no use.
    """
    bodies = _bodies(image)
    begins = _beginning(bodies)
    machine.store.items, machine.sessions = {}, {}
    for body in bodies:
        part = _read(body)
        if len(part) != 2:
            raise BadImage(f"it has a part of {len(part)} things")
        try:
            _take(machine, *part)
        except UNREADABLE as error:
            raise BadImage(f"a part of it cannot be read: {error}") from error
    machine.applied, machine.store.version, machine.origin = begins.applied, begins.version, begins.origin
    machine.gateways = dict(begins.gateways)
    if (len(machine.store.items), len(machine.sessions)) != (begins.keys, begins.sessions):
        raise BadImage("parts of it are missing")


def beginning(image: Iterable[bytes]) -> Beginning:
    """What an image says of itself; no more of it is read. Raises BadImage."""
    return _beginning(_bodies(image))


def begun_anew(image: Iterable[bytes], origin: str) -> Iterator[bytes]:
    """The image as a new cluster begins with it: before the first slot, with no gateway that ever spoke.

    What clients see is the same: keys, versions, sessions. Raises BadImage; what the parts behind the first say is not
    looked at.
    """
    bodies = _bodies(image)
    yield _part(["begins", VERSION, *_beginning(bodies)._replace(applied=0, gateways=[], origin=origin)])
    for body in bodies:
        yield _framed(body)


def _beginning(bodies: Iterator[bytes]) -> Beginning:
    first = next(bodies, None)
    begins = [] if first is None else _read(first)
    if begins[:1] != ["begins"] or len(begins) < 2:
        raise BadImage("it does not begin as an image does")
    if begins[1] != VERSION:
        raise BadImage(f"it has version {begins[1]}, and this is version {VERSION}")
    try:
        return msgspec.convert(begins[2:], Beginning)
    except UNREADABLE as error:
        raise BadImage(f"its beginning cannot be read: {error}") from error


def _take(machine: KeyValue, name: str, rows: list[Any]) -> None:
    """Let a machine have what a part says."""
    if name == "keys":
        for key, value, version in msgspec.convert(rows, list[tuple[bytes, bytes, int]]):
            machine.store.items[key] = (value, version)
    elif name == "sessions":
        for client, floor, answers in msgspec.convert(
            rows, list[tuple[bytes, int, list[tuple[int, object]]]]
        ):
            session = machine.sessions[client] = Session()
            session.floor = floor
            for number, said in answers:
                session.keep(number, _answer(said))
    else:
        raise BadImage(f"it has a part {name!r}, which is unknown here")


def _answer(said: object) -> Reply:
    """An answer as it was kept: a list that begins with text is a word or a failure, for no answer has text in it."""
    if isinstance(said, list):
        if said and isinstance(said[0], str):
            return msgspec.convert(said, Word | Failure)
        return [_answer(part) for part in said]
    return msgspec.convert(said, bytes | int | None)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list).decode


def _part(content: list[object]) -> bytes:
    return _framed(_encode(content))


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(_LENGTH_BYTES, "little") + body


def _bodies(image: Iterable[bytes]) -> Iterator[bytes]:
    """The parts of an image that comes in any pieces, each without its length."""
    waiting = bytearray()
    for piece in image:
        waiting += piece
        at = 0
        while len(waiting) - at >= _LENGTH_BYTES:
            stop = at + _LENGTH_BYTES + int.from_bytes(waiting[at : at + _LENGTH_BYTES], "little")
            if len(waiting) < stop:
                break
            yield bytes(waiting[at + _LENGTH_BYTES : stop])
            at = stop
        del waiting[:at]
    if waiting:
        raise BadImage("it breaks off")


def _read(body: bytes) -> list[Any]:
    try:
        return _decode(body)
    except UNREADABLE as error:
        raise BadImage(f"a part of it cannot be read: {error}") from error

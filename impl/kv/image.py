"""The state machine as bytes, and back: what a checkpoint holds, the sessions included.

It does not know files or checkpoints.  An image is a row of parts, each a length in four bytes and a MessagePack array
whose first element names it:

    begins    the version of the image, the last slot that was applied, how many writes there were, the gateways and
              their last batches, the one that spoke last at the end, how many keys and sessions follow
    keys      some of the keys: key, value, version
    sessions  some of the sessions, the one that spoke last at the end: client, floor, and number and answer of each

`freeze` copies references only, some 20 ms for a million keys, for values never change; what was frozen may be written
in another thread, while the machine goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from .commands import Item
from .machine import KeyValue, Session
from .replies import Failure, Reply, Word

VERSION: Final = 2

PART_BYTES: Final = 1 << 18
"""A part ends with the key or session that makes it as large as this."""

_LENGTH_BYTES: Final = 4

Kept: TypeAlias = tuple[bytes, int, dict[int, Reply]]
"""A session: client, floor, answers."""


class BadImage(Exception):
    """Bytes are no image of a state machine that this version knows; the text says why."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A state machine as it was at one moment."""

    applied: int
    version: int
    gateways: list[tuple[str, int]]
    items: dict[bytes, Item]
    sessions: list[Kept]

    def parts(self) -> Iterator[bytes]:
        """The image, part by part."""
        counts = (len(self.items), len(self.sessions))
        yield _part(["begins", VERSION, self.applied, self.version, self.gateways, *counts])
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
            size += len(client) + sum(map(_size, answers.values()))
            if size >= PART_BYTES:
                yield _part(["sessions", rows])
                rows, size = [], 0
        yield _part(["sessions", rows])


def freeze(machine: KeyValue) -> Frozen:
    """The machine as it is now, whatever becomes of it."""
    sessions = [(client, s.floor, dict(s.answers)) for client, s in machine.sessions.items()]
    gateways = list(machine.gateways.items())
    return Frozen(machine.applied, machine.store.version, gateways, dict(machine.store.items), sessions)


def thaw(image: Iterable[bytes], machine: KeyValue) -> None:
    """Let a machine be the one of the image, which may come in any pieces.

    Raises BadImage; the machine is then of no use.
    """
    parts = _parts(image)
    begins = next(parts, None)
    if begins is None or begins[0] != "begins":
        raise BadImage("it does not begin as an image does")
    if begins[1] != VERSION:
        raise BadImage(f"it has version {begins[1]}, and this is version {VERSION}")
    machine.store.items, machine.sessions = {}, {}
    for name, rows in parts:
        try:
            _take(machine, name, rows)
        except msgspec.ValidationError as error:
            raise BadImage(f"a part of it cannot be read: {error}") from error
    _, _, machine.applied, machine.store.version, gateways, *counts = begins
    machine.gateways = dict(gateways)
    if [len(machine.store.items), len(machine.sessions)] != counts:
        raise BadImage("parts of it are missing")


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
            session.answers = {number: _answer(said) for number, said in answers}
    else:
        raise BadImage(f"it has a part {name!r}, which is unknown here")


def _answer(said: object) -> Reply:
    """An answer as it was kept: a list that begins with text is a word or a failure, for no answer has text in it."""
    if isinstance(said, list):
        if said and isinstance(said[0], str):
            return msgspec.convert(said, Word | Failure)
        return [_answer(part) for part in said]
    return msgspec.convert(said, bytes | int | None)


def _size(answer: Reply) -> int:
    """Roughly how many bytes an answer takes."""
    if isinstance(answer, list):
        return 32 + sum(map(_size, answer))
    return 32 + (len(answer) if isinstance(answer, bytes) else 0)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list).decode


def _part(content: list[object]) -> bytes:
    body = _encode(content)
    return len(body).to_bytes(_LENGTH_BYTES, "little") + body


def _parts(image: Iterable[bytes]) -> Iterator[list[Any]]:
    """The parts of an image that comes in any pieces."""
    waiting = bytearray()
    for piece in image:
        waiting += piece
        at = 0
        while len(waiting) - at >= _LENGTH_BYTES:
            stop = at + _LENGTH_BYTES + int.from_bytes(waiting[at : at + _LENGTH_BYTES], "little")
            if len(waiting) < stop:
                break
            try:
                yield _decode(waiting[at + _LENGTH_BYTES : stop])
            except msgspec.DecodeError as error:
                raise BadImage(f"a part of it cannot be read: {error}") from error
            at = stop
        del waiting[:at]
    if waiting:
        raise BadImage("it breaks off")

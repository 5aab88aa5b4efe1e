"""Commands out of a client's stream of bytes: hiredis reads them, and nothing is allocated that was only announced.

It does not know what a command means. The head of an array, or of what else has parts (`%`, `~`, `>`: no command has
these), makes hiredis allocate room for as many as it says, so a head that says too much must not get there. Any with
so many digits is looked at: mostly it is part of a value, and the only way to know is to walk the stream from a place
where a command begins. That place is known without walking as long as the commands that came account for every byte
that came.
"""

from __future__ import annotations

import re
from typing import Final

import hiredis

from ..kv.commands import MANY
from .errors import MalformedFrame

COMMAND_BYTES_MAX: Final = 8 << 20
"""A single command with all its parts."""

WALK_BYTES: Final = 256 << 10
"""Bytes that are kept for a walk before one is taken anyway, to find a later place to begin."""

_SUSPECTS: Final = tuple(re.compile(kind + rb"[0-9]{6}") for kind in (rb"\*", b"%", b"~", b">"))
"""One expression for each, for a search for one byte takes next to no time."""
_CUT: Final = re.compile(rb"[*%~>][0-9]*\Z")
_HEAD_BYTES_MAX: Final = 16
_NO_COMMAND: Final = "a command is an array of bulk strings"
_HEADS: Final = b"\6" + b"".join(bytes([5 + digits]) * (9 * 10 ** (digits - 1)) for digits in range(1, 6))
"""How many bytes stand around a part of so many, from 0 to 99,999: `$`, the number, and two line ends."""

assert MANY < 1_000_000
assert len(_HEADS) > MANY


class CommandReader:
    """One client's stream."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._kept: list[bytes] = []
        """What came since the last place where a command is known to begin."""
        self._kept_bytes = 0
        self._read_bytes = 0
        """Of these, what the commands account for that came since."""
        self._walk_bytes = WALK_BYTES
        self._cut = b""
        """The beginning of such a head at the end of what came, perhaps; it is read with what follows."""
        self._began = False

    @property
    def is_partial(self) -> bool:
        """Did the stream stop within a command?"""
        return bool(self._kept_bytes or self._cut)

    def feed(self, data: bytes) -> list[list[bytes]]:
        """The commands that `data` completes, in order.

        Raises MalformedFrame for what no client sends and for a command of more than `COMMAND_BYTES_MAX` bytes.
        """
        if self._cut:
            data, self._cut = self._cut + data, b""
        if not self._began:
            if not data.startswith(b"*"):
                raise MalformedFrame("a command begins with '*'")
            self._began = True
        if not data.endswith(b"\n"):
            cut = _CUT.search(data)
            if cut is not None and len(data) - cut.start() <= _HEAD_BYTES_MAX:
                data, self._cut = data[: cut.start()], data[cut.start() :]
        self._kept.append(data)
        self._kept_bytes += len(data)
        for suspect in _SUSPECTS:
            if suspect.search(data) is not None:
                self._walk()
                break
        commands = self._read(data)
        if self._kept_bytes == self._read_bytes:
            self._kept.clear()
            self._kept_bytes = self._read_bytes = 0
            self._walk_bytes = WALK_BYTES
        elif self._kept_bytes > self._walk_bytes:
            self._walk(forget=True)
        return commands

    def _read(self, data: bytes) -> list[list[bytes]]:
        """The commands that `data` completes. Counts how many bytes they take at least; this is where a client's
        processor time goes, so it is one loop without a call."""
        commands: list[list[bytes]] = []
        size = 0
        gets = self._reader.gets
        try:
            self._reader.feed(data)
            while (command := gets()) is not False:
                if type(command) is not list or not command:
                    raise MalformedFrame(_NO_COMMAND)
                for part in command:
                    if type(part) is not bytes:
                        raise MalformedFrame(_NO_COMMAND)
                    length = len(part)
                    size += length + (_HEADS[length] if length < len(_HEADS) else len(str(length)) + 5)
                size += _HEADS[len(command)] - 2
                commands.append(command)
        except hiredis.ProtocolError as error:
            raise MalformedFrame(str(error)) from error
        self._read_bytes += size
        return commands

    def _walk(self, *, forget: bool = False) -> None:
        """Look at every head since a command is known to begin; `forget` what lies before the one that begins last."""
        stream = b"".join(self._kept)
        begins = _walked(stream)
        if forget:
            self._begin_at([stream[begins:]])

    def _begin_at(self, kept: list[bytes]) -> None:
        """A command begins where `kept` does, and does not end in it."""
        self._kept = kept
        self._kept_bytes = sum(map(len, kept))
        self._read_bytes = 0
        self._walk_bytes = WALK_BYTES + 2 * self._kept_bytes


def _walked(stream: bytes) -> int:
    """Where the last command begins, whole commands left aside. Raises MalformedFrame for a head that cannot be."""
    at = 0
    while True:
        begins = at
        count, at = _head(stream, at, b"*", MANY)
        for _ in range(count):
            if at < 0:
                break
            size, at = _head(stream, at, b"$", COMMAND_BYTES_MAX)
            at = -1 if at < 0 or at + size + 2 > len(stream) else at + size + 2
        if len(stream) - begins > COMMAND_BYTES_MAX:
            raise MalformedFrame(f"a command has more than {COMMAND_BYTES_MAX} bytes")
        if at < 0 or begins == len(stream):
            return begins


def _head(stream: bytes, at: int, kind: bytes, limit: int) -> tuple[int, int]:
    """The number in the head at `at`, and where it ends: -1 if it is not all there."""
    end = stream.find(b"\r\n", at, at + _HEAD_BYTES_MAX)
    if end < 0:
        if len(stream) - at >= _HEAD_BYTES_MAX:
            raise MalformedFrame(f"a head is longer than {_HEAD_BYTES_MAX} bytes")
        return 0, -1
    text = stream[at + 1 : end]
    if stream[at : at + 1] != kind or not text.isdigit() or int(text) > limit:
        raise MalformedFrame(f"'{stream[at:end].decode('ascii', 'backslashreplace')}' cannot stand here")
    return int(text), end + 2

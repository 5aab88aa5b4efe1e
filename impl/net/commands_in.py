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

WALK_BYTES: Final = 64 << 10
"""Bytes that are kept for a walk before one is taken anyway."""

_ARRAY: Final = re.compile(rb"\*[0-9]{6}")
_MAP: Final = re.compile(rb"%[0-9]{6}")
_SET: Final = re.compile(rb"~[0-9]{6}")
_PUSH: Final = re.compile(rb">[0-9]{6}")
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
        self._came_bytes = 0
        """Since the last place where a command is known to begin."""
        self._read_bytes = 0
        """Of these, what the commands account for that came since."""
        self._walker = _Walker()
        self._kept: list[bytes] = []
        """What came since and is not walked yet."""
        self._kept_bytes = 0
        self._cut = b""
        """The beginning of such a head at the end of what came, perhaps; it is read with what follows."""
        self._began = False

    @property
    def is_partial(self) -> bool:
        """Did the stream stop within a command?"""
        return bool(self._came_bytes or self._cut)

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
            cut = _CUT.search(data, max(0, len(data) - _HEAD_BYTES_MAX))
            if cut is not None:
                data, self._cut = data[: cut.start()], data[cut.start() :]
        self._came_bytes += len(data)
        is_inside = not self._kept and self._walker.skips >= len(data)
        self._kept.append(data)
        self._kept_bytes += len(data)
        if is_inside or self._kept_bytes > WALK_BYTES or _is_suspect(data):
            self._walk()
        commands = self._read(data)
        if self._came_bytes == self._read_bytes:
            self._came_bytes = self._read_bytes = 0
            self._kept.clear()
            self._kept_bytes = 0
            self._walker.begin()
        return commands

    def _walk(self) -> None:
        for piece in self._kept:
            self._walker.walk(piece)
        self._kept.clear()
        self._kept_bytes = 0

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


def _is_suspect(data: bytes) -> bool:
    """Might there be a head that announces much? To search for one byte takes next to no time, for several it does."""
    return bool(
        _ARRAY.search(data)
        or (b"%" in data and _MAP.search(data))
        or (b"~" in data and _SET.search(data))
        or (b">" in data and _PUSH.search(data))
    )


class _Walker:
    """Goes through a stream from head to head, however it is cut, and looks at nothing between them."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Here a command begins."""
        self._parts = 0
        """Of this command, those whose heads are to come."""
        self.skips = 0
        """So much of a part is to come, the end of its line with it."""
        self._bytes = 0
        """What came of this command."""
        self._head = b""
        """The beginning of a head."""

    def walk(self, data: bytes) -> None:
        """Go on through what came next. Raises MalformedFrame for a head that cannot be."""
        if self._head:
            data, self._head = self._head + data, b""
        at = 0
        while at < len(data):
            if self.skips:
                step = min(self.skips, len(data) - at)
                self.skips -= step
            else:
                end = data.find(b"\r\n", at, at + _HEAD_BYTES_MAX)
                if end < 0:
                    self._head = data[at:]
                    if len(self._head) >= _HEAD_BYTES_MAX:
                        raise MalformedFrame(f"a head is longer than {_HEAD_BYTES_MAX} bytes")
                    return
                self._take(data[at:end])
                step = end + 2 - at
            at += step
            self._bytes += step
            if self._bytes + self.skips > COMMAND_BYTES_MAX:
                raise MalformedFrame(f"a command has more than {COMMAND_BYTES_MAX} bytes")

    def _take(self, head: bytes) -> None:
        kind, number, limit = (b"$", head[1:], COMMAND_BYTES_MAX) if self._parts else (b"*", head[1:], MANY)
        if head[:1] != kind or not number.isdigit() or int(number) > limit:
            raise MalformedFrame(f"'{head.decode('ascii', 'backslashreplace')}' cannot stand here")
        if self._parts:
            self._parts -= 1
            self.skips = int(number) + 2
        else:
            self._parts = int(number)
            self._bytes = 0

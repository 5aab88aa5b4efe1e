"""Commands out of a client's stream of bytes: hiredis reads them, and nothing is allocated that was only announced.

It does not know what a command means. Where one may begin, a line of words is one as well (`inline`), and an empty line
is none. The head of an array, or of what else has parts (`%`, `~`, `>`, `|`: no command has these), makes hiredis
allocate room for as many as it says, so a head that says too much must not get there. Any with so many digits is looked
at: mostly it is part of a value, and the only way to know is to walk the stream from a place where a command begins.
That place is known without walking as long as the commands that came account for every byte that came.
"""

from __future__ import annotations

import re
from string import ascii_letters
from typing import Final

import hiredis

from ..kv.commands import MANY
from .errors import MalformedFrame
from .inline import LINE_BYTES_MAX, words

COMMAND_BYTES_MAX: Final = 8 << 20
"""A single command with all its parts."""

WALK_BYTES: Final = 64 << 10
"""Bytes that are kept for a walk before one is taken anyway."""

_PERCENT, _TILDE, _GREATER, _BAR = b"%~>|"  # as numbers, which are found sooner than strings
_ARRAY: Final = re.compile(rb"\*[0-9]{6}")
_MAP: Final = re.compile(rb"%[0-9]{6}")
_SET: Final = re.compile(rb"~[0-9]{6}")
_PUSH: Final = re.compile(rb">[0-9]{6}")
_ATTRIBUTES: Final = re.compile(rb"\|[0-9]{6}")
_CUT: Final = re.compile(rb"[*%~>|][0-9]*\Z")
_HEAD_BYTES_MAX: Final = 16
_STAR: Final = ord("*")
_LETTERS: Final = ascii_letters.encode()
_LINE_BEGINS: Final = _LETTERS + b"\r\n"
"""No head begins with one of these: where a command may begin, a line does, if it is only an empty one."""

_NO_COMMAND: Final = "a command is an array of bulk strings"
_HEADS: Final = b"\6" + b"".join(bytes([5 + digits]) * (9 * 10 ** (digits - 1)) for digits in range(1, 6))
"""How many bytes stand around a part of so many, from 0 to 99,999: `$`, the number, and two line ends."""

assert MANY < 1_000_000
assert len(_HEADS) > MANY


class CommandReader:
    """One client's stream."""

    def __init__(self) -> None:
        self.complaint: str | None = None
        """Why what follows in the stream cannot be understood."""
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
        self._line = b""
        """The beginning of a line that is a command."""

    @property
    def is_partial(self) -> bool:
        """Did the stream stop within a command?"""
        return bool(self._came_bytes or self._cut or self._line)

    @property
    def waiting_bytes(self) -> int:
        """What came of a command that is not whole, and perhaps of those before it."""
        return self._came_bytes

    def feed(self, data: bytes) -> list[list[bytes]]:
        """The commands that `data` completes, in order. `complaint` says so if what follows them is none that a client
        sends, or has more than `COMMAND_BYTES_MAX` bytes; nothing may be fed then."""
        if self._cut:
            data, self._cut = self._cut + data, b""
        if self._line:
            data, self._line = self._line + data, b""
        if not data.endswith(b"\n"):
            cut = _CUT.search(data, max(0, len(data) - _HEAD_BYTES_MAX))
            if cut is not None:
                data, self._cut = data[: cut.start()], data[cut.start() :]
        commands: list[list[bytes]] = []
        at = 0
        try:
            while at < len(data):
                if self._came_bytes or data[at] == _STAR:
                    at = self._take_arrays(data, at, commands)
                else:
                    at = self._take_lines(data, at, commands)
        except MalformedFrame as error:
            self.complaint = str(error)
        return commands

    def _take_lines(self, data: bytes, at: int, commands: list[list[bytes]]) -> int:
        """Read commands that are lines, and pass over empty ones; where the next array begins."""
        while at < len(data) and data[at] != _STAR:
            if data[at] in b"\r\n":
                at += 1
                continue
            if data[at] not in _LETTERS:
                raise MalformedFrame("a command begins with '*', or is a line that begins with a letter")
            end = data.find(b"\n", at)
            if (len(data) if end < 0 else end) - at > LINE_BYTES_MAX:
                raise MalformedFrame(f"a line has more than {LINE_BYTES_MAX} bytes")
            if end < 0:
                self._line = data[at:]
                return len(data)
            commands.append(words(data[at:end]))
            at = end + 1
        return at

    def _take_arrays(self, data: bytes, at: int, commands: list[list[bytes]]) -> int:
        """Read commands that are arrays; where a line begins, or the end.

        Behind a line all is walked first: who mixes the two must not have what is left copied again and again.
        """
        end, is_fresh = len(data), False
        if at:
            end = self._walker.walk(data, at)
        elif not self._came_bytes and end <= WALK_BYTES and not _is_suspect(data):
            is_fresh = True  # whole commands, mostly: there is nothing to keep
        else:
            is_due = not self._came_bytes or (not self._kept and self._walker.skips >= len(data))
            self._kept.append(data)
            self._kept_bytes += len(data)
            if is_due or self._kept_bytes > WALK_BYTES or _is_suspect(data):
                end = self._walk()
        piece = data if end - at == len(data) else data[at:end]
        self._came_bytes += len(piece)
        try:
            self._read(piece, commands)
        except hiredis.ProtocolError as error:
            end -= self._came_bytes - self._read_bytes
            if end < at or data[end] not in _LINE_BEGINS:
                raise MalformedFrame(str(error)) from error
            self._reader = hiredis.Reader()
            self._came_bytes = self._read_bytes
        if self._walker.complaint is not None:
            raise MalformedFrame(self._walker.complaint)
        if self._came_bytes == self._read_bytes:
            if is_fresh:
                self._came_bytes = self._read_bytes = 0
            else:
                self._begin()
        elif is_fresh:
            self._kept.append(data)
            self._kept_bytes = end
        elif end < len(data):
            raise MalformedFrame(_NO_COMMAND)
        return end

    def _begin(self) -> None:
        """Here a command begins."""
        self._came_bytes = self._read_bytes = 0
        self._kept.clear()
        self._kept_bytes = 0
        self._walker.begin()

    def _walk(self) -> int:
        """Walk what is kept; how much of the last piece may be read."""
        end = 0
        for piece in self._kept:
            end = self._walker.walk(piece)
        self._kept.clear()
        self._kept_bytes = 0
        return end

    def _read(self, data: bytes, commands: list[list[bytes]]) -> None:
        """Read the commands that `data` completes. Counts how many bytes they take at least; this is where a client's
        processor time goes, so it is one loop without a call."""
        size = 0
        gets = self._reader.gets
        try:
            self._reader.feed(data)
            while (command := gets()) is not False:
                if type(command) is not list:
                    raise MalformedFrame(_NO_COMMAND)
                for part in command:
                    if type(part) is not bytes:
                        raise MalformedFrame(_NO_COMMAND)
                    length = len(part)
                    size += length + (_HEADS[length] if length < len(_HEADS) else len(str(length)) + 5)
                size += _HEADS[len(command)] - 2
                if command:
                    commands.append(command)
        finally:
            self._read_bytes += size


def _is_suspect(data: bytes) -> bool:
    """Might there be a head that announces much? To search for one byte takes next to no time, for several it does."""
    return bool(
        _ARRAY.search(data)
        or (_PERCENT in data and _MAP.search(data))
        or (_TILDE in data and _SET.search(data))
        or (_GREATER in data and _PUSH.search(data))
        or (_BAR in data and _ATTRIBUTES.search(data))
    )


class _Walker:
    """Goes through a stream from head to head, however it is cut, and looks at nothing between them."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Here a command begins."""
        self.complaint: str | None = None
        """Why what follows cannot be a command."""
        self._parts = 0
        """Of this command, those whose heads are to come."""
        self.skips = 0
        """So much of a part is to come, the end of its line with it."""
        self._bytes = 0
        """What came of this command."""
        self._head = b""
        """The beginning of a head."""

    def walk(self, data: bytes, at: int = 0) -> int:
        """Go on through what came next; how much of it may be read. That is all, or up to where a line begins, or up to
        where the command began that `complaint` is about."""
        before = len(self._head)
        if before:
            data, self._head = self._head + data, b""
        whole = at
        while at < len(data) and self.complaint is None:
            if self.skips:
                step = min(self.skips, len(data) - at)
                self.skips -= step
            elif not self._parts and data[at] in _LINE_BEGINS:
                return at - before
            else:
                end = data.find(b"\r\n", at, at + _HEAD_BYTES_MAX)
                if end < 0:
                    self._head = data[at : at + _HEAD_BYTES_MAX]
                    if len(self._head) < _HEAD_BYTES_MAX:
                        return len(data) - before
                    self.complaint = f"a head is longer than {_HEAD_BYTES_MAX} bytes"
                    break
                if not self._take(data[at:end]):
                    break
                step = end + 2 - at
            at += step
            self._bytes += step
            if self._bytes + self.skips > COMMAND_BYTES_MAX:
                self.complaint = f"a command has more than {COMMAND_BYTES_MAX} bytes"
            elif not self._parts and not self.skips:
                whole = at
        return max(0, (len(data) if self.complaint is None else whole) - before)

    def _take(self, head: bytes) -> bool:
        """Take note of a head; can it be?"""
        kind, number, limit = (b"$", head[1:], COMMAND_BYTES_MAX) if self._parts else (b"*", head[1:], MANY)
        if head[:1] != kind or not number.isdigit() or int(number) > limit:
            self.complaint = f"'{head.decode('ascii', 'backslashreplace')}' cannot stand here"
            return False
        if self._parts:
            self._parts -= 1
            self.skips = int(number) + 2
        else:
            self._parts = int(number)
            self._bytes = 0
        return True

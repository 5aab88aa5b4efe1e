"""Writes a node's trace: one line per atomic step, handed to the kernel before the step's messages leave.

A recorder belongs to one boot of one node and writes `NODE-BOOT.ndjson` in a folder. Its caller has two duties:

1. `write` each step in program order;
2. `flush` before any message of those steps leaves the process (one write(2) for the whole batch).

It numbers the lines itself, and does *not* know what they mean: it neither checks a line nor numbers messages.
It is not thread-safe, and it never syncs: a trace may lose its tail in a power loss, and says so by having no
`stop`; what must survive is in the node's own durable log.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import msgspec

from .errors import CannotRecord
from .events import VERSION

Fields = Mapping[str, object] | msgspec.Struct
"""The named fields of an event or a message: a mapping, or a msgspec struct (array-like ones included)."""


class Recorder:
    """The trace of one boot of one node, as a file `NODE-BOOT.ndjson` in `folder`.

    With `file_bytes_max` it goes on in NODE-BOOT.2.ndjson and so on whenever a flush has filled a file so far.

    The folder is made if it is missing; the file appears with the first flush, so that a boot which did nothing
    leaves nothing behind. Raises `CannotRecord` when the folder or the file cannot be written, or when this boot
    was recorded before (a boot number is never used twice).
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        node: str,
        boot: int,
        *,
        file_bytes_max: int | None = None,
    ) -> None:
        self.path = Path(folder) / f"{quote(node, safe='')}-{boot}.ndjson"
        """The file that is written now."""
        self._first = self.path
        self._file_bytes_max = file_bytes_max
        self._file_bytes = 0
        self._files = 1
        self.node = node
        self.boot = boot
        self.seq = 0
        """The number of the last line written; 0 before the first."""
        self._lines = bytearray()
        encoder = msgspec.json.Encoder()
        self._encode = encoder.encode
        self._head = encoder.encode({"v": VERSION, "node": node, "boot": boot})[:-1] + b',"seq":'
        """What each line begins with: its number follows, then the step, an object, without its brace."""
        self._fd: int | None = None
        self._closed = False
        self._check_early()

    def write(
        self,
        event: str,
        fields: Fields | None = None,
        *,
        recv: Fields | None = None,
        send: Iterable[Fields] = (),
    ) -> None:
        """Append one step to the batch; nothing reaches the file before `flush`.

        `fields` are the event's own, as `{"ballot": (7, "b"), "entries": [(40, "9f3c")]}`. `recv` is the message
        that the step consumed, with at least its `id`, `kind` and fields; `send` those that it emitted, in
        order, each with its `to` as well. A struct is written by its field names, and its tag, if it is a
        string, as `kind`. Values may be whatever JSON has a form for: tuples, lists, dicts, structs, named tuples.
        """
        step: dict[str, object] = {"event": event}
        if fields is not None:
            step.update(msgspec.structs.asdict(fields) if isinstance(fields, msgspec.Struct) else fields)
        if recv is not None:
            step["recv"] = named(recv)
        if emitted := [named(message) for message in send]:
            step["send"] = emitted
        self.write_whole(step)

    def write_whole(self, step: Fields) -> None:
        """Append one step that is the line already, all but the fields that number it: `event`, what that carries, and
        `recv` and `send` where there are messages. For whoever has structs of just this form."""
        if self._closed:
            raise CannotRecord(str(self.path), "the recorder is closed", "write to it before closing it")
        self._lines += b"%b%d,%b\n" % (self._head, self.seq + 1, self._encode(step)[1:])
        self.seq += 1

    def flush(self) -> None:
        """Hand every line written so far to the kernel; afterwards their messages may leave.

        Raises `CannotRecord` when the disk is full or the file cannot be written. What was not taken stays in the
        batch, so that flushing again, once there is room, continues the file where it broke off.
        """
        if not self._lines:
            return
        try:
            if self._fd is None:
                self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            while self._lines:
                written = os.write(self._fd, self._lines)
                del self._lines[:written]
                self._file_bytes += written
            if self._file_bytes_max is not None and self._file_bytes >= self._file_bytes_max:
                self._rotate()
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """Flush and close the file. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
        finally:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None

    def abandon(self) -> None:
        """Close the file as a crash would: what was not flushed is lost, and nothing more is taken."""
        self._closed = True
        self._lines.clear()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rotate(self) -> None:
        """Go on in a new file, NODE-BOOT.2.ndjson, NODE-BOOT.3.ndjson ...; lines are never cut in two."""
        assert self._fd is not None, "only a file that was written is full"
        os.close(self._fd)
        self._fd = None
        self._files += 1
        self._file_bytes = 0
        self.path = self._first.with_suffix(f".{self._files}.ndjson")

    def _check_early(self) -> None:
        """Refuse at the start what would be refused at the first flush, when it is too late to choose."""
        try:
            self._make_folder()
            if self.path.exists():
                raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
            if not os.access(self.path.parent, os.W_OK | os.X_OK):
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise self._refused(error) from error

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:  # and it is no folder
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error

    def _refused(self, error: OSError) -> CannotRecord:
        reason = error.strerror or str(error)
        if error.errno == errno.EEXIST:
            reason = "this boot of the node was recorded before"
        return CannotRecord(str(self.path), f"cannot record the trace: {reason}", _advice(error.errno))


def named(fields: Fields) -> Mapping[str, object]:
    """The fields of a message by name: a mapping as it is; a struct with its tag as `kind`."""
    if not isinstance(fields, msgspec.Struct):
        return fields
    tag = fields.__struct_config__.tag
    values = msgspec.structs.asdict(fields)
    return {"kind": tag, **values} if isinstance(tag, str) else values


def _advice(number: int | None) -> str:
    match number:
        case errno.ENOSPC | errno.EDQUOT:
            return "free some space, or record to another folder"
        case errno.EEXIST:
            return "never use a boot number twice: record to another folder, or move the old trace away"
        case errno.ENOTDIR:
            return "name a folder, not a file"
        case _:
            return "check the folder and its permissions, or record to another"

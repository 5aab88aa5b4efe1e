"""What becomes of output that nobody takes: no verdict, and no traceback.

A reader that left, a disk that is full and a stream that was closed from the beginning are told apart here, so that
nothing else has to know of them; a library that meets them itself ends the program with 1, which would be a verdict.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


class Unheard(Exception):
    """Standard output took nothing more.  This is no `OSError`, of which somebody might make something else."""

    def __init__(self, why: OSError) -> None:
        super().__init__(f"the output cannot be written: {why.strerror}")
        self.errno = why.errno


class _Stream:
    """A stream as it was, but for what happens when it takes nothing more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as why:
            self._failed(why)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as why:
            self._failed(why)

    def _failed(self, why: OSError) -> None:
        """Leads the stream nowhere, so that what is buffered is not tried again at the exit."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


class _Output(_Stream):
    """Carries outcomes: from the first failure on every writer is told, for a library may not have listened."""

    _why: OSError | None = None

    def write(self, text: str) -> int:
        wrote = super().write(text)
        self._say()
        return wrote

    def flush(self) -> None:
        super().flush()
        self._say()

    def _failed(self, why: OSError) -> None:
        super()._failed(why)
        self._why = why

    def _say(self) -> None:
        if self._why is not None:
            raise Unheard(self._why)


@contextmanager
def guarded() -> Iterator[None]:
    """Within this context, the standard streams fail in one way; one that was closed leads nowhere."""
    before = sys.stdout, sys.stderr
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # the next file opened would take its number
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
    sys.stdout, sys.stderr = cast(TextIO, _Output(sys.stdout)), cast(TextIO, _Stream(sys.stderr))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before

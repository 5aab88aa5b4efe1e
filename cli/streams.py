"""What becomes of output that nobody takes: no verdict, and no traceback.

A reader that left, a disk that is full and a stream that was closed from the beginning are told apart here, so that
nothing else has to know of them; a library that meets them itself ends the program with 1, which would be a verdict.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, TypeVar, cast

R = TypeVar("R")


class Unheard(Exception):
    """Standard output took nothing more.  This is no `OSError`, of which somebody might make something else."""

    def __init__(self, why: OSError) -> None:
        super().__init__(f"the output cannot be written: {why.strerror}")
        self.errno = why.errno


class _Stream:
    """A stream as it was, but for what a kind of it does when it takes nothing more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Errors(_Stream):
    """Standard error: what finds no room is lost, and nothing else is."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


class _Output(_Stream):
    """Standard output: from the first failure on every writer is told, for a library may not have listened."""

    _why: OSError | None = None

    def write(self, text: str) -> int:
        return self._unless_failed(self._stream.write, text)

    def flush(self) -> None:
        self._unless_failed(self._stream.flush)

    def _unless_failed(self, do: Callable[..., R], *given: str) -> R:
        if self._why is None:
            try:
                return do(*given)
            except OSError as why:
                self._why = why
        raise Unheard(self._why)


@contextmanager
def guarded() -> Iterator[None]:
    """Within this context, the standard streams fail as told above; one that was closed leads nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # the next file opened would take its number
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = cast(TextIO, _Output(sys.stdout)), cast(TextIO, _Errors(sys.stderr))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in before:
            _leave_nothing(stream)


def _leave_nothing(stream: TextIO) -> None:
    """See to it that what a stream does not take is not tried again at the exit, which would then be another."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

"""Ctrl-C, remembered: whatever was at work when it came, the next question is not asked any more.

It is raised as well, but that alone can be lost.  A search that returns what it has found so far hands on no
exception, and one that is raised while an object is let go of is dropped.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_came = threading.Event()


@contextmanager
def interruptible() -> Iterator[None]:
    """While this lasts Ctrl-C is remembered; so it is already within another, and never where none can come.

    What Python has to say of objects that were being made or let go of when it came is not said.
    """
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    said = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if interrupted() else said(lost)
    signal.signal(signal.SIGINT, _remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = said
        _came.clear()


def interrupted() -> bool:
    """Whether Ctrl-C came."""
    return _came.is_set()


def stop_if_interrupted() -> None:
    """Raises `KeyboardInterrupt` if Ctrl-C came."""
    if interrupted():
        raise KeyboardInterrupt


def _remember(number: int, frame: FrameType | None) -> None:
    _came.set()
    signal.default_int_handler(number, frame)

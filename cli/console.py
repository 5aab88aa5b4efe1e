"""What is said while work goes on, and how its outcome is printed.

Progress goes to standard error: a live line on a terminal, a plain line now and then elsewhere.  Standard output is
for outcomes; with `--json` it carries one object and nothing else.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import click
from rich.console import Console
from rich.status import Status

PLAIN_LINE_EVERY_S = 5.0

err = Console(stderr=True, highlight=False)


class Work:
    """A piece of work that takes a while: `with Work("exploring") as work: ... work.at("3 of 7")`."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._status: Status | None = None
        self._said_s = time.monotonic()

    def __enter__(self) -> Self:
        if err.is_terminal:
            self._status = err.status(self.title)
            self._status.start()
        return self

    def at(self, text: str, more: str = "") -> None:
        """Says how far the work has come; off a terminal, at most once in a few seconds, and without `more`."""
        if self._status is not None:
            self._status.update(f"{self.title}: {text}" + (f"\n  {more}" if more else ""))
        elif time.monotonic() - self._said_s >= PLAIN_LINE_EVERY_S:
            self._said_s = time.monotonic()
            click.echo(f"{self.title}: {text}", err=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Take SIGTERM, and a terminal that is closed, for Ctrl-C, so that no process and no mount outlives this one.

    What whoever started this process had it ignore is ignored still.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    heeded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])


def _interrupt(*_: object) -> None:
    """As Ctrl-C does, also where that is ignored, as in the background of a script."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def print_json(outcome: Mapping[str, Any]) -> None:
    """Prints one object on standard output."""
    json.dump(outcome, sys.stdout, indent=2)
    sys.stdout.write("\n")

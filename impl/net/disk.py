"""The disk's own thread: it commits one batch after another beside the event loop, and says when each is durable.

It does not know what a batch holds. One thread, one batch at a time, in the order in which they were given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

from ..core.records import Record

Done = Callable[[Exception | None], None]
"""Called in the event loop, with what went wrong, if anything did."""


class Log(Protocol):
    """Where batches go; `DurableLog` is one."""

    def commit(self, records: Sequence[Record]) -> None: ...


class Disk:
    """A thread that commits what it is given."""

    def __init__(self, log: Log, loop: asyncio.AbstractEventLoop) -> None:
        self._log = log
        self._loop = loop
        self._given: SimpleQueue[tuple[Sequence[Record], Done] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="quorate-disk", daemon=True)
        self._thread.start()

    def commit(self, records: Sequence[Record], done: Done) -> None:
        """Have `records` written and synced as one batch; `done` is called when they are, or cannot be."""
        self._given.put((records, done))

    def close(self) -> None:
        """Finish what was given, and end the thread; blocks."""
        self._given.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (given := self._given.get()) is not None:
            records, done = given
            failure: Exception | None = None
            try:
                self._log.commit(records)
            except Exception as error:
                failure = error
            try:
                self._loop.call_soon_threadsafe(done, failure)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

"""A thread beside the event loop: it does one job after another, and says in the loop what came of each.

It does not know what a job is. What blocks, and only that, is done here: commits in one worker, checkpoints in another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Protocol, TypeAlias, TypeVar

T = TypeVar("T")

Job: TypeAlias = Callable[[], T]
"""What is to be done; it may block, and raise."""

Done: TypeAlias = Callable[[T | Exception], None]
"""Called in the event loop, with what the job returned or raised."""


class Worker(Protocol):
    """Does jobs in the order in which they are given, one at a time; `ThreadWorker` is one."""

    def submit(self, job: Job[T], done: Done[T]) -> None: ...

    def close(self) -> None: ...


class ThreadWorker:
    """A worker that is a thread."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._given: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name=f"quorate-{name}", daemon=True)
        self._thread.start()

    def submit(self, job: Job[T], done: Done[T]) -> None:
        """Have a job done, and `done` called in the event loop when it is."""
        self._given.put(lambda: self._do(job, done))

    def close(self) -> None:
        """Finish what was given, and end the thread; blocks."""
        self._given.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (given := self._given.get()) is not None:
            try:
                given()
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

    def _do(self, job: Job[T], done: Done[T]) -> None:
        outcome: T | Exception
        try:
            outcome = job()
        except Exception as error:
            outcome = error
        self._loop.call_soon_threadsafe(done, outcome)

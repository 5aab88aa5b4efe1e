"""Work shared out among processes, its results in the order asked.  It does not know what the work is.

The processes are forked, so they have everything that this one has and nothing but results must be carried back.  One
that dies, killed or crashed in a solver's own code, costs the piece of work that it was at and no other.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

DIED = "the process that worked on it ended"


def in_order(work: Callable[[T], R], items: Sequence[T], jobs: int) -> Iterator[R | None]:
    """The result for every item, as soon as it and those before it are known; None where its process died.

    Results are pickled.  Whoever stops listening, for Ctrl-C or otherwise, ends the processes.
    """
    if jobs == 1 or len(items) < 2:
        yield from map(work, items)
        return
    with Team(work, items, jobs) as team:
        for i in range(len(items)):
            yield team.result(i)


class Team(Generic[T, R]):
    """Processes that are each at one item, and are given the next when they are done."""

    def __init__(self, work: Callable[[T], R], items: Sequence[T], jobs: int) -> None:
        self._work = work
        self._items = items
        self._waiting = deque(range(len(items)))
        self._at: dict[Connection[int, R], tuple[int, ForkProcess]] = {}
        self._results: dict[int, R | None] = {}
        for _ in range(min(jobs, len(items))):
            self._hire()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *why: object) -> None:
        for connection, (_, process) in self._at.items():
            connection.close()
            process.terminate()
            process.join()

    def result(self, i: int) -> R | None:
        """Waits for the result of one item."""
        while i not in self._results:
            for connection in wait(tuple(self._at)):
                assert isinstance(connection, Connection)
                self._hear(connection)
        return self._results.pop(i)

    def _hear(self, connection: Connection[int, R]) -> None:
        """Takes a result, and gives the process the next item; where there is no result, hires another process."""
        i, process = self._at.pop(connection)
        try:
            self._results[i] = connection.recv()
        except EOFError:
            self._results[i] = None
            self._dismiss(connection, process)
            if self._waiting:
                self._hire()
            return
        if self._waiting:
            self._give(connection, process)
        else:
            self._dismiss(connection, process)

    def _hire(self) -> None:
        fork = multiprocessing.get_context("fork")
        ours, theirs = fork.Pipe()
        # A process keeps no end of a pipe but its own: so each hears when this one is gone.
        others = (ours, *self._at)
        process = fork.Process(target=_serve, args=(self._work, self._items, theirs, others), daemon=True)
        process.start()
        theirs.close()
        self._give(ours, process)

    def _give(self, connection: Connection[int, R], process: ForkProcess) -> None:
        i = self._waiting.popleft()
        self._at[connection] = i, process
        with suppress(BrokenPipeError):  # it died while idle; `_hear` finds that out
            connection.send(i)

    def _dismiss(self, connection: Connection[int, R], process: ForkProcess) -> None:
        connection.close()
        process.join()


def _serve(
    work: Callable[[T], R],
    items: Sequence[T],
    parent: Connection[R, int],
    others: Sequence[Connection[int, R]],
) -> None:
    """A process's life: an item, its result, and the next, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for connection in others:
        connection.close()
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            parent.send(work(items[parent.recv()]))

"""What a driver needs of the world beside its disk and its peers: an event loop, chance, and workers for what blocks.

A node takes the real ones. A simulation gives its own, and then nothing that the driver does is left to chance.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self

from .worker import ThreadWorker, Worker


class Loop(Protocol):
    """Of an event loop, what a driver uses; asyncio's loops have it."""

    def call_soon(self, callback: Callable[..., object], *args: object) -> object: ...

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> object: ...

    def time(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def create_future(self) -> asyncio.Future[None]: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a driver lives."""

    loop: Loop
    draw: Callable[[], float]
    """Random numbers, 0 <= x < 1."""
    worker: Callable[[str], Worker]
    """Makes the worker of this name."""

    @classmethod
    def real(cls) -> Self:
        """The running event loop, the system's chance, and threads."""
        loop = asyncio.get_running_loop()
        return cls(loop, random.SystemRandom().random, partial(_thread, loop))


def _thread(loop: asyncio.AbstractEventLoop, name: str) -> Worker:
    return ThreadWorker(name, loop)

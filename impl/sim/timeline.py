"""The world's time: what is to happen, in the order of its moments, and the event loop that each life of a node sees.

Nothing here waits: time is a number, and goes on to whatever is next. Moments are whole microseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final, Protocol, TypeAlias

Moment: TypeAlias = int
"""Microseconds since the world began."""


class Crash(BaseException):
    """A node dies here and now: raised inside of it, and caught by nobody but the world."""


class Life(Protocol):
    """Whose callback it is: the dead have none, and who is paused has it later."""

    alive: bool
    paused_until: Moment

    def die(self) -> None: ...


class Timeline:
    """What is to happen. Of two things at one moment the one that was planned first comes first."""

    def __init__(self) -> None:
        self.now: Moment = 0
        self.steps = 0
        """How many things have happened."""
        self._planned = 0
        self._queue: list[tuple[Moment, int, Life | None, Callable[..., object], tuple[Any, ...]]] = []

    def at(self, moment: Moment, life: Life | None, callback: Callable[..., object], *args: Any) -> None:
        """Have something happen at a moment, unless the life that it belongs to is over by then."""
        self._planned += 1
        now = self.now
        heappush(self._queue, (moment if moment > now else now, self._planned, life, callback, args))

    def run(self, until: Moment, done: Callable[[], bool] | None = None) -> bool:
        """Let happen what is planned up to a moment; True, at once, when `done` says so (asked after every step)."""
        queue = self._queue
        while queue and queue[0][0] <= until:
            self.now, _, life, callback, args = heappop(queue)
            if life is not None:
                if not life.alive:
                    continue
                if life.paused_until > self.now:
                    self.at(life.paused_until, life, callback, *args)
                    continue
            self.steps += 1
            try:
                callback(*args)
            except Crash:
                assert life is not None, "only a node can crash"
                life.die()
            if done is not None and done():
                return True
        self.now = max(self.now, until)
        return False


class Clock:
    """A node's clock: it may run fast or slow and jump ahead, and never goes back."""

    def __init__(self, timeline: Timeline, rate: float, ahead: Moment) -> None:
        self._timeline = timeline
        self.rate: Final = rate
        """How many of its seconds pass in one of the world's."""
        self._ahead = ahead

    def jump(self, by: Moment) -> None:
        """Be so much later at once."""
        self._ahead += by

    def time(self) -> float:
        """Seconds."""
        return (self._timeline.now * self.rate + self._ahead) / 1e6

    def real(self, delay_s: float) -> Moment:
        """How long the world takes for so many seconds of this clock."""
        return round(delay_s * 1e6 / self.rate)


class NodeLoop:
    """The event loop that one life of a node sees: of asyncio's, what `impl.net.surroundings` asks for."""

    def __init__(self, timeline: Timeline, life: Life, clock: Clock) -> None:
        self._timeline = timeline
        self._life = life
        self._clock = clock

    def call_soon(self, callback: Callable[..., object], *args: object, context: object = None) -> None:
        self._timeline.at(self._timeline.now, self._life, callback, *args)

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> None:
        self._timeline.at(self._timeline.now + self._clock.real(delay), self._life, callback, *args)

    def time(self) -> float:
        return self._clock.time()

    def create_future(self) -> asyncio.Future[None]:
        return asyncio.Future(loop=self)  # type: ignore[arg-type]

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: object) -> None:
        """An end that nobody asked for is seen by the world all the same."""

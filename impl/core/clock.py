"""What a replica knows of time: the last tick that it was told of. It never asks."""

from .config import Config
from .errors import CallerError

DOUBLINGS_MAX = 3
"""So often is the range doubled from which time-outs are drawn."""


class Clock:
    """The latest tick's time and chance, shared by all parts of one replica."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.draw = 0.0

    def advance(self, now_ms: int, draw: float) -> None:
        """Take a tick. Raises `CallerError` when time goes back or the draw is no chance."""
        if now_ms < self.now_ms:
            raise CallerError(f"now_ms: {now_ms} comes after {self.now_ms}; take it from a monotonic clock")
        if not 0 <= draw < 1:
            raise CallerError(f"draw: {draw} is not a random number; give one with 0 <= draw < 1")
        self.now_ms = now_ms
        self.draw = draw

    def since(self, then_ms: int) -> int:
        """How many milliseconds ago `then_ms` was."""
        return self.now_ms - then_ms

    def election_ms(self, config: Config, opened: int) -> int:
        """A time-out drawn between `election_ms_min` and `election_ms_max`, from a range twice as wide for each ballot
        that was `opened` in vain, up to `DOUBLINGS_MAX` times."""
        width = (config.election_ms_max - config.election_ms_min) << min(opened, DOUBLINGS_MAX)
        return config.election_ms_min + int(self.draw * width)

"""The ways between nodes, and between clients and nodes: what is sent takes time, and may be lost, doubled or cut off.

It does not know what a message says: between nodes it carries the payloads of frames, which nobody alters on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import Final

from .plan import Net
from .timeline import Moment, Timeline

SLOW: Final = 100
"""How many times as long a slow message takes."""


class Network:
    """What is under way, and who cannot reach whom."""

    def __init__(self, timeline: Timeline, net: Net, random: Random) -> None:
        self._timeline = timeline
        self._net = net
        self._random = random
        self._cut: Counter[tuple[str, str]] = Counter()
        self._latest: dict[tuple[str, str], Moment] = {}
        self.counts: Counter[str] = Counter()
        """How many messages were sent, lost, doubled, slow and cut off."""
        self.is_calm = False
        """Does everything arrive, in time and once?"""

    def cut(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Let nothing come from the first to the second of each pair."""
        self._cut.update(pairs)

    def mend(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Undo a `cut` of the same pairs."""
        self._cut.subtract(pairs)

    def calm(self) -> None:
        """End all faults; what is under way arrives when it does."""
        self.is_calm = True
        self._cut.clear()

    def send(self, sender: str, receiver: str, deliver: Callable[[], object], *, once: bool = False) -> None:
        """Have something delivered some time, if it is: once at most if so wanted."""
        net, random, counts = self._net, self._random, self.counts
        counts["sent"] += 1
        if self._cut[sender, receiver] > 0:
            counts["cut off"] += 1
            return
        delay = random.randint(net.delay_min, net.delay_max)
        if self.is_calm:
            self._post(sender, receiver, delay, deliver)
            return
        chance = random.random()
        if chance < net.slow:
            counts["slow"] += 1
            delay *= SLOW
        if random.random() < net.lost:
            counts["lost"] += 1
            return
        self._post(sender, receiver, delay, deliver)
        if not once and random.random() < net.doubled:
            counts["doubled"] += 1
            self._post(sender, receiver, random.randint(net.delay_min, SLOW * net.delay_max), deliver)

    def _post(self, sender: str, receiver: str, delay: Moment, deliver: Callable[[], object]) -> None:
        moment = self._timeline.now + delay
        if self._net.in_order:
            way = (sender, receiver)
            moment = self._latest[way] = max(moment, self._latest.get(way, 0))
        self._timeline.at(moment, None, self._arrive, sender, receiver, deliver)

    def _arrive(self, sender: str, receiver: str, deliver: Callable[[], object]) -> None:
        if self._cut[sender, receiver] > 0:
            self.counts["cut off"] += 1
        else:
            deliver()

"""The drill: a real cluster streams commands, its leader is killed in mid-stream, and nothing may be lost.

Three processes on loopback with durable storage.  When half of the commands are answered the leader gets SIGKILL;
the client goes on, a new leader takes over, the dead node is started again and catches up.  At the end every
command that was acknowledged is looked at: each adds one to a counter of its own, so a counter that does not stand
at one tells of a command that was lost or applied twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..impl.net.cluster import LocalCluster

IN_FLIGHT = 64
NODES = ("a", "b", "c")

Watcher = Callable[[str], None]


@dataclass(frozen=True)
class Drill:
    """What a drill did: commands acknowledged, of these lost or applied twice, leaders, slots, seconds, traces."""

    acknowledged: int
    lost: int
    killed: str
    successor: str
    slots: int
    seconds: float
    stalled_seconds: float
    traces: tuple[Path, ...]

    @property
    def whole(self) -> bool:
        """Whether every acknowledged command is there, once."""
        return self.acknowledged > 0 and self.lost == 0

    def to_json(self) -> dict[str, Any]:
        return {
            "acknowledged": self.acknowledged,
            "lost": self.lost,
            "killed": self.killed,
            "successor": self.successor,
            "slots": self.slots,
            "seconds": round(self.seconds, 3),
            "stalled_seconds": round(self.stalled_seconds, 3),
        }


def drill(folder: Path, commands: int, say: Watcher) -> Drill:
    """Runs the drill in a folder.  Raises `ClusterError` and `NoAnswer` if the cluster does not do its work."""
    started = time.perf_counter()
    with LocalCluster(folder, NODES) as cluster:
        say("waiting for a leader")
        first = cluster.wait_for_leader()
        stream = Stream(cluster, commands, first, say)
        asyncio.run(stream.run())
        successor = cluster.wait_for_leader()
        say(f"{successor} leads; {first} is started again")
        cluster.restart(first)
        slots = cluster.wait_until_caught_up()
        lost = asyncio.run(stream.lost())
        cluster.stop()
        return Drill(
            acknowledged=len(stream.acknowledged),
            lost=lost,
            killed=first,
            successor=successor,
            slots=slots,
            seconds=time.perf_counter() - started,
            stalled_seconds=stream.stalled_seconds,
            traces=tuple(cluster.traces),
        )


class Stream:
    """The commands of a drill, many in flight, and the kill in their midst."""

    def __init__(self, cluster: LocalCluster, commands: int, leader: str, say: Watcher) -> None:
        self.acknowledged: list[str] = []
        self.stalled_seconds = 0.0
        """The longest time without an answer: how long the cluster was without a leader, as a client sees it."""
        self._cluster, self._commands, self._leader, self._say = cluster, commands, leader, say
        self._last_answer = time.perf_counter()

    async def run(self) -> None:
        """Sends every command and waits for every answer; kills the leader when half are answered."""
        async with self._cluster.client() as client:
            waiting = iter(range(self._commands))

            async def send_in_turn() -> None:
                for number in waiting:
                    await client.increment(f"counter-{number}")
                    self._answered(f"counter-{number}")

            await asyncio.gather(*(send_in_turn() for _ in range(IN_FLIGHT)))

    def _answered(self, key: str) -> None:
        now = time.perf_counter()
        self.stalled_seconds = max(self.stalled_seconds, now - self._last_answer)
        self._last_answer = now
        self.acknowledged.append(key)
        if len(self.acknowledged) == self._commands // 2:
            self._cluster.kill(self._leader)
        state = f"{self._leader} was killed" if len(self.acknowledged) * 2 >= self._commands else "streaming"
        self._say(f"{state}; {len(self.acknowledged):,} of {self._commands:,} commands acknowledged")

    async def lost(self) -> int:
        """How many acknowledged commands are not there, or were applied more than once."""
        async with self._cluster.client() as client:
            found = await asyncio.gather(*(client.get(key) for key in self.acknowledged))
        return sum(one != b"1" for one in found)

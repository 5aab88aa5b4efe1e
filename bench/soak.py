"""A cluster under load while nodes are killed at random: nothing acknowledged may be lost, doubled or stale.

    ./dev bench soak [--minutes 10] [--every 20] [--seed 1]

Three nodes, traced. Writers with sessions of our own client each count in a register of their own; a plain Redis client
at every node counts as well, for as long as its node lives. Readers read registers at random nodes, through the log's
order. Every so many seconds a random node gets SIGKILL and is started again. Then:

- every register stands where its writer was last told, but for increments that had no answer: nothing lost or doubled;
- no read saw less than was acknowledged before it began, or more than was asked for before it ended, and no read that
  began after another had ended saw less than that one: with one writer a register, that is linearizability;
- the trace of all boots conforms.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from quorate.impl.client import Client, NoAnswer
from quorate.impl.net.cluster import LocalCluster
from quorate.refinement.conformance import conform

ONCE = Retry(NoBackoff(), 0)
WRITERS = 16
READERS = 8
PLAIN = 3


class Read(NamedTuple):
    """What a read of a register saw, and what was known of the register when it began and ended."""

    began: float
    ended: float
    acknowledged: int
    """What its writer had been told when the read began."""
    seen: int
    asked: int
    """What its writer had asked for when the read ended."""


class Register:
    """A counter with one writer."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.asked = 0
        self.acknowledged = 0
        self.unsure = 0
        """Increments that had no answer, and may or may not have been applied."""
        self.reads: list[Read] = []

    def wrong(self, final: int) -> list[str]:
        """What a history of this register breaks, if it does."""
        complaints = []
        if not self.acknowledged <= final <= self.acknowledged + self.unsure:
            complaints.append(
                f"{self.key} stands at {final}; {self.acknowledged} were acknowledged, {self.unsure} are unsure"
            )
        complaints += [
            f"{self.key}: a read is not linearizable: {read}"
            for read in self.reads
            if not read.acknowledged <= read.seen <= read.asked
        ]
        ended = sorted(self.reads, key=lambda read: read.ended)
        highest, at = 0, 0
        for read in sorted(self.reads, key=lambda read: read.began):
            while ended[at].ended < read.began:
                highest = max(highest, ended[at].seen)
                at += 1
            if read.seen < highest:
                complaints.append(f"{self.key}: a read saw {read.seen} after another had seen {highest}")
        return complaints


class Soak:
    """The load, and the nodes that are killed under it."""

    def __init__(self, cluster: LocalCluster, minutes: float, every_s: float, seed: int) -> None:
        self._cluster = cluster
        self._ends = time.monotonic() + 60 * minutes
        self._every_s = every_s
        self._random = random.Random(seed)
        self.registers = [Register(f"own-{number}") for number in range(WRITERS)]
        self.plain = [Register(f"plain-{number}") for number in range(PLAIN)]
        self.kills: dict[str, int] = defaultdict(int)

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self._ends

    async def run(self) -> list[str]:
        """Load and kill until time is up, then look at everything; what is wrong."""
        async with self._cluster.client() as client:
            writing = [self._write(client, register) for register in self.registers]
            plain = [
                self._write_plainly(register, node)
                for register, node in zip(self.plain, self._cluster.nodes, strict=True)
            ]
            reading = [self._read() for _ in range(READERS)]
            await asyncio.gather(*writing, *plain, *reading, self._kill())
            wrong: list[str] = []
            for register in (*self.registers, *self.plain):
                wrong += register.wrong(int(await client.get(register.key) or 0))
            return wrong

    async def _write(self, client: Client, register: Register) -> None:
        while self.goes_on:
            register.asked += 1
            try:
                register.acknowledged = await client.increment(register.key)
            except NoAnswer:
                register.unsure += 1

    async def _write_plainly(self, register: Register, node: str) -> None:
        """Through one node, whoever leads; what has no answer when it dies is unsure."""
        address = self._cluster.clients[node]
        while self.goes_on:
            async with AsyncRedis(host=address.host, port=address.port, retry=ONCE) as client:
                with suppress(redis.RedisError, OSError):
                    await client.ping()
                    while self.goes_on:
                        register.asked += 1
                        register.unsure += 1
                        await client.incr(register.key)
                        register.unsure -= 1
                        register.acknowledged += 1
            await asyncio.sleep(0.1)

    async def _read(self) -> None:
        """Read at one node after another."""
        while self.goes_on:
            address = self._cluster.clients[self._random.choice(self._cluster.nodes)]
            async with AsyncRedis(host=address.host, port=address.port, retry=ONCE) as client:
                try:
                    for _ in range(200):
                        register = self._random.choice(self.registers)
                        began, known = time.monotonic(), register.acknowledged
                        seen = int(await client.get(register.key) or 0)
                        register.reads.append(Read(began, time.monotonic(), known, seen, register.asked))
                except (redis.RedisError, OSError):
                    await asyncio.sleep(0.05)

    async def _kill(self) -> None:
        while self.goes_on:
            await asyncio.sleep(self._every_s)
            node = self._random.choice(self._cluster.nodes)
            self.kills[node] += 1
            await asyncio.to_thread(self._cluster.kill, node)
            await asyncio.sleep(min(5.0, self._every_s / 4))
            await asyncio.to_thread(self._cluster.restart, node)
            acknowledged = sum(register.acknowledged for register in self.registers)
            print(f"{node} was killed; {acknowledged:,} writes acknowledged", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--every", type=float, default=20, metavar="S", help="seconds between two kills")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="quorate-soak-") as folder,
        LocalCluster(Path(folder) / "cluster") as cluster,
    ):
        cluster.wait_for_leader()
        soak = Soak(cluster, given.minutes, given.every, given.seed)
        wrong = asyncio.run(soak.run())
        cluster.wait_until_caught_up()
        cluster.stop()
        counted = (*soak.registers, *soak.plain)
        print(
            f"{sum(one.acknowledged for one in counted):,} writes acknowledged, "
            f"{sum(one.unsure for one in counted)} unsure, "
            f"{sum(len(one.reads) for one in soak.registers):,} reads, {sum(soak.kills.values())} nodes killed"
        )
        result = conform(*cluster.traces)
        print(f"trace: {result.verdict}, {result.lines:,} lines")
        if result.divergence is not None:
            print(result.divergence)
    for complaint in wrong[:20]:
        print(complaint)
    print("nothing was lost, doubled or stale" if not wrong else f"{len(wrong)} complaints")
    return 0 if not wrong and result.verdict == "conforms" else 1


if __name__ == "__main__":
    sys.exit(main())

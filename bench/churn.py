"""What leaders that die cost: how long until another serves, and how often phase 1 runs for so many commands.

Parts of `./dev bench serve`. Phase 1 is counted where nobody can forget it, in the traces of all boots: one line
`prepare` is one run of it.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis
from redis.asyncio import Redis as AsyncRedis

from quorate.impl.client import NoAnswer
from quorate.impl.net.cluster import LocalCluster

WRITERS = 64
EVERY_S = 3.0

Runs = list[dict[str, Any]]


def elections(folder: Path, count: int, runs: Runs) -> None:
    """Kill the leader again and again: how long until another answers a write?"""
    took: list[float] = []
    with LocalCluster(folder / "elections", trace=False) as cluster:
        for _ in range(count):
            leader = cluster.wait_for_leader()
            cluster.wait_until_caught_up()
            survivors = [cluster.clients[name].port for name in cluster.running() if name != leader]
            cluster.kill(leader)
            began = time.perf_counter()
            asyncio.run(_first_answer(survivors))
            took.append(time.perf_counter() - began)
            cluster.restart(leader)
            cluster.wait_until_caught_up()
        cluster.stop()
    runs.append({"system": "elections", "seconds": took})
    ordered = sorted(took)
    print(
        f"elections: {count} leaders killed, another served after {statistics.median(took):.2f} s (median), "
        f"{ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]:.2f} s (p99)",
        flush=True,
    )


async def _first_answer(ports: Sequence[int]) -> None:
    """Return when a write at one of these nodes is answered; they hold it until there is a leader."""

    async def write(port: int) -> None:
        client = AsyncRedis(host="127.0.0.1", port=port)
        while True:
            try:
                await client.set("election", "1")
                break
            except redis.RedisError:
                await asyncio.sleep(0.01)
        await client.aclose()

    writing = [asyncio.create_task(write(port)) for port in ports]
    await asyncio.wait(writing, return_when=asyncio.FIRST_COMPLETED)
    for task in writing:
        task.cancel()
    await asyncio.gather(*writing, return_exceptions=True)


def phase1(folder: Path, seconds: float, runs: Runs) -> None:
    """How often phase 1 runs for a thousand commands: while nobody dies, and while leaders do every few seconds."""
    for name, every_s in (("in steady state", None), ("under churn", EVERY_S)):
        with LocalCluster(folder / name.replace(" ", "-")) as cluster:
            cluster.wait_for_leader()
            cluster.wait_until_caught_up()
            before = _prepares(cluster)
            commands, kills = asyncio.run(_written(cluster, seconds, every_s))
            cluster.wait_for_leader()
            opened = _prepares(cluster) - before
            cluster.stop()
        rate = 1000 * opened / commands
        runs.append(
            {"system": "phase 1", "state": name, "commands": commands, "kills": kills, "opened": opened}
        )
        print(
            f"phase 1 {name}: {opened} runs for {commands:,} commands, {rate:.3g} per 1,000"
            + (f" ({kills} leaders killed)" if every_s else ""),
            flush=True,
        )


def _prepares(cluster: LocalCluster) -> int:
    return sum(path.read_bytes().count(b'"event":"prepare"') for path in cluster.traces)


async def _written(cluster: LocalCluster, seconds: float, every_s: float | None) -> tuple[int, int]:
    """How many commands were answered in so many seconds, and how many leaders were killed meanwhile."""
    ends = time.monotonic() + seconds
    commands = kills = 0

    async with cluster.client() as client:

        async def write(number: int) -> None:
            nonlocal commands
            while time.monotonic() < ends:
                with suppress(NoAnswer):
                    await client.set(f"key {number}", "x" * 100)
                    commands += 1

        writing = [asyncio.create_task(write(number)) for number in range(WRITERS)]
        while every_s is not None and time.monotonic() + every_s < ends:
            await asyncio.sleep(every_s)
            leader = await asyncio.to_thread(cluster.wait_for_leader)
            await asyncio.to_thread(cluster.kill, leader)
            await asyncio.to_thread(cluster.restart, leader)
            kills += 1
        await asyncio.gather(*writing)
    return commands, kills

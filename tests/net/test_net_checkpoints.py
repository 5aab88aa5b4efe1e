"""Real processes with checkpoints: restarts begin there, whoever lags gets one, and every trace conforms."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from quorate.impl.client import Client
from quorate.impl.kv.image import freeze
from quorate.impl.kv.machine import Batch, KeyValue, encode
from quorate.impl.net.checkpoints import load
from quorate.impl.net.cluster import LocalCluster
from quorate.impl.storage import DamagedLog
from quorate.impl.storage.checkpoint import checkpoint_path, stored_checkpoint, write_checkpoint
from quorate.impl.storage.files import REAL
from quorate.refinement.conformance import Result, conform
from quorate.traces import read
from quorate.traces.events import Checkpoint, Snapshot, Start, Truncate

EVERY = 50
KEYS = 20


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[LocalCluster]:
    """Three processes that take a checkpoint every fifty slots, in small segments."""
    flags = {"checkpoint_entries": EVERY, "segment_bytes": 16384}
    with LocalCluster(tmp_path / "cluster", flags=flags) as running:
        yield running


async def count_up(client: Client, times: int) -> list[int]:
    """Increment a few counters, one after the other, so that every command is a slot of its own."""
    return [await client.increment(f"count {number % KEYS}") for number in range(times)]


def counted(cluster: LocalCluster, times: int) -> None:
    async def work() -> None:
        async with cluster.client() as client:
            await count_up(client, times)

    asyncio.run(work())


def total(cluster: LocalCluster) -> int:
    """What all counters come to, read through the log."""

    async def work() -> int:
        async with cluster.client() as client:
            found = [await client.get(f"count {key}") for key in range(KEYS)]
            return sum(int(value or 0) for value in found)

    return asyncio.run(work())


def events(cluster: LocalCluster, node: str, kind: type) -> list:
    return [at.line for at in read(*cluster.traces) if at.line.node == node and isinstance(at.line, kind)]


def judged(cluster: LocalCluster) -> Result:
    cluster.stop()
    return conform(*cluster.traces)


def restart_all_but(cluster: LocalCluster, late: str) -> None:
    """What they have kept for the late one goes with their processes, so it has to ask."""
    for node in cluster.nodes:
        if node != late:
            cluster.kill(node)
            cluster.restart(node)
    cluster.wait_for_leader()


def test_a_restart_begins_at_the_checkpoint_and_goes_on_with_the_log(forgetful: LocalCluster) -> None:
    forgetful.wait_for_leader()
    counted(forgetful, 4 * EVERY)
    forgetful.wait_until_caught_up()
    for node in "abc":
        forgetful.stop(node)
    kept = {node: len(list((forgetful.folder / node).glob("log-*"))) for node in "abc"}
    for node in "abc":
        forgetful.restart(node)
    forgetful.wait_for_leader()
    assert total(forgetful) == 4 * EVERY
    result = judged(forgetful)
    assert result.verdict == "conforms", str(result.divergence)
    for node in "abc":
        lows = [line.low for line in events(forgetful, node, Start)]
        assert lows[0] == 0
        assert lows[1] >= 2 * EVERY
        assert events(forgetful, node, Truncate)
        assert kept[node] <= 3, "what checkpoints cover is off the disk"


def test_a_node_that_was_down_for_long_gets_the_checkpoint_and_then_the_log(forgetful: LocalCluster) -> None:
    leader = forgetful.wait_for_leader()
    late = next(node for node in "abc" if node != leader)
    forgetful.kill(late)
    counted(forgetful, 5 * EVERY)
    restart_all_but(forgetful, late)
    forgetful.restart(late)
    forgetful.wait_until_caught_up()
    counted(forgetful, 10)
    forgetful.wait_until_caught_up()
    assert total(forgetful) == 5 * EVERY + 10
    result = judged(forgetful)
    assert result.divergence is None, str(result.divergence)
    [line] = events(forgetful, late, Snapshot)
    assert line.slot >= 3 * EVERY


def test_a_node_whose_folder_is_new_gets_everything_though_the_log_is_truncated(tmp_path: Path) -> None:
    """c was never there before; the checkpoint has many pieces."""
    flags = {"checkpoint_entries": 20, "segment_bytes": 1 << 20}
    with LocalCluster(tmp_path / "cluster", flags=flags) as cluster:
        cluster.wait_for_leader()
        absent = next(node for node in "cba" if node != cluster.leader())
        cluster.kill(absent)

        async def fill() -> None:
            async with cluster.client() as client:
                for number in range(100):
                    await client.set(f"key {number}", str(number) * 10_000)

        asyncio.run(fill())
        restart_all_but(cluster, absent)
        cluster.restart(absent)
        cluster.wait_until_caught_up()
        result = judged(cluster)
        assert result.divergence is None, str(result.divergence)
        [line] = events(cluster, absent, Snapshot)
        files = {node: sorted((cluster.folder / node).glob("checkpoint-*")) for node in cluster.nodes}
        twins = {f.name: f.read_bytes() for node in cluster.nodes if node != absent for f in files[node]}
        assert any(twins.get(f.name) == f.read_bytes() for f in files[absent]), "the same at every node"
        assert line.slot >= 60


def test_kills_at_any_moment_lose_nothing_and_the_whole_trace_conforms(forgetful: LocalCluster) -> None:
    """Nodes die by SIGKILL while commands stream and checkpoints are written, sent and installed.

    However few commands the machine finds time for meanwhile, there are enough of them for a checkpoint.
    """
    chance = random.Random(5)
    forgetful.wait_for_leader()
    rounds = 12

    async def stream() -> list[int]:
        done = asyncio.Event()

        async def trouble() -> None:
            for _ in range(rounds):
                await asyncio.sleep(chance.uniform(0.05, 0.6))
                node = chance.choice("abc")
                await asyncio.to_thread(forgetful.kill, node)
                await asyncio.sleep(chance.uniform(0, 0.5))
                await asyncio.to_thread(forgetful.restart, node)
            done.set()

        async def commands(client: Client) -> list[int]:
            sums: list[int] = []
            while not done.is_set() or len(sums) < 2 * EVERY:
                sums.append(await client.increment("count 0"))
            return sums

        async with forgetful.client() as one, forgetful.client() as two:
            task = asyncio.create_task(trouble())
            found = await asyncio.gather(commands(one), commands(two))
            await task
        return [x for sums in found for x in sums]

    sums = asyncio.run(stream())
    assert sorted(sums) == list(range(1, len(sums) + 1)), "an increment was lost, or applied twice"
    forgetful.wait_until_caught_up()
    assert total(forgetful) == len(sums)
    result = judged(forgetful)
    assert result.divergence is None, str(result.divergence)
    assert any(events(forgetful, node, Checkpoint) for node in "abc")


def test_a_checkpoint_that_has_rotted_anywhere_is_damaged_and_nothing_else(tmp_path: Path) -> None:
    machine = KeyValue()
    for number in range(1, 4):
        machine.apply(number, encode(Batch("a.1", number, [[b"SET", b"key %d" % number, b"value"]])))
    write_checkpoint(tmp_path, "c", 3, freeze(machine).parts(), REAL)
    path = checkpoint_path(tmp_path, 3)
    written = path.read_bytes()
    assert load(stored_checkpoint(tmp_path, "c", 3, REAL)).applied == 3
    for at in range(len(written)):
        for flip in (0x01, 0x80, 0xFF):
            path.write_bytes(written[:at] + bytes([written[at] ^ flip]) + written[at + 1 :])
            with pytest.raises(DamagedLog):
                load(stored_checkpoint(tmp_path, "c", 3, REAL))

"""Three real processes, killed in mid-stream: what was acknowledged is there, once, on every node."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import redis

from quorate.impl.client import BlockingClient, Client
from quorate.impl.kv.machine import KeyValue, decode
from quorate.impl.net.cluster import LocalCluster
from quorate.traces import merge

Applied = list[tuple[int, bytes]]
Of = Callable[[list[Path]], dict[str, Applied]]
Replay = Callable[[Applied], KeyValue]

CLIENTS = 4
COMMANDS = 400


async def stream(cluster: LocalCluster, killings: list[Callable[[], None]]) -> tuple[list[int], list[Client]]:
    """Several clients increment one counter and each sets keys of its own; at even distances something is killed.

    Returns the results of the increments, and the clients.
    """
    total = CLIENTS * COMMANDS
    marks = [total * (index + 1) // (len(killings) + 1) for index in range(len(killings))]
    sums: list[int] = []

    async def commands(client: Client) -> None:
        async def one(number: int) -> None:
            await client.set(f"{client.name}/{number}", str(number))
            sums.append(await client.increment("count"))
            if marks and len(sums) >= marks[0]:
                marks.pop(0)
                await asyncio.to_thread(killings.pop(0))

        for start in range(0, COMMANDS, 50):
            await asyncio.gather(*(one(number) for number in range(start, start + 50)))

    clients = [cluster.client() for _ in range(CLIENTS)]
    for client in clients:
        await client.__aenter__()
    try:
        await asyncio.gather(*(commands(client) for client in clients))
    finally:
        for client in clients:
            await client.__aexit__()
    return sums, clients


def check_everything(
    cluster: LocalCluster, sums: list[int], clients: list[Client], applied: Of, replayed: Replay
) -> None:
    """Each acknowledged command took effect exactly once, and all nodes applied the same log."""
    total = CLIENTS * COMMANDS
    assert sorted(sums) == list(range(1, total + 1)), "an increment was lost, or applied twice"
    logs = applied(cluster.traces)
    assert set(logs) == set(cluster.nodes)
    assert len({tuple(log) for log in logs.values()}) == 1, "the nodes applied different logs"
    state = replayed(logs["a"])
    items = state.store.items
    assert items[b"count"][0] == b"%d" % total
    for client in clients:
        for number in range(COMMANDS):
            assert items[f"{client.name}/{number}".encode()][0] == b"%d" % number
    batches = [batch for _, value in logs["a"] if (batch := decode(value)) is not None]
    asked = {tuple(command[1:3]) for batch in batches for command in batch.commands}
    assert len(asked) == CLIENTS + 2 * total, "a session is begun, and then has each command once"


def test_a_leader_killed_in_mid_stream_loses_no_acknowledged_command_and_doubles_none(
    cluster: LocalCluster, applied: Of, replayed: Replay
) -> None:
    first = cluster.wait_for_leader()
    sums, clients = asyncio.run(stream(cluster, [lambda: cluster.kill(first)]))
    second = cluster.wait_for_leader()
    assert second != first
    cluster.restart(first)
    assert cluster.wait_until_caught_up() > 0
    assert cluster.status(first).boot == 2
    cluster.stop()
    check_everything(cluster, sums, clients, applied, replayed)


def test_every_node_can_be_killed_in_turn_while_commands_stream(
    cluster: LocalCluster, applied: Of, replayed: Replay
) -> None:
    """Also the node that has just come back, and also when the one before it has not caught up yet."""
    cluster.wait_for_leader()

    def kill_and_restart(node: str) -> Callable[[], None]:
        def act() -> None:
            cluster.kill(node)
            cluster.restart(node)

        return act

    sums, clients = asyncio.run(stream(cluster, [kill_and_restart(node) for node in "abcab"]))
    cluster.wait_until_caught_up()
    assert [cluster.status(node).boot for node in "abc"] == [3, 3, 2]
    cluster.stop()
    check_everything(cluster, sums, clients, applied, replayed)


def test_a_leader_that_hangs_and_returns_does_no_harm(
    cluster: LocalCluster, applied: Of, replayed: Replay
) -> None:
    """It wakes up believing that it leads, with clients' commands in its hands and another in its place."""
    first = cluster.wait_for_leader()
    resumed = False

    def hang() -> None:
        cluster.pause(first)

    def wait_and_resume() -> None:
        nonlocal resumed
        cluster.resume(first)
        resumed = True

    sums, clients = asyncio.run(stream(cluster, [hang, wait_and_resume]))
    assert resumed
    cluster.wait_until_caught_up()
    cluster.stop()
    check_everything(cluster, sums, clients, applied, replayed)


def test_all_killed_at_once_and_started_again_have_lost_nothing(
    cluster: LocalCluster, applied: Of, replayed: Replay
) -> None:
    cluster.wait_for_leader()
    sums, clients = asyncio.run(stream(cluster, []))
    for node in cluster.nodes:
        cluster.kill(node)
    for node in cluster.nodes:
        cluster.restart(node)
    cluster.wait_for_leader()
    cluster.wait_until_caught_up()
    cluster.stop()
    check_everything(cluster, sums, clients, applied, replayed)


def test_the_traces_of_a_run_with_crashes_are_whole_and_in_causal_order(cluster: LocalCluster) -> None:
    """A line is written before its messages leave, so that a killed process leaves nothing unexplained."""
    first = cluster.wait_for_leader()
    asyncio.run(stream(cluster, [lambda: cluster.kill(first)]))
    cluster.restart(first)
    cluster.wait_until_caught_up()
    cluster.stop()
    merged = merge(*cluster.traces)
    steps = list(merged)
    assert {step.line.node for step in steps} == set(cluster.nodes)
    assert [step.mark for step in steps if step.mark is not None] == []
    ends = Counter(step.line.event for step in steps)
    assert (ends["start"], ends["stop"]) == (4, 3)


def test_a_plain_redis_client_of_a_node_that_lives_notices_only_a_pause(cluster: LocalCluster) -> None:
    """Its node saw each command into the log, under the old leader and under the new one, once."""
    first = cluster.wait_for_leader()
    cluster.wait_until_caught_up()
    alive = next(node for node in cluster.nodes if node != first)
    with redis.Redis(
        host="127.0.0.1", port=cluster.clients[alive].port, socket_timeout=60, retry=None
    ) as client:
        sums = [client.incr("n") for _ in range(50)]
        cluster.kill(first)
        sums += [client.incr("n") for _ in range(50)]
        with client.pipeline(transaction=False) as pipe:
            for _ in range(50):
                pipe.incr("n")
            sums += pipe.execute()
    assert sums == list(range(1, 151))


def test_transactions_and_reads_of_a_session_survive_the_death_of_a_leader(cluster: LocalCluster) -> None:
    first = cluster.wait_for_leader()

    async def story() -> None:
        async with cluster.client() as client:

            async def transfer() -> None:
                """Take one from x and give it to y, and see that their sum stays."""
                for _ in range(25):
                    await client.transact([("DECR", "x"), ("INCR", "y")])
                    found = await client.read("MGET", "x", "y")
                    assert isinstance(found, list)
                    assert sum(map(int, found)) == 1000

            await client.set("x", 1000)
            await client.set("y", 0)
            moving = asyncio.gather(*(transfer() for _ in range(8)))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(cluster.kill, first)
            await moving
            assert await client.get("y") == b"200"

    asyncio.run(story())


def test_the_blocking_client_keeps_its_session_across_leaders(cluster: LocalCluster) -> None:
    first = cluster.wait_for_leader()
    with BlockingClient(cluster.clients, timeout_s=60) as client:
        assert [client.increment("n") for _ in range(20)] == list(range(1, 21))
        cluster.kill(first)
        assert [client.increment("n") for _ in range(20)] == list(range(21, 41))

"""Redis's own clients talk to a cluster as to a Redis, and are told honestly what it does not do."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hiredis
import pytest
import redis

from quorate.impl.client.link import encode_command
from quorate.impl.kv.commands import KEY_BYTES_MAX, VALUE_BYTES_MAX
from quorate.impl.net import clients, commands_in, conversation, resp
from quorate.impl.net import gateway as gateway_module
from quorate.impl.net.clients import ClientConnection
from quorate.impl.net.cluster import LocalCluster
from quorate.impl.net.node import Node
from quorate.impl.settings import Settings

MakeSettings = Callable[..., Settings]
PATIENCE_S = 60
QUICK = {"timing.heartbeat_ms": 5, "timing.election_ms_min": 20, "timing.election_ms_max": 40}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path_factory.mktemp("redis") / "cluster") as running:
        running.wait_for_leader()
        yield running


@pytest.fixture(params=["leader", "follower"])
def server(request: pytest.FixtureRequest, cluster: LocalCluster) -> redis.Redis:
    """A client with its default settings, of the leader or of a follower that forwards; the keys of others are gone."""
    leader = cluster.wait_for_leader()
    node = leader if request.param == "leader" else next(name for name in cluster.nodes if name != leader)
    return redis.Redis(host="127.0.0.1", port=cluster.clients[node].port)


def test_redis_py_reads_and_writes_with_default_settings(server: redis.Redis) -> None:
    server.delete("x", "y", "n")
    assert server.ping()
    assert server.set("x", b"\x00\xff") is True
    assert server.get("x") == b"\x00\xff"
    assert server.set("x", "2", nx=True) is None
    assert server.set("x", "2", xx=True) is True
    assert server.mset({"x": 1, "y": 2}) is True
    assert server.mget("x", "y", "z") == [b"1", b"2", None]
    assert server.exists("x", "y", "z") == 2
    assert server.incr("n", 5) == 5
    assert server.decr("n") == 4
    assert server.delete("x", "y") == 2
    assert server.execute_command("CAS", "x", 0, "1")[0] == 1
    assert server.echo("hello") == b"hello"
    assert "quorate_version" in server.info()
    assert server.config_get("appendonly") == {"appendonly": "yes"} or server.config_get("appendonly")


def test_redis_py_speaks_both_versions_of_the_protocol(cluster: LocalCluster) -> None:
    port = cluster.clients[cluster.wait_for_leader()].port
    for version in (2, 3):
        with redis.Redis(host="127.0.0.1", port=port, protocol=version) as client:
            client.delete("nothing")
            assert client.get("nothing") is None
            assert client.mget("nothing", "nothing") == [None, None]


def test_pipelines_and_transactions_keep_their_order(server: redis.Redis) -> None:
    server.delete("n", "x")
    with server.pipeline(transaction=False) as pipe:
        for _ in range(100):
            pipe.incr("n")
            pipe.get("n")
        assert pipe.execute() == [said for n in range(1, 101) for said in (n, str(n).encode())]
    with server.pipeline(transaction=True) as pipe:
        assert pipe.set("x", 1).incr("x").get("x").execute() == [True, 2, b"2"]


def test_a_read_before_a_write_in_a_pipeline_does_not_see_it(server: redis.Redis) -> None:
    server.set("x", "old")
    with server.pipeline(transaction=False) as pipe:
        for number in range(20):
            pipe.get("x").set("x", number)
        said = pipe.execute()
    assert said[::2] == [b"old", *(str(number).encode() for number in range(19))]


def test_watch_makes_a_transaction_fail_when_somebody_else_wrote(server: redis.Redis) -> None:
    server.set("x", 1)
    with server.pipeline() as pipe:
        pipe.watch("x")
        server.set("x", 2)
        pipe.multi()
        pipe.set("x", 3)
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert server.get("x") == b"2"
    with server.pipeline() as pipe:
        pipe.watch("x")
        pipe.multi()
        pipe.set("x", 3)
        assert pipe.execute() == [True]
    assert server.transaction(lambda pipe: pipe.multi() or pipe.incr("x"), "x") == [4]


def test_a_pool_of_connections_counts_together(server: redis.Redis) -> None:
    from concurrent.futures import ThreadPoolExecutor

    server.delete("n")
    with ThreadPoolExecutor(16) as pool:
        sums = list(pool.map(lambda _: server.incr("n"), range(200)))
    assert sorted(sums) == list(range(1, 201))


def test_a_transaction_that_was_spoilt_does_nothing(server: redis.Redis) -> None:
    server.delete("x")
    client = server.client()
    client.execute_command("MULTI")
    client.execute_command("SET", "x", 1)
    with pytest.raises(redis.ResponseError, match="unknown command 'LPUSH'"):
        client.execute_command("LPUSH", "x", 1)
    with pytest.raises(redis.exceptions.ExecAbortError):
        client.execute_command("EXEC")
    client.execute_command("MULTI")
    client.execute_command("SET", "x", 1)
    client.execute_command("DISCARD")
    with pytest.raises(redis.ResponseError, match="without MULTI"):
        client.execute_command("EXEC")
    assert server.get("x") is None
    client.close()


def test_a_transaction_is_no_larger_than_a_command_may_be(server: redis.Redis) -> None:
    """It is one in the log, which has to take it."""
    server.delete("x")
    client = server.client()
    client.execute_command("MULTI")
    for _ in range(7):
        client.execute_command("SET", "x", "v" * (1 << 20))
    with pytest.raises(redis.ResponseError, match="a transaction has at most 8388608 bytes"):
        client.execute_command("SET", "x", "v" * (1 << 20))
    with pytest.raises(redis.exceptions.ExecAbortError):
        client.execute_command("EXEC")
    assert server.get("x") is None
    client.close()


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (("LPUSH", "x", "1"), "unknown command 'LPUSH'"),
        (("EXPIRE", "x", "1"), "unknown command 'EXPIRE'"),
        (("SET", "x", "1", "EX", "10"), "syntax error"),
        (("GET",), "wrong number of arguments for 'get'"),
        (("SELECT", "1"), "out of range"),
        (("CONFIG", "SET", "save", ""), "only CONFIG GET"),
        (("SET", "x" * (KEY_BYTES_MAX + 1), "1"), f"more than {KEY_BYTES_MAX} bytes"),
        (("SET", "x", "1" * (VALUE_BYTES_MAX + 1)), f"more than {VALUE_BYTES_MAX} bytes"),
        (("STALE", "SET", "x", "1"), "STALE stands before a command that reads"),
        (("AUTH", "secret"), "without any password"),
        (("HELLO", "4"), "unsupported protocol"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_the_connection_goes_on(
    server: redis.Redis, command: tuple[str, ...], complaint: str
) -> None:
    client = server.client()
    with pytest.raises(redis.RedisError, match=complaint):
        client.execute_command(*command)
    assert client.ping()
    client.close()


def test_values_of_a_mebibyte_and_keys_of_four_kibibytes_pass(server: redis.Redis) -> None:
    key, value = b"k" * KEY_BYTES_MAX, b"v" * VALUE_BYTES_MAX
    assert server.set(key, value)
    assert server.get(key) == value
    assert server.delete(key) == 1


def test_a_stale_read_is_answered_by_the_node_itself(cluster: LocalCluster) -> None:
    leader = cluster.wait_for_leader()
    for name, address in cluster.clients.items():
        with redis.Redis(host="127.0.0.1", port=address.port) as client:
            client.set("x", name)
            assert client.execute_command("STALE", "GET", "x") == name.encode(), "its own write it has seen"
            assert client.execute_command("LEADER")[0] == leader.encode()
            assert json.loads(client.execute_command("STATUS"))["node"] == name


@pytest.mark.skipif(shutil.which("redis-benchmark") is None, reason="redis-tools is not installed")
@pytest.mark.parametrize("pipelined", ["1", "16"])
def test_redis_benchmark_runs_clean(cluster: LocalCluster, pipelined: str) -> None:
    port = str(cluster.clients[cluster.wait_for_leader()].port)
    command = [
        "redis-benchmark",
        "-p",
        port,
        "-t",
        "set,get",
        "-n",
        "2000",
        "-c",
        "50",
        "-P",
        pipelined,
        "--csv",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert '"SET"' in done.stdout
    assert '"GET"' in done.stdout
    assert "rror" not in done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="redis-tools is not installed")
def test_redis_cli_is_answered(cluster: LocalCluster) -> None:
    port = str(cluster.clients[cluster.wait_for_leader()].port)

    def said(*command: str) -> str:
        done = subprocess.run(
            ["redis-cli", "-p", port, *command],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        return done.stdout.strip()

    assert said("SET", "x", "1") == "OK"
    assert said("INCR", "x") == "2"
    assert said("-3", "GET", "x") == "2"
    assert "role:master" in said("INFO")
    assert "unknown command" in said("KEYS", "*")


@pytest.mark.skipif(shutil.which("redis-benchmark") is None, reason="redis-tools is not installed")
def test_redis_benchmark_says_a_command_as_a_line(cluster: LocalCluster) -> None:
    port = str(cluster.clients[cluster.wait_for_leader()].port)
    command = ["redis-benchmark", "-p", port, "-t", "ping", "-n", "200", "-c", "4", "--csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert '"PING_INLINE"' in done.stdout
    assert "rror" not in done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="redis-tools is not installed")
def test_redis_cli_inserts_many_through_a_pipe(cluster: LocalCluster) -> None:
    """It sends an empty line before its last command."""
    port = str(cluster.clients[cluster.wait_for_leader()].port)
    stream = b"".join(encode_command(("SET", "x", number)) for number in range(1000))
    done = subprocess.run(
        ["redis-cli", "-p", port, "--pipe"], input=stream, capture_output=True, timeout=PATIENCE_S, check=True
    )
    assert b"errors: 0, replies: 1000" in done.stdout


# One node in this process ----------------------------------------------------------------


class Wire:
    """A connection made by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._replies = hiredis.Reader()

    @classmethod
    async def dial(cls, settings: Settings) -> Wire:
        return cls(*await asyncio.open_connection(settings.client.host, settings.client.port))

    def say(self, *parts: str | bytes | int) -> None:
        self.writer.write(encode_command(parts))

    async def hear(self) -> Any:
        while (reply := self._replies.gets()) is False:
            data = await self.reader.read(65536)
            if not data:
                raise ConnectionError("it closed the connection")
            self._replies.feed(data)
        return reply

    async def ask(self, *parts: str | bytes | int) -> Any:
        self.say(*parts)
        return await self.hear()


def with_node(settings: Settings, story: Callable[[Node], Coroutine[Any, Any, None]]) -> None:
    async def told() -> None:
        async with asyncio.timeout(PATIENCE_S), Node(settings) as node:
            await story(node)
            assert not node.driver.ended.done()

    asyncio.run(told())


def test_a_command_may_come_in_any_pieces(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK)

    async def story(node: Node) -> None:
        wire = await Wire.dial(mine)
        for byte in encode_command(("SET", "x", "1")) + encode_command(("GET", "x")):
            wire.writer.write(bytes((byte,)))
            await wire.writer.drain()
        assert [await wire.hear(), await wire.hear()] == [b"OK", b"1"]

    with_node(mine, story)


def test_a_node_that_is_full_says_so_and_loses_nothing(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of three nodes are not there, so whatever is taken waits."""
    monkeypatch.setattr(gateway_module, "COMMANDS_MAX", 10)
    mine = settings("abc", **QUICK, **{"clients.patience_ms": 500})

    async def story(node: Node) -> None:
        patient, late = await Wire.dial(mine), await Wire.dial(mine)
        for _ in range(30):
            patient.say("INCR", "n")
        while node.status().waiting < 10:
            await asyncio.sleep(0.005)
        assert str(await late.ask("INCR", "n")).startswith("BUSY")
        assert node.status().waiting == 10
        assert str(await patient.hear()).startswith("NOLEADER")

    with_node(mine, story)


@pytest.mark.parametrize(
    ("code", "flags", "commands_max"),
    [
        ("BUSY", {"clients.patience_ms": 60000}, 0),
        ("NOLEADER", {"clients.patience_ms": 100}, 10),
        ("CLUSTERDOWN", {"clients.redirect": True}, 10),
    ],
)
def test_behind_a_command_of_a_session_that_is_refused_nothing_is_taken(
    settings: MakeSettings,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    flags: dict[str, Any],
    commands_max: int,
) -> None:
    """It would be applied before the one that was refused, which is asked again. Two of three nodes are not there."""
    monkeypatch.setattr(gateway_module, "COMMANDS_MAX", commands_max)
    mine = settings("abc", **QUICK, **flags)

    async def story(node: Node) -> None:
        wire = await Wire.dial(mine)
        for number in (1, 2):
            wire.say("SESSION", "s", number, 1, "INCR", "n")
        said = []
        with pytest.raises(ConnectionError):
            while True:
                said.append(str(await wire.hear()))
                wire.say("SESSION", "s", 3, 1, "INCR", "n")
        assert all(one.startswith(code) for one in said)
        assert node.status().waiting == 0

    with_node(mine, story)


def test_commands_without_a_quorum_are_told_in_time_that_nothing_was_done(settings: MakeSettings) -> None:
    mine = settings("abc", **QUICK, **{"clients.patience_ms": 100})

    async def story(node: Node) -> None:
        wire = await Wire.dial(mine)
        for command in (("INCR", "n"), ("GET", "n")):
            assert str(await wire.ask(*command)).startswith("NOLEADER")

    with_node(mine, story)


def test_more_clients_than_allowed_are_told_and_refused(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK, **{"clients.max": 2})

    async def story(node: Node) -> None:
        first, second = await Wire.dial(mine), await Wire.dial(mine)
        assert await first.ask("PING") == await second.ask("PING") == b"PONG"
        third = await Wire.dial(mine)
        assert "max number of clients" in str(await third.hear())
        assert await third.reader.read() == b""
        first.writer.close()
        while node.status().connections > 1:
            await asyncio.sleep(0.005)
        assert await (await Wire.dial(mine)).ask("PING") == b"PONG"

    with_node(mine, story)


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00" * 100,
        b"*-5\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n*1\r\n$4\r\nPING\r\n",
        b"*99999999\r\n",
        b"*1\r\n*99999999\r\n",
        b"*1\r\n$4\r\nPING\r\n*99999999\r\n",
        b"$4\r\nPING\r\n",
    ],
)
def test_noise_costs_its_connection_and_nothing_else(settings: MakeSettings, noise: bytes) -> None:
    mine = settings("a", **QUICK)

    async def story(node: Node) -> None:
        wire = await Wire.dial(mine)
        wire.writer.write(noise)
        said = b""
        while data := await wire.reader.read(65536):
            said += data
        assert b"-ERR Protocol error" in said
        assert await (await Wire.dial(mine)).ask("PING") == b"PONG"

    with_node(mine, story)


def test_what_cannot_be_understood_is_answered_behind_what_came_before(settings: MakeSettings) -> None:
    """A client takes the first answer for that to its first command."""
    mine = settings("ab", **QUICK, **{"clients.patience_ms": 300})  # b is not there: nobody leads

    async def story(node: Node) -> None:
        wire = await Wire.dial(mine)
        wire.say("INCR", "n")
        await wire.writer.drain()
        while not node.status().waiting:
            await asyncio.sleep(0.005)
        wire.writer.write(b"*99999999\r\n" + encode_command(("INCR", "n")))
        said = (await wire.reader.read()).split(b"\r\n")
        assert [line[:8] for line in said] == [b"-NOLEADE", b"-ERR Pro", b""]

    with_node(mine, story)


def test_what_came_before_an_error_in_the_same_packet_is_done_and_answered(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK)

    async def story(_: Node) -> None:
        wire = await Wire.dial(mine)
        wire.writer.write(b"".join(encode_command(("INCR", "n")) for _ in range(3)) + b"*99999999\r\n")
        said = (await wire.reader.read()).split(b"\r\n")
        assert [line[:8] for line in said] == [b":1", b":2", b":3", b"-ERR Pro", b""]

    with_node(mine, story)


def test_what_stands_behind_quit_is_not_done(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK)

    async def story(_: Node) -> None:
        wire = await Wire.dial(mine)
        wire.writer.write(b"".join(map(encode_command, (("SET", "x", 1), ("QUIT",), ("SET", "x", 2)))))
        assert await wire.reader.read() == b"+OK\r\n+OK\r\n"
        assert await (await Wire.dial(mine)).ask("GET", "x") == b"1"

    with_node(mine, story)


def test_a_command_that_never_ends_is_cut_off(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands_in, "COMMAND_BYTES_MAX", 1 << 16)
    monkeypatch.setattr(commands_in, "WALK_BYTES", 1 << 12)
    mine = settings("a", **QUICK)

    async def story(node: Node) -> None:
        wire = await Wire.dial(mine)
        wire.writer.write(b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1000000\r\n" + bytes(1 << 19))
        with suppress(ConnectionResetError):  # it did not read all of it
            assert b"-ERR Protocol error" in await wire.reader.read()

    with_node(mine, story)


def test_a_client_that_hangs_up_with_commands_in_flight_leaves_nothing_behind(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK)

    async def story(node: Node) -> None:
        wire = await Wire.dial(mine)
        for _ in range(100):
            wire.say("INCR", "n")
        await wire.writer.drain()
        wire.writer.transport.abort()
        other = await Wire.dial(mine)
        while int(await other.ask("GET", "n") or 0) < 100 and node.status().waiting:
            await asyncio.sleep(0.005)
        assert node.status().connections == 1

    with_node(mine, story)


def test_followers_send_clients_to_the_leader_if_they_are_told_to(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster", flags={"clients.redirect": True}) as cluster:
        leader = cluster.wait_for_leader()
        follower = next(name for name in cluster.nodes if name != leader)
        with redis.Redis(host="127.0.0.1", port=cluster.clients[follower].port) as client:
            with pytest.raises(redis.ResponseError, match=f"0 {cluster.clients[leader]}"):
                client.set("x", 1)
            assert client.execute_command("STALE", "GET", "x") is None
        with redis.Redis(host="127.0.0.1", port=cluster.clients[leader].port) as client:
            assert client.set("x", 1)


# Not too much of one client --------------------------------------------------------------


def the_connection(node: Node) -> ClientConnection:
    [one] = node._clients
    return one


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0.005)


def test_a_client_whose_commands_must_wait_is_not_read_beyond_so_many_bytes(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of three nodes are not there, so whatever is taken waits."""
    monkeypatch.setattr(gateway_module, "COMMANDS_MAX", 1)
    monkeypatch.setattr(clients, "QUEUE_BYTES_MAX", 1 << 16)
    mine = settings("abc", **QUICK, **{"clients.patience_ms": 600_000})

    async def story(node: Node) -> None:
        wire = await Wire.dial(mine)
        for _ in range(200):
            wire.say("SET", "x", bytes(1 << 15))
        connection = the_connection(node)
        await until(lambda: connection._paused)
        assert connection._queued_bytes < 2 << 20
        wire.writer.transport.abort()

    with_node(mine, story)


def test_a_client_that_does_not_take_its_answers_has_no_more_found_for_it(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "READS_MAX", 4)
    mine = settings("a", **QUICK)

    async def story(node: Node) -> None:
        wire = await Wire.dial(mine)
        value = bytes(1 << 16)
        assert await wire.ask("SET", "k", value) == b"OK"
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        wire.say("SET", "x", "1")
        for _ in range(1000):
            wire.say("GET", "k")
        connection = the_connection(node)
        await until(lambda: connection._congested and not (connection._writing or connection._reading))
        assert connection._stream is not None
        assert connection._stream.get_write_buffer_size() < 1 << 20  # type: ignore[attr-defined]
        assert len(connection._queue) > 100
        wire.reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert await wire.hear() == b"OK"
        assert {await wire.hear() for _ in range(1000)} == {value}

    with_node(mine, story)


def test_a_read_of_many_keys_counts_as_many_reads(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "READS_MAX", 10)
    mine = settings("abc", **QUICK, **{"clients.patience_ms": 300})  # nobody leads

    async def story(node: Node) -> None:
        wire = await Wire.dial(mine)
        for _ in range(9):
            wire.say("MGET", *"abcd")
        await until(lambda: bool(node._clients and the_connection(node)._queue))
        assert the_connection(node)._reading <= 2
        assert all([str(await wire.hear()).startswith("NOLEADER") for _ in range(9)])

    with_node(mine, story)


def test_an_answer_that_is_too_large_is_refused_before_it_is_built(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resp, "ANSWER_BYTES_MAX", 10_000)
    mine = settings("a", **QUICK)

    async def story(_: Node) -> None:
        wire = await Wire.dial(mine)
        await wire.ask("SET", "k", bytes(6000))
        assert await wire.ask("MGET", "k") == [bytes(6000)]
        for command in (("MGET", "k", "k"), ("STALE", "MGET", "k", "k")):
            assert str(await wire.ask(*command)) == "ERR the answer would have more than 10000 bytes"
        for command in (("MULTI",), ("MGET", "k", "k"), ("SET", "x", "1")):
            await wire.ask(*command)
        assert str(await wire.ask("EXEC")).startswith("NOTKEPT the command was applied")
        assert await wire.ask("GET", "x") == b"1"

    with_node(mine, story)


def test_only_so_many_keys_are_watched_at_once(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "WATCHED_MAX", 3)
    monkeypatch.setattr(conversation, "WATCHED_BYTES_MAX", 100)
    mine = settings("a", **QUICK)

    async def story(_: Node) -> None:
        wire = await Wire.dial(mine)
        assert await wire.ask("WATCH", "a", "b") == b"OK"
        assert await wire.ask("WATCH", "b", "c") == b"OK"
        assert "at most 3 keys" in str(await wire.ask("WATCH", "d"))
        assert await wire.ask("UNWATCH") == b"OK"
        assert "of 100 bytes" in str(await wire.ask("WATCH", "k" * 101))

    with_node(mine, story)


def test_a_client_that_vanishes_without_a_word_is_noticed(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK)

    async def story(node: Node) -> None:
        wire = await Wire.dial(mine)
        assert await wire.ask("PING") == b"PONG"
        stream = the_connection(node)._stream
        assert stream is not None
        theirs = stream.get_extra_info("socket")
        assert theirs.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
            assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 120_000

    with_node(mine, story)


def test_a_command_that_the_node_does_not_read_on_is_not_late(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK)

    async def story(node: Node) -> None:
        wire = await Wire.dial(mine)
        value = bytes(1 << 18)
        assert await wire.ask("SET", "k", value) == b"OK"
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        get = encode_command(("GET", "k"))
        wire.writer.write(get * 200 + get[:-5])
        connection = the_connection(node)
        await until(lambda: connection._congested and connection._reader.is_partial)
        assert not any(connection.is_idle_too_long() for _ in range(3))
        wire.reader._transport.resume_reading()  # type: ignore[attr-defined]
        wire.writer.write(get[-5:])
        assert {await wire.hear() for _ in range(201)} == {value}

    with_node(mine, story)


@pytest.mark.parametrize("nodes", ["a", "ab"], ids=["done", "given up"])
def test_a_client_that_says_no_more_gets_its_answers(settings: MakeSettings, nodes: str) -> None:
    """Of two nodes one is not there, so nobody leads."""
    mine = settings(nodes, **QUICK, **{"clients.patience_ms": 300})

    async def story(node: Node) -> None:
        wire = await Wire.dial(mine)
        for command in (("INCR", "n"), ("GET", "n"), ("PING",)):
            wire.say(*command)
        wire.writer.write_eof()
        said = (await wire.reader.read()).split(b"\r\n")
        if nodes == "a":
            assert said == [b":1", b"$1", b"1", b"+PONG", b""]
        else:
            assert [line[:9] for line in said] == [b"-NOLEADER", b"-NOLEADER", b"+PONG", b""]
        await until(lambda: not node._clients)

    with_node(mine, story)

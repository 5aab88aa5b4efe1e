"""A backup holds what was answered before it was taken; a new cluster begins with it, and nobody else can join that."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from quorate.cli.main import Exit, run
from quorate.impl.backup import Backup, BadBackup, about, encoded, write
from quorate.impl.client import Client
from quorate.impl.kv.image import freeze, thaw
from quorate.impl.kv.machine import Batch, KeyValue, encode
from quorate.impl.net.backups import Backups
from quorate.impl.net.cluster import LocalCluster, free_ports
from quorate.impl.net.node import Node
from quorate.impl.restore import CannotRestore, last_checkpoint, restore
from quorate.impl.settings import Settings
from quorate.impl.storage import DurableLog, FolderInUse, Identity
from quorate.refinement.conformance import conform

PATIENCE_S = 60
QUICK = {"timing.heartbeat_ms": 5, "timing.election_ms_min": 20, "timing.election_ms_max": 40}


def said(node: str, cluster: LocalCluster, *parts: str) -> object:
    """What a node answers a plain client."""
    address = cluster.clients[node]
    with redis.Redis(host=address.host, port=address.port, socket_timeout=PATIENCE_S) as client:
        return client.execute_command(*parts)


def small(tmp_path: Path, name: str = "small.backup") -> Path:
    """A backup of a machine with a key and a session."""
    machine = KeyValue()
    command = [b"SESSION", b"me", b"1", b"1", b"SET", b"x", b"green"]
    machine.apply(1, encode(Batch("a.1", 1, [command])))
    write(tmp_path / name, encoded(about("orchard", "a", 1, current=True), freeze(machine).parts()))
    return tmp_path / name


# The file ------------------------------------------------------------------------------------


def test_a_backup_says_whose_it_is_and_comes_back_as_it_was(tmp_path: Path) -> None:
    backup = Backup.open(small(tmp_path))
    assert (backup.about.cluster, backup.about.node, backup.about.slot) == ("orchard", "a", 1)
    assert backup.about.current
    assert (backup.begins.applied, backup.begins.keys, backup.begins.sessions) == (1, 1, 1)
    machine = KeyValue()
    thaw(backup.image(), machine)
    assert machine.read([b"GET", b"x"]) == b"green"


def test_a_backup_that_breaks_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = small(tmp_path).read_bytes()
    file = tmp_path / "part.backup"
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        with pytest.raises(BadBackup, match=r"part\.backup"):
            Backup.open(file).verify()


def test_a_backup_in_which_any_byte_is_another_is_refused(tmp_path: Path) -> None:
    whole = small(tmp_path).read_bytes()
    file = tmp_path / "spoilt.backup"
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BadBackup):
            Backup.open(file).verify()


def test_what_follows_a_backup_is_refused(tmp_path: Path) -> None:
    file = small(tmp_path)
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(BadBackup):
        Backup.open(file).verify()


def test_a_stream_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    whole = small(tmp_path).read_bytes()
    for stream in ([whole[:-1]], [whole[:40]], [], [b"<html>"]):
        with pytest.raises(BadBackup):
            write(tmp_path / "new.backup", stream)
        assert [path.name for path in tmp_path.iterdir()] == ["small.backup"]


def test_a_file_that_is_called_as_a_backup_under_way_might_be_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "new.backup.tmp"
    mine.write_text("mine")
    write(tmp_path / "new.backup", [small(tmp_path).read_bytes()])
    assert mine.read_text() == "mine"


def test_a_backup_overwrites_nothing(tmp_path: Path) -> None:
    file = small(tmp_path)
    before = file.read_bytes()
    with pytest.raises(BadBackup, match="is there already"):
        write(file, [before])
    assert file.read_bytes() == before


# What restoring makes ------------------------------------------------------------------------


def test_every_folder_has_the_image_and_is_a_new_clusters(tmp_path: Path) -> None:
    origin = restore(Backup.open(small(tmp_path)), "orchard-2", tmp_path / "into", ["a", "b"])
    assert sorted(path.name for path in (tmp_path / "into").iterdir()) == ["a", "b"]
    for node in "ab":
        log, opened = DurableLog.open(tmp_path / "into" / node, Identity("orchard-2", node))
        log.close()
        assert opened.boot == 1
        assert opened.state.low == 0
        assert opened.checkpoint is not None
        machine = KeyValue()
        thaw(opened.checkpoint.content(), machine)
        assert (machine.applied, machine.origin, machine.gateways) == (0, origin, {})
        assert machine.read([b"GET", b"x"]) == b"green"
        assert b"me" in machine.sessions


def test_no_two_restores_have_the_same_origin(tmp_path: Path) -> None:
    backup = Backup.open(small(tmp_path))
    origins = {restore(backup, "orchard", tmp_path / str(number), ["a"]) for number in range(5)}
    assert len(origins) == 5


def test_a_folder_that_is_there_is_left_alone_and_none_is_made(tmp_path: Path) -> None:
    backup, into = Backup.open(small(tmp_path)), tmp_path / "into"
    (into / "b").mkdir(parents=True)
    with pytest.raises(CannotRestore, match="b: is there already"):
        restore(backup, "orchard-2", into, ["a", "b"])
    assert [path.name for path in into.rglob("*")] == ["b"]


def test_a_damaged_backup_leaves_no_folder(tmp_path: Path) -> None:
    file = small(tmp_path)
    backup = Backup.open(file)
    data = bytearray(file.read_bytes())
    data[-60] ^= 1
    file.write_bytes(data)
    with pytest.raises(BadBackup, match="damaged"):
        restore(backup, "orchard-2", tmp_path / "into", ["a", "b"])
    assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.parametrize(
    ("cluster", "nodes", "word"),
    [
        ("orchard 2", ["a"], "orchard 2"),
        ("", ["a"], "is no name"),
        ("x" * 9999, ["a"], "xxx[.]{3}xxx"),
        ("orchard", ["a", "../b"], "../b"),
        ("orchard", ["a", "a"], "twice"),
        ("orchard", ["."], "is there already"),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path: Path, cluster: str, nodes: list[str], word: str) -> None:
    with pytest.raises(CannotRestore, match=word):
        restore(Backup.open(small(tmp_path)), cluster, tmp_path, nodes)


# The stopped node ----------------------------------------------------------------------------


def test_a_folder_without_a_checkpoint_gives_no_backup(tmp_path: Path) -> None:
    log, _ = DurableLog.open(tmp_path / "a", Identity("orchard", "a"))
    with pytest.raises(FolderInUse):
        last_checkpoint(tmp_path / "a")
    log.close()
    with pytest.raises(BadBackup, match="no checkpoint"):
        last_checkpoint(tmp_path / "a")
    with pytest.raises(BadBackup, match="no data folder"):
        last_checkpoint(tmp_path)


def test_a_stopped_nodes_folder_gives_its_last_checkpoint_and_is_as_it_was(tmp_path: Path) -> None:
    restore(Backup.open(small(tmp_path)), "orchard-2", tmp_path, ["a"])
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert run(["backup", str(tmp_path / "a"), str(tmp_path / "of-folder.backup")]) == Exit.HOLDS
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == before
    backup = Backup.open(tmp_path / "of-folder.backup")
    assert (backup.about.cluster, backup.begins.keys, backup.about.current) == ("orchard-2", 1, False)
    log, _ = DurableLog.open(tmp_path / "a", Identity("orchard-2", "a"))  # nobody holds it any more
    log.close()


# The running node ----------------------------------------------------------------------------


def test_a_node_without_a_leader_gives_a_backup_only_if_asked_for_what_it_knows(
    settings: Callable[..., Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = f"127.0.0.1:{free_ports(1)[0]}"
    mine = settings("abc", **QUICK, admin=admin, **{"clients.patience_ms": 50})

    async def story() -> None:
        async with asyncio.timeout(PATIENCE_S), Node(mine):
            file = str(tmp_path / "x.backup")
            assert await asyncio.to_thread(run, ["backup", admin, file]) == Exit.BAD_INPUT
            assert "no leader could be reached" in capsys.readouterr().err
            assert not (tmp_path / "x.backup").exists()
            assert await asyncio.to_thread(run, ["backup", admin, file, "--stale"]) == Exit.HOLDS
            assert "as far as that node knew" in capsys.readouterr().out

    asyncio.run(story())


def test_a_second_backup_at_once_is_told_to_wait_and_one_that_nobody_reads_is_given_up(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.impl.net.admin.STALLED_S_MAX", 0.2)
    port = free_ports(1)[0]
    mine = settings("a", **QUICK, admin=f"127.0.0.1:{port}")

    async def story() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            Node(mine),
            Client({"a": mine.client}, timeout_s=PATIENCE_S) as client,
        ):
            for number in range(30):
                await client.set(f"key {number}", "v" * (1 << 20))
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(b"GET /backup HTTP/1.1\r\nhost: here\r\n\r\n")
            assert await reader.readline() == b"HTTP/1.1 200 \r\n"
            found = b""
            while b" 200 " not in found:
                second, asking = await asyncio.open_connection("127.0.0.1", port)
                asking.write(b"GET /backup HTTP/1.1\r\nhost: here\r\n\r\n")
                found = await second.readline()
                assert b" 200 " in found or b" 409 " in found
                asking.close()
            writer.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["backup", "nowhere", "x.backup"], "nowhere"),
        (["backup", "127.0.0.1:{port}", "x.backup"], "127.0.0.1:{port}"),
        (["backup", ".", "x.backup", "--stale"], "--stale"),
        (["backup", "127.0.0.1:{port}", "other/x.backup"], "there is no folder other"),
        (["backup", "127.0.0.1:{port}", ""], "is a folder; name a file"),
        (["backup", "127.0.0.1:{port}", "9" * 5000], "cannot be written: File name too long"),
        (["backup", "..:1", "x.backup"], "has no possible host"),
        (["restore", "no.backup", "--check"], "no.backup"),
        (["restore", "small.backup", "--check", "--cluster", "x"], "--cluster: is for making folders"),
        (["restore", "small.backup", "--check", "--into", "x"], "--into: is for making folders"),
        (["restore", "small.backup", "--check", "a"], "NODE...: is for making folders"),
        (["restore", "small.backup", "--cluster", "x", "--into", "other/x", "a"], "is no folder"),
        (["restore", "small.backup"], "--cluster"),
        (["restore", "small.backup", "--cluster", "x"], "nodes"),
        (["restore", "other", "--check"], "is no backup"),
        (["restore", "small.backup", "--cluster", "x", "--into", "other", "a"], "other"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    word: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    small(tmp_path)
    (tmp_path / "other").write_text("something else\n")
    port = free_ports(1)[0]
    assert run([part.format(port=port) for part in arguments]) == Exit.BAD_INPUT
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1
    assert word.format(port=port) in err
    assert not (tmp_path / "x.backup").exists()


@pytest.mark.parametrize("port", ["client", "peer"])
def test_a_port_that_gives_no_backups_is_told_from_the_one_that_is_wanted(
    settings: Callable[..., Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str], port: str
) -> None:
    mine = settings("a", **QUICK)
    address = mine.client if port == "client" else mine.peer

    async def story() -> int:
        async with Node(mine):
            return await asyncio.to_thread(run, ["backup", str(address), str(tmp_path / "x.backup")])

    assert asyncio.run(story()) == Exit.BAD_INPUT
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith(f"quorate: {address}: ")
    assert "name the node's admin address" in err
    assert not (tmp_path / "x.backup").exists()


# All of it -----------------------------------------------------------------------------------


def test_a_backup_has_all_that_was_answered_before_whichever_node_is_asked(tmp_path: Path) -> None:
    """A writer counts as fast as it can while backups are taken of all nodes in turn."""
    ports = dict(zip("abc", free_ports(3), strict=True))
    with LocalCluster(tmp_path / "cluster", admin=ports) as cluster:
        cluster.wait_for_leader()
        chance = random.Random(1)

        async def story() -> None:
            acknowledged, over = 0, False

            async def count(client: Client) -> None:
                nonlocal acknowledged
                while not over:
                    acknowledged = await client.increment("n")

            async with cluster.client() as client:
                counting = asyncio.create_task(count(client))
                for number in range(9):
                    await asyncio.sleep(chance.uniform(0, 0.05))
                    file, node = tmp_path / f"{number}.backup", "abc"[number % 3]
                    before = acknowledged
                    arguments = ["backup", f"127.0.0.1:{ports[node]}", str(file)]
                    assert await asyncio.to_thread(run, arguments) == Exit.HOLDS
                    after = acknowledged + 1
                    machine = KeyValue()
                    thaw(Backup.open(file).image(), machine)
                    seen = machine.read([b"GET", b"n"])
                    assert before <= int(seen or 0) <= after  # type: ignore[arg-type]
                over = True
                await counting

        asyncio.run(story())


def test_a_cluster_goes_on_from_a_backup_as_a_new_one(tmp_path: Path) -> None:
    """Sessions survive, what came after the backup does not; restarts and checkpoints work, and the trace conforms."""
    ports = dict(zip("abc", free_ports(3), strict=True))
    file = tmp_path / "orchard.backup"
    once = ("SESSION", "me", "7", "1", "INCR", "n")
    with LocalCluster(tmp_path / "old", cluster="orchard", admin=ports) as old:
        leader = old.wait_for_leader()
        assert said("a", old, *once) == 1
        assert said("a", old, "PUT", "x", "green") == 2
        other = next(node for node in "abc" if node != leader)
        assert run(["backup", f"127.0.0.1:{ports[other]}", str(file)]) == Exit.HOLDS
        assert said("a", old, "PUT", "x", "red") == 3
        old.stop()
    into = tmp_path / "new"
    arguments = ["restore", str(file), "--cluster", "orchard-2", "--into", str(into), *"abcde"]
    assert run(arguments) == Exit.HOLDS
    flags = {"checkpoint_entries": 20, "segment_bytes": 8192}
    with LocalCluster(into, "abcde", cluster="orchard-2", flags=flags) as new:
        new.wait_for_leader()
        assert said("a", new, *once) == 1, "it was applied before the backup, and is not again"
        assert said("b", new, "GETVERSION", "x") == [b"green", 2]
        assert said("c", new, "INCR", "n") == 2
        new.wait_until_caught_up()
        for node in "abcde":
            new.kill(node)
            new.restart(node)
        new.wait_for_leader()
        for _ in range(60):
            said("d", new, "INCR", "n")
        new.wait_until_caught_up()
        assert any((into / "a").glob("checkpoint-*[1-9]*")), "a checkpoint of its own"
        for node in "abcde":
            new.kill(node)
            new.restart(node)
        new.wait_for_leader()
        assert said("e", new, *once) == 1
        assert said("e", new, "GET", "n") == b"62"
        origins = {new.status(node).origin for node in "abcde"}
        assert len(origins) == 1
        assert origins.pop().startswith("orchard-")
        new.wait_until_caught_up()
        new.stop()
        result = conform(*new.traces)
        assert result.divergence is None, str(result.divergence)


def test_neither_an_empty_folder_nor_one_of_another_restore_is_let_in(tmp_path: Path) -> None:
    backup, into = Backup.open(small(tmp_path)), tmp_path / "into"
    restore(backup, "orchard", into, "abc")
    restore(backup, "orchard", tmp_path / "again", "d")
    (tmp_path / "again" / "d").rename(into / "d")
    with LocalCluster(into, "abcde", cluster="orchard") as cluster:  # e has an empty folder
        cluster.wait_for_leader()
        for stranger in "de":
            while "began with" not in (into / f"{stranger}.log").read_text():
                assert stranger in cluster.running()
                time.sleep(0.02)
        assert said("a", cluster, "PUT", "x", "red") == 2
        for stranger in "de":
            seen = cluster.status(stranger)
            assert (seen.leader, seen.applied) == (None, 0)
        cluster.stop()
        assert conform(*cluster.traces).verdict == "conforms"


def test_a_backup_is_taken_at_the_moment_at_which_the_read_would_be_answered() -> None:
    """And not when it was asked for: what is applied meanwhile is in it."""

    class Slow:
        def __init__(self) -> None:
            self.askers: list = []

        def read(self, asker: object, _: object) -> None:
            self.askers.append(asker)

    async def story() -> None:
        machine, gateway = KeyValue(), Slow()
        turns: list[None] = []
        backups = Backups("orchard", "a", gateway, machine, lambda: turns.append(None))  # type: ignore[arg-type]
        taking = asyncio.create_task(backups.take(stale=False))
        await asyncio.sleep(0)
        assert turns, "somebody must see to it"
        machine.apply(1, encode(Batch("a.1", 1, [[b"SET", b"x", b"1"]])))
        (asker,) = gateway.askers
        asker.answer(0)
        machine.apply(2, encode(Batch("a.1", 2, [[b"SET", b"x", b"2"]])))
        pieces = list(await taking)
        assert b'"slot":1' in pieces[0]

    asyncio.run(story())

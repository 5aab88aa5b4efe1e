"""The local cluster ends what it started, whatever happens, and says clearly what did not work."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from quorate.impl.net import cluster as cluster_module
from quorate.impl.net.cluster import LocalCluster, free_ports
from quorate.impl.net.errors import ClusterError, NoAnswer


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pids(cluster: LocalCluster) -> list[int]:
    return [process.pid for process in cluster.processes.values()]


def test_leaving_ends_every_process_even_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), LocalCluster(tmp_path / "cluster") as cluster:
        started = pids(cluster)
        assert len(started) == 3
        assert all(map(alive, started))
        raise KeyError
    assert not any(map(alive, started))


def test_a_start_that_fails_half_way_ends_what_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = LocalCluster(tmp_path / "cluster")
    start = cluster.start

    def fail_at_c(node: str) -> None:
        if node == "c":
            raise OSError("no more processes")
        start(node)

    monkeypatch.setattr(cluster, "start", fail_at_c)
    with pytest.raises(OSError, match="no more processes"), cluster:
        pass
    assert len(pids(cluster)) == 2
    assert not any(map(alive, pids(cluster)))


def test_a_node_that_gives_up_is_named_with_its_last_words(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path / "cluster", nodes=("a",))
    address = cluster.settings["a"].client
    with (
        socket.create_server((address.host, address.port)),
        cluster,
        pytest.raises(ClusterError, match=r"a: ended with exit code 2: quorate: .* in use"),
    ):
        cluster.wait_for_leader()


def test_waiting_in_vain_ends_with_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One node of three can lead nobody."""
    with LocalCluster(tmp_path / "cluster") as cluster:
        cluster.kill("a")
        cluster.kill("b")
        monkeypatch.setattr(cluster_module, "PATIENCE_S", 1)
        with pytest.raises(ClusterError, match="no node leads within 1 s"):
            cluster.wait_for_leader()
        assert cluster.running() == ("c",)
        with pytest.raises(NoAnswer):
            cluster.status("a")


def test_a_node_is_not_started_twice_and_only_nodes_are_killed(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster", nodes=("a",)) as cluster:
        with pytest.raises(ClusterError, match="running already"):
            cluster.start("a")
        with pytest.raises(ClusterError, match="never started"):
            cluster.kill("x")


def test_an_orderly_stop_ends_every_trace_and_frees_every_folder(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster") as cluster:
        cluster.wait_for_leader()
        cluster.wait_until_caught_up()  # so that all of them serve
        cluster.stop()
        assert cluster.running() == ()
        assert len(cluster.traces) == 3
        assert all(b'"event":"stop"' in path.read_bytes().splitlines()[-1] for path in cluster.traces)
        cluster.restart("b")
        cluster.stop("b")


def test_a_node_that_did_not_stop_in_order_is_told(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster", nodes=("a",)) as cluster:
        cluster.kill("a")
        with pytest.raises(ClusterError, match="a: ended with exit code -9"):
            cluster.stop("a")


def test_a_cluster_of_one_serves(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster", nodes=("a",), trace=False) as cluster:
        assert cluster.wait_for_leader() == "a"
        cluster.stop()
        assert cluster.traces == []


def test_ports_are_different_and_free() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    for port in ports[:5]:
        with socket.create_server(("127.0.0.1", port)):
            pass

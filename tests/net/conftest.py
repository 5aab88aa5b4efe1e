"""What the network tests share: real clusters, single nodes in this process, and what traces say was applied."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quorate.impl.kv.machine import KeyValue
from quorate.impl.net.cluster import LocalCluster, free_ports
from quorate.impl.settings import Settings, load_settings
from quorate.traces import Line, read
from quorate.traces.events import Apply

Applied = list[tuple[int, bytes]]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """Three processes that are running; ended with the test, however it ends."""
    with LocalCluster(tmp_path / "cluster", flags={"trace_values": "whole"}) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings of node a of a cluster of so many nodes, with free ports; further flags win."""

    def make(nodes: str = "abc", **flags: object) -> Settings:
        ports = free_ports(len(nodes) + 1)
        peers = {node: f"127.0.0.1:{ports.pop()}" for node in nodes}
        given = {
            "cluster": "orchard",
            "node": "a",
            "client": f"127.0.0.1:{ports.pop()}",
            "data": tmp_path / "a",
        }
        return load_settings(flags={**given, "peers": peers, "timing.heartbeat_ms": 20, **flags})

    return make


@pytest.fixture
def applied() -> Callable[[list[Path]], dict[str, Applied]]:
    """What each node applied, slot by slot: over all its boots, which must agree with each other."""

    def of(traces: list[Path]) -> dict[str, Applied]:
        slots: dict[str, dict[int, bytes]] = {}
        for located in read(*traces):
            line: Line = located.line
            if isinstance(line, Apply):
                known = slots.setdefault(line.node, {})
                for slot, text in line.entries:
                    value = base64.b64decode(text)
                    assert known.setdefault(slot, value) == value, (
                        f"{line.node} applied two values in slot {slot}"
                    )
        for node, known in slots.items():
            assert sorted(known) == list(range(1, len(known) + 1)), f"{node} left a gap"
        return {node: sorted(known.items()) for node, known in slots.items()}

    return of


@pytest.fixture
def replayed() -> Callable[[Applied], KeyValue]:
    """The state machine that results from what a node applied."""

    def of(applied: Applied) -> KeyValue:
        machine = KeyValue()
        for slot, value in applied:
            machine.apply(slot, value)
        return machine

    return of

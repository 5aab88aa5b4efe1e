"""Faults are done to whom the plan says, once, and all of them are undone; what ends otherwise is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest

from quorate.hunt.real.faults import GAVE_UP, NO_ROOM, Faults
from quorate.hunt.real.schedule import (
    LEADER,
    Cuts,
    DiskFills,
    Fault,
    Kills,
    Pauses,
    Plan,
    Slows,
    Stops,
)
from quorate.impl.net.errors import ClusterError
from quorate.impl.sim.world import Complaint

FOREVER_MS = 3_600_000


class Process:
    def __init__(self) -> None:
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode


class Cluster:
    """A cluster that does as it is told, and remembers it."""

    nodes = ("a", "b", "c")

    def __init__(self) -> None:
        self.processes = {node: Process() for node in self.nodes}
        self.done: list[tuple[str, str]] = []
        self.paused: set[str] = set()
        self.leader: str | None = "b"
        self.words = "nothing"
        self.stops_badly = False

    def running(self) -> tuple[str, ...]:
        return tuple(node for node, process in self.processes.items() if process.poll() is None)

    def start(self, node: str) -> None:
        assert node not in self.running()
        self.processes[node] = Process()
        self.done.append(("start", node))

    def kill(self, node: str) -> None:
        self.processes[node].returncode = -9
        self.done.append(("kill", node))

    def stop(self, node: str) -> None:
        self.processes[node].returncode = GAVE_UP if self.stops_badly else 0
        self.done.append(("stop", node))
        if self.stops_badly:
            raise ClusterError(f"{node}: ended with exit code {GAVE_UP}: {self.words}")

    def pause(self, node: str) -> None:
        self.paused.add(node)

    def resume(self, node: str) -> None:
        self.paused.discard(node)

    def last_words(self, node: str) -> str:
        return self.words

    async def ask_all(self) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(
                node=node, role="leader" if node == self.leader else "follower", promised=(1, node)
            )
            for node in self.running()
        ]


class Links:
    def __init__(self) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()
        self.now: Counter[tuple[str, str]] = Counter()

    def begin(self, source: str, to: str, trouble: object) -> None:
        self.seen[source, to] += 1
        self.now[source, to] += 1

    def end(self, source: str, to: str, trouble: object) -> None:
        self.now[source, to] -= 1


class Disks:
    """`at_full` happens when a disk is full."""

    def __init__(self) -> None:
        self.full: set[str] = set()
        self.at_full = lambda node: None

    def is_full(self, node: str) -> bool:
        return node in self.full

    def fill(self, node: str) -> None:
        self.full.add(node)
        self.at_full(node)

    def clear(self, node: str) -> None:
        self.full.discard(node)


class Happened:
    """What came of some faults."""

    def __init__(self, *planned: Fault, cluster: Cluster | None = None, disks: Disks | None = None) -> None:
        self.cluster = cluster or Cluster()
        self.links = Links()
        self.disks = disks or Disks()
        self.complaints: list[Complaint] = []
        self.counts: Counter[str] = Counter()
        asyncio.run(self._run(Plan(seed=1, ends_ms=300, faults=planned)))

    async def _run(self, plan: Plan) -> None:
        faults = Faults(plan, self.cluster, self.links, self.disks, self.complaints.append)  # type: ignore[arg-type]
        async with asyncio.timeout(60):
            await faults.run()
        faults.check()
        self.counts = faults.counts
        assert set(self.cluster.running()) == set(self.cluster.nodes), "all run in the end"
        assert not self.cluster.paused
        assert not any(self.links.now.values())
        assert not self.disks.full

    @property
    def rules(self) -> list[str]:
        return [complaint.rule for complaint in self.complaints]


def test_faults_that_would_last_longer_than_the_round_are_undone_at_its_end() -> None:
    happened = Happened(
        Kills(at_ms=0, nodes=(0,), down_ms=FOREVER_MS),
        Pauses(at_ms=0, node=1, lasts_ms=FOREVER_MS),
        Cuts(at_ms=0, sources=(2,), lasts_ms=FOREVER_MS, both=True, silent=True),
        Slows(at_ms=0, source=0, to=1, lasts_ms=FOREVER_MS, delay_ms=1, bytes_per_s=1),
        DiskFills(at_ms=0, node=2, lasts_ms=FOREVER_MS),
        Stops(at_ms=0, node=2, down_ms=FOREVER_MS),
        Kills(at_ms=FOREVER_MS, nodes=(0, 1, 2), down_ms=0),
    )
    assert happened.counts == {"kill": 1, "pause": 1, "cut": 1, "slow": 1, "full": 1, "stop": 1}
    assert happened.complaints == []
    assert sorted(happened.cluster.done) == [("kill", "a"), ("start", "a"), ("start", "c"), ("stop", "c")]
    assert happened.links.seen == {
        ("c", "a"): 1, ("c", "b"): 1, ("a", "c"): 1, ("b", "c"): 1, ("a", "b"): 1,
    }  # fmt: skip


def test_a_cut_one_way_leaves_the_way_back() -> None:
    happened = Happened(Cuts(at_ms=0, sources=(0,), lasts_ms=1, both=False, silent=False))
    assert happened.links.seen == {("a", "b"): 1, ("a", "c"): 1}


def test_what_is_down_already_is_not_killed_stopped_or_paused() -> None:
    happened = Happened(
        Kills(at_ms=0, nodes=(0,), down_ms=FOREVER_MS),
        Kills(at_ms=20, nodes=(0,), down_ms=0),
        Stops(at_ms=30, node=0, down_ms=0),
        Pauses(at_ms=40, node=0, lasts_ms=1),
    )
    assert happened.counts == {"kill": 1}
    assert happened.cluster.done == [("kill", "a"), ("start", "a")]


@pytest.mark.parametrize(("leader", "killed"), [("b", ["b"]), (None, [])])
def test_the_leader_is_whoever_leads_then(leader: str | None, killed: list[str]) -> None:
    cluster = Cluster()
    cluster.leader = leader
    Happened(Kills(at_ms=0, nodes=(LEADER,), down_ms=0), cluster=cluster)
    assert [node for act, node in cluster.done if act == "kill"] == killed


def test_a_node_that_ends_by_itself_is_told_once_and_started_again() -> None:
    cluster = Cluster()
    cluster.processes["c"].returncode = 1
    cluster.words = "quorate: two values were chosen"
    happened = Happened(cluster=cluster)
    assert happened.rules == ["a node that ends"]
    assert "node c" in happened.complaints[0].sentence
    assert "two values were chosen" in happened.complaints[0].sentence


def giving_up(words: str, code: int = GAVE_UP) -> tuple[Cluster, Disks]:
    """A cluster in which a node whose disk is full ends so."""
    cluster, disks = Cluster(), Disks()
    cluster.words = words

    def give_up(node: str) -> None:
        cluster.processes[node].returncode = code

    disks.at_full = give_up  # type: ignore[assignment]
    return cluster, disks


FULL = DiskFills(at_ms=0, node=0, lasts_ms=100)


def test_a_node_may_give_up_on_a_full_disk_and_comes_back_when_there_is_room() -> None:
    cluster, disks = giving_up(f"quorate: cannot write; {NO_ROOM}")
    happened = Happened(FULL, cluster=cluster, disks=disks)
    assert happened.complaints == []
    assert happened.counts == {"full": 1, "gave up on a full disk": 1}
    assert cluster.done == [("start", "a")]


@pytest.mark.parametrize(("words", "code"), [("quorate: damaged", GAVE_UP), (NO_ROOM, 1)])
def test_a_full_disk_is_no_excuse_for_anything_else(words: str, code: int) -> None:
    cluster, disks = giving_up(words, code)
    assert Happened(FULL, cluster=cluster, disks=disks).rules == ["a node that ends"]


def test_a_node_whose_disk_was_never_filled_has_no_excuse() -> None:
    cluster = Cluster()
    cluster.words = NO_ROOM
    cluster.processes["a"].returncode = GAVE_UP
    assert Happened(cluster=cluster).rules == ["a node that ends"]


def test_a_stop_that_is_not_in_order_is_told() -> None:
    cluster = Cluster()
    cluster.stops_badly = True
    happened = Happened(Stops(at_ms=0, node=0, down_ms=0), cluster=cluster)
    assert happened.rules == ["a stop that is not in order"]

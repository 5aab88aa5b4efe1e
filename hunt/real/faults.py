"""Carries a plan's faults out on a cluster of processes, each at its time, and sets everything right again.

A fault that finds nothing to do (its node is down already, nobody leads) does nothing and is not counted. When `over`
is set every fault that lasts ends, and `run` ends when all of them have.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from ...impl.net.cluster import POLL_S, LocalCluster, leading
from ...impl.net.errors import ClusterError
from ...impl.sim.world import Complaint
from .disks import Disks
from .links import Links, Trouble
from .schedule import (
    LEADER,
    Cuts,
    DiskFills,
    Fault,
    Kills,
    Pauses,
    Plan,
    Slows,
    Stops,
    Transfers,
    kind,
)

GAVE_UP: Final = 2
"""The exit code of a node that its person must help: one without room on its disk, for instance."""

NO_ROOM: Final = "make room"
"""What is among its last words then."""

TRANSFER_S_MAX: Final = 5.0


class Faults:
    """What goes wrong in a round."""

    def __init__(
        self,
        plan: Plan,
        cluster: LocalCluster,
        links: Links,
        disks: Disks | None,
        complain: Callable[[Complaint], None],
    ) -> None:
        self.counts: Final = Counter[str]()
        """Faults that happened, by kind."""
        self._plan = plan
        self._cluster = cluster
        self._links = links
        self._disks = disks
        self._complain = complain
        self._over = asyncio.Event()
        self._down = set[str]()
        """Nodes that are down because of a fault."""
        self._paused = set[str]()
        self._filled = set[str]()
        """Nodes whose disk was full at some time."""

    async def run(self) -> None:
        """Do all that is planned, until its end; then all is right again."""
        watching = asyncio.create_task(self._watch())
        try:
            async with asyncio.TaskGroup() as group:
                for fault in self._plan.faults:
                    group.create_task(self._happen(fault))
                await asyncio.sleep(self._plan.ends_ms / 1000)
                self._over.set()
            self.check()
            for node in set(self._cluster.nodes) - set(self._cluster.running()):
                self._start(node)
        finally:
            watching.cancel()

    def check(self) -> None:
        """Complain of every node whose process ended and should not have. One without room on its disk may, when it
        starts or stops; it is started again as soon as there is."""
        for node, process in self._cluster.processes.items():
            if process.poll() is None or node in self._down:
                continue
            self._down.add(node)
            if self._gave_up(node):
                self.counts["gave up on a full disk"] += 1
                if not self._is_full(node):
                    self._start(node)
            else:
                self._complain(_ended(self._cluster, node))

    def _gave_up(self, node: str) -> bool:
        """Did it end because there was no room on its disk?"""
        return (
            node in self._filled
            and self._cluster.processes[node].poll() == GAVE_UP
            and NO_ROOM in self._cluster.last_words(node)
        )

    async def _watch(self) -> None:
        while True:
            self.check()
            await asyncio.sleep(POLL_S)

    async def _happen(self, fault: Fault) -> None:
        await self._rest(fault.at_ms)
        if self._over.is_set():
            return
        if isinstance(fault, Kills):
            await asyncio.gather(
                *(self._kill(node, fault.down_ms) for node in await self._named(fault.nodes))
            )
        elif isinstance(fault, Stops):
            await asyncio.gather(
                *(self._stop(node, fault.down_ms) for node in await self._named([fault.node]))
            )
        elif isinstance(fault, Pauses):
            await asyncio.gather(*(self._pause(node, fault) for node in await self._named([fault.node])))
        elif isinstance(fault, Cuts):
            await self._cut(fault)
        elif isinstance(fault, Slows):
            names = self._plan.names
            trouble = Trouble(delay_s=fault.delay_ms / 1000, bytes_per_s=fault.bytes_per_s)
            await self._trouble(fault, {(names[fault.source], names[fault.to]): trouble}, fault.lasts_ms)
        elif isinstance(fault, DiskFills):
            await asyncio.gather(*(self._fill(node, fault) for node in await self._named([fault.node])))
        else:
            await self._transfer(fault)

    async def _rest(self, ms: int) -> None:
        """Let time pass, but not longer than there are faults."""
        if ms <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(ms / 1000):
                await self._over.wait()

    async def _named(self, numbers: Iterable[int]) -> list[str]:
        """The nodes of these numbers; whoever leads where that is meant, nobody if nobody does."""
        found = []
        for number in numbers:
            name = await self._leader() if number == LEADER else self._plan.names[number]
            if name is not None:
                found.append(name)
        return found

    async def _leader(self) -> str | None:
        return leading(await self._cluster.ask_all())

    # Nodes -------------------------------------------------------------------------------

    async def _kill(self, node: str, down_ms: int) -> None:
        if node in self._down:
            return
        self._down.add(node)
        await asyncio.to_thread(self._cluster.kill, node)
        self.counts["kill"] += 1
        await self._rest(down_ms)
        self._start(node)

    async def _stop(self, node: str, down_ms: int) -> None:
        if node in self._down or node in self._paused:
            return
        self._down.add(node)
        try:
            await asyncio.to_thread(self._cluster.stop, node)
        except ClusterError as error:
            if not self._gave_up(node):
                self._complain(Complaint("a stop that is not in order", str(error)))
        self.counts["stop"] += 1
        await self._rest(down_ms)
        self._start(node)

    async def _pause(self, node: str, fault: Pauses) -> None:
        if node in self._down or node in self._paused:
            return
        self._paused.add(node)
        self._cluster.pause(node)
        self.counts["pause"] += 1
        await self._rest(fault.lasts_ms)
        self._cluster.resume(node)
        self._paused.discard(node)

    def _start(self, node: str) -> None:
        if node not in self._cluster.running():
            self._cluster.start(node)
        self._down.discard(node)

    async def _transfer(self, fault: Transfers) -> None:
        """Ask the leader to let another lead, as a person would."""
        leader = await self._leader()
        admin = None if leader is None else self._cluster.settings[leader].admin
        if admin is None:
            return
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(TRANSFER_S_MAX):
                reader, writer = await asyncio.open_connection(admin.host, admin.port)
                try:
                    to = self._plan.names[fault.node]
                    writer.write(f"POST /transfer?to={to} HTTP/1.1\r\nhost: {admin}\r\n\r\n".encode())
                    if (await reader.readline()).split()[1:2] == [b"202"]:
                        self.counts["transfer"] += 1
                finally:
                    writer.close()

    # Links -------------------------------------------------------------------------------

    async def _cut(self, fault: Cuts) -> None:
        sources = await self._named(fault.sources)
        trouble = Trouble(silent=fault.silent, resets=not fault.silent)
        others = [node for node in self._plan.names if node not in sources]
        ways = [(source, other) for source in sources for other in others]
        if fault.both:
            ways += [(other, source) for source, other in ways]
        await self._trouble(fault, dict.fromkeys(ways, trouble), fault.lasts_ms)

    async def _trouble(self, fault: Fault, ways: dict[tuple[str, str], Trouble], lasts_ms: int) -> None:
        if not ways:
            return
        self.counts[kind(fault)] += 1
        for (source, to), trouble in ways.items():
            self._links.begin(source, to, trouble)
        await self._rest(lasts_ms)
        for (source, to), trouble in ways.items():
            self._links.end(source, to, trouble)

    # Disks -------------------------------------------------------------------------------

    def _is_full(self, node: str) -> bool:
        return self._disks is not None and self._disks.is_full(node)

    async def _fill(self, node: str, fault: DiskFills) -> None:
        if self._disks is None or self._disks.is_full(node):
            return
        self._filled.add(node)
        await asyncio.to_thread(self._disks.fill, node)
        self.counts["full"] += 1
        await self._rest(fault.lasts_ms)
        self._disks.clear(node)
        if node in self._down and self._gave_up(node):
            self._start(node)


def _ended(cluster: LocalCluster, node: str) -> Complaint:
    code = cluster.processes[node].returncode
    sentence = f"node {node} ended by itself with exit code {code}: {cluster.last_words(node)}"
    return Complaint("a node that ends", sentence)

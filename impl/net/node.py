"""One node of a cluster as a process: opens its log and its ports, lets the driver work, and takes it all down.

It does not know Multi-Paxos, nor what a command means. `serve` is all that a command line needs.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import shutil
import signal
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from typing import Final, Self, TypeVar

from ...traces import Recorder
from ..core.replica import Replica
from ..kv.machine import KeyValue
from ..settings import Address, Settings
from ..storage import DurableLog, Identity
from .backups import Backups
from .checkpoints import load
from .clients import ClientConnection
from .descriptors import clients_possible
from .driver import Driver
from .errors import AddressError, NetError
from .front import Front
from .peers import HELLO_S_MAX, Incoming, Outgoing
from .tls import Contexts
from .tracer import Tracer
from .wire import PROTOCOL, Hello, NodeStatus

log = logging.getLogger("quorate.node")

POLL_S: Final = 0.01
HANDOVER_S_MAX: Final = 0.5
"""A leader that stops does not wait longer for another to take over."""

Connection = TypeVar("Connection", Incoming, ClientConnection)


async def serve(settings: Settings) -> None:
    """Run a node until SIGTERM or SIGINT asks it to stop, or something ends it.

    Raises StorageError, TraceError or NetError, each with one line for the person who runs the node; and
    BrokenAgreement, which means that some node lost what it had made durable.
    """
    node = Node(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.stop)
    try:
        async with node:
            await node.driver.ended
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


class Node:
    """A running node, as an async context: it serves from entering to leaving."""

    driver: Driver

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cleanup = AsyncExitStack()
        self._peers: dict[str, Outgoing] = {}
        self._heard: set[Incoming] = set()
        self._clients: set[ClientConnection] = set()
        self._begun = False
        self._told_to_stop = False
        self._draining: asyncio.Task[None] | None = None
        self._addresses: dict[str, str] = {}
        """Where clients reach each node that said so."""

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._cleanup.aclose()
            raise
        self._begun = True
        if self._told_to_stop:
            self.stop()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._cleanup.aclose()

    def stop(self) -> None:
        """Drain and stop in order, and not in order if that takes too long; `driver.ended` is done then.

        A node that has not begun to serve yet stops as soon as it has.
        """
        self._told_to_stop = True
        if not self._begun:
            return
        patience_ms = self._settings.timing.stop_ms_max
        late = NetError(
            f"node {self._settings.node}: the stop took more than {patience_ms} ms and was cut short"
        )
        asyncio.get_running_loop().call_later(patience_ms / 1000, self.driver.fail, late)
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(patience_ms / 2000), name="drain")

    async def _drain(self, seconds: float) -> None:
        """Begin nothing new, answer what was begun, have another node lead, and stop."""
        self._front.closing = True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.driver.gateway.is_idle:
                    await asyncio.sleep(POLL_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, HANDOVER_S_MAX)):
                await self._hand_over()
        self.driver.stop()

    async def _hand_over(self) -> None:
        replica = self.driver.replica
        for peer in [name for name, outgoing in self._peers.items() if outgoing.is_open]:
            if replica.status().role != "leader":
                return
            self.driver.transfer(peer)
            for _ in range(10):
                await asyncio.sleep(POLL_S)
                if replica.status().role != "leader":
                    return

    def status(self) -> NodeStatus:
        """What this node knows."""
        replica, gateway, machine = self.driver.replica, self.driver.gateway, self.driver.machine
        seen = replica.status()
        return NodeStatus(
            node=replica.config.node,
            nodes=replica.config.nodes,
            boot=replica.config.boot,
            role=seen.role,
            leader=seen.leader,
            promised=seen.promised,
            committed=seen.committed,
            inherited=seen.inherited,
            applied=machine.applied,
            batches=self._durable.batches,
            leader_address=None if seen.leader is None else self._addresses.get(seen.leader),
            ballots_opened=self.driver.ballots_opened,
            elections_won=self.driver.elections_won,
            commands=gateway.commands,
            queries=gateway.queries,
            waiting=gateway.held,
            connections=len(self._clients),
            keys=len(machine.store.items),
            sessions=len(machine.sessions),
            origin=machine.origin,
            tracing=self._tracer is not None and self._tracer.is_on,
            disk_free_bytes=shutil.disk_usage(self._settings.data).free,
        )

    async def _begin(self) -> None:
        settings = self._settings
        self._tls = Contexts.of(settings.tls)
        self.driver = self._recover()
        self._front = self._open_front()
        self._addresses[settings.node] = str(settings.client)
        hello = self._hello()
        await self._listen_to_all(hello)
        self.driver.start()
        log.info(
            "node %s of cluster %s, boot %d: peers at %s, clients at %s, %d batches recovered",
            settings.node, settings.cluster, hello.boot, settings.peer, settings.client, self._durable.batches,
        )  # fmt: skip
        sweeping = asyncio.create_task(self._sweep(settings.clients.idle_ms_max / 1000), name="sweep")
        self._cleanup.push_async_callback(_cancelled, sweeping)
        for peer in self.driver.replica.config.peers:
            self._dial(peer, hello)

    def _recover(self) -> Driver:
        """The replica and the state machine as the data folder has them, ready to be driven."""
        settings = self._settings
        identity = Identity(settings.cluster, settings.node)
        self._durable, opened = DurableLog.open(settings.data, identity, segment_bytes=settings.segment_bytes)
        self._cleanup.callback(self._durable.close)
        if opened.torn is not None:
            log.warning("%s; nobody was told of it, and it was cleared", opened.torn)
        self._tracer = self._open_trace(opened.boot)
        driver = Driver(
            Replica(settings.replica_config(opened.boot), opened.state),
            self._durable,
            self._tracer,
            KeyValue() if opened.checkpoint is None else load(opened.checkpoint),
            self._carry,
            patience_ms=settings.clients.patience_ms,
        )
        self._cleanup.callback(driver.close)
        return driver

    def _open_front(self) -> Front:
        clients, driver = self._settings.clients, self.driver
        checker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="quorate-password")
        self._cleanup.callback(checker.shutdown, wait=False)
        return Front(
            driver.gateway,
            driver.machine,
            driver.call_turn,
            self.status,
            clients.password,
            checker,
            clients.redirect,
            clients_possible(clients.max),
        )

    def _hello(self) -> Hello:
        settings, config = self._settings, self.driver.replica.config
        return Hello(
            PROTOCOL,
            settings.cluster,
            settings.node,
            config.boot,
            config.nodes,
            config.phase1_size,
            config.phase2_size,
            str(settings.client),
            self.driver.machine.origin,
        )

    async def _listen_to_all(self, hello: Hello) -> None:
        """Open the ports: for clients, for an administrator, and last for peers.

        What a peer says must find the driver started, so nothing may be waited for between this and that.
        """
        settings = self._settings
        await self._listen(
            settings.client,
            lambda: ClientConnection(self._front, self._clients),
            self._clients,
            self._tls.clients,
        )
        if settings.admin is not None:
            await self._administer(settings.admin)
        await self._listen(
            settings.peer,
            lambda: self._incoming(hello),
            self._heard,
            self._tls.peers,
        )

    def _open_trace(self, boot: int) -> Tracer | None:
        settings = self._settings
        if settings.trace is None:
            return None
        recorder = Recorder(settings.trace, settings.node, boot, file_bytes_max=settings.trace_file_bytes)
        trace = Tracer(recorder, whole=settings.trace_values == "whole")
        self._cleanup.callback(trace.close)
        return trace

    async def _sweep(self, idle_s_max: float) -> None:
        """End the connections that began something and do not go on, or do not say who they are."""
        while True:
            await asyncio.sleep(idle_s_max / 2)
            for client in [one for one in self._clients if one.is_idle_too_long()]:
                client.drop("nothing came for too long")

    def _incoming(self, hello: Hello) -> Incoming:
        return Incoming(hello, self.driver.receive, self.driver.run_errand, self._met, self._heard)

    def _met(self, peer: Hello) -> None:
        self._addresses[peer.node] = peer.clients

    def _carry(self, peer: str, frames: Sequence[bytes]) -> None:
        self._peers[peer].send_all(frames)

    def _dial(self, peer: str, hello: Hello) -> None:
        address = self._settings.peers[peer]
        outgoing = Outgoing(
            peer,
            address,
            hello,
            self._settings.timing.reconnect_ms_max,
            self._tls.calling,
        )
        self._peers[peer] = outgoing
        task = asyncio.create_task(outgoing.keep_connected(), name=f"dial {peer}")
        self._cleanup.push_async_callback(_cancelled, task)

    async def _administer(self, address: Address) -> None:
        from .admin import Admin  # and what it takes to speak HTTP and to Prometheus

        settings, driver = self._settings, self.driver
        backups = Backups(settings.cluster, settings.node, driver.gateway, driver.machine, driver.call_turn)
        admin = Admin(self.status, driver.transfer, backups.take)
        try:
            server = await asyncio.start_server(admin.serve, address.host, address.port, limit=1 << 14)
        except OSError as error:
            raise _cannot_listen(address, error) from error
        self._cleanup.callback(server.close)

    async def _listen(
        self,
        address: Address,
        protocol: Callable[[], Connection],
        connections: set[Connection],
        tls: ssl.SSLContext | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                protocol,
                address.host,
                address.port,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else HELLO_S_MAX,
            )
        except OSError as error:
            raise _cannot_listen(address, error) from error
        self._cleanup.callback(_close_all, server, connections)


def _close_all(server: asyncio.Server, connections: set[Connection]) -> None:
    server.close()
    for connection in tuple(connections):
        connection.close()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _cannot_listen(address: Address, error: OSError) -> AddressError:
    if error.errno == errno.EADDRINUSE:
        return AddressError(
            f"{address}: the address is in use; stop the other process, or choose another port"
        )
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return AddressError(f"{address}: is no address of this machine; give this node one of its own")
    return AddressError(f"{address}: cannot listen there: {error.strerror or error}; choose another address")

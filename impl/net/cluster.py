"""A cluster of real processes on this machine, for demonstrations and tests: killed, restarted, and always cleaned up.

It does not know the protocol: it starts `impl.net.main` once per node, asks nodes how they are, and ends, by their
process ids, the processes that it started itself.

    with LocalCluster(folder) as cluster:
        leader = cluster.wait_for_leader()
        cluster.kill(leader)
        cluster.wait_for_leader()
        cluster.restart(leader)
        cluster.wait_until_caught_up()

In its folder stand, per node, NAME.toml (settings), NAME.log (what the process printed) and NAME/ (the durable log),
and in trace/ the traces of all boots.
"""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self, TypeVar

from ..client.session import Client, ask_status
from ..settings import Address, Settings, load_settings
from .errors import ClusterError, NoAnswer
from .tls import of_client
from .wire import NodeStatus

PATIENCE_S: Final = 60.0
"""How long to wait for what takes well under a second on an idle machine."""

POLL_S: Final = 0.02
PORTS: Final = range(10_240, 32_768)
"""Below the range from which systems draw the ports of outgoing connections, so that a node's port is still free when
it is started again."""

_ORDERLY: Final = (0, -signal.SIGTERM)
"""How a process may end when it is told to stop; the latter if it had not yet begun to serve."""

Found = TypeVar("Found")


class LocalCluster:
    """A context manager: started on entering, and every process of it ended on leaving, whatever happened."""

    def __init__(
        self,
        folder: Path,
        nodes: Sequence[str] = ("a", "b", "c"),
        *,
        cluster: str = "local",
        trace: bool = True,
        flags: Mapping[str, object] | None = None,
        certificates: Path | None = None,
        admin: Mapping[str, int] | None = None,
    ) -> None:
        """`flags` are further settings of all nodes, named as for `load_settings`: {"timing.heartbeat_ms": 20}.

        `certificates` is a folder with NODE.pem and NODE.key for each node; `admin` gives nodes a port for
        administration.
        """
        folder = folder.absolute()  # what is relative in a settings file counts from the file
        self.folder = folder
        self.nodes = tuple(nodes)
        ports = free_ports(2 * len(self.nodes))
        peers = {node: f"127.0.0.1:{ports.pop()}" for node in self.nodes}
        common = {
            "cluster": cluster,
            "peers": peers,
            "trace": folder / "trace" if trace else None,
            **(flags or {}),
        }
        self.settings: Final[dict[str, Settings]] = {
            node: load_settings(
                flags={
                    **common,
                    "node": node,
                    "client": f"127.0.0.1:{ports.pop()}",
                    "data": folder / node,
                    "admin": f"127.0.0.1:{admin[node]}" if admin else None,
                    "tls.certificate": certificates and certificates / f"{node}.pem",
                    "tls.key": certificates and certificates / f"{node}.key",
                }
            )
            for node in self.nodes
        }
        self.processes: Final[dict[str, subprocess.Popen[bytes]]] = {}
        """By node, the process that was started last."""

    @property
    def clients(self) -> dict[str, Address]:
        """Where clients reach each node: what `Client` wants."""
        return {node: settings.client for node, settings in self.settings.items()}

    @property
    def traces(self) -> list[Path]:
        """The trace files of all boots so far."""
        return sorted((self.folder / "trace").glob("*.ndjson"))

    def client(self, *, timeout_s: float = PATIENCE_S) -> Client:
        """A new client session."""
        return Client(self.clients, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            for node in self.nodes:
                self.start(node)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self, node: str) -> None:
        """Start a node's process; does not wait until it serves."""
        if node in self.running():
            raise ClusterError(f"{node}: is running already")
        config = self.folder / f"{node}.toml"
        config.write_text(to_toml(self.settings[node]), encoding="utf-8")
        command = [sys.executable, "-m", "quorate.impl.net.main", "--config", str(config)]
        with (self.folder / f"{node}.log").open("ab") as log:
            self.processes[node] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def restart(self, node: str) -> None:
        """Start a node again that was killed or stopped."""
        self.start(node)

    def kill(self, node: str) -> None:
        """End a node as a crash does: SIGKILL, at whatever instruction it is."""
        process = self._process(node)
        process.kill()
        process.wait()

    def pause(self, node: str) -> None:
        """Stop a node's clock, as a machine that hangs does: SIGSTOP. Its connections stay."""
        self._process(node).send_signal(signal.SIGSTOP)

    def resume(self, node: str) -> None:
        """Let a paused node go on, as if no time had passed."""
        self._process(node).send_signal(signal.SIGCONT)

    def stop(self, node: str | None = None) -> None:
        """Stop a node, or all that run, in order. Raises ClusterError if one does not end well; then it is killed."""
        nodes = self.running() if node is None else (node,)
        for name in nodes:
            self._process(name).send_signal(signal.SIGTERM)
        for name in nodes:
            try:
                code = self._process(name).wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.kill(name)
                raise ClusterError(f"{name}: did not stop within {PATIENCE_S:g} s and was killed") from None
            if code not in _ORDERLY:
                raise ClusterError(f"{name}: ended with exit code {code}: {self.last_words(name)}")

    def end(self) -> None:
        """Kill whatever still runs of what this cluster started."""
        with ExitStack() as all_of_them:
            for process in self.processes.values():
                all_of_them.callback(process.wait)
                all_of_them.callback(process.kill)

    def running(self) -> tuple[str, ...]:
        """The nodes whose process runs."""
        return tuple(node for node, process in self.processes.items() if process.poll() is None)

    def status(self, node: str) -> NodeStatus:
        """How a node is. Raises NoAnswer when it does not say."""
        return asyncio.run(self._ask(node))

    async def _ask(self, node: str) -> NodeStatus:
        tls = self.settings[node].tls
        context = None if tls is None or not tls.clients else of_client(tls.authority)
        return await ask_status(self.clients[node], tls=context)

    def leader(self) -> str | None:
        """The running node that leads in the highest ballot, if there is one."""
        return leading(self._statuses())

    def wait_for_leader(self) -> str:
        """Wait until a node leads, and return its name. Raises ClusterError."""
        return self._wait(self.leader, "no node leads")

    def wait_until_caught_up(self) -> int:
        """Wait until all running nodes have applied all that any of them knows to be chosen; return that slot.

        Raises ClusterError. Means something only while no commands are sent.
        """
        return self._wait(self._caught_up, "the nodes did not catch up")

    def last_words(self, node: str) -> str:
        """The last line that a node's process printed."""
        lines = (self.folder / f"{node}.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else "it said nothing"

    def _caught_up(self) -> int | None:
        return caught_up(self._statuses(), len(self.running()))

    def _statuses(self) -> list[NodeStatus]:
        return asyncio.run(self.ask_all())

    async def ask_all(self) -> list[NodeStatus]:
        """How the running nodes are that say it."""
        asked = (self._ask(node) for node in self.running())
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, NoAnswer):
                raise answer
        return [answer for answer in answers if isinstance(answer, NodeStatus)]

    def _wait(self, look: Callable[[], Found | None], complaint: str) -> Found:
        deadline = time.monotonic() + PATIENCE_S
        while (found := look()) is None:
            self._check_alive()
            if time.monotonic() > deadline:
                raise ClusterError(f"{complaint} within {PATIENCE_S:g} s; see the logs in {self.folder}")
            time.sleep(POLL_S)
        return found

    def _check_alive(self) -> None:
        """A process that gave up by itself will not do what is waited for."""
        for node, process in self.processes.items():
            if process.poll() not in (None, -signal.SIGKILL, *_ORDERLY):
                raise ClusterError(
                    f"{node}: ended with exit code {process.returncode}: {self.last_words(node)}"
                )

    def _process(self, node: str) -> subprocess.Popen[bytes]:
        if node not in self.processes:
            raise ClusterError(f"{node}: was never started; the nodes are {', '.join(self.nodes)}")
        return self.processes[node]


def leading(statuses: Iterable[NodeStatus]) -> str | None:
    """Of these nodes the one that leads in the highest ballot, if there is one."""
    leaders = [status for status in statuses if status.role == "leader"]
    return max(leaders, key=lambda status: status.promised or (0, "")).node if leaders else None


def caught_up(statuses: Sequence[NodeStatus], nodes: int) -> int | None:
    """The slot up to which all nodes, so many, have applied all that any of them knows to be chosen; None if they have
    not yet, or do not all say so."""
    if len(statuses) < nodes or leading(statuses) is None:
        return None
    applied = {status.applied for status in statuses}
    known = max(max(status.committed, status.inherited) for status in statuses)
    return known if applied == {known} else None


def to_toml(settings: Settings) -> str:
    """Settings as a file that `load_settings` reads back as the same."""
    given = settings.model_dump(mode="json", exclude_none=True)
    plain = [f"{key} = {_toml(value)}" for key, value in given.items() if not isinstance(value, dict)]
    sections = [(key, value) for key, value in given.items() if isinstance(value, dict)]
    for key, section in sections:
        plain += ["", f"[{key}]", *(f"{_toml(name)} = {_toml(value)}" for name, value in section.items())]
    return "\n".join(plain) + "\n"


def _toml(value: object) -> str:
    """A string in quotes with everything unusual escaped, or a number."""
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted) + '"'
    return str(value).lower()  # TOML's true and false


def free_ports(count: int) -> list[int]:
    """Different ports of the loopback that nobody listens at right now."""
    found: set[int] = set()
    with ExitStack() as held:
        while len(found) < count:
            port = random.SystemRandom().choice(PORTS)
            probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.add(port)
    return list(found)

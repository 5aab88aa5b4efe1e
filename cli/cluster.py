"""`quorate cluster up`: a cluster of processes on this machine, for trying things out."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from ..impl.client.session import ask_status
from ..impl.net.cluster import LocalCluster
from ..impl.net.errors import ClusterError, NoAnswer
from ..impl.net.wire import NodeStatus
from ..quoting import quoted
from .console import terminated_as_interrupted
from .main import Exit
from .status import table
from .writing import check_folder

HELP = "kill NODE, pause NODE, resume NODE, restart NODE, status, help; end it with quit, or Ctrl-D"


@click.group(short_help="A cluster on this machine, for trying things out.")
def cluster() -> None:
    """A cluster of real processes on this machine, on loopback, for trying things out."""


@cluster.command(short_help="Start a cluster and act on it.")
@click.option(
    "-n",
    "count",
    type=click.Choice(["1", "3", "5", "7"]),
    default="3",
    help="How many nodes.",
    show_default=True,
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Keep logs, data and traces there; without it they go when the cluster does.",
)
def up(count: str, folder: Path | None) -> int:
    """Start a cluster, say where clients reach it, and do what is typed: kill, pause, resume, restart, status.

    Any Redis client can talk to any node.  Every process that was started is ended with this one.
    """
    if folder is not None:
        check_folder(folder)
    if folder is not None and any(folder.glob("*.toml")):
        raise click.BadParameter(
            f"{folder} holds a cluster already; name an empty folder", param_hint="--folder"
        )
    with (
        terminated_as_interrupted(),
        tempfile.TemporaryDirectory(prefix="quorate-") as temporary,
        LocalCluster(folder or Path(temporary), "abcdefg"[: int(count)]) as running,
    ):
        leader = running.wait_for_leader()
        for node, address in running.clients.items():
            click.echo(f"{node}  clients at {address}{'  leads' if node == leader else ''}")
        click.echo(HELP)
        _converse(running)
        _revive(running)
        running.stop()
    return Exit.HOLDS


def _converse(running: LocalCluster) -> None:
    acts: dict[str, Callable[[str], None]] = {
        "kill": running.kill,
        "pause": running.pause,
        "resume": running.resume,
        "restart": running.restart,
    }
    for line in sys.stdin.buffer:
        match line.decode(errors="replace").split():
            case []:
                continue
            case ["quit" | "exit"]:
                return
            case ["status"]:
                click.echo(table([(running.clients[node], _asked(running, node)) for node in running.nodes]))
            case [act, node] if act in acts:
                click.echo(_acted(running, act, acts[act], node))
            case _:
                click.echo(HELP)


def _acted(running: LocalCluster, act: str, do: Callable[[str], None], node: str) -> str:
    """Do something to a node, and say in one line what came of it."""
    if node not in running.nodes:
        return f"{quoted(node)} is no node; the nodes are {', '.join(running.nodes)}"
    if act != "restart" and node not in running.running():
        return f"{node}: is not running; restart it first"
    try:
        do(node)
    except ClusterError as error:
        return str(error)
    return f"{node}: {act}"


def _revive(running: LocalCluster) -> None:
    """A paused process cannot be asked to stop."""
    for node in running.running():
        running.resume(node)


def _asked(running: LocalCluster, node: str) -> NodeStatus | NoAnswer:
    try:
        return asyncio.run(ask_status(running.clients[node]))
    except NoAnswer as error:
        return error

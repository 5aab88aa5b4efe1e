"""`quorate status`: how the nodes of a cluster are."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from ..impl.client.session import ask_status
from ..impl.net.errors import NoAnswer
from ..impl.net.tls import of_client
from ..impl.net.wire import NodeStatus
from ..impl.settings import Address
from .console import print_json
from .main import Exit

COLUMNS = (
    "node",
    "role",
    "leader",
    "promised",
    "committed",
    "lag",
    "writes",
    "reads",
    "waiting",
    "keys",
    "free disk",
)


@click.command(
    short_help="How the nodes of a cluster are.",
    epilog="\b\nExample:\n  quorate status 127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:7003",
)
@click.argument("nodes", nargs=-1, required=True, metavar="HOST:PORT...")
@click.option("--password", envvar="QUORATE_PASSWORD", help="The clients' password; or set QUORATE_PASSWORD.")
@click.option(
    "--authority",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Speak TLS; believe whom it signed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def status(nodes: tuple[str, ...], password: str | None, authority: Path | None, as_json: bool) -> int:
    """Show how nodes are: who leads, in which ballot, how far each is, and what it holds.

    HOST:PORT is where clients reach a node.  Exit code 0 if a majority of the members answers and one of them leads,
    else 1.
    """
    try:
        addresses = [Address.parse(node) for node in nodes]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="HOST:PORT") from error
    tls = None if authority is None else of_client(authority)
    found = asyncio.run(_asked(addresses, None if password is None else os.fsencode(password), tls))
    if as_json:
        print_json({str(address): said for address, said in zip(addresses, map(_plain, found), strict=True)})
    else:
        click.echo(table(list(zip(addresses, found, strict=True))))
    return Exit.HOLDS if _is_whole(found) else Exit.VIOLATED


def _is_whole(found: Sequence[NodeStatus | NoAnswer]) -> bool:
    """Do a majority of the members answer, and does one of them lead? A node may have been asked twice."""
    alive = {one.node: one for one in found if isinstance(one, NodeStatus)}
    members = {name for one in alive.values() for name in one.nodes}
    return 2 * len(alive) > len(members) and any(one.role == "leader" for one in alive.values())


async def _asked(
    addresses: Sequence[Address], password: bytes | None, tls: ssl.SSLContext | None
) -> list[NodeStatus | NoAnswer]:
    async def ask(address: Address) -> NodeStatus | NoAnswer:
        try:
            return await ask_status(address, password=password, tls=tls)
        except NoAnswer as error:
            return error

    return await asyncio.gather(*map(ask, addresses))


def _plain(said: NodeStatus | NoAnswer) -> object:
    return {"error": str(said)} if isinstance(said, NoAnswer) else msgspec.to_builtins(said)


def table(found: Sequence[tuple[Address, NodeStatus | NoAnswer]]) -> str:
    """One line a node, in columns; a node that does not answer says why."""
    alive = [one for _, one in found if isinstance(one, NodeStatus)]
    known = max((one.committed for one in alive), default=0)
    rows = [COLUMNS, *(_row(one, known) for one in alive)] if alive else []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, *(f"no answer: {one}" for _, one in found if isinstance(one, NoAnswer))])


def _row(one: NodeStatus, known: int) -> tuple[str, ...]:
    ballot = "-" if one.promised is None else f"{one.promised[0]}.{one.promised[1]}"
    counts = (one.committed, known - one.applied, one.commands, one.queries, one.waiting, one.keys)
    return (
        one.node,
        one.role,
        one.leader or "-",
        ballot,
        *(f"{n:,}" for n in counts),
        f"{one.disk_free_bytes / 2**30:.1f} GiB",
    )

"""`quorate restore`: data folders of a new cluster, from a backup."""

from __future__ import annotations

from pathlib import Path

import click

from ..impl.backup import Backup
from ..impl.restore import restore as restored
from .backup import described
from .main import Exit
from .mixing import refuse
from .writing import check_folder


@click.command(
    short_help="Make the data folders of a new cluster from a backup.",
    epilog="\b\nExample:\n  quorate restore orchard.backup --cluster orchard-2 --into folders a b c",
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.argument("nodes", nargs=-1, metavar="NODE...")
@click.option("--cluster", metavar="NAME", help="What the new cluster is called.")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="FOLDER",
    help="Where the folders are made.  [default: here]",
)
@click.option("--check", is_flag=True, help="Only see whether FILE is whole, and say what it holds.")
@click.pass_context
def restore(
    context: click.Context, file: Path, nodes: tuple[str, ...], cluster: str | None, into: Path, check: bool
) -> int:
    """Make FOLDER/NODE for each NODE of a new cluster: they begin with the keys and sessions of FILE.

    Name all nodes at once.  It is a new cluster, with as many nodes as you like: those of the old one, and nodes with
    empty folders, are never let in.  Nothing is overwritten.
    """
    if check:
        refuse(context, "--check", ["nodes", "cluster", "into"], "is for making folders")
        click.echo(f"{file}: whole; {described(_whole(file))}")
        return Exit.HOLDS
    if cluster is None or not nodes:
        raise click.UsageError(
            "name the new cluster with --cluster, and all of its nodes; or only --check the file"
        )
    check_folder(into)
    backup = _whole(file)
    origin = restored(backup, cluster, into, nodes)
    click.echo(f"{file}: {described(backup)}")
    for node in nodes:
        click.echo(into / node)
    click.echo(
        f"This is a new cluster, {cluster}, that began with {origin}.  Next:\n"
        "  1. Stop every node of the old cluster; keep their folders and traces, but elsewhere.\n"
        f'  2. Put each folder above where its node\'s settings have `data`; in all settings, cluster = "{cluster}"\n'
        f"     and [peers] are {', '.join(nodes)}.  Nodes with TLS need certificates for NODE.{cluster}.quorate.\n"
        "  3. Start the nodes, and see with `quorate status` that one of them leads."
    )
    return Exit.HOLDS


def _whole(file: Path) -> Backup:
    backup = Backup.open(file)
    backup.verify()
    return backup

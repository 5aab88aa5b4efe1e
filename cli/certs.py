"""`quorate certs`: a development authority, and certificates for the nodes of a cluster."""

from __future__ import annotations

from pathlib import Path

import click

from ..impl.certificates import make_certificates
from .main import Exit
from .writing import check_folder


@click.command(
    short_help="Make certificates for trying TLS out.",
    epilog="\b\nExample:\n  quorate certs --cluster orchard --into tls a b c",
)
@click.argument("nodes", nargs=-1, required=True, metavar="NODE...")
@click.option("--cluster", required=True, help="The cluster's name, as in the nodes' settings.")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tls"),
    show_default=True,
    metavar="FOLDER",
)
@click.option(
    "--host", "hosts", multiple=True, help="A name or address at which clients reach a node; may be repeated."
)
def certs(nodes: tuple[str, ...], cluster: str, into: Path, hosts: tuple[str, ...]) -> int:
    """Make an authority and a certificate for each NODE, for the section [tls] of their settings.

    An authority that FOLDER holds already signs.  Whoever has authority.key can be any node: this is for trying out.
    """
    check_folder(into)
    try:
        made = make_certificates(into, cluster, nodes, hosts or ("127.0.0.1", "localhost"))
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}; name another folder") from error
    for path in made:
        click.echo(path)
    return Exit.HOLDS

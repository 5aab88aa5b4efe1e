"""`quorate serve`: run one node of a cluster."""

from __future__ import annotations

from pathlib import Path

import click

from ..impl.core.errors import BrokenAgreement
from .main import Exit


@click.command(
    short_help="Run one node of a cluster.", epilog="\b\nExample:\n  quorate serve --config a.toml"
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The node's settings, a TOML file; docs/SERVING.md lists the keys.",
)
def serve(config: Path) -> int:
    """Run one node of a cluster until it is told to stop (SIGTERM, SIGINT).

    Every promise and every acceptance is on disk before it is answered.  With `trace` set in FILE the node records
    what it does, for `quorate conform`.
    """
    from ..impl.net.logs import begin_logging
    from ..impl.net.main import run
    from ..impl.settings import load_settings

    try:
        settings = load_settings(config)
        begin_logging(settings.log, settings.node)
        run(settings)
    except BrokenAgreement as broken:
        click.echo(f"quorate: {broken}", err=True)
        return Exit.VIOLATED
    return Exit.HOLDS

"""`quorate export`: the specification for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from ..checker.instance import Instance
from ..checker.tla import export as export_tla
from .main import Exit
from .specs import chosen, list_mutants, mutant_options, size_option, sizes_of, spec_argument


@click.command(
    short_help="Print a specification as TLA+.",
    epilog="\b\nExample:\n  quorate export --tla -n acceptor=3 -n ballot=2 -o models\n  tlc models/multipaxos.tla",
)
@spec_argument
@click.option("--tla", is_flag=True, required=True, help="As a TLA+ module and a configuration for TLC.")
@size_option
@mutant_options
@click.option(
    "-o",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write SPEC.tla and SPEC.cfg into this folder; without it, both go to standard output.",
)
def export(
    spec: str,
    tla: bool,
    sizes: tuple[tuple[str, int], ...],
    mutant: str | None,
    list_them: bool,
    folder: Path | None,
) -> int:
    """Print a specification as TLA+, with a configuration for one instance, so that TLC can check us."""
    if list_them:
        list_mutants(spec)
        return Exit.HOLDS
    specification = chosen(spec, mutant)
    made = export_tla(specification, Instance.of(specification, sizes_of(sizes)))
    if folder is None:
        click.echo(made.module)
        click.echo(made.configuration, nl=False)
        return Exit.HOLDS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{made.name}.tla").write_text(made.module, encoding="utf-8")
        (folder / f"{made.name}.cfg").write_text(made.configuration, encoding="utf-8")
    except OSError as why:
        raise click.UsageError(f"-o {folder}: {why.strerror}; name a folder that can be written") from None
    click.echo(f"wrote {folder / made.name}.tla and {folder / made.name}.cfg")
    return Exit.HOLDS

"""`quorate drive`: drive the implementation down every edge that the specification has."""

from __future__ import annotations

import click

from ..checker.instance import Instance
from ..checker.specification import Specification
from ..refinement.driving.report import Coverage
from ..refinement.driving.walk import walk
from ..spec import multipaxos
from .console import Work, print_json
from .main import Exit
from .numbers import Number
from .specs import size_option, sizes_of

CODES = {"covered": Exit.HOLDS, "deviates": Exit.VIOLATED, "unknown": Exit.UNKNOWN}


@click.command(
    short_help="Drive the implementation down every edge of the specification.",
    epilog="\b\nExamples:\n"
    "  quorate drive -n acceptor=3 -n ballot=2 -n slot=1 -n value=2\n"
    "  quorate drive -n acceptor=3 -n ballot=2 -n slot=2 -n value=1 --seconds 120 --json",
)
@size_option
@click.option(
    "--seconds",
    "seconds_max",
    type=Number(min=0),
    help="Stop after so many seconds: the verdict is unknown.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def drive(sizes: tuple[tuple[str, int], ...], seconds_max: float | None, as_json: bool) -> int:
    """Drive the implementation down every edge that multipaxos has in a small cluster.

    An edge is a state and an action that changes it.  Replicas are brought into the state, in every way in which they
    come there, and given the events that stand for the action: they must take it, and end in the specification's state.
    What the specification refuses is attempted as well, and must change nothing.

    The verdict is `covered`: every edge is driven, or of a class that is never taken, with its reason; `deviates`, with
    the shortest way there; or `unknown`, if the walk was cut short.
    """
    instance = Instance.of(Specification.of(multipaxos), sizes_of(sizes))
    with Work(f"driving multipaxos, {instance}") as work:
        found = walk(instance, seconds_max=seconds_max, watch=lambda so_far: work.at(*told(so_far)))
    if as_json:
        print_json(found.to_json())
    else:
        for line in found.summary():
            click.echo(line)
    return CODES[found.verdict]


def told(found: Coverage) -> tuple[str, str]:
    """How far a walk has come, and how much of each action was driven."""
    driven, edges = found.driven.total(), found.edges.total()
    parts = [f"level {found.levels}", f"{found.states:,} states", f"{driven:,} of {edges:,} edges driven"]
    each = ", ".join(f"{name} {found.driven[name]:,} of {count:,}" for name, count in found.edges.items())
    return ", ".join([*parts, f"{found.attempts:,} attempts", f"{found.seconds:.0f} s"]), each

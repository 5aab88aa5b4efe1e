"""`quorate check`: explore every state of an instance."""

from __future__ import annotations

import click

from ..checker.explore.referee import explore
from ..checker.explore.report import summary
from ..checker.explore.result import Exploration, Limits, Progress
from ..checker.instance import Instance
from .console import Work, print_json
from .main import Exit
from .specs import chosen, list_mutants, mutant_options, size_option, sizes_of, spec_argument

CODES = {"holds": Exit.HOLDS, "violated": Exit.VIOLATED, "unknown": Exit.UNKNOWN}


@click.command(
    epilog="\b\nExamples:\n"
    "  quorate check -n acceptor=3 -n ballot=2 -n slot=1 -n value=2\n"
    "  quorate check voting\n"
    "  quorate check --mutant accept_below_promise\n"
    "  quorate check path/to/my_spec.py"
)
@spec_argument
@size_option
@mutant_options
@click.option(
    "--max-states", type=click.IntRange(min=1), help="Stop after so many states; the verdict is unknown."
)
@click.option(
    "--max-depth", type=click.IntRange(min=1), help="Stop after so many levels; the verdict is unknown."
)
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0), help="Stop after so many seconds, likewise."
)
@click.option("--deadlock", is_flag=True, help="A state that no action leaves is a violation.")
@click.option(
    "--no-symmetry", is_flag=True, help="Explore every state, not one of each orbit of interchangeable ones."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def check(
    spec: str,
    sizes: tuple[tuple[str, int], ...],
    mutant: str | None,
    list_them: bool,
    max_states: int | None,
    max_depth: int | None,
    timeout_s: float | None,
    deadlock: bool,
    no_symmetry: bool,
    as_json: bool,
) -> int:
    """Explore every state of a small cluster, and check every property in each.

    SPEC is multipaxos, voting, consensus or the path of a specification of yours.  Every sort has two members, three
    if sets are made of it, unless -n says otherwise.  What is violated is shown with a shortest way to it.
    """
    if list_them:
        list_mutants(spec)
        return Exit.HOLDS
    specification = chosen(spec, mutant)
    instance = Instance.of(specification, sizes_of(sizes))
    with Work(f"exploring {specification.name}, {instance}") as work:

        def watch(p: Progress) -> None:
            work.at(f"depth {p.depth}, {p.distinct:,} states, {p.queue:,} to expand, {p.seconds:.0f} s")

        found = explore(
            specification,
            instance,
            limits=Limits(max_states, max_depth, timeout_s),
            stop_at_deadlock=deadlock,
            watch=watch,
        )
    report(found, as_json)
    return CODES[found.verdict]


def report(found: Exploration, as_json: bool) -> None:
    """Prints what was found."""
    if as_json:
        print_json(found.to_json())
    else:
        for line in summary(found):
            click.echo(line)

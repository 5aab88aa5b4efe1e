"""`quorate prove`: prove a specification for any number of everything."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from ..checker.prove.proof import Proof
from ..checker.prove.proof import prove as ask
from ..checker.prove.report import show, summary, watching
from ..checker.prove.solving import Z3, Outcome
from .console import Work, print_json
from .main import Exit
from .specs import list_mutants, mutant_options, spec_argument, tower_of
from .study import Asked, study, study_options

CODES = {"proved": Exit.HOLDS, "refuted": Exit.VIOLATED, "unknown": Exit.UNKNOWN}


@click.command(
    short_help="Prove it for any number of everything.",
    epilog="\b\nExamples:\n  quorate prove\n  quorate prove voting --seeds 8\n"
    "  quorate prove --mutant leader_ignores_reports\n  quorate prove --drop logs_are_full\n"
    "  quorate prove --all-drops\n  quorate prove path/to/my_spec.py",
)
@spec_argument
@mutant_options
@click.option(
    "--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Ask again with so many seeds."
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds for each obligation; what takes longer is unknown.",
)
@study_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def prove(
    spec: str,
    mutant: str | None,
    list_them: bool,
    seeds: int,
    timeout_s: float,
    as_json: bool,
    **options: Any,
) -> int:
    """Prove a specification for any number of acceptors, ballots, slots and values.

    Every invariant is shown to hold at first and to be kept by every action; where a specification refines another,
    every step is shown to be a step there.  What cannot be proved is shown with a state and a step that break it, and
    what the solver does not know is never called proved.
    """
    if list_them:
        list_mutants(spec)
        return Exit.HOLDS
    tower = tower_of(spec, mutant)
    if asked := Asked(mutant=mutant, **options):
        return study(tower, asked, Z3(seconds_max=timeout_s), as_json)
    solvers = [Z3(seed, timeout_s) for seed in range(seeds)]
    if as_json:
        proofs = []
        with Work(f"proving {tower.name}") as work:

            def watch(outcome: Outcome, done: int, total: int) -> None:
                work.at(f"{done} of {total}: {outcome.obligation}")

            proofs = [ask(tower, solver, watch) for solver in solvers]
        print_json(together(proofs))
    else:
        console = Console()
        with watching(console) as watcher:
            proofs = [ask(tower, solvers[0], watcher)]
        show(proofs[0], console)
        for solver in solvers[1:]:
            proofs.append(ask(tower, solver))
            click.echo(summary(proofs[-1]))
    return max(CODES[proof.verdict] for proof in proofs)


def together(proofs: list[Proof]) -> dict[str, object]:
    """The proofs with several seeds as one object: the first, with the worst verdict, and a line for each."""
    worst = max(proofs, key=lambda proof: CODES[proof.verdict])
    told = worst.to_json()
    if len(proofs) > 1:
        told["seeds"] = [
            {"solver": p.solver, "verdict": p.verdict, "seconds": round(p.seconds, 3)} for p in proofs
        ]
    return told

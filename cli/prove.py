"""`quorate prove`: prove a specification for any number of everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console

from ..checker.prove.html import page
from ..checker.prove.interrupt import interrupted, interruptible
from ..checker.prove.matrix import Matrix, with_cores
from ..checker.prove.obligation import Obligation
from ..checker.prove.proof import Watcher
from ..checker.prove.proof import prove as ask
from ..checker.prove.report import show, watching
from ..checker.prove.solving import Z3
from ..checker.prove.svg import picture
from ..checker.refinement import Tower
from ..checker.study.page import studies_section
from ..checker.study.study import Study, settled
from .console import Work, print_json
from .main import Exit
from .proving import Way, proving_options, save_queries
from .specs import OURS, list_mutants, mutant_options, spec_argument, tower_of
from .study import Asked, refuse_what_does_not_go_together, refuted, study, study_options
from .writing import write_file

CODES = {"proved": Exit.HOLDS, "refuted": Exit.VIOLATED, "unknown": Exit.UNKNOWN}


@click.command(
    short_help="Prove it for any number of everything.",
    epilog="\b\nExamples:\n  quorate prove\n  quorate prove voting --seeds 8\n"
    "  quorate prove --prover z3 --prover cvc5 --cores\n  quorate prove --html proof.html --graph proof.svg\n"
    "  quorate prove --mutant leader_ignores_reports\n  quorate prove --drop logs_are_full\n"
    "  quorate prove --all-drops --html proof.html\n  quorate prove path/to/my_spec.py",
)
@spec_argument
@mutant_options
@proving_options
@study_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def prove(spec: str, mutant: str | None, list_them: bool, as_json: bool, **options: Any) -> int:
    """Prove a specification for any number of acceptors, ballots, slots and values.

    Every invariant is shown to hold at first and to be kept by every action; where a specification refines another,
    every step is shown to be a step there.  What cannot be proved is shown with a state and a step that break it, and
    what the solver does not know is never called proved.  What was proved before is recalled, and said to be.
    """
    if list_them:
        list_mutants(spec)
        return Exit.HOLDS
    way = Way.of(options)
    way.check_files()
    tower = tower_of(spec, mutant)
    asked = Asked(mutant=None if way.is_of_a_whole_proof else mutant, **options)
    refuse_what_does_not_go_together(asked)
    if asked and way.is_of_a_whole_proof and not (asked.takes_away and way.only_writes_a_page):
        raise click.UsageError(
            "--prover, --seeds, --cores, --html, --graph and --save-queries are of a whole proof; leave the study away "
            "(--html alone goes with --drop, --without-axiom and --all-drops)"
        )
    with interruptible():
        code = studied(tower, asked, way, as_json) if asked else whole(tower, way, spec not in OURS, as_json)
        return Exit.INTERRUPTED if interrupted() and code == Exit.HOLDS else code


def studied(tower: Tower, asked: Asked, way: Way, as_json: bool) -> int:
    """The studies that are asked for, and the page if one is wanted."""
    studies, code = study(tower, asked, Z3(seconds_max=way.timeout_s), as_json)
    if way.html is not None:
        write(proved(tower, way, None), way, studies)
    return code


def whole(tower: Tower, way: Way, try_runs: bool, as_json: bool) -> int:
    """The whole proof, shown and written; before it, if wanted, whether a run of a small instance breaks it."""
    if try_runs and not way.writes and refuted(tower.floors[0], as_json):
        return Exit.VIOLATED
    if way.save_queries is not None:
        count = save_queries(tower, way.save_queries)
        click.echo(f"{count} queries saved in {way.save_queries}", err=True)
    console = Console()
    matrix = proved(tower, way, None if as_json else console)
    if as_json:
        print_json(matrix.to_json())
    else:
        show(matrix, console)
    write(matrix, way)
    return CODES[matrix.verdict]


def proved(tower: Tower, way: Way, console: Console | None) -> Matrix:
    """Runs every solver over the tower, and looks for what the proofs rest on if that is wanted.

    On the console, if there is one, the first run is shown as it goes.
    """
    means, (first, *others) = way.means(), way.solvers()
    runs = []
    if console is not None:
        with watching(console) as watcher:
            runs.append(ask(tower, first, watcher, means))
    else:
        others = [first, *others]
    with Work(f"proving {tower.name}") as work:
        runs += (ask(tower, solver, progress(work, solver.name), means) for solver in others)
        runs = [settled(run) for run in runs]
        if not way.wants_cores:
            return Matrix(tuple(runs))

        def watch(obligation: Obligation, done: int, total: int) -> None:
            work.at(f"what it rests on, {done} of {total}: {obligation}")

        return with_cores(runs, means, watch)


def progress(work: Work, name: str) -> Watcher:
    """A watcher that says how far a run has come."""
    return lambda outcome, done, total: work.at(f"{name}: {done} of {total}: {outcome.obligation}")


def write(matrix: Matrix, way: Way, studies: Sequence[Study] = ()) -> None:
    """Writes the page, with what was studied if anything was, and the picture that are wanted."""
    if way.html is not None:
        write_file(way.html, page(matrix, studies_section(studies)))
    if way.graph is not None:
        write_file(way.graph, picture(matrix))

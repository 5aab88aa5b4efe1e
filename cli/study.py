"""The options of `quorate prove` that study a proof: take something away, look ahead, find what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.text import Text

from ..checker.instance import Instance
from ..checker.prove.proof import refuse_without_claims
from ..checker.prove.report import STYLES
from ..checker.prove.solving import Z3
from ..checker.refinement import Tower
from ..checker.specification import Specification
from ..checker.study.ahead import Ahead, KInduction, by_k_induction, look_ahead
from ..checker.study.ahead_report import ahead_lines, k_induction_lines
from ..checker.study.early import early_lines, refuted_early
from ..checker.study.report import study_json, study_lines, table
from ..checker.study.strengthen import strengthen
from ..checker.study.strengthen_report import strengthening_json, strengthening_lines
from ..checker.study.study import Examiner, Study
from .console import Work, print_json
from .main import Exit
from .specs import size_option, sizes_of

F = TypeVar("F", bound=Callable[..., Any])

CODES = {
    "proved": Exit.HOLDS,
    "refuted": Exit.VIOLATED,
    "violated": Exit.VIOLATED,
    "unknown": Exit.UNKNOWN,
}


@dataclass(frozen=True)
class Asked:
    """What the options ask for."""

    drop: tuple[str, ...]
    without_axiom: tuple[str, ...]
    all_drops: bool
    bmc: int | None
    k_induction: int | None
    strengthen: bool
    sizes: tuple[tuple[str, int], ...]
    mutant: str | None

    def __bool__(self) -> bool:
        return bool(self.takes_away or self.looks_ahead or self.strengthen)

    @property
    def takes_away(self) -> bool:
        """Whether something is to be left out or spoiled, to see what fails."""
        return bool(self.drop or self.without_axiom or self.all_drops or self.mutant)

    @property
    def looks_ahead(self) -> bool:
        """Whether runs of some length are asked about."""
        return self.bmc is not None or self.k_induction is not None


def refuse_what_does_not_go_together(asked: Asked) -> None:
    """Raises `click.UsageError` for options of which one would be passed over in silence."""
    kinds = {
        "--drop": asked.drop,
        "--without-axiom": asked.without_axiom,
        "--all-drops": asked.all_drops,
        "--bmc": asked.bmc is not None,
        "--k-induction": asked.k_induction is not None,
        "--strengthen": asked.strengthen,
    }
    given = [name for name, value in kinds.items() if value]
    if len(given) > 1 and given != ["--drop", "--without-axiom"]:
        raise click.UsageError(f"{' and '.join(given)}: ask for one at a time")
    if asked.sizes and not asked.looks_ahead:
        raise click.UsageError("-n is for --bmc and --k-induction; a proof is for any number of everything")


def study_options(f: F) -> F:
    """The options, whose values a command collects as `Asked(**options, mutant=...)`."""
    for option in reversed(
        (
            click.option(
                "--drop", metavar="NAME", multiple=True, help="Leave an invariant out, to see what fails."
            ),
            click.option(
                "--without-axiom",
                metavar="NAME",
                multiple=True,
                help="Do not assume an axiom (quorums_meet) or an order (ballot_order), to see what fails.",
            ),
            click.option(
                "--all-drops", is_flag=True, help="Leave out every invariant in turn; print a table."
            ),
            click.option(
                "--bmc",
                metavar="K",
                type=click.IntRange(min=0),
                help="Look at every run of up to K steps: of one instance (-n), and without -n of any.  The verdict is "
                "violated or unknown.",
            ),
            click.option(
                "--k-induction",
                metavar="K",
                type=click.IntRange(min=1),
                help="Prove all properties together by what holds of K states in a row.",
            ),
            click.option(
                "--strengthen",
                is_flag=True,
                help="Look for an inductive invariant, from the safety properties alone "
                "(seconds for voting, many minutes for multipaxos).",
            ),
            size_option,
        )
    ):
        f = option(f)
    return f


def study(tower: Tower, asked: Asked, solver: Z3, as_json: bool) -> tuple[list[Study], int]:
    """Makes the studies that are asked for and prints them; those of what was taken away are returned as well."""
    refuse_without_claims(tower.floors[0])
    if asked.strengthen:
        return [], _strengthen(tower, solver, as_json)
    if asked.looks_ahead:
        return [], _look_ahead(tower, asked, solver, as_json)
    return _take_away(tower, asked, solver, as_json)


def _take_away(tower: Tower, asked: Asked, solver: Z3, as_json: bool) -> tuple[list[Study], int]:
    with Work(f"studying {tower.name}") as work:
        studies = list(_studies(tower, asked, Examiner(solver, watch=work.at)))
    if as_json:
        told = [study_json(one) for one in studies]
        print_json(
            {"spec": tower.name, **told[0]} if len(told) == 1 else {"spec": tower.name, "studies": told}
        )
    else:
        _show(studies, asked.all_drops)
    if asked.all_drops:
        return studies, _needed(studies)
    return studies, max(CODES[one.verdict] for one in studies)


def _studies(tower: Tower, asked: Asked, examiner: Examiner) -> list[Study]:
    if asked.all_drops:
        names = [f.__name__ for spec in tower.floors for f in spec.invariants]
        if not names:
            raise click.UsageError(f"--all-drops: {tower.name} has no invariant to leave out")
        return [examiner.drop(tower, name) for name in dict.fromkeys(names)]
    if asked.drop or asked.without_axiom:
        return [
            *(examiner.drop(tower, name) for name in asked.drop),
            *(examiner.drop_axiom(tower, name) for name in asked.without_axiom),
        ]
    assert asked.mutant is not None, "something was asked"
    return [examiner.mutant(tower, asked.mutant)]


def _show(studies: list[Study], as_table: bool) -> None:
    console = Console(highlight=False)
    if as_table:
        for line in table(studies):
            console.print(Text(line), soft_wrap=True)
        return
    for one in studies:
        *lines, verdict = study_lines(one)
        for line in lines:
            console.print(Text(line), soft_wrap=True)
        style = {"proved": "proved", "refuted": "failed", "unknown": "unknown"}[one.verdict]
        console.print(Text(verdict, STYLES[style]), soft_wrap=True)


def _look_ahead(tower: Tower, asked: Asked, solver: Z3, as_json: bool) -> int:
    """Bounded checking, and k-induction."""
    spec = tower.floors[0]
    instance = Instance.of(spec, sizes_of(asked.sizes))
    seen: Ahead | KInduction
    with Work(f"looking ahead in {spec.name}") as work:
        if asked.k_induction is not None:
            seen = by_k_induction(spec, instance, asked.k_induction, solver, work.at)
            lines = k_induction_lines(seen)
        else:
            seen = look_ahead(spec, instance, asked.bmc or 0, None if asked.sizes else solver, watch=work.at)
            lines = ahead_lines(seen)
    if as_json:
        print_json(seen.to_json())
    else:
        for line in lines:
            click.echo(line)
    return CODES[seen.verdict]


def _strengthen(tower: Tower, solver: Z3, as_json: bool) -> int:
    """The search for an inductive invariant."""
    spec = tower.floors[0]
    if not spec.safety:
        raise click.UsageError(f"{spec.name} has no property marked @safety to start from")
    with Work(f"strengthening {spec.name}") as work:
        found = strengthen(spec, replace(solver, seconds_max=min(solver.seconds_max, 10.0)), watch=work.at)
    if as_json:
        print_json(strengthening_json(found))
    else:
        for line in strengthening_lines(found):
            click.echo(line)
    return Exit.HOLDS if found.verdict == "proved" else Exit.UNKNOWN


def refuted(spec: Specification, as_json: bool) -> bool:
    """Whether a run of a small instance breaks a property; it is shown, and no solver need be asked."""
    found = refuted_early(spec)
    if found is None:
        return False
    if as_json:
        print_json({"spec": spec.name, "verdict": "refuted", "refuted_by": found.to_json()})
        return True
    for line in early_lines(spec, found):
        click.echo(line)
    return True


def _needed(studies: list[Study]) -> Exit:
    """That every invariant is needed holds just if something fails without each."""
    verdicts = {one.verdict for one in studies}
    if "proved" in verdicts:
        return Exit.VIOLATED
    return Exit.UNKNOWN if "unknown" in verdicts else Exit.HOLDS

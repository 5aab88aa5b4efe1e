"""The options of `quorate prove` that study a proof: take something away, look ahead, find what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.text import Text

from ..checker.prove.report import STYLES
from ..checker.prove.solving import Z3
from ..checker.refinement import Tower
from ..checker.study.report import study_json, study_lines, table
from ..checker.study.study import Examiner, Study
from .console import Work, print_json
from .main import Exit

F = TypeVar("F", bound=Callable[..., Any])

CODES = {"proved": Exit.HOLDS, "refuted": Exit.VIOLATED, "unknown": Exit.UNKNOWN}


@dataclass(frozen=True)
class Asked:
    """What the options ask for."""

    drop: tuple[str, ...]
    without_axiom: tuple[str, ...]
    all_drops: bool
    mutant: str | None

    def __bool__(self) -> bool:
        return bool(self.drop or self.without_axiom or self.all_drops or self.mutant)


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
        )
    ):
        f = option(f)
    return f


def study(tower: Tower, asked: Asked, solver: Z3, as_json: bool) -> int:
    """Makes the studies that are asked for and prints them."""
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
        return _needed(studies)
    return max(CODES[one.verdict] for one in studies)


def _studies(tower: Tower, asked: Asked, examiner: Examiner) -> list[Study]:
    if asked.all_drops:
        names = [f.__name__ for spec in tower.floors for f in spec.invariants]
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


def _needed(studies: list[Study]) -> Exit:
    """That every invariant is needed holds just if something fails without each."""
    verdicts = {one.verdict for one in studies}
    if "proved" in verdicts:
        return Exit.VIOLATED
    return Exit.UNKNOWN if "unknown" in verdicts else Exit.HOLDS

"""The options of `quorate prove` that say who proves, how, and where the proof is shown."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ..checker.prove.asking import Means
from ..checker.prove.cache import NO_CACHE, FileCache, user_folder
from ..checker.prove.proof import obligations
from ..checker.prove.second import Cvc5, SolverMissing
from ..checker.prove.smtlib import script
from ..checker.prove.solving import Z3, Solver
from ..checker.refinement import Tower
from .numbers import Number
from .writing import cannot_write, check_file

F = TypeVar("F", bound=Callable[..., Any])

PROVERS: dict[str, Callable[[int, float], Solver]] = {"z3": Z3, "cvc5": Cvc5}


@dataclass(frozen=True)
class Way:
    """How a proof is made, and what is to be made of it."""

    prover: tuple[str, ...]
    seeds: int
    timeout_s: float
    jobs: int
    no_cache: bool
    cores: bool
    html: Path | None
    graph: Path | None
    save_queries: Path | None

    @classmethod
    def of(cls, options: dict[str, Any]) -> Way:
        """Takes what it needs out of a command's options."""
        return cls(**{name: options.pop(name) for name in cls.__dataclass_fields__})

    @property
    def writes(self) -> bool:
        """Whether files are wanted."""
        return any(path is not None for path in (self.html, self.graph, self.save_queries))

    @property
    def is_of_a_whole_proof(self) -> bool:
        """Whether something is wanted that a study of one part of a proof does not give."""
        return bool(self.writes or self.prover or self.seeds > 1 or self.cores)

    @property
    def only_writes_a_page(self) -> bool:
        """Whether a page is all that is wanted of the whole proof."""
        others = (self.graph, self.save_queries, self.prover, self.cores, self.seeds > 1)
        return self.html is not None and not any(others)

    def check_files(self) -> None:
        """Raises `click.UsageError` for a file that could not be written once all is proved."""
        if self.graph is not None and self.graph.suffix != ".svg":
            raise click.UsageError(
                f"{self.graph}: the graph is drawn as SVG; call it {self.graph.with_suffix('.svg')}"
            )
        for path in filter(None, (self.html, self.graph)):
            check_file(path)

    def solvers(self) -> Sequence[Solver]:
        """A solver for each prover and seed.  Raises `click.UsageError` if one is not installed."""
        names = dict.fromkeys(self.prover or ("z3",))
        try:
            return [PROVERS[name](seed, self.timeout_s) for name in names for seed in range(self.seeds)]
        except SolverMissing as why:
            raise click.UsageError(str(why)) from None

    def means(self) -> Means:
        """In how many processes, and with which cache."""
        return Means(self.jobs or processors(), NO_CACHE if self.no_cache else FileCache(user_folder()))

    @property
    def wants_cores(self) -> bool:
        """Whether it must be found out what each proof rests on: the page and the graph show it."""
        return self.cores or self.html is not None or self.graph is not None


def proving_options(f: F) -> F:
    """The options, whose values a command collects as a `Way`."""
    file = click.Path(dir_okay=False, writable=True, path_type=Path)
    for option in reversed(
        (
            click.option(
                "--prover",
                type=click.Choice(tuple(PROVERS)),
                multiple=True,
                help="Who proves: z3 if nothing is said.  Given twice, both do, each for itself.",
            ),
            click.option(
                "--seeds",
                type=click.IntRange(min=1),
                default=1,
                show_default=True,
                help="Ask again with so many seeds.",
            ),
            click.option(
                "--timeout",
                "timeout_s",
                type=Number(min=0, min_open=True),
                default=30.0,
                show_default=True,
                help="Seconds for each obligation; what takes longer is unknown.",
            ),
            click.option(
                "--jobs",
                type=click.IntRange(min=0),
                default=1,
                show_default=True,
                help="How many obligations at a time; 0 for as many as there are processors.",
            ),
            click.option("--no-cache", is_flag=True, help="Prove everything anew, and keep nothing."),
            click.option(
                "--cores", is_flag=True, help="Find out which hypotheses each proof needs (takes longer)."
            ),
            click.option(
                "--html",
                type=file,
                metavar="FILE",
                help="Write the whole proof as one page that opens anywhere; with --all-drops or --drop, "
                "every counterexample as well.",
            ),
            click.option(
                "--graph", type=file, metavar="FILE.svg", help="Draw which conjunct rests on which."
            ),
            click.option(
                "--save-queries",
                type=click.Path(file_okay=False, path_type=Path),
                metavar="DIR",
                help="Write every obligation as an SMT-LIB file, for any solver.",
            ),
        )
    ):
        f = option(f)
    return f


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def save_queries(tower: Tower, folder: Path) -> int:
    """Writes every obligation that is asked into a folder; says how many.  Raises `click.UsageError`."""
    asked = [o for o in obligations(tower) if not o.skipped]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for i, o in enumerate(asked, 1):
            (folder / f"{i:03}-{file_name(str(o))}.smt2").write_text(script(o), encoding="utf-8")
    except OSError as why:
        raise cannot_write(folder, why) from None
    return len(asked)


def file_name(text: str) -> str:
    """A text as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80]

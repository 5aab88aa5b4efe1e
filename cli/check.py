"""`quorate check`: explore every state of an instance."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import click

from ..checker.explore import referee
from ..checker.explore.referee import StepCheck
from ..checker.explore.report import summary
from ..checker.explore.result import Exploration, Limits, Progress, Watcher
from ..checker.instance import Instance
from ..checker.refinement import Refinement
from ..checker.specification import Specification
from .console import Work, print_json
from .exploring import Ways, ways_options
from .main import Exit
from .numbers import Number
from .specs import list_mutants, mutant_options, size_option, sizes_of, spec_argument, tower_of
from .storing import Stores, storing_options
from .writing import check_file

CODES = {"holds": Exit.HOLDS, "violated": Exit.VIOLATED, "unknown": Exit.UNKNOWN}


@dataclass(frozen=True)
class Engines:
    """How one instance is explored: by which engine, within which limits."""

    spec: Specification
    instance: Instance
    refinement: Refinement | None
    limits: Limits
    deadlock: bool
    symmetry: bool | Collection[str]
    workers: int | None
    exact: bool
    stores: Stores
    watch: Watcher

    @property
    def step_checks(self) -> list[StepCheck]:
        """What the referee checks on every step."""
        return [self.refinement.broken_by] if self.refinement else []

    def referee(self) -> Exploration:
        """Explored by the text itself; the refinement, if one is asked for, is checked on every step."""
        found = referee.explore(
            self.spec,
            self.instance,
            limits=self.limits,
            step_checks=self.step_checks,
            stop_at_deadlock=self.deadlock,
            watch=self.watch,
        )
        if self.refinement is None:
            return found
        return replace(found, properties=(*found.properties, self.refinement.name))

    def compiled(self, soonest: bool) -> Exploration:
        """Explored by machine code, or by the text if that answers sooner.

        Raises `CannotExplore`, `BadSymmetry` and `BadCheckpoint`.
        """
        from ..checker.native import explore
        from ..checker.native.soonest import explore as explore_soonest

        return (explore_soonest if soonest else explore)(
            self.spec,
            self.instance,
            limits=self.limits,
            workers=self.workers,
            exact=self.exact,
            symmetry=self.symmetry,
            stop_at_deadlock=self.deadlock,
            storage=self.stores.storage(),
            watch=self.watch,
        )


@click.command(
    short_help="Explore every state of a small cluster.",
    epilog="\b\nExamples:\n"
    "  quorate check -n acceptor=3 -n ballot=2 -n slot=1 -n value=2\n"
    "  quorate check voting\n"
    "  quorate check --mutant accept_below_promise\n"
    "  quorate check --liveness -n ballot=2 -n slot=1 -n value=1\n"
    "  quorate check -n ballot=3 -n slot=2 --memory 8G --checkpoint run.ckpt\n"
    "  quorate check --simulate 1000 --seed 7 -n acceptor=5 -n ballot=4\n"
    "  quorate check path/to/my_spec.py",
)
@spec_argument
@size_option
@mutant_options
@click.option(
    "--max-states", type=click.IntRange(min=1), help="Stop after so many states: the verdict is unknown."
)
@click.option("--max-depth", type=click.IntRange(min=1), help="Stop after so many levels, likewise.")
@click.option("--timeout", "timeout_s", type=Number(min=0), help="Stop after so many seconds, likewise.")
@click.option("--deadlock", is_flag=True, help="A state that no action leaves is a violation.")
@click.option(
    "--no-symmetry", is_flag=True, help="Store every state, not one of each orbit of interchangeable ones."
)
@click.option(
    "--symmetry",
    metavar="SORT",
    multiple=True,
    help="Take members of this sort alone for interchangeable, as --symmetry acceptor.  May be given several times.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "native", "referee"]),
    default="auto",
    show_default=True,
    help="Machine code, or the specification's own text, which is slow; auto takes the text for what is tiny.",
)
@click.option(
    "--refinement",
    is_flag=True,
    help="Check on every step that it is one of the specification above (by the referee).",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1, max=256),
    help="Threads of the native engine; one a processor if not given.",
)
@click.option(
    "--exact", is_flag=True, help="Tell states apart by comparing them, not by 64-bit fingerprints."
)
@storing_options
@ways_options
@click.option(
    "--show-code",
    is_flag=False,
    flag_value="guards",
    type=click.Choice(["guards", "llvm"]),
    help="Print what is compiled, each guard beside its line of the specification, or LLVM's assembly, and stop.",
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
    symmetry: tuple[str, ...],
    engine: str,
    refinement: bool,
    workers: int | None,
    exact: bool,
    stores: Stores,
    ways: Ways,
    show_code: str | None,
    as_json: bool,
) -> int:
    """Explore every state of a small cluster, and check every property in each.

    SPEC is multipaxos, voting, consensus, checkpoint, flexible, flexible_voting or the path of a specification of
    yours.  Every sort has two members, three if sets are made of it, unless -n says otherwise.  What is violated is
    shown with a shortest way to it.
    """
    if list_them:
        list_mutants(spec)
        return Exit.HOLDS
    tower = tower_of(spec, mutant)
    if refinement and not tower.refinements:
        raise click.UsageError(f"--refinement: {tower.name} refines nothing; it is the top of its tower")
    if no_symmetry and symmetry:
        raise click.UsageError("--symmetry and --no-symmetry: choose one")
    by_text, storing = refinement or engine == "referee", stores.asked()
    if by_text and (storing or engine == "native"):
        slow, fast = "--refinement" if refinement else "--engine referee", storing or "--engine native"
        raise click.UsageError(f"{slow} is done by the specification's own text; leave {fast} away")
    ways.refuse_what_does_not_go_together(
        native=engine == "native", storing=storing, refinement=refinement, deadlock=deadlock, as_json=as_json
    )
    if ways.itf is not None:
        check_file(ways.itf)
    specification = tower.floors[0]
    instance = Instance.of(specification, sizes_of(sizes))
    if show_code:
        print_code(specification, instance, show_code)
        return Exit.HOLDS
    with Work(f"exploring {specification.name}, {instance}") as work:
        engines = Engines(
            specification,
            instance,
            tower.refinements[0] if refinement else None,
            limits=Limits(max_states, max_depth, timeout_s),
            deadlock=deadlock,
            symmetry=symmetry or not no_symmetry,
            workers=workers,
            exact=exact,
            stores=stores,
            watch=lambda progress: work.at(*told(progress)),
        )
        found = ways.explored(
            specification, instance, engines.limits, engines.step_checks, deadlock, by_text, engines.watch
        )
        if found is None:
            found = engines.referee() if by_text else engines.compiled(engine == "auto" and not storing)
    if not ways.dump:
        report(found, as_json)
    ways.write(found)
    return CODES[found.verdict]


def told(p: Progress) -> tuple[str, str]:
    """How far a search has come, and how often each action was taken."""
    rate = p.distinct / p.seconds if p.seconds else 0.0
    parts = [f"depth {p.depth}", f"{p.distinct:,} states", f"{p.queue:,} to expand", f"{rate:,.0f}/s"]
    if p.generated:
        parts.insert(1, f"{p.generated:,} generated")
    if p.memory_bytes:
        parts.append(f"{p.memory_bytes / 2**20:,.0f} MiB")
    taken = ", ".join(f"{name} {count:,}" for name, count in p.taken.items())
    return ", ".join([*parts, f"{p.seconds:.0f} s"]), taken


def print_code(spec: Specification, instance: Instance, form: str) -> None:
    """Prints what machine code is made of, or the assembly that it is made from."""
    from ..checker.native.listing import listing
    from ..checker.native.program import compile_program

    program = compile_program(spec, instance, spec.properties)
    for line in listing(spec, program) if form == "guards" else program.assembly.splitlines():
        click.echo(line)


def report(found: Exploration, as_json: bool) -> None:
    """Prints what was found."""
    if as_json:
        print_json(found.to_json())
    else:
        for line in summary(found):
            click.echo(line)

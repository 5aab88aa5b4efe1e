"""What `quorate check` does besides exploring every state: random walks, liveness, and files for other tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from ..checker.explore.dump import FORMS, STATES_MAX, dump
from ..checker.explore.graph import explored
from ..checker.explore.itf import counterexample_itf
from ..checker.explore.liveness import check_liveness
from ..checker.explore.referee import StepCheck
from ..checker.explore.result import Exploration, Limits, Watcher
from ..checker.explore.simulate import simulate
from ..checker.instance import Instance
from ..checker.specification import Specification
from .specs import gathered
from .writing import write_file


@dataclass(frozen=True)
class Ways:
    """How else to look at an instance, and what to write; all but random walks by the specification's own text."""

    walks: int | None
    seed: int
    liveness: bool
    unfair: tuple[str, ...]
    dump: str | None
    itf: Path | None

    def refuse_what_does_not_go_together(
        self, *, native: bool, storing: str, refinement: bool, deadlock: bool, as_json: bool
    ) -> None:
        """Raises `click.UsageError` for options that contradict each other.

        `native` says that machine code is asked for, `storing` is an option that speaks of how a search is stored.
        """
        asked = [
            option
            for option, given in [
                ("--simulate", self.walks is not None),
                ("--liveness", self.liveness),
                ("--dump", self.dump is not None),
            ]
            if given
        ]
        if len(asked) > 1:
            raise click.UsageError(f"{asked[0]} and {asked[1]} are two ways to look; choose one")
        if self.unfair and not self.liveness:
            raise click.UsageError("--unfair is said of --liveness; give both")
        if asked and storing:
            raise click.UsageError(
                f"{storing} is for exploring every state, {asked[0]} is something else; choose one"
            )
        if (self.liveness or self.dump) and native:
            raise click.UsageError(f"{asked[0]} is done by the specification's own text; leave --engine away")
        if (self.liveness or self.dump) and (refinement or deadlock):
            other = "--refinement" if refinement else "--deadlock"
            raise click.UsageError(f"{asked[0]} and {other} are two questions; ask them one after the other")
        if self.dump and as_json:
            raise click.UsageError("--dump json prints the graph, --json the outcome; choose one")
        if self.dump and self.itf:
            raise click.UsageError("--dump itf prints the graph, --itf writes a counterexample; choose one")

    def explored(
        self,
        spec: Specification,
        instance: Instance,
        limits: Limits,
        step_checks: Sequence[StepCheck],
        deadlock: bool,
        by_text: bool,
        watch: Watcher,
    ) -> Exploration | None:
        """What was found in the way asked for; None if none was.  A graph that is asked for is printed."""
        if self.walks is not None and not by_text:
            from ..checker.native.walks import simulate as simulate_natively

            return simulate_natively(
                spec,
                instance,
                self.walks,
                seed=self.seed,
                limits=limits,
                stop_at_deadlock=deadlock,
                watch=watch,
            )
        if self.walks is not None:
            return simulate(
                spec,
                instance,
                self.walks,
                seed=self.seed,
                limits=limits,
                step_checks=step_checks,
                stop_at_deadlock=deadlock,
                watch=watch,
            )
        if self.liveness:
            return check_liveness(spec, instance, unfair=self.unfair, limits=limits, watch=watch)
        if self.dump:
            return self._dumped(spec, instance, limits, watch)
        return None

    def _dumped(self, spec: Specification, instance: Instance, limits: Limits, watch: Watcher) -> Exploration:
        """Prints the graph, of which nothing is asked; one state too many is enough to refuse it."""
        states_max = min(limits.states_max or STATES_MAX, STATES_MAX)
        within = Limits(states_max, limits.depth_max, limits.seconds_max)
        graph, found = explored(spec, instance, limits=within, properties=(), watch=watch)
        for line in dump(self.dump or "", graph, found):
            click.echo(line)
        if found.cut_short:
            click.echo(f"this is a part of the graph: {found.cut_short}", err=True)
        return found

    def write(self, found: Exploration) -> None:
        """Writes the counterexample to the file asked for, if there is one of either.  Raises `click.UsageError`."""
        if self.itf is None:
            return
        if found.violation is None:
            click.echo(f"nothing is violated, so {self.itf} is not written", err=True)
            return
        write_file(self.itf, json.dumps(counterexample_itf(found, found.violation), indent=1) + "\n")


OPTIONS = [
    click.option(
        "--simulate",
        "walks",
        metavar="N",
        type=click.IntRange(min=1),
        help="Take N random walks instead; the verdict is violated or unknown.",
    ),
    click.option(
        "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which random walks."
    ),
    click.option(
        "--liveness",
        is_flag=True,
        help="Check what every fair run must come to, on the whole graph, without symmetry.",
    ),
    click.option(
        "--unfair",
        metavar="ACTION",
        multiple=True,
        help="With --liveness: assume no fairness of this action, to see what needs it.  May be given several times.",
    ),
    click.option(
        "--dump",
        type=click.Choice(sorted(FORMS)),
        help=f"Print the graph instead of the outcome, if it has at most {STATES_MAX:,} states.",
    ),
    click.option(
        "--itf",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write the counterexample, if there is one, in Apalache's trace format.",
    ),
]


ways_options = gathered("ways", Ways, OPTIONS)
"""Adds these options to a command, which gets them as one argument, `ways`."""

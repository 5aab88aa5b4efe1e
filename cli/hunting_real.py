"""`quorate hunt --real`: rounds of real faults on clusters of real processes, until one fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import click

from ..hunt.real.report import Tally, told
from ..hunt.real.round import Round, hold
from ..hunt.real.schedule import Plan, draw, read
from ..refinement.judge import Judge
from .console import Work, print_json, terminated_as_interrupted
from .main import Exit


@dataclass(frozen=True)
class RealHunt:
    """What is to be done."""

    first: int
    """The seed to begin with."""
    plan: Path | None
    """A plan to carry out, instead of any seed's."""
    rounds: int | None
    minutes: float | None
    nodes: int | None
    keep: Path | None

    @property
    def is_single(self) -> bool:
        """Is there one round, whatever comes of it?"""
        return self.plan is not None or self.rounds == 1

    def plans(self) -> Iterator[Plan]:
        """The plans, in their order."""
        if self.plan is not None:
            yield read(self.plan)
            return
        ends_s = None if self.minutes is None else time.monotonic() + 60 * self.minutes
        for number in count():
            if number == self.rounds or (ends_s is not None and number and time.monotonic() >= ends_s):
                return
            yield draw(self.first + number, self.nodes)

    def folder(self, plan: Plan) -> Path:
        """Where a round is kept."""
        name = f"hunt-real-{plan.seed}"
        if self.is_single:
            return self.keep or Path(name)
        return (self.keep or Path()) / name


def hunt_real(hunt: RealHunt, as_json: bool) -> int:
    """Hold rounds until one fails, or enough were held, or somebody interrupts; say what came of them."""
    tally, last, interrupted = Tally(), None, False
    try:
        with terminated_as_interrupted(), Work("hunting") as work:
            for held in _rounds(hunt, tally, work):
                tally.add(held)
                if held.verdict != "clean":
                    last = held
                if held.complaints:
                    break
    except KeyboardInterrupt:
        interrupted = True
    if as_json:
        print_json(_json(tally, last))
    else:
        kept = hunt.keep if hunt.is_single else None
        click.echo(told(tally, last, kept if last is None else hunt.folder(last.plan)))
    if last is not None and last.complaints:
        return Exit.VIOLATED
    if interrupted and (hunt.rounds or hunt.minutes or not tally.rounds):
        return Exit.INTERRUPTED
    return Exit.UNKNOWN if tally.undecided else Exit.HOLDS


def _rounds(hunt: RealHunt, tally: Tally, work: Work) -> Iterator[Round]:
    judge = Judge()
    for plan in hunt.plans():
        name = f"round {tally.rounds + 1}, seed {plan.seed}, {plan.nodes} nodes"

        def say(text: str, name: str = name) -> None:
            work.at(
                f"{name}: {text}",
                f"{tally.lines:,} lines judged, {sum(tally.faults.values()):,} faults so far",
            )

        always = hunt.is_single and hunt.keep is not None
        yield hold(plan, hunt.folder(plan), always=always, say=say, judge=judge)


def _json(tally: Tally, last: Round | None) -> dict[str, object]:
    fails = last is not None and bool(last.complaints)
    verdict = "fails" if fails else "undecided" if tally.undecided or not tally.rounds else "clean"
    return {"verdict": verdict, **tally.json(), "last": None if last is None else last.json()}

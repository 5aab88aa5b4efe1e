"""`quorate hunt`: run the implementation in a simulated world, by the thousand runs, and judge every one."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from ..hunt.campaign import VARIANTS, Campaign, Tally
from ..hunt.find import Find, made_small, written
from ..hunt.report import told, told_trial
from ..hunt.trial import Bench, Trial
from ..impl.sim.plan import Plan, read
from ..impl.sim.swarm import draw
from .console import Work, print_json, terminated_as_interrupted
from .hunting_real import RealHunt, hunt_real
from .main import Exit
from .mixing import is_given, refuse
from .numbers import Number
from .writing import check_folder

SHRINKING_TRIALS = 400

MANY = ("runs", "minutes", "first")
"""Options that one run has no use for."""

SIMULATED = ("jobs", "variants", "no_shrink")
"""Options that --real has no use for, and neither has one run."""


@click.command(
    short_help="Run the implementation in a simulated world and judge every run.",
    epilog="\b\nExamples:\n  quorate hunt --minutes 10        as many runs as that takes, on all cores\n"
    "  quorate hunt --seed 4711         one run, the same on every machine\n"
    "  quorate hunt --plan found/plan.json --keep found\n"
    "  quorate hunt --real --minutes 10 real processes, killed and cut off under load",
)
@click.option(
    "--real", is_flag=True, help="Run real processes with real faults instead, one cluster after the other."
)
@click.option(
    "--nodes",
    type=click.Choice(["3", "5"]),
    help="How many nodes each cluster of --real has; drawn if not given.",
)
@click.option("--runs", "--rounds", "runs", type=click.IntRange(1), help="Stop after so many runs.")
@click.option("--minutes", type=Number(0, min_open=True), help="Stop after so many minutes.")
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="The seed to begin with.")
@click.option("--seed", type=click.IntRange(0), help="Run this seed alone.")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="Run this plan alone.")
@click.option("--jobs", type=click.IntRange(1), help="Processes; as many as there are cores if not given.")
@click.option(
    "--variants",
    type=Number(0, 1),
    default=VARIANTS,
    show_default=True,
    help="The part of the runs that vary one which led somewhere new.",
)
@click.option("--no-shrink", is_flag=True, help="Leave a run that fails as large as it is.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where plan, traces and drawing of a failure go, or of the one run.  [default: hunt-SEED]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.pass_context
def hunt(
    context: click.Context,
    real: bool,
    nodes: str | None,
    runs: int | None,
    minutes: float | None,
    first: int,
    seed: int | None,
    plan_file: Path | None,
    jobs: int | None,
    variants: float,
    no_shrink: bool,
    keep: Path | None,
    as_json: bool,
) -> int:
    """Run the implementation in a simulated world, many times, and judge every run in three ways.

    The nodes are real from the driver inwards: replica, log on disk, key-value machine, trace.  Their clocks, disks and
    network are simulated, and one seed decides what goes wrong with them, to the last bit.  Every line of every trace
    is judged by the specification, every client's history must be linearizable, state machines must agree, and when
    the faults end everybody must be answered.

    Stops at the first run that fails, makes it small, and writes down its plan, its traces and a drawing.  Without
    --runs and --minutes it goes on until Ctrl-C.

    With --real the nodes are processes under the load of real clients, in rounds of some seconds: they are killed and
    restarted, stopped, paused, cut off and slowed down, and their disks fill.  The same judges speak.  A seed decides
    what is done and when, but no two runs are the same; --seed begins there, and alone runs one round.
    """
    _refuse_mixtures(context, real, seed, plan_file)
    single = seed is not None or plan_file is not None
    if keep is not None or real or not single:
        check_folder(keep or Path())
    if real:
        return hunt_real(
            RealHunt(
                first=first if seed is None else seed,
                plan=plan_file,
                rounds=1 if seed is not None and not (runs or minutes) else runs,
                minutes=minutes,
                nodes=None if nodes is None else int(nodes),
                keep=keep,
            ),
            as_json,
        )
    if single:
        return _one(read(plan_file) if plan_file is not None else draw(seed or 0), keep, as_json)
    with (
        terminated_as_interrupted(),
        Campaign(first, jobs or os.cpu_count() or 1, variants=variants) as campaign,
    ):
        failed, interrupted = _many(campaign, runs, minutes)
    find = _found(failed, keep, 0 if no_shrink else SHRINKING_TRIALS) if failed is not None else None
    if as_json:
        print_json(_json(campaign.tally, find))
    else:
        click.echo(told(campaign.tally, find))
    if failed is not None:
        return Exit.VIOLATED
    return Exit.INTERRUPTED if interrupted and (runs or minutes) else Exit.HOLDS


def _refuse_mixtures(context: click.Context, real: bool, seed: int | None, plan_file: Path | None) -> None:
    if seed is not None and plan_file is not None:
        raise click.UsageError("--seed and --plan: a run has one of them; leave one out")
    if real:
        refuse(context, "--real", SIMULATED, "is for simulated runs")
        if seed is not None:
            refuse(context, "--seed", ["first"], "is the seed to begin with, as --seed is")
        if plan_file is not None:
            refuse(context, "--plan", [*MANY, "nodes"], "is for rounds that are drawn")
        return
    if is_given(context, "nodes"):
        raise click.UsageError("--nodes: the plans of simulated runs say how many; give it with --real")
    for name, given in (("--seed", seed), ("--plan", plan_file)):
        if given is not None:
            refuse(context, name, [*MANY, *SIMULATED], "is for many runs")


def _found(failed: Trial, keep: Path | None, trials_max: int) -> Find | None:
    """What a failed trial leads to, kept in a folder; if that cannot be written, its plan is said."""
    folder = keep or Path(f"hunt-{failed.plan.seed}")
    try:
        with Work("making it smaller") as work:
            return made_small(failed, folder, trials_max, work.at)
    except OSError as why:
        plan = msgspec.json.encode(failed.plan).decode()
        click.echo(
            f"quorate: {folder}: cannot be written: {why.strerror or why}; the plan that fails is {plan}",
            err=True,
        )
        return None


def _many(campaign: Campaign, runs: int | None, minutes: float | None) -> tuple[Trial | None, bool]:
    """Trials until one fails, or enough were held, or somebody interrupts."""
    ends_s = None if minutes is None else time.monotonic() + 60 * minutes
    tally = campaign.tally
    try:
        with Work("hunting") as work:
            for trial in campaign:
                work.at(_progress(tally), f"not seen yet: {', '.join(tally.never_seen) or 'nothing'}")
                if trial.failed:
                    return trial, False
                if tally.runs == runs or (ends_s is not None and time.monotonic() >= ends_s):
                    return None, False
    except KeyboardInterrupt:
        return None, True
    raise AssertionError("a campaign has no end of its own")


def _progress(tally: Tally) -> str:
    rate = tally.runs / max(tally.seconds, 1e-9)
    faults = sum(tally.counts.values()) - sum(tally.counts[name] for name in ("sent", "boots"))
    return (
        f"{tally.runs:,} runs, {rate:,.1f}/s, {tally.lasted / 3.6e9:,.2f} simulated hours, {tally.lines:,} lines, "
        f"{faults:,} faults, {len(tally.situations):,} situations"
    )


def _one(plan: Plan, keep: Path | None, as_json: bool) -> int:
    """A single run."""
    bench = Bench()
    trial = bench.hold(plan) if keep is None else written(plan, keep, bench)
    if as_json:
        print_json(trial.json())
    else:
        click.echo(told_trial(trial, keep))
    return Exit.VIOLATED if trial.failed else Exit.HOLDS


def _json(tally: Tally, find: Find | None) -> dict[str, Any]:
    return {
        "verdict": "fails" if tally.failures else "clean",
        **tally.json(),
        "failure": None if find is None else find.json(),
    }

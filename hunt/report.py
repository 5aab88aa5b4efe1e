"""What a hunt came to, as a person reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ..impl.sim import sights
from .campaign import Tally
from .find import Find
from .trial import Trial

MESSAGES = ("sent", "lost", "doubled", "slow", "cut off")


def told(tally: Tally, find: Find | None) -> str:
    """A whole hunt."""
    return "\n".join(_told(tally, find))


def _told(tally: Tally, find: Find | None) -> Iterator[str]:
    seconds = max(tally.seconds, 1e-9)
    verdict = "a run fails" if tally.failures else "clean: no run fails"
    yield f"{verdict}, of {tally.runs:,} in {seconds:,.0f} s ({60 * tally.runs / seconds:,.0f} a minute)"
    yield from _figures(tally.lasted, tally.lines, tally.steps, tally.operations, tally.slots, tally.counts)
    yield "lines"
    yield from listed(tally.events)
    yield "scenes"
    yield from listed(Counter({name: tally.sights[name] for name in sights.ALL}))
    if tally.never_seen:
        yield f"  {len(tally.never_seen)} of {len(sights.ALL)} were never seen"
    yield (
        f"covered: {len(tally.situations):,} situations, and {len(tally.edges):,} of the {tally.edges_all:,} edges of "
        "3 acceptors, 2 ballots, 1 slot and 2 values, up to names"
    )
    if find is not None:
        yield ""
        yield from _failure(find)


def told_trial(trial: Trial, folder: Path | None) -> str:
    """A single run."""
    lines = [f"seed {trial.plan.seed}: {'fails' if trial.failed else 'nothing is wrong'}"]
    lines += _figures(trial.lasted, trial.lines, trial.steps, trial.operations, trial.slots, trial.counts)
    lines += ["scenes", *listed(trial.sights)] if trial.sights else []
    for complaint in trial.complaints:
        lines += ["", complaint.rule, complaint.sentence]
    lines += [f"plan, traces and a drawing are in {folder}"] if folder is not None else []
    return "\n".join(lines)


def _figures(
    lasted: int, lines: int, steps: int, operations: int, slots: int, counts: Counter[str]
) -> Iterator[str]:
    yield f"  {lasted / 3.6e9:,.2f} simulated hours, {steps:,} steps, {lines:,} lines judged"
    yield f"  {operations:,} commands of clients, {slots:,} slots"
    messages = ", ".join(f"{counts[name]:,} {name}" for name in MESSAGES)
    yield f"  messages: {messages}"
    faults = {name: count for name, count in sorted(counts.items()) if name not in MESSAGES}
    yield f"  nodes: {', '.join(f'{count:,} {name}' for name, count in faults.items())}"


def listed(counts: Counter[str]) -> Iterator[str]:
    """What was counted, a line each, the most first."""
    width = max((len(f"{count:,}") for count in counts.values()), default=0)
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"  {count:>{width},}  {name}"


def _failure(find: Find) -> Iterator[str]:
    first = find.smallest if find.smallest.failed else find.trial
    for complaint in first.complaints[:1]:
        yield complaint.rule
        yield complaint.sentence
    plan = find.smallest.plan
    commands = sum(caller.commands for caller in plan.callers)
    yield (
        f"found by seed {find.trial.plan.seed}; made small in {find.trials:,} trials: {plan.nodes} nodes, "
        f"{len(plan.callers)} clients, {commands} commands, {len(plan.faults)} faults, {find.smallest.lines:,} lines"
    )
    yield f"plan, traces and a drawing are in {find.folder}"
    yield f"again: {find.replay}"

"""`quorate demo`: the main job end to end, on one screen."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..checker.explore import referee
from ..checker.explore.result import Exploration, Progress
from ..checker.instance import Instance
from ..checker.prove.proof import Proof, prove
from ..checker.prove.solving import Outcome
from ..checker.refinement import Tower
from ..refinement.conformance import Result, conform
from ..refinement.tower import tower
from .console import Work, print_json
from .drill import Drill, drill
from .main import Exit

LARGE = {"acceptor": 3, "ballot": 2, "slot": 2, "value": 2}
SMALL = {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}


@dataclass(frozen=True)
class Shown:
    """What the demo found, part by part."""

    large: Exploration
    small: Exploration
    proof: Proof
    drill: Drill
    conformance: Result

    @property
    def good(self) -> bool:
        """Whether everything came out as it must."""
        return (
            self.large.verdict == self.small.verdict == "holds"
            and self.proof.verdict == "proved"
            and self.drill.whole
            and self.conformance.verdict == "conforms"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": "good" if self.good else "bad",
            "check": self.large.to_json(),
            "referee": self.small.to_json(),
            "prove": self.proof.to_json(),
            "cluster": self.drill.to_json(),
            "conform": self.conformance.json(),
        }


@click.command(
    short_help="The main job, end to end, on one screen.",
    epilog="\b\nExample:\n  quorate demo --commands 10000",
)
@click.option(
    "--commands",
    type=click.IntRange(min=2),
    default=5000,
    show_default=True,
    help="How many commands are streamed through the cluster.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def demo(commands: int, as_json: bool) -> int:
    """Explore, prove, run a real cluster through the death of its leader, and judge its trace.

    All from one specification: every state of a small cluster is explored, the same text is proved for clusters of any
    size, three processes with durable storage answer commands while their leader is killed and comes back, and the
    traces that they leave are checked line by line against the text.
    """
    floors = tower("multipaxos")
    large = explored(floors, LARGE, native=True)
    small = explored(floors, SMALL, native=False)
    proof = proved(floors)
    with tempfile.TemporaryDirectory(prefix="quorate-demo-") as folder:
        with Work("running three nodes") as work:
            drilled = drill(Path(folder), commands, work.at)
        with Work("judging the trace"):
            judged = conform(*drilled.traces)
    shown = Shown(large, small, proof, drilled, judged)
    if as_json:
        print_json(shown.to_json())
    else:
        click.echo(screen(shown))
    return Exit.HOLDS if shown.good else Exit.VIOLATED


def explored(floors: Tower, sizes: dict[str, int], native: bool) -> Exploration:
    """Every state of one instance, by machine code or by the referee, which also checks that it is voting."""
    from ..checker.native import explore as explore_natively

    spec = floors.floors[0]
    instance = Instance.of(spec, sizes)
    with Work(f"exploring {spec.name}, {instance}") as work:

        def watch(p: Progress) -> None:
            work.at(f"depth {p.depth}, {p.distinct:,} states")

        if native:
            return explore_natively(spec, instance, symmetry=False, watch=watch)
        return referee.explore(
            spec, instance, step_checks=[r.broken_by for r in floors.refinements[:1]], watch=watch
        )


def proved(floors: Tower) -> Proof:
    """The whole tower, for any size."""
    with Work(f"proving {floors.name}") as work:

        def watch(outcome: Outcome, done: int, total: int) -> None:
            work.at(f"{done} of {total}, {outcome.obligation}")

        return prove(floors, watch=watch)


def screen(shown: Shown) -> str:
    """The outcome on one screen."""
    large, small, proof, d = shown.large, shown.small, shown.proof, shown.drill
    compile_s = large.extra.get("compile_seconds", 0)
    skipped = proof.count("skipped")
    lines = [
        "one text: spec/multipaxos.py",
        "",
        f"  explored   {explored_line(large)}",
        f"             {large.verdict}: {', '.join(large.properties)}",
        f"             machine code, compiled in {compile_s:.1f} s, {large.extra.get('workers', 1)} workers",
        f"  refereed   {explored_line(small)}",
        f"             {small.verdict}; every step is a step of voting, or changes nothing there",
        f"  proved     {proof.count('proved')} obligations, for any number of everything"
        f" ({skipped} more with nothing to prove), {proof.seconds:.1f} s",
        f"             {proof.verdict}: Multi-Paxos is voting, and voting is consensus",
        f"  ran        three processes, {d.acknowledged:,} commands acknowledged, {d.lost} lost or doubled,"
        f" {d.seconds:.1f} s",
        f"             {d.killed} led and was killed in mid-stream; {d.successor} took over,"
        f" {d.stalled_seconds:.1f} s without an answer; {d.killed} came back and caught up",
        f"  judged     {shown.conformance.lines:,} lines of trace, by the same text",
        f"             {shown.conformance.verdict}",
    ]
    if small.violation or large.violation:
        lines += ["", "a property is violated; see `quorate check`"]
    lines += ["", *(f"not proved: {o.obligation}" for o in proof.objections())]
    if shown.conformance.divergence is not None:
        lines += [str(shown.conformance.divergence)]
    return "\n".join(lines).rstrip()


def explored_line(found: Exploration) -> str:
    sizes = ", ".join(f"{size} {name}{'s' if size > 1 else ''}" for name, size in found.instance.items())
    return f"{found.distinct:,} states, depth {found.depth} ({sizes}), {found.seconds:.1f} s"

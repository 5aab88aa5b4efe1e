"""A trial: one plan run, and judged in three ways.

By the specification, line by line; by the clients' history, which must be linearizable; and by what the world itself
saw: state machines that agree, nodes that end for no reason, and whether everybody was answered in the end.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..impl.sim.plan import Plan
from ..impl.sim.witness import judge_by_log
from ..impl.sim.world import Complaint, Outcome, Situation, World
from ..refinement.conformance import Result, conform
from ..refinement.explanation import Divergence
from ..refinement.judge import Judge
from ..traces.errors import TraceError
from .ground import NODES, Ground


@dataclass(frozen=True)
class Trial:
    """What came of a plan. `complaints` is empty if it is well; each names the rule that was broken, and the trace's,
    which says it most precisely, comes first."""

    plan: Plan
    complaints: tuple[Complaint, ...]
    lines: int
    steps: int
    lasted: int
    """In microseconds of the world."""
    operations: int
    """What clients asked."""
    slots: int
    counts: Counter[str] = field(default_factory=Counter)
    """Faults, messages, boots."""
    events: Counter[str] = field(default_factory=Counter)
    """Lines of the trace, by event and reason."""
    sights: Counter[str] = field(default_factory=Counter)
    """Rare scenes that it came to, by name."""
    situations: frozenset[Situation] = frozenset()
    """In what situations which lines were written."""
    wrong: tuple[str, int] | None = None
    """The line of the trace that does not conform, by its file and number there."""
    edges: frozenset[int] = frozenset()
    """Of the explored graph of a small instance; see `ground`."""

    @property
    def failed(self) -> bool:
        return bool(self.complaints)

    @property
    def rule(self) -> str:
        """The first rule that was broken."""
        return self.complaints[0].rule

    def json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "seed": self.plan.seed,
            "complaints": [{"rule": each.rule, "sentence": each.sentence} for each in self.complaints],
            "lines": self.lines,
            "steps": self.steps,
            "microseconds": self.lasted,
            "operations": self.operations,
            "slots": self.slots,
            "counts": dict(sorted(self.counts.items())),
            "events": dict(sorted(self.events.items())),
            "sights": dict(sorted(self.sights.items())),
            "situations": len(self.situations),
            "edges": len(self.edges),
        }


class Bench:
    """Where trials are held, one after the other: a specification is compiled once for all of them.

    With `ground` it is told what of that a trial walks over.
    """

    def __init__(self, ground: Ground | None = None) -> None:
        self._judge = Judge()
        self._ground = ground
        self._judge.ledger.taken = None if ground is None else []

    def hold(self, plan: Plan, keep: Path | None = None) -> Trial:
        """Run a plan and judge it; its traces stay in the folder `keep`, if that is given."""
        with _folder(keep) as traces, _silence():
            world = World(plan, traces)
            outcome = world.run()
            judged, unreadable = self._judged(traces)
            edges = self._walked(plan)
        found = None if judged is None else judged.divergence
        complaints = [*unreadable, *_by_trace(judged, traces), *_by_history(outcome), *outcome.complaints]
        return Trial(
            plan=plan,
            complaints=tuple(complaints),
            lines=0 if judged is None else judged.lines,
            steps=outcome.steps,
            lasted=outcome.lasted,
            operations=len(outcome.history.operations),
            slots=len(outcome.log),
            counts=outcome.counts,
            events=outcome.events,
            sights=outcome.sights,
            situations=frozenset(outcome.coverage),
            edges=edges,
            wrong=None if found is None else (found.file, found.line),
        )

    def _judged(self, traces: Path) -> tuple[Result | None, list[Complaint]]:
        """What the specification says of the traces in a folder, if there are any; or why nobody can read them."""
        files = sorted(traces.iterdir())
        try:
            return conform(*files, spec=self._judge) if files else None, []
        except TraceError as error:
            return None, [Complaint("trace: unreadable", str(error).replace(f"{traces}/", ""))]

    def _walked(self, plan: Plan) -> frozenset[int]:
        taken, self._judge.ledger.taken = self._judge.ledger.taken, [] if self._ground else None
        if self._ground is None or not taken or plan.nodes != NODES or plan.sizes.flexible:
            return frozenset()
        return frozenset(self._ground.walked(taken))


def _by_trace(judged: Result | None, traces: Path) -> Iterator[Complaint]:
    """What the specification says of the trace, its files named without the folder that they happen to be in. All of it
    is there, so nothing may be left unverified."""
    if judged is None:
        return
    if judged.divergence is not None:
        yield Complaint(rule_of(judged.divergence), str(judged.divergence).replace(f"{traces}/", ""))
    elif judged.unverified:
        yield Complaint("trace: unverified", f"{judged.unverified} facts of the trace are unverified")


def rule_of(divergence: Divergence) -> str:
    """The rule that a line breaks, without the place where it stands: a text that names it wherever it moves."""
    place, _, text = divergence.conjunct.rpartition(": ")
    return f"trace: {text}" if place else f"trace: {divergence.conjunct}"


def _by_history(outcome: Outcome) -> Iterator[Complaint]:
    """Whether what clients saw could have happened one by one, in the order of the log."""
    if any(operation.returned is not None for operation in outcome.history):
        judgement = judge_by_log(outcome.history, outcome.log)
        if judgement.outcome != "linearizable":
            yield Complaint(f"history: {judgement.outcome}", str(judgement))


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """A folder for traces; in memory where there is such a place."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    shared = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="quorate-trial-", dir=shared if shared.is_dir() else None)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _silence() -> Iterator[None]:
    """Nodes that are made to fail say so in their logs, which nobody wants to read here."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)

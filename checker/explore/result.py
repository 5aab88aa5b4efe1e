"""What an exploration found: how many states, how deep, which actions, and the shortest way to what is wrong.

Every explorer returns these, whatever it explored with; a counterexample holds states that the specification's
own text produced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..instance import in_order, plain, show
from ..language import State, relations_of

Verdict = Literal["holds", "violated", "unknown"]
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Taken:
    """One step of a run: the action, its parameters by name, and the state it led to."""

    action: str
    parameters: Mapping[str, Any]
    state: State

    def __str__(self) -> str:
        return f"{self.action}({', '.join(f'{k}={show(v)}' for k, v in self.parameters.items())})"


DEADLOCK_CLAIM = "In every state some action leads to another state"
STEP_CLAIM = "Every step of the lower specification is a step of the upper one, or changes nothing there"
"""What a deadlock and a step that refines nothing break; no text of the specification says it."""


@dataclass(frozen=True)
class Violation:
    """A run from the initial state to one that breaks a property, or over a step that breaks a refinement.

    `property` is its name; `claim` what it says, in a sentence; `place` the file and line of its text.  A run that
    breaks a liveness property has no end: its last step leads back to state number `loop`, counted from the start, or,
    if that is the last state, nothing happens any more.  `parameters` are those of a liveness property.
    """

    property: str
    claim: str
    place: str
    start: State
    steps: tuple[Taken, ...]
    loop: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    shortest: bool = True

    def states(self) -> Iterator[State]:
        yield self.start
        yield from (step.state for step in self.steps)


@dataclass(frozen=True)
class Count:
    """The edges that an action makes (from a state to a different one), and how many led to a state that was new.

    Where several actions lead to one new state it is counted for one of them.
    """

    taken: int = 0
    found: int = 0


@dataclass(frozen=True)
class Limits:
    """Where to stop short; a search that stops short never says that anything holds."""

    states_max: int | None = None
    depth_max: int | None = None
    seconds_max: float | None = None


@dataclass(frozen=True)
class Progress:
    """How far a running search has come; `queue` states are known and not yet expanded.

    `generated` steps were looked at, `taken` edges were made by each action, so far; `memory_bytes` is what the process
    has now.  What an explorer does not know is 0.
    """

    depth: int
    distinct: int
    edges: int
    queue: int
    seconds: float
    generated: int = 0
    memory_bytes: int = 0
    taken: Mapping[str, int] = field(default_factory=dict)


Watcher = Callable[[Progress], None]


@dataclass(frozen=True)
class Exploration:
    """The outcome of exploring one instance.

    `distinct` states, `edges` between different states (each pair once), `depth` levels with the initial one counted,
    `deadlocks` states that no action leaves.  `cut_short` says why a search stopped before the end, if it did.
    """

    spec: str
    instance: Mapping[str, int]
    engine: str
    verdict: Verdict
    distinct: int
    edges: int
    depth: int
    seconds: float
    deadlocks: int
    actions: Mapping[str, Count]
    properties: tuple[str, ...]
    violation: Violation | None = None
    cut_short: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def never_taken(self) -> tuple[str, ...]:
        """The actions that changed nothing in any state, being possible in none perhaps: most often a mistake."""
        return tuple(name for name, count in self.actions.items() if not count.taken)

    def to_json(self) -> dict[str, Any]:
        """The outcome as plain data, with the keys that the documentation of `quorate check --json` lists."""
        return {
            "spec": self.spec,
            "instance": dict(self.instance),
            "engine": self.engine,
            "verdict": self.verdict,
            "distinct": self.distinct,
            "edges": self.edges,
            "depth": self.depth,
            "seconds": round(self.seconds, 3),
            "deadlocks": self.deadlocks,
            "actions": {name: {"taken": c.taken, "found": c.found} for name, c in self.actions.items()},
            "properties": list(self.properties),
            "violation": self.violation and violation_json(self.violation),
            "cut_short": self.cut_short or None,
            **self.extra,
        }


def violation_json(violation: Violation) -> dict[str, Any]:
    """A counterexample as plain data: the steps with their parameters and what each changed."""
    before, steps = violation.start, []
    for taken in violation.steps:
        added, removed = difference(before, taken.state)
        steps.append(
            {
                "action": taken.action,
                "parameters": {k: plain(v) for k, v in taken.parameters.items()},
                "added": {name: [plain(r) for r in rows] for name, rows in added.items()},
                "removed": {name: [plain(r) for r in rows] for name, rows in removed.items()},
            }
        )
        before = taken.state
    return {
        "property": violation.property,
        "claim": violation.claim,
        "place": violation.place,
        "steps": steps,
        **_run_without_end(violation),
    }


def _run_without_end(violation: Violation) -> dict[str, Any]:
    if violation.loop is None:
        return {}
    return {"loop": violation.loop, "parameters": {k: plain(v) for k, v in violation.parameters.items()}}


def difference(before: State, after: State) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """The rows that a step added and those it removed, by relation, in a fixed order."""
    added: dict[str, list[Row]] = {}
    removed: dict[str, list[Row]] = {}
    for name in relations_of(type(before)):
        old, new = getattr(before, name), getattr(after, name)
        if new - old:
            added[name] = in_order(new - old)
        if old - new:
            removed[name] = in_order(old - new)
    return added, removed

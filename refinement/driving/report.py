"""What a walk found: how many edges were driven, which are never taken and why, and the first deviation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ...checker.instance import plain, show
from ..mapping import Action
from .classes import CLASSES

Verdict = Literal["covered", "deviates", "unknown"]


@dataclass(frozen=True)
class Deviation:
    """Where the implementation is not what the specification says, and how it comes there.

    `action` is what was attempted; `expected` are rows of the specification's state that are missing then, `seen` rows
    that are there and should not be.  `cast` tells who played what.
    """

    reason: str
    action: Action | None
    way: tuple[Action, ...]
    cast: str
    expected: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()

    def along(self, way: tuple[Action, ...]) -> Deviation:
        """The same, told of no cast but of a state, to which this is a shortest way."""
        return replace(self, way=way, cast="")

    def lines(self) -> Iterator[str]:
        """The deviation as a person reads it."""
        tried = f" at {told(self.action)}" if self.action else ""
        yield f"deviates{tried}: {self.reason}"
        yield f"  the shortest way there, {len(self.way)} actions" + (
            f" ({self.cast}):" if self.cast else ":"
        )
        yield from (f"    {i:>2}. {told(action)}" for i, action in enumerate(self.way, 1))
        yield from (f"  expected: {row}" for row in sorted(self.expected))
        yield from (f"  seen:     {row}" for row in sorted(self.seen))

    def to_json(self) -> dict[str, Any]:
        """The deviation as plain data."""
        return {
            "reason": self.reason,
            "action": _plain(self.action) if self.action else None,
            "way": [_plain(action) for action in self.way],
            "cast": self.cast or None,
            "expected": sorted(self.expected),
            "seen": sorted(self.seen),
        }


@dataclass
class Coverage:
    """How much of an instance's graph was driven, so far or in the end.

    An edge is a state and an action with its parameters that changes it; `pairs` counts those that lead to the same
    state once, as `quorate check` does.  `stages` are ways in which replicas stood for a state, `attempts` what was
    attempted with them, `refused` the states and actions refused there that were attempted all the same.  `cut_short`
    says why the walk ended before the end.
    """

    instance: Mapping[str, int]
    casts: int
    states: int = 0
    levels: int = 0
    edges: Counter[str] = field(default_factory=Counter)
    """By action, as `driven`."""
    driven: Counter[str] = field(default_factory=Counter)
    classed: Counter[str] = field(default_factory=Counter)
    """Edges that are never taken, by the name of the first class that has them."""
    pairs: int = 0
    stages: int = 0
    attempts: int = 0
    refused: int = 0
    seconds: float = 0.0
    cut_short: str = ""
    deviation: Deviation | None = None

    @property
    def verdict(self) -> Verdict:
        """Covered is what was walked to the end, each edge driven or of a class."""
        if self.deviation is not None:
            return "deviates"
        is_whole = self.edges.total() == self.driven.total() + self.classed.total()
        return "covered" if is_whole and not self.cut_short else "unknown"

    def summary(self) -> Iterator[str]:
        """The outcome as a person reads it."""
        size = ", ".join(f"{name}={count}" for name, count in self.instance.items())
        total, driven = self.edges.total(), self.driven.total()
        if self.verdict == "covered":
            yield f"covered: all {total:,} edges of multipaxos, {size}, are driven or of a class"
        elif self.verdict == "unknown":
            yield f"unknown, not all edges of multipaxos, {size}, were walked: {self.cut_short}"
        if self.deviation is not None:
            yield from self.deviation.lines()
        yield f"  {self.states:,} states, {self.pairs:,} edges between different states, {self.levels} levels"
        yield f"  {driven:,} of {total:,} edges driven, in {self.casts} casts, on {self.stages:,} stages"
        for name, count in self.edges.items():
            yield f"    {name:<9}{self.driven[name]:>10,} of {count:,}"
        yield f"  {self.classed.total():,} never taken"
        for c in CLASSES:
            if self.classed[c.name]:
                yield f"    {self.classed[c.name]:>9,}  {c.name}"
                yield f"               {c.reason}"
        yield f"  {self.refused:,} refused actions attempted, {'none' if not self.deviation else 'none before'} taken"
        yield f"  {self.attempts:,} attempts in {self.seconds:.1f} s"

    def to_json(self) -> dict[str, Any]:
        """The outcome as plain data."""
        return {
            "verdict": self.verdict,
            "instance": dict(self.instance),
            "states": self.states,
            "levels": self.levels,
            "pairs": self.pairs,
            "edges": dict(self.edges),
            "driven": dict(self.driven),
            "classes": {c.name: {"edges": self.classed[c.name], "reason": c.reason} for c in CLASSES},
            "refused": self.refused,
            "casts": self.casts,
            "stages": self.stages,
            "attempts": self.attempts,
            "seconds": round(self.seconds, 3),
            "cut_short": self.cut_short or None,
            "deviation": self.deviation.to_json() if self.deviation else None,
        }


def told(action: Action) -> str:
    """An action, or a row of a relation, as a person reads it."""
    name, args = action
    return f"{name}({', '.join(map(show, args))})"


def _plain(action: Action) -> dict[str, Any]:
    name, args = action
    return {"action": name, "parameters": [plain(x) for x in args]}

"""Looking ahead: what can go wrong in so many steps, and whether what holds for so many states holds for ever.

Two questions are asked of each depth.  In one instance, whether a run breaks a property: that always has an answer.
And of any number of everything, whether none can: that the solver may not know, and then it is said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..explore.result import Violation, violation_json
from ..instance import Instance
from ..language import State
from ..prove.counterexample import Counterexample
from ..prove.obligation import Obligation
from ..prove.proof import outcome_json
from ..prove.solving import INTERRUPTED, Outcome, Solver, not_asked
from ..specification import Function, Specification, brief, where
from .again import run_through
from .bounded import AT, bounded, k_induction
from .smallest import smallest
from .unrolling import Unrolling

MEMBERS_MAX = 8
SEARCH_SECONDS_MAX = 20.0

Watcher = Callable[[str], None]


@dataclass(frozen=True)
class Ahead:
    """What was seen of the first `depth` steps; less than none if Ctrl-C came before the initial state was looked at.

    No run of the instance breaks a property, unless there is a `violation`; that may be one of another instance, which
    then stands here in its place.  `outcomes`, if a solver was `asked`, say
    of any number of everything what holds at each depth; a property is asked until the solver does not know.
    """

    spec: str
    instance: Instance
    depth: int
    properties: tuple[str, ...]
    violation: Violation | None
    outcomes: tuple[Outcome, ...]
    asked: bool
    interrupted: bool
    seconds: float

    @property
    def unknown(self) -> tuple[Outcome, ...]:
        """What the solver did not know of any number of everything."""
        return tuple(o for o in self.outcomes if o.result != "proved")

    @property
    def verdict(self) -> Literal["violated", "unknown"]:
        """Never that it holds: there may be longer runs."""
        return "violated" if self.violation else "unknown"

    @property
    def clean(self) -> bool:
        """Whether all was looked at, and nothing is violated: in the instance, and if a solver was asked, in any."""
        return not (self.violation or self.unknown or self.interrupted)

    @property
    def cut_short(self) -> str:
        """Why it is not known."""
        if self.violation:
            return ""
        if self.interrupted:
            return f"it was {INTERRUPTED} before all was looked at"
        return f"only runs of up to {self.depth} steps were looked at"

    def to_json(self) -> dict[str, Any]:
        """What was seen, as plain data."""
        return {
            "spec": self.spec,
            "instance": dict(self.instance.sizes()),
            "verdict": self.verdict,
            "depth": self.depth,
            "properties": list(self.properties),
            "violation": self.violation and violation_json(self.violation),
            "any_size": [outcome_json(o) for o in self.outcomes] if self.asked else None,
            "cut_short": self.cut_short or None,
            "seconds": round(self.seconds, 3),
        }


def look_ahead(
    spec: Specification,
    instance: Instance,
    depth: int,
    solver: Solver | None = None,
    properties: Sequence[Function] | None = None,
    watch: Watcher = lambda _: None,
) -> Ahead:
    """Looks at every run of an instance up to so many steps; with a solver, at those of any instance as well.

    Stops at the first depth with a violation, which is a shortest one and has passed through the text.  Interrupted by
    Ctrl-C, it returns what it has.
    """
    started = time.perf_counter()
    goals = spec.properties if properties is None else tuple(properties)
    violation, seen, interrupted = None, -1, False
    any_size = AnySize(spec, solver)
    try:
        unrolling = Unrolling(spec, instance)
        while violation is None and seen < depth:
            watch(f"step {seen + 1} of {depth}")
            if seen >= 0:
                unrolling.extend()
            violation = next(filter(None, map(unrolling.violation, goals)), None)
            if violation is None:
                any_size.ask(unrolling.depth, goals)
                violation = any_size.violation
            seen = unrolling.depth
    except KeyboardInterrupt:
        interrupted = True
    return Ahead(
        spec.name,
        any_size.instance or instance,
        seen,
        tuple(f.__name__ for f in goals),
        violation,
        tuple(any_size.outcomes),
        solver is not None,
        interrupted,
        time.perf_counter() - started,
    )


@dataclass
class AnySize:
    """Asks a solver, depth by depth, what holds of any number of everything.

    Where it finds a run that breaks a property, that is the `violation`, in an `instance` as small as can be.
    """

    spec: Specification
    solver: Solver | None
    outcomes: list[Outcome] = field(default_factory=list)
    violation: Violation | None = None
    instance: Instance | None = None

    def ask(self, depth: int, goals: Sequence[Function]) -> None:
        """Asks of one depth, but for what the solver did not know of a smaller one."""
        if self.solver is None:
            return
        given_up = {o.obligation.conjunct for o in self.outcomes if o.result != "proved"}
        goals = tuple(f for f in goals if f.__name__ not in given_up)
        for o in bounded(self.spec, depth, goals):
            outcome = self.solver.discharge(o)
            self.outcomes.append(outcome)
            if outcome.result == "failed" and self.violation is None:
                self.show(o, depth)

    def show(self, o: Obligation, depth: int) -> None:
        """Finds the run that breaks a property in the smallest instance there is."""
        found = smallest(o, self.spec.sorts, MEMBERS_MAX, SEARCH_SECONDS_MAX).counterexample
        if found is not None:
            with found.instance.inhabited():
                first = self.spec.init()
            self.violation, self.instance = run_of(found, self.spec, depth, first), found.instance


# K-induction ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class KInduction:
    """Whether properties hold for ever, by what holds of the first k states and of the state after any k.

    `counterexample` is a run of k states that satisfy them, to one that does not; it need not be reachable.
    """

    k: int
    base: Ahead
    steps: tuple[Outcome, ...]
    counterexample: Violation | None
    seconds: float

    @property
    def verdict(self) -> Literal["proved", "refuted", "unknown"]:
        """Refuted only by a run from the beginning; where merely the induction fails, a larger k may do."""
        if self.base.violation:
            return "refuted"
        proved = self.base.clean and all(o.result == "proved" for o in self.steps)
        return "proved" if proved else "unknown"

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C came before all was asked."""
        return self.base.interrupted or any(o.reason == INTERRUPTED for o in self.steps)

    def to_json(self) -> dict[str, Any]:
        """The attempt as plain data."""
        return {
            "spec": self.base.spec,
            "verdict": self.verdict,
            "k": self.k,
            "base": self.base.to_json(),
            "steps": [outcome_json(replace(o, counterexample=None)) for o in self.steps],
            "counterexample": self.counterexample and violation_json(self.counterexample),
            "seconds": round(self.seconds, 3),
        }


def by_k_induction(
    spec: Specification, instance: Instance, k: int, solver: Solver, watch: Watcher = lambda _: None
) -> KInduction:
    """Tries to prove all properties of a specification, taken together, by k-induction.

    What holds of one state alone holds of the last of k, and is asked first: it is the easier question.  Interrupted by
    Ctrl-C, it returns what it has, and the rest is unknown.
    """
    started = time.perf_counter()
    base = look_ahead(spec, instance, k - 1, solver, watch=watch)
    asked = [] if base.violation or base.interrupted else list(k_induction(spec, k, spec.properties))
    steps: list[Outcome] = []
    found: Violation | None = None
    try:
        for o, of_one in zip(asked, k_induction(spec, 1, spec.properties), strict=False):
            watch(str(o))
            outcome, at = replace(solver.discharge(of_one), obligation=o), None
            if outcome.result != "proved":
                outcome, at = _decide(o, spec, solver)
            steps.append(outcome)
            if at is not None and found is None:
                found = run_of(at, spec, k)
    except KeyboardInterrupt:
        steps += not_asked(asked[len(steps) :])
    return KInduction(k, base, tuple(steps), found, time.perf_counter() - started)


def _decide(o: Obligation, spec: Specification, solver: Solver) -> tuple[Outcome, Counterexample | None]:
    """What becomes of an obligation; where it is not proved, the smallest counterexample is looked for."""
    outcome = solver.discharge(o)
    if outcome.result == "proved":
        return outcome, None
    found = smallest(o, spec.sorts, MEMBERS_MAX, SEARCH_SECONDS_MAX).counterexample
    return (replace(outcome, result="failed", reason="") if found else outcome), found


def run_of(found: Counterexample, spec: Specification, k: int, first: State | None = None) -> Violation:
    """The run of k steps that a counterexample is; its actions are found by the text.

    `first` is the state it begins with, where that is not among the relations found.
    """
    states = [
        spec.state(**{name: found.relations.get(f"{name}{AT}{i}", ()) for name in spec.now.relations})
        for i in range(k)
    ]
    states = [*([first] if first and states else states[:1]), *states[1:], spec.state(**found.after)]
    f = next(f for f in spec.properties if f.__name__ == found.obligation.conjunct)
    with found.instance.inhabited():
        steps = run_through(spec, found.instance, states)
        assert not f(states[-1]), f"{f.__name__} is true at the end of the run"
    return Violation(f.__name__, brief(f), where(f), states[0], steps)

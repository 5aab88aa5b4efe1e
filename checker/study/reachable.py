"""Whether what a counterexample shows can happen: every state of its very universe is explored to find out.

A counterexample to induction starts from a state that the invariants allow, which need not be one that any run comes
to.  So the explorer is asked, in a universe of exactly that size, first for that state; and if there is no way to it,
whether any run breaks what could not be proved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..explore.referee import explore as explore_by_text
from ..explore.result import Exploration, Limits, Violation
from ..instance import Instance
from ..native.explore import CannotExplore
from ..native.explore import explore as explore_natively
from ..prove.counterexample import Counterexample
from ..refinement import Refinement, Tower
from ..specification import Function, Specification
from .landmark import elsewhere, renamed

TEXT_STATES_MAX = 3_000
"""Up to so many states the text itself is quicker than making machine code first."""

Answer = Literal["reachable", "elsewhere", "unreachable", "undecided"]
"""That very state is; another is that breaks the same; neither is, and every state was looked at; or not known."""


@dataclass(frozen=True)
class Reachability:
    """The answer, the run that shows it if there is one, and how many states were looked at."""

    answer: Answer
    states: int
    run: Violation | None = None
    why: str = ""


def reachability(found: Counterexample, tower: Tower, limits: Limits) -> Reachability | None:
    """Asks the explorers, within limits; None where no run is in question, as for the initial state."""
    place = _place(found, tower)
    if place is None or found.obligation.action == "init":
        return None
    spec = place if isinstance(place, Specification) else place.lower
    states = 0
    if found.before.keys() == spec.now.relations.keys():
        there = search(spec, found.instance, elsewhere(spec, found.instance, found.before), limits)
        if there.violation is not None:
            run = renamed(there.violation, spec, found.instance, found.before)
            return Reachability("reachable", there.distinct, run)
        if there.cut_short:
            return Reachability("undecided", there.distinct, why=there.cut_short)
        states = there.distinct
    like_it = _anything_like_it(found, place, limits)
    if like_it.violation is not None:
        return Reachability("elsewhere", max(states, like_it.distinct), like_it.violation)
    if like_it.cut_short:
        return Reachability("undecided", like_it.distinct, why=like_it.cut_short)
    return Reachability("unreachable", like_it.distinct)


def _place(found: Counterexample, tower: Tower) -> Specification | Refinement | None:
    """The floor, or the step between two, that the counterexample is about."""
    places: tuple[Specification | Refinement, ...] = (*tower.floors, *tower.refinements)
    return next((x for x in places if x.name == found.obligation.level), None)


def _anything_like_it(
    found: Counterexample, place: Specification | Refinement, limits: Limits
) -> Exploration:
    """Whether any run breaks what the counterexample breaks: the property, or else the refinement."""
    goal = found.obligation.conjunct
    if isinstance(place, Specification):
        broken = next(f for f in place.properties if f.__name__ == goal)
        return search(place, found.instance, broken, limits)
    return explore_by_text(
        place.lower, found.instance, limits=limits, properties=(), step_checks=(place.broken_by,)
    )


def search(spec: Specification, instance: Instance, goal: Function, limits: Limits) -> Exploration:
    """Explores an instance for a state that breaks one property: by the text, and natively if there are many states."""
    few = replace(limits, states_max=min(TEXT_STATES_MAX, limits.states_max or TEXT_STATES_MAX))
    found = explore_by_text(spec, instance, limits=few, properties=(goal,))
    if not found.cut_short or found.distinct < TEXT_STATES_MAX:
        return found
    try:
        return explore_natively(spec, instance, limits=limits, properties=(goal,))
    except CannotExplore as why:
        return replace(found, cut_short=str(why))

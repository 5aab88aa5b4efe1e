"""A counterexample tried once more, by the text: the step is taken as Python takes it, in that very universe.

A solver found it and the letter of the terms agreed; here the specification's own functions have the last word, so
that a mistake in how the text was read cannot reach anyone's eyes as a counterexample.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from ..evaluate import Relations
from ..explore.result import Taken
from ..instance import Instance
from ..language import Refused, State, allowed
from ..prove.counterexample import Counterexample
from ..refinement import Refinement, Tower
from ..specification import Function, Specification


def objection(found: Counterexample, tower: Tower) -> str:
    """Why the text does not bear a counterexample out; empty if it does."""
    level = found.obligation.level
    with found.instance.inhabited():
        for spec in tower.floors:
            if spec.name == level:
                return _of_specification(found, spec)
        for refinement in tower.refinements:
            if refinement.name == level:
                return _of_refinement(found, refinement)
    return f"there is no floor {level}"


def state_of(spec: Specification, relations: Relations) -> State:
    """The state with these rows."""
    return spec.state(**relations)


def named(functions: tuple[Function, ...], name: str) -> Function | None:
    """The function of this name."""
    return next((f for f in functions if f.__name__ == name), None)


def run_through(spec: Specification, instance: Instance, states: Sequence[State]) -> tuple[Taken, ...]:
    """The actions that lead through states, each found by taking it.

    To be called in the instance.  Raises `AssertionError` if none does: whoever made the states is wrong.
    """
    steps: list[Taken] = []
    for now, nxt in itertools.pairwise(states):
        steps.append(_between(spec, instance, now, nxt))
    return tuple(steps)


def _between(spec: Specification, instance: Instance, now: State, nxt: State) -> Taken:
    for f in spec.actions:
        params = spec.steps[f.__name__].params
        for args in instance.arguments([x.sort for x in params]):
            if allowed(f, now, nxt, *args):
                return Taken(f.__name__, {x.name: v for x, v in zip(params, args, strict=True)}, nxt)
    raise AssertionError(f"no action of {spec.name} leads from {now} to {nxt}")


# Specifications ------------------------------------------------------------------------------


def _of_specification(found: Counterexample, spec: Specification) -> str:
    o, goal = found.obligation, named(spec.properties, found.obligation.conjunct)
    if goal is None:
        return f"{spec.name} has no property {o.conjunct}"
    if o.action == "init":
        return "" if not goal(spec.init()) else f"{o.conjunct} is true of the initial state"
    now = state_of(spec, found.before)
    if broken := next((f.__name__ for f in spec.invariants if not f(now)), None):
        return f"{broken} is false of the state that the step starts from"
    if o.action == "invariant":
        return "" if not goal(now) else f"{o.conjunct} is true of the state"
    return _step(found, spec, now) or ("" if not goal(_after(found, spec)) else f"{o.conjunct} is kept")


def _after(found: Counterexample, spec: Specification) -> State:
    return state_of(spec, found.after)


def _step(found: Counterexample, spec: Specification, now: State) -> str:
    """Why the action does not lead from the state before to the state after; empty if it does."""
    action, args = spec.action(found.obligation.action), tuple(found.parameters.values())
    try:
        nxt = action(now, *args)
    except Refused:
        return f"{found.obligation.action} is refused in the state"
    return "" if nxt == _after(found, spec) else f"{found.obligation.action} leads elsewhere"


# Refinements ---------------------------------------------------------------------------------


def _of_refinement(found: Counterexample, refinement: Refinement) -> str:
    o, lower, upper = found.obligation, refinement.lower, refinement.upper
    if o.action == "init":
        return "" if refinement.image(lower.init()) != upper.init() else "the image of the beginning is right"
    if found.before.keys() == upper.now.relations.keys() and o.action != "invariant":
        return _step_above(found, upper)
    now = state_of(lower, found.before)
    if broken := next((f.__name__ for f in lower.invariants if not f(now)), None):
        return f"{broken} is false of the state that the step starts from"
    if o.action == "invariant":
        return _implied(o.conjunct, refinement, now)
    if why := _step(found, lower, now):
        return why
    broken_above = refinement.broken_by(now, o.action, tuple(found.parameters.values()), _after(found, lower))
    return "" if broken_above else f"{upper.name} allows the step"


def _implied(conjunct: str, refinement: Refinement, now: State) -> str:
    """A property above is asked of the image, one below of the state."""
    below = named(refinement.lower.safety, conjunct)
    above = named(refinement.upper.properties, conjunct)
    false_below = below is not None and not below(now)
    false_above = above is not None and not above(refinement.image(now))
    return "" if false_below or false_above else f"{conjunct} is true of the state and of its image"


def _step_above(found: Counterexample, upper: Specification) -> str:
    """The states are those above; no action there may lead from the one to the other."""
    now, nxt = state_of(upper, found.before), _after(found, upper)
    for action in upper.actions:
        for args in found.instance.arguments(_sorts(upper, action)):
            if allowed(action, now, nxt, *args):
                return f"{upper.name} allows the step"
    return "" if now != nxt else "nothing changes above"


def _sorts(spec: Specification, action: Function) -> list[Any]:
    return [x.sort for x in spec.steps[action.__name__].params]

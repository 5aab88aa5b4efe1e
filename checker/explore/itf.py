"""Runs in ITF, the Informal Trace Format of Apalache and Quint: one JSON object a run, a state an entry.

A relation is a set of tuples, a member an integer, a string or a set of these.  The action that led to a state, with
its parameters, stands in the state's `#meta`, which the format leaves to each tool.  A run without end has `loop`, the
number of the state that follows the last one.

The format: Apalache ADR-015, https://apalache-mc.org/docs/adr/015adr-trace.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..instance import in_order, plain, show
from ..language import State, relations_of
from .result import Exploration, Taken, Violation

FORMAT = {
    "format": "ITF",
    "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
}
INTEGER_MAX = 2**53 - 1
"""The format writes integers beyond this as text."""


def counterexample_itf(found: Exploration, violation: Violation) -> dict[str, Any]:
    """A counterexample as an ITF trace."""
    about = {
        "description": f"violates {violation.property}: {violation.claim}",
        "source": found.spec,
        "instance": dict(found.instance),
    }
    steps, loop = list(violation.steps), violation.loop
    if loop is not None and loop < len(steps):
        steps.pop()  # its state is the one that the loop begins with, which the format does not repeat
    trace = run_itf(about, violation.start, steps)
    return trace if loop is None else {**trace, "loop": loop}


def run_itf(about: Mapping[str, Any], start: State, steps: Sequence[Taken]) -> dict[str, Any]:
    """A run as an ITF trace; `about` says, in its `#meta`, what it is."""
    states = [state_itf(start, {"index": 0})]
    for i, step in enumerate(steps, 1):
        parameters = {name: plain(value) for name, value in step.parameters.items()}
        states.append(state_itf(step.state, {"index": i, "action": step.action, "parameters": parameters}))
    return {"#meta": {**FORMAT, **about}, "vars": list(relations_of(type(start))), "states": states}


def state_itf(state: State, meta: Mapping[str, Any]) -> dict[str, Any]:
    """A state as an ITF state."""
    relations = {
        name: {"#set": [{"#tup": [value_itf(x) for x in row]} for row in in_order(getattr(state, name))]}
        for name in relations_of(type(state))
    }
    return {"#meta": dict(meta), **relations}


def value_itf(value: object) -> Any:
    """A member of a sort as an ITF expression."""
    if isinstance(value, frozenset):
        return {"#set": [value_itf(x) for x in sorted(value, key=lambda x: (len(show(x)), show(x)))]}
    if isinstance(value, int):
        return value if abs(value) <= INTEGER_MAX else {"#bigint": str(value)}
    return str(value)

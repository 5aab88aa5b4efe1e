"""A counterexample as a person reads it: the universe, the state, the step and what it changes, and what is false."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..evaluate import Relations, Rows
from ..instance import in_order, plain, show
from .counterexample import Counterexample


def counterexample_lines(found: Counterexample, state: Iterable[str] = ()) -> Iterator[str]:
    """The counterexample, a thought a line, indented under what it is a counterexample to.

    `state` may say the state before the step in other lines than one for each relation.
    """
    o = found.obligation
    yield f"{o.level}: {sentence(found)}"
    if o.claim:
        yield f"  {o.conjunct}: {o.claim}"
    yield f"  where {universe(found)}"
    if found.before:
        yield "  in a state with"
        yield from state or relation_lines(found.before)
    if found.before and found.after:
        yield f"  {call(found)}"
        yield from difference_lines(found)
    elif found.after:
        yield "  the initial state has"
        yield from relation_lines(found.after)
    yield f"  {o.place}: {o.conjunct} is false{instance_of(found.witness)}"


def sentence(found: Counterexample) -> str:
    """What went wrong, in a line."""
    o = found.obligation
    if o.action == "init":
        return f"{o.conjunct} does not hold at first"
    if o.action == "invariant":
        return f"{o.conjunct} does not follow from the invariants"
    return (
        f"after {o.action}, {o.conjunct} need not hold"
        if o.claim
        else f"{o.action}: {o.conjunct} need not hold"
    )


def call(found: Counterexample) -> str:
    """The step, as `accept(a=a1, s=s1, b=2, v=v1)`."""
    return f"{found.obligation.action}({_named(found.parameters)})"


def universe(found: Counterexample) -> str:
    """The members of every sort, as `acceptor is a1 a2, ballot is 1 < 2`; numbers are in their order, names in none."""
    return ", ".join(
        f"{sort.__name__.lower()} is {(' < ' if isinstance(members[0], int) else ' ').join(map(show, members))}"
        for sort, members in found.instance.members.items()
    )


def relation_lines(relations: Relations) -> Iterator[str]:
    """Every relation that has a row."""
    width = max(map(len, relations), default=0)
    full = {name: rows for name, rows in relations.items() if rows}
    for name, rows in full.items():
        yield f"    {name:{width}}  {listed(rows)}"
    if not full:
        yield "    nothing in it"


def difference_lines(found: Counterexample) -> Iterator[str]:
    """What the step adds to every relation, and what it removes."""
    added, removed = difference(found)
    for sign, relations in (("+", added), ("-", removed)):
        for name, rows in relations.items():
            yield f"    {sign} {name} {listed(rows)}"
    if not added and not removed:
        yield "    changes nothing"


def difference(found: Counterexample) -> tuple[Relations, Relations]:
    """The rows that the step adds and those that it removes, by relation."""
    before, after = found.before, found.after
    if not before or not after:
        return {}, {}
    added = {name: rows - before[name] for name, rows in after.items() if rows - before[name]}
    removed = {name: before[name] - rows for name, rows in after.items() if before[name] - rows}
    return added, removed


def listed(rows: Rows) -> str:
    return " ".join(f"({', '.join(map(show, row))})" for row in in_order(rows))


def instance_of(witness: Mapping[str, Any]) -> str:
    return f" for {_named(witness)}" if witness else ""


def _named(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={show(value)}" for name, value in values.items())


def counterexample_json(found: Counterexample) -> dict[str, Any]:
    """The counterexample as plain data: universe, state, step and difference."""
    added, removed = difference(found)
    return {
        "universe": {s.__name__.lower(): [plain(m) for m in ms] for s, ms in found.instance.members.items()},
        "state": _rows_json(found.before or found.after),
        "parameters": {name: plain(value) for name, value in found.parameters.items()},
        "added": _rows_json(added),
        "removed": _rows_json(removed),
        "false_for": {name: plain(value) for name, value in found.witness.items()},
    }


def _rows_json(relations: Relations) -> dict[str, Any]:
    return {name: [plain(row) for row in in_order(rows)] for name, rows in relations.items() if rows}

"""An exploration as a person reads it: the counts, the actions, and the shortest way to what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..instance import show
from .result import Exploration, Row, Violation, difference


def summary(found: Exploration) -> Iterator[str]:
    """The outcome, line by line."""
    sizes = ", ".join(f"{name}={size}" for name, size in found.instance.items())
    yield f"{found.spec} with {sizes} ({found.engine})"
    yield f"  {found.distinct:,} states, depth {found.depth}, {found.edges:,} edges, in {found.seconds:.2f} s"
    if orbits := found.extra.get("orbits"):
        sorts = " x ".join(found.extra["symmetry"])
        yield f"  {orbits:,} of them stored, one of each orbit under {sorts}"
    if (chance := found.extra.get("collision_probability")) is not None:
        yield f"  {_how_told_apart(chance)}"
    if found.deadlocks:
        yield f"  {found.deadlocks:,} states have no successor"
    yield from _actions(found)
    if found.violation:
        yield ""
        yield from counterexample(found.violation)
    elif found.cut_short:
        yield ""
        yield f"unknown: {found.cut_short}; in what was explored nothing is violated"
        if why := found.extra.get("checkpoint_failed"):
            yield f"  it could not be written down: {why}"
        elif file := found.extra.get("checkpoint"):
            yield f"  written down: --resume {file} goes on with it"
    else:
        yield f"holds in every state: {', '.join(found.properties) or 'nothing was asked'}"


def _how_told_apart(chance: float) -> str:
    if not chance:
        return "states were told apart by all their bits"
    return f"64-bit fingerprints: that two states shared one has an estimated probability of {chance:.1e}"


def _actions(found: Exploration) -> Iterator[str]:
    width = max((len(name) for name in found.actions), default=0)
    for name, count in found.actions.items():
        yield f"  {name:{width}}  taken {count.taken:,} times, {count.found:,} of them to a new state"
    if not found.violation:
        for name in found.never_taken():
            yield f"  warning: {name} never changed anything; is a require too strong, or the instance too small?"


def counterexample(violation: Violation) -> Iterator[str]:
    """A violated property and the steps that lead to it, each with what it changes."""
    at = f"  ({violation.place})" if violation.place else ""
    given = ", ".join(f"{name}={show(value)}" for name, value in violation.parameters.items())
    yield f"violated: {violation.property}{f'({given})' if given else ''}{at}"
    if violation.claim:
        yield f"  {violation.claim}."
    if not violation.steps:
        stuck = violation.loop is not None
        yield "  There is a run in which nothing happens." if stuck else "  The initial state breaks it."
        return
    yield f"  {_what_follows(violation)}, {len(violation.steps)} steps:"
    yield ""
    titles = [f"{i:3}  {step}" for i, step in enumerate(violation.steps, 1)]
    width = max(map(len, titles))
    before = violation.start
    for i, (title, step) in enumerate(zip(titles, violation.steps, strict=True)):
        if i == violation.loop:
            yield "     from here on, again and again:"
        added, removed = difference(before, step.state)
        changes = [*_changes("-", removed), *_changes("+", added)] or ["(no change)"]
        yield f"{title:{width}}   {changes[0]}"
        yield from (f"{'':{width}}   {change}" for change in changes[1:])
        before = step.state
    if violation.loop == len(violation.steps):
        yield "     and nothing happens any more"


def _what_follows(violation: Violation) -> str:
    if violation.loop is not None:
        return "A run may be this"
    return "The shortest way there" if violation.shortest else "A way there, not the shortest"


def _changes(mark: str, rows: Mapping[str, Sequence[Row]]) -> list[str]:
    return [f"{mark} {name} {' '.join(map(_row, many))}" for name, many in rows.items()]


def _row(row: Row) -> str:
    return f"({' '.join(map(show, row))})"

"""What was seen ahead, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from ..explore.report import counterexample as run_lines
from ..explore.result import Violation
from ..instance import in_order, show
from ..language import relations_of
from ..prove.report import duration
from ..prove.solving import INTERRUPTED
from .ahead import Ahead, KInduction


def ahead_lines(seen: Ahead) -> Iterator[str]:
    """A bounded check, and what it says of other sizes."""
    sizes = f"{seen.spec} with {seen.instance}"
    if seen.violation:
        yield from run_lines(seen.violation)
        yield ""
        yield f"{sizes}: violated after {len(seen.violation.steps)} steps ({duration(seen.seconds)})"
        return
    yield from _clean_lines(seen)
    yield f"unknown: {seen.cut_short}; nothing is violated in what was ({duration(seen.seconds)})"


def _clean_lines(seen: Ahead) -> Iterator[str]:
    sizes = f"{seen.spec} with {seen.instance}"
    if seen.depth >= 0:
        yield f"{sizes}: no run of up to {seen.depth} steps breaks {', '.join(seen.properties)}"
    if seen.asked:
        for o in seen.unknown:
            yield f"  {o.obligation}: of any size it is not known ({o.reason or 'no run of it was found'})"
        if seen.clean:
            yield f"{seen.spec} with any number of everything: no run of up to {seen.depth} steps breaks them either"


def k_induction_lines(seen: KInduction) -> Iterator[str]:
    """An attempt at k-induction, and what stands in its way."""
    if seen.base.violation:
        yield from ahead_lines(seen.base)
    elif not seen.base.clean:
        yield from _clean_lines(seen.base)
    for o in seen.steps:
        if o.result == "failed":
            yield f"{o.obligation}: does not follow"
        elif o.result == "unknown":
            yield f"{o.obligation}: not known ({o.reason})"
    if seen.counterexample:
        yield ""
        yield from _start(seen.counterexample, seen.k)
        yield from list(run_lines(seen.counterexample))[3:]
        yield ""
    yield f"{seen.base.spec}: {_verdict(seen)} ({duration(seen.seconds)})"


def _start(found: Violation, k: int) -> Iterator[str]:
    yield f"{found.property} ({found.place}) need not hold after {k} states that satisfy everything; from the state"
    rows = 0
    for name in relations_of(type(found.start)):
        if held := in_order(getattr(found.start, name)):
            rows += len(held)
            yield f"  {name} {' '.join('(' + ' '.join(map(show, row)) + ')' for row in held)}"
    if not rows:
        yield "  with nothing in it"
    yield "these steps lead there, and no run need come to it:"


def _verdict(seen: KInduction) -> str:
    if seen.interrupted:
        return f"unknown: it was {INTERRUPTED}"
    words = {
        "proved": f"proved by {seen.k}-induction, for any number of everything",
        "refuted": "refuted",
        "unknown": f"{seen.k}-induction does not prove it; a larger k may, or one more invariant",
    }
    return words[seen.verdict]

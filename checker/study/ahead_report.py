"""What was seen ahead, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from ..explore.report import counterexample as run_lines
from ..explore.result import Violation
from ..instance import in_order, show
from ..language import relations_of
from ..prove.report import duration
from .ahead import Ahead, KInduction


def ahead_lines(seen: Ahead) -> Iterator[str]:
    """A bounded check, and what it says of other sizes."""
    sizes = f"{seen.spec} with {seen.instance}"
    if seen.violation:
        yield from run_lines(seen.violation)
        yield ""
        yield f"{sizes}: violated after {len(seen.violation.steps)} steps ({duration(seen.seconds)})"
        return
    yield f"{sizes}: no run of up to {seen.depth} steps breaks {', '.join(seen.properties)}"
    if seen.asked:
        for o in seen.unknown:
            yield f"  {o.obligation}: of any size it is not known ({o.reason or 'no run of it was found'})"
        if not seen.unknown:
            yield f"{seen.spec} with any number of everything: no run of up to {seen.depth} steps breaks them either"
    yield f"this is no proof of more than {seen.depth} steps ({duration(seen.seconds)})"


def k_induction_lines(seen: KInduction) -> Iterator[str]:
    """An attempt at k-induction, and what stands in its way."""
    if seen.base.violation or seen.base.unknown:
        yield from ahead_lines(seen.base)
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
    words = {
        "proved": f"proved by {seen.k}-induction, for any number of everything",
        "refuted": "refuted",
        "unknown": f"{seen.k}-induction does not prove it; a larger k may, or one more invariant",
    }
    return words[seen.verdict]

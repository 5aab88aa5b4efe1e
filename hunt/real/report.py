"""What rounds on real processes came to, all together, and as a person reads it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..report import listed
from .round import Round


class Tally:
    """What was done so far."""

    def __init__(self) -> None:
        self.rounds = 0
        self.undecided = 0
        self.lines = 0
        self.slots = 0
        self.operations = 0
        self.answered = 0
        self.faults: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.not_tried: Counter[str] = Counter()
        """What the machine did not allow, and in how many rounds it was planned."""
        self._began_s = time.monotonic()

    def add(self, held: Round) -> None:
        """One round more."""
        self.rounds += 1
        self.undecided += held.verdict == "undecided"
        self.lines += held.lines
        self.slots += held.slots
        self.operations += held.operations
        self.answered += held.answered
        self.faults += held.faults
        self.events += held.events
        self.not_tried.update(held.not_tried)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began_s

    def json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "rounds": self.rounds,
            "undecided": self.undecided,
            "seconds": round(self.seconds, 1),
            "lines": self.lines,
            "slots": self.slots,
            "operations": self.operations,
            "answered": self.answered,
            "faults": dict(sorted(self.faults.items())),
            "events": dict(sorted(self.events.items())),
            "not_tried": dict(self.not_tried),
        }


def told(tally: Tally, last: Round | None, kept: Path | None) -> str:
    """A whole hunt. `last` is the round to tell more of: the one that failed or could not be judged."""
    return "\n".join(_told(tally, last, kept))


def _told(tally: Tally, last: Round | None, kept: Path | None) -> Iterator[str]:
    if not tally.rounds:
        verdict = "nothing was judged: no round came to its end"
    elif last is not None and last.complaints:
        verdict = "a round fails"
    elif tally.undecided:
        verdict = f"no round fails, and {tally.undecided} could not be judged in all"
    else:
        verdict = "clean: no round fails"
    yield f"{verdict}, of {tally.rounds:,} in {tally.seconds:,.0f} s, on real processes"
    yield (
        f"  {tally.operations:,} commands of clients, {tally.answered:,} of them answered; {tally.slots:,} slots, "
        f"{tally.lines:,} lines judged"
    )
    yield "faults"
    yield from listed(tally.faults)
    yield "lines"
    yield from listed(tally.events)
    for reason, count in tally.not_tried.items():
        yield f"not tried, in {count:,} of the rounds: {reason}"
    if last is None:
        return
    for complaint in last.complaints:
        yield ""
        yield complaint.rule
        yield complaint.sentence
    for doubt in last.doubts:
        yield ""
        yield f"not decided: {doubt}"
    if kept is not None:
        yield f"plan, traces, operations and the nodes' own words are in {kept}"
    yield f"again: {last.again}    the same plan; processes do not run the same twice"

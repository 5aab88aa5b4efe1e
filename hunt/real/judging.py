"""What a round is judged by: the traces, the clients' history, and the state that the nodes were left in.

- Every line of every trace is judged by the specification (`refinement.conformance`).
- What clients were told must be linearizable. The log that the nodes applied, taken from their traces, is the witness:
  an order that it gives is held against every answer and every time, so it need not be believed.  If the traces do not
  have all of the log, an order is looked for.
- In the end, when all have applied the same slots, every node's state machine has the same keys, values and versions,
  and they are what the log makes of nothing.

What cannot be judged is a doubt, and never a pass.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...impl.core.messages import Slot, Value
from ...impl.kv.machine import KeyValue
from ...impl.kv.replies import Reply
from ...impl.sim.history import History
from ...impl.sim.linearizable import judge_by_search
from ...impl.sim.witness import judge_by_log
from ...impl.sim.world import Complaint
from ...refinement.conformance import conform
from ...refinement.judge import Judge
from ...traces import TraceError, read
from ...traces.events import Apply
from ..trial import rule_of

SEARCH_STEPS_MAX: Final = 20_000
"""Without the log a whole round is rarely decided; what can be is within a second or so."""


@dataclass
class Verdict:
    """What came of judging."""

    complaints: list[Complaint] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    """What could not be judged, each in a line."""
    lines: int = 0
    slots: int = 0
    events: Counter[str] = field(default_factory=Counter)

    def complain(self, rule: str, sentence: str) -> None:
        self.complaints.append(Complaint(rule, sentence))


@dataclass(frozen=True)
class Ending:
    """What the nodes have when nobody asks for anything more."""

    slot: Slot
    """All have applied so much."""
    states: Mapping[str, Sequence[Reply]]
    """By node, what `load.stale_state` tells."""


def judged(
    traces: Sequence[Path],
    history: History,
    ending: Ending | None,
    keys: Sequence[bytes],
    judge: Judge | None = None,
) -> Verdict:
    """Judge a round. `keys` are those that the nodes were asked of in the end. With a `judge` the specification need
    not be compiled again.
    """
    verdict = Verdict()
    try:
        _judge_traces(verdict, traces, judge)
        log = _log(verdict, traces)
    except TraceError as error:
        verdict.complain("trace: unreadable", str(error))
        log = None
    _judge_history(verdict, history, log)
    _judge_states(verdict, ending, keys, log)
    return verdict


def _judge_traces(verdict: Verdict, traces: Sequence[Path], judge: Judge | None) -> None:
    result = conform(*traces, spec=judge)
    verdict.lines = result.lines
    if result.divergence is not None:
        verdict.complain(rule_of(result.divergence), str(result.divergence))
    elif result.unverified:
        verdict.doubts.append(f"{result.unverified} facts of the traces are unverified")
    elif not result.lines:
        verdict.doubts.append("the traces are empty")


def _log(verdict: Verdict, traces: Sequence[Path]) -> list[Value] | None:
    """What was applied in each slot, from slot 1 on; None if that of some slot is in no trace."""
    known: dict[Slot, Value] = {}
    for located in read(*traces):
        line = located.line
        verdict.events[line.event] += 1
        for slot, text in line.entries if isinstance(line, Apply) else ():
            value = base64.b64decode(text)
            if known.setdefault(slot, value) != value:
                verdict.complain("state: two values", f"two values were applied in slot {slot}")
    verdict.slots = len(known)
    return [known[slot] for slot in sorted(known)] if max(known, default=0) == len(known) else None


def _judge_history(verdict: Verdict, history: History, log: Iterable[Value] | None) -> None:
    judgement = judge_by_search(history, SEARCH_STEPS_MAX) if log is None else judge_by_log(history, log)
    if judgement.outcome == "not linearizable":
        verdict.complain("history: not linearizable", str(judgement))
    elif judgement.outcome == "undecided":
        verdict.doubts.append(f"the clients' history: {judgement}")


def _judge_states(
    verdict: Verdict, ending: Ending | None, keys: Sequence[bytes], log: Sequence[Value] | None
) -> None:
    if ending is None:
        verdict.doubts.append("the nodes' state machines were not compared")
        return
    expected = dict(ending.states)
    if log is not None:
        expected["the log"] = _replayed(log[: ending.slot], keys)
    (first, one), *others = expected.items()
    for name, other in others:
        if list(one) != list(other):
            verdict.complain("state: different", f"{_difference(one, other, keys)} at {first} and at {name}")


def _difference(one: Sequence[Reply], other: Sequence[Reply], keys: Sequence[bytes]) -> str:
    names = ["the number of keys", *(f"key {key.decode()}" for key in keys)]
    return next(
        f"{name} is {mine!r} and {theirs!r}"
        for name, mine, theirs in zip(names, one, other, strict=True)
        if mine != theirs
    )


def _replayed(log: Iterable[Value], keys: Sequence[bytes]) -> list[Reply]:
    """What a state machine has that was given the whole log."""
    machine = KeyValue()
    for slot, value in enumerate(log, 1):
        machine.apply(slot, value)
    return [machine.read([b"DBSIZE"]), *(machine.read([b"GETVERSION", key]) for key in keys)]

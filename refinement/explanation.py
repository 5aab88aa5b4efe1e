"""A divergence explained: which line, which action was expected of it, which part of which rule fails, and by what.

The facts that contradict are rows of the specification's state.  Who wrote them is not remembered while the trace is
judged, which would cost every line; it is found by reading the trace again up to the divergence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ..checker.sparse import Explainer, free
from ..checker.term import Require, Var
from ..spec.sorts import Slot
from ..traces.files import Place
from ..traces.merge import Step
from .divergence import Diverges, Fact, show
from .judge import Judge
from .ledger import Ledger
from .mapping import Action


@dataclass(frozen=True)
class Divergence:
    """The first line that does not conform, and why.

    `action` is what the specification would have to allow, if the line stands for an action; `conjunct` what it does
    not meet: a `require` by its file, line and text, or a rule of the format.  `facts` are why, a sentence each;
    `state` what the node has promised and accepted by then; `writers` who wrote the rows that contradict.
    """

    file: str
    line: int
    event: str
    node: str
    action: str | None
    conjunct: str
    reason: str
    facts: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    rows: tuple[Fact, ...] = ()

    def json(self) -> dict[str, Any]:
        """As plain data."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "rows"}

    def with_writers(self, written: Mapping[Fact, Place]) -> Divergence:
        """The same, with the places where its rows were written."""
        lines = tuple(f"{_fact(fact)}: written by {place}" for fact, place in written.items())
        return replace(self, writers=lines)

    def __str__(self) -> str:
        out = [f"{self.file}:{self.line}: {self.event} of node {self.node} diverges: {self.reason}"]
        out += [f"  expected  {self.action}"] if self.action else []
        out += [f"  fails     {self.conjunct}"]
        for title, lines in (("because", self.facts), ("state", self.state), ("written", self.writers)):
            out += [f"  {title if i == 0 else '':<9} {text}" for i, text in enumerate(lines)]
        return "\n".join(out)


def explain(judge: Judge, step: Step, why: Diverges) -> Divergence:
    """The divergence of a line, from the state in which it was refused."""
    broken, rows = why.broken, list(why.facts)
    facts: list[str] = []
    if isinstance(broken, Require):
        conjunct = f"{broken.place}: {broken.place.text}"
        values = _values(judge.ledger, why.action)
        explainer = Explainer(judge.ledger.machine, show)
        if free(broken.formula) <= set(values):
            facts = explainer.false(broken.formula, values)
        else:  # what was learned names no quorum and no ballot: whatever was accepted in the slot did not do
            known = [v for x, v in values.items() if x.sort is Slot]
            facts = [line for slot in known for line in explainer.looking("accepted", {1: slot})]
        rows += explainer.rows
    else:
        conjunct = f"trace format: {broken.value}"
    slots = {s for s, _ in getattr(step.line, "entries", ())}
    return Divergence(
        file=step.place.file,
        line=step.place.number,
        event=step.line.event,
        node=step.line.node,
        action=None if why.action is None else _action(judge.ledger, why.action),
        conjunct=conjunct,
        reason=why.reason,
        facts=tuple(dict.fromkeys(facts)),
        state=tuple(_state(judge.ledger, step.line.node, slots)),
        rows=tuple(dict.fromkeys(rows)),
    )


def provenance(steps: Iterable[Step], divergence: Divergence, judge: Judge) -> dict[Fact, Place]:
    """Which lines wrote the rows of a divergence: the trace is judged again, up to there, with an eye on them."""
    wanted, found = list(divergence.rows), dict[Fact, Place]()
    for step in steps:
        if not wanted or (step.place.file, step.place.number) == (divergence.file, divergence.line):
            break
        judge.take(step)
        for fact in [fact for fact in wanted if judge.ledger.machine.has(*fact)]:
            found[fact] = step.place
            wanted.remove(fact)
    return found


def _values(ledger: Ledger, action: Action | None) -> dict[Var, Any]:
    """The arguments of an action, as far as they are known, by its parameters."""
    if action is None:
        return {}
    name, args = action
    return {x: v for x, v in zip(ledger.params(name), args, strict=True) if v is not None}


def _state(ledger: Ledger, node: str, slots: Iterable[int]) -> Iterator[str]:
    """What the node has promised and, in these slots, accepted."""
    left = ledger.left(node)
    yield f"{node} has left no ballot" if left is None else f"{node} has left every ballot below {show(left)}"
    for slot in sorted(slots)[:3]:
        logged = ledger.logged(node, slot)
        held = "nothing" if logged is None else f"{show(logged[1])}, in ballot {show(logged[0])}"
        yield f"the latest that {node} accepted in slot {slot}: {held}"


def _action(ledger: Ledger, action: Action) -> str:
    given = (f"{x.name} = {show(v)}" for x, v in _values(ledger, action).items())
    return f"{action[0]}({', '.join(given)})"


def _fact(fact: Fact) -> str:
    relation, row = fact
    return f"{relation} {show(row)}"

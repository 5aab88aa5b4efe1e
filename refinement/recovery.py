"""A restart: what a node recovered, against what it did.

It may have done more than its trace tells, for a power loss can take the last lines of a boot; then the missing
steps are taken here, and the specification must allow them.  What it did and does not remember is a divergence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..checker.term import In
from ..traces.events import Start
from ..traces.merge import Step
from ..traces.messages import Ballot, Report
from .divergence import Diverges, Fact, Rule, show
from .ledger import Ledger
from .members import Node


@dataclass
class Debts:
    """Rows that the trace has yet to justify: a `start` may come, in causal order, before the proposal of what it
    recovered."""

    _owed: dict[Fact, tuple[Step, Diverges]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._owed)

    def owe(self, fact: Fact, step: Step, otherwise: Diverges) -> None:
        self._owed.setdefault(fact, (step, otherwise))

    def settle(self, relation: str, row: tuple[Any, ...]) -> None:
        """This row is justified now."""
        self._owed.pop((relation, row), None)

    def left(self) -> Iterator[tuple[Fact, Step, Diverges]]:
        """What was never justified."""
        for fact, (step, otherwise) in self._owed.items():
            yield fact, step, otherwise


def recover(ledger: Ledger, debts: Debts, node: Node, step: Step, line: Start) -> None:
    """Hold a `start` against what the node did, and catch up with what it did besides.

    Raises `Diverges` for what it forgot, and for what it cannot have done.
    """
    a = node.name
    _not_behind(ledger, node, line)
    for s, c, v in sorted(_ahead(ledger, a, line), key=lambda report: report[1]):
        _catch_up(ledger, debts, step, ("accept", (a, s, c, v)))
    left = ledger.left(a)
    if line.promised is not None and (left is None or left < line.promised):
        _catch_up(ledger, debts, step, ("promise", (a, line.promised)))
    elif line.promised is not None and left is not None and line.promised < left:
        raise Diverges(
            Rule.RECOVERED,
            f"{a} recovers the promise {show(line.promised)}, below what it accepted in: {show(left)}",
        )
    if line.ballot_used is not None:
        if line.ballot_used.node != a:
            raise Diverges(Rule.OWN_BALLOT, f"{show(line.ballot_used)} is no ballot of {a}")
        node.ballot_used = line.ballot_used


def is_checkpoint_known(node: Node, line: Start) -> bool:
    """Whether all that the recovered checkpoint covers was known to the node as chosen, as far as its trace tells.

    Raises `Diverges` if it was not, and its trace misses nothing.
    """
    if line.low <= node.told.upto:
        return True
    if not node.may_miss_lines:
        reason = (
            f"{node.name} has a checkpoint at {line.low} and knows slots to be chosen up to {node.told.upto}"
        )
        raise Diverges(Rule.RECOVERED, reason)
    return False


def _not_behind(ledger: Ledger, node: Node, line: Start) -> None:
    a = node.name
    left, used = ledger.left(a), node.ballot_used
    if left is not None and (line.promised is None or line.promised < left):
        reason = (
            f"{a} had left every ballot below {show(left)} and recovers the promise {show(line.promised)}"
        )
        raise Diverges(Rule.RECOVERED, reason, None, [("left", (a, left))])
    if used is not None and (line.ballot_used is None or line.ballot_used < used):
        reason = (
            f"{a} had opened {show(used)} and recovers {show(line.ballot_used)} as the last that it opened"
        )
        raise Diverges(Rule.RECOVERED, reason, None, [("prepared", (used,))])
    if line.low < node.low:
        raise Diverges(Rule.RECOVERED, f"{a} had a checkpoint at {node.low} and recovers one at {line.low}")
    recovered = {s: (c, v) for s, c, v in line.accepted}
    if len(recovered) != len(line.accepted):
        raise Diverges(Rule.RECOVERED, f"{a} recovers two acceptances in a slot")
    for s, c, v in ledger.log(a):
        if s > line.low and not _covers(recovered.get(s), (c, v)):
            found = _found(recovered.get(s))
            reason = f"{a} had accepted {show(v)} in slot {s}, ballot {show(c)}, and recovers {found}"
            raise Diverges(Rule.RECOVERED, reason, None, [("log", (a, s, c, v))])


def _covers(found: tuple[Ballot, str] | None, known: tuple[Ballot, str]) -> bool:
    return found is not None and (found == known or found[0] > known[0])


def _ahead(ledger: Ledger, a: str, line: Start) -> Iterator[Report]:
    """What it recovers beyond what its lines tell."""
    for s, c, v in line.accepted:
        if s > ledger.forgotten and ledger.logged(a, s) != (c, v):
            yield s, c, v


def _catch_up(ledger: Ledger, debts: Debts, step: Step, action: tuple[str, tuple[Any, ...]]) -> None:
    """Take a step that the trace does not tell.

    Nothing orders a restart after the proposal of what the lost lines accepted, so only that may still be to come.
    """
    name, args = action
    a = args[0]
    for refused in ledger.machine.refusals(name, *args):
        if not isinstance(refused.formula, In):
            raise Diverges(refused, f"{a} recovers what no {name} can have led to", action)
        values = dict(zip(ledger.spec.steps[name].params, args, strict=True))
        fact = (refused.formula.relation, tuple(values[x] for x in refused.formula.args))
        unjustified = Diverges(refused, f"{a} recovers what nothing in the trace justifies", action)
        if is_contradicted(ledger, fact):
            raise unjustified
        debts.owe(fact, step, unjustified)
    ledger.machine.take(name, *args)


def is_contradicted(ledger: Ledger, fact: Fact) -> bool:
    """Whether a row that is owed can never come: its ballot proposed otherwise."""
    relation, row = fact
    return relation == "proposed" and ledger.proposed(row[0], row[1]) not in (None, row[2])


def _found(found: tuple[Ballot, str] | None) -> str:
    return "nothing there" if found is None else f"{show(found[1])} in ballot {show(found[0])}"

"""What messages say, held against what has happened.

The network of the specification is its state: to send a message is to claim rows of it.  So a message that is sent
again needs no memory of the first: what it says must still be so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from ..traces import events, messages
from ..traces.events import AnyLine
from ..traces.messages import AnyMessage, Ballot
from .divergence import Diverges, Rule, show
from .ledger import Ledger
from .members import Members, Node

Justified: TypeAlias = Mapping[type, type[AnyLine]]

JUSTIFIED_BY: Justified = {
    messages.Prepare: events.Prepare,
    messages.Promise: events.Promise,
    messages.Accept: events.Propose,
    messages.Accepted: events.Accept,
}
"""Which event lets a message of this kind go for the first time; the others go with any event."""


def check_sent(ledger: Ledger, members: Members, node: Node, line: AnyLine, message: AnyMessage) -> int:
    """Hold a message against the state after its line.  Raises `Diverges`.

    Returns how many things it says that cannot be judged any more, for they are of slots that the node has truncated.
    """
    due = JUSTIFIED_BY.get(type(message))
    if due is not None and type(line) is not events.Resend:
        if type(line) is not due:
            raise _untrue(message, f"it goes with {due.__struct_config__.tag}, or as a resend")
        if message.ballot != line.ballot:  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue]
            raise _untrue(message, "its ballot is not that of its line")
    a, judged, doubtful = node.name, node.truncated, 0
    match message:
        case messages.Prepare(ballot=b, commit=commit):
            _check_index(ledger, members, node, commit)
            if b.node != a or not ledger.has("prepared", b):
                raise _untrue(message, f"{a} did not open it")
        case messages.Promise():
            doubtful = _check_report(ledger, node, message)
        case messages.Accept(ballot=b, entries=entries, commit=commit):
            for s, v in entries:
                doubtful += s <= judged
                if b.node != a or (s > judged and not ledger.has("proposed", s, b, v)):
                    raise _untrue(message, f"{a} did not propose {show(v)} in slot {s}")
            _check_index(ledger, members, node, commit)
        case messages.Accepted(ballot=b, slots=slots):
            for s in slots:
                if s <= judged and type(line) is events.Resend:
                    doubtful += 1
                    continue
                proposed = ledger.proposed(s, b)
                if proposed is None or not ledger.has("accepted", a, s, b, proposed):
                    raise _untrue(message, f"{a} did not accept in slot {s} in this ballot")
        case messages.Nack(promised=promised):
            if ledger.left(a) != promised:
                raise _untrue(message, f"what {a} has promised is {show(ledger.left(a))}")
        case messages.Heartbeat(commit=commit):
            _check_index(ledger, members, node, commit)
        case messages.Learn(entries=entries):
            for s, v in entries:
                if s <= judged:
                    doubtful += 1
                elif s not in node.told or not ledger.is_chosen(s, v, members.names, members.phase2):
                    raise _untrue(
                        message, f"{a} does not know {show(v)} to be chosen in slot {s}", Rule.KNOWN
                    )
        case messages.Snapshot(slot=slot):
            if slot > node.low:
                raise _untrue(message, f"the checkpoint of {a} is at {node.low}")
    return doubtful


def _check_report(ledger: Ledger, node: Node, message: messages.Promise) -> int:
    a, b = node.name, message.ballot
    if not ledger.has("promised", a, b):
        raise _untrue(message, f"{a} did not promise it")
    low = node.promised_low.get(b, node.low)
    if message.low != low:
        raise _untrue(message, f"the checkpoint of {a} is at {low}", Rule.REPORT)
    if message.above > node.known.get(b, 0):
        why = f"it leaves out slots up to {message.above}, and {b.node} may not know what is chosen there"
        raise _untrue(message, why, Rule.REPORT)
    truncated = node.truncated
    above = max(low, truncated, message.above)
    said = {row for row in message.accepted if row[0] > truncated}
    doubtful = sum(row[0] <= truncated for row in message.accepted)
    due = {(s, c, v) for s, c, v in ledger.report(a, b) if s > above}
    if said == due and len(said) == len(message.accepted) - doubtful:
        return doubtful
    wrong, missing = sorted(said - due), sorted(due - said)
    facts = [("reported", (a, b, *row)) for row in (missing[:1] or wrong[:1])]
    what = f"it says {_rows(wrong)}, which is not in its log" if wrong else "it says a slot twice"
    if missing:
        what = f"it omits {_rows(missing)}" + (f" and says {_rows(wrong)}" if wrong else "")
    raise Diverges(Rule.REPORT, f"a promise of {a}: {what}", ("promise", (a, b)), facts)


def _check_index(ledger: Ledger, members: Members, node: Node, commit: int | None) -> None:
    if commit is not None and commit > node.told.upto:
        reason = (
            f"{node.name} says that every slot up to {commit} is chosen, and knows so up to {node.told.upto}"
        )
        raise Diverges(Rule.KNOWN, reason)


def _untrue(message: AnyMessage, why: str, rule: Rule = Rule.SPOKEN) -> Diverges:
    return Diverges(rule, f"the {message.kind} that it sends is not true: {why}")


def _rows(rows: list[tuple[int, Ballot, str]]) -> str:
    shown = ", ".join(f"slot {s}: {show(v)} in {show(c)}" for s, c, v in rows[:3])
    return shown + (f" and {len(rows) - 3} more" if len(rows) > 3 else "")

"""What a line stands for: the actions of the specification, with their parameters bound.

This is the whole of the correspondence between a trace and `spec.multipaxos`; whether the actions may be taken is for
the specification to say.  A line without an action leaves the specification's state alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from ..traces import events, messages
from ..traces.events import AnyLine
from ..traces.messages import AnyMessage, Ballot, Entry

Action: TypeAlias = tuple[str, tuple[Any, ...]]
"""The name of an action and its arguments, in the order of its parameters."""
Quorum: TypeAlias = frozenset[str]
Leads: TypeAlias = Mapping[Ballot, Quorum]
"""The quorum on which the proposals of each ballot rest."""


def actions(
    line: AnyLine, leads: Leads, shared: Callable[[Entry], Entry] = lambda entry: entry
) -> Iterator[Action]:
    """The actions that a line stands for, in order.

    `leads` has the quorum of a proposal's ballot; raises `KeyError` where it does not.  `shared` may give an equal
    entry in the place of each, to save memory.
    """
    match line:
        case events.Prepare(ballot=b):
            yield "prepare", (b,)
        case events.Promise(node=a, ballot=b):
            yield "promise", (a, b)
        case events.Propose(ballot=b, entries=entries):
            q = leads[b]
            for s, v in map(shared, entries):
                yield "propose", (q, s, b, v)
        case events.Accept(node=a, ballot=b, entries=entries):
            for s, v in map(shared, entries):
                yield "accept", (a, s, b, v)


def implied(message: AnyMessage) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The rows that are in the specification's state once a message of this content was sent.

    The network of the specification is its state, so a message is a claim about it.  An `accepted` names no values:
    what it says is completed by what was proposed.
    """
    match message:
        case messages.Prepare(ballot=b):
            yield "prepared", (b,)
        case messages.Promise(id=(a, _, _), ballot=b, accepted=report):
            yield "promised", (a, b)
            for s, c, v in report:
                yield "reported", (a, b, s, c, v)
        case messages.Accept(ballot=b, entries=entries):
            for s, v in entries:
                yield "proposed", (s, b, v)

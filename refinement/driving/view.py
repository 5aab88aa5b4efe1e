"""How the specification sees the implementation: lines as actions, messages and disks as rows.

What a line and a message stand for is `refinement.mapping`, as it is for traces.  What an acceptor left and holds in
its log is what a restart would recover from its disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ...checker.language import relations_of
from ...checker.specification import sorts_of
from ...impl.core.records import Recovered
from ...spec import multipaxos
from ...spec.multipaxos import MultiPaxos
from ...traces import events, messages
from ...traces.events import AnyLine
from ..mapping import Action, Quorum, actions, implied
from .cast import Cast, in_traces

Fact: TypeAlias = tuple[str, tuple[Any, ...]]
"""The name of a relation, and a row of it."""
Facts: TypeAlias = frozenset[Fact]

Entries: TypeAlias = frozenset[tuple[Any, Any]]
"""Slots and values."""

COLUMNS = relations_of(MultiPaxos)
PARAMETERS = {
    f.__name__: sorts_of(f)
    for f in (multipaxos.prepare, multipaxos.promise, multipaxos.propose, multipaxos.accept)
}


def acts(cast: Cast, line: AnyLine, leads: Mapping[Any, Quorum]) -> tuple[Action, ...]:
    """The actions of the specification that a line stands for.  Raises `NotCast`."""
    return tuple([(name, cast.row(PARAMETERS[name], args)) for name, args in actions(line, leads)])


def commits(cast: Cast, line: AnyLine) -> Entries:
    """What a line says to be chosen.  Raises `NotCast`."""
    if not isinstance(line, events.Commit):
        return frozenset()
    return frozenset([cast.entry_of(*entry) for entry in line.entries])


def says(cast: Cast, line: AnyLine) -> Facts:
    """The rows that are so once the messages of a line have left.  Raises `NotCast`."""
    found: set[Fact] = set()
    for message in line.send:
        rows = implied(message)
        if isinstance(message, messages.Accepted):
            values = dict(line.entries) if isinstance(line, events.Accept) else {}
            a, b = message.id.sender, message.ballot
            rows = iter([("accepted", (a, s, b, values[s])) for s in message.slots if s in values])
        found.update((name, cast.row(COLUMNS[name], row)) for name, row in rows)
    return frozenset(found)


def rests_on(cast: Cast, a: str, disk: Recovered) -> Facts:
    """The rows that a restart would find: the ballots below what was promised are left."""
    found: set[Fact] = set()
    for s, c, v in disk.accepted:
        row = cast.row(COLUMNS["log"], (a, s, c, in_traces(v)))
        found.add(("log", row))
    if disk.promised is not None:
        ballots = range(1, len(cast.owners) + 1)
        found.update(("left", (a, b)) for b in ballots if cast.ballot(b) < disk.promised)
    return frozenset(found)


def facts_of(state: MultiPaxos) -> Facts:
    """All rows of a state."""
    return frozenset([(name, row) for name in COLUMNS for row in getattr(state, name)])

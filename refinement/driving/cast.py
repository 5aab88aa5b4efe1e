"""Who plays what: which node owns each ballot, which log position each slot is, which bytes each value is.

In the specification a ballot is a number, a slot has no place and a value no content.  In the implementation a ballot
belongs to a node, slots are filled in order, and one value is the no-op.  A cast is one way to make the first the
second; what no cast can show, the implementation never does.
"""

from __future__ import annotations

import itertools
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...checker.instance import BadInstance, Instance
from ...checker.language import Sort
from ...impl.core.messages import NOOP, Ballot, Entry, Value
from ...spec import sorts

Row = tuple[Any, ...]


class NotCast(Exception):
    """A replica spoke of a ballot, a slot or a value that the instance does not have."""


@dataclass(frozen=True)
class Cast:
    """Ballot number n is (n, its owner); slots and values are listed in the order of the log and of the instance."""

    acceptors: tuple[str, ...]
    owners: tuple[str, ...]
    slots: tuple[str, ...]
    values: Mapping[str, Value]

    def ballot(self, b: int) -> Ballot:
        """The implementation's ballot."""
        return self._ballots[b - 1]

    def slot(self, s: str) -> int:
        """The position in the log."""
        return self.slots.index(s) + 1

    def entry(self, s: str, v: str) -> Entry:
        """A slot and a value as messages have them."""
        return self.slot(s), self.values[v]

    def is_noop(self, v: str) -> bool:
        """Does the value stand for the no-op?"""
        return self.values[v] == NOOP

    def row(self, columns: tuple[type[Sort], ...], row: Row) -> Row:
        """A row in a trace's words in those of the specification.  Raises `NotCast`."""
        try:
            return tuple([self._members[sort][value] for sort, value in zip(columns, row, strict=True)])
        except KeyError as unknown:
            raise NotCast(f"{unknown.args[0]} is nothing that the instance has") from None

    def entry_of(self, s: int, v: str) -> tuple[str, str]:
        """The slot and the value that a trace speaks of.  Raises `NotCast`."""
        slot, value = self.row((sorts.Slot, sorts.Value), (s, v))
        return slot, value

    @cached_property
    def _ballots(self) -> tuple[Ballot, ...]:
        return tuple([Ballot(b, owner) for b, owner in enumerate(self.owners, 1)])

    @cached_property
    def _members(self) -> Mapping[type[Sort], Any]:
        """For each sort, what a trace calls its members, and what they are in the specification."""
        return {
            sorts.Acceptor: {a: a for a in self.acceptors},
            sorts.Ballot: {self.ballot(b): b for b in range(1, len(self.owners) + 1)},
            sorts.Slot: {self.slot(s): s for s in self.slots},
            sorts.Value: {in_traces(value): v for v, value in self.values.items()},
            sorts.Quorum: _Same(),
        }

    def __str__(self) -> str:
        owners = ", ".join(f"{b} is {owner}'s" for b, owner in enumerate(self.owners, 1))
        slots = (
            f"; slots in the order {' '.join(self.slots)}" if list(self.slots) != sorted(self.slots) else ""
        )
        noops = "".join(f"; {v} is the no-op" for v in self.values if self.is_noop(v))
        return f"ballot {owners}{slots}{noops}"


def in_traces(value: Value) -> str:
    """A value as a trace has it."""
    return b64encode(value).decode()


class _Same(dict[Any, Any]):
    """Sets of acceptors are called the same on both sides."""

    def __missing__(self, key: Any) -> Any:
        return key


def casts(instance: Instance) -> Iterator[Cast]:
    """Every cast of an instance: owners that differ come first, for they can do most.

    A no-op fills gaps between slots, so it is cast only where there are two slots, and something else to propose.
    Raises `BadInstance` if there are more ballots than acceptors: a node opens its ballots in rising order, so for any
    order each must have a node of its own.
    """
    acceptors, ballots, slots, values = (
        instance.members[s] for s in (sorts.Acceptor, sorts.Ballot, sorts.Slot, sorts.Value)
    )
    if len(ballots) > len(acceptors):
        raise BadInstance(
            f"ballot={len(ballots)}: each is to have a node of its own; give at least acceptor={len(ballots)}"
        )
    commands = {v: str(v).encode() for v in values}
    told = [commands]
    if len(slots) > 1 and len(values) > 1:
        told += [{**commands, v: NOOP} for v in values]
    owners = itertools.product(acceptors, repeat=len(ballots))
    for owner in sorted(owners, key=lambda names: -len(set(names))):
        for order in itertools.permutations(slots):
            for meaning in told:
                yield Cast(acceptors, owner, order, meaning)

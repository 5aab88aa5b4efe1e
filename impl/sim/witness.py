"""Tells whether a history is linearizable in the order of the log, in one pass, so for runs of any length.

The log that was chosen is the witness: applied once, it gives every command a place and an answer. Held against it:

- every command of the log was asked for, as often as it stands there, and every answered write stands there;
- a write was answered as the log answers, a read as some state between two commands does;
- the order respects time: what was answered before something else was called stands before it;
- nothing is applied twice: no batch of a gateway, and no number of a session.

Equal commands cannot be told apart in the log, so it must be found out which was whose. As everything comes one after
the other, what may come next is what was called before all that is still to come returned; of the operations that may,
the one that returned first is taken, and a read as soon as it may come and is answered as it was. If any assignment
goes on from here, this one does: exchange the two, and no operation that comes later is the worse for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from heapq import heappop, heappush
from math import inf
from typing import Final, TypeAlias

import msgspec

from ..core.messages import NOOP, Slot, Value
from ..kv.commands import COMMANDS, Command
from ..kv.machine import (
    ANSWERED,
    NO_SESSION,
    TOO_MANY,
    Batch,
    KeyValue,
    decode,
    encode,
    fault_of,
    session_of,
)
from ..kv.replies import Reply
from .history import Operation, shown
from .linearizable import LINEARIZABLE, NOTHING, Judgement

NOT_NOW: Final = (ANSWERED, NO_SESSION, TOO_MANY)
"""What a session answers when it does nothing."""

Name: TypeAlias = tuple[bytes, ...]
"""What tells operations apart in the log: a session's client, number and command; else the command."""

_packed: Final = msgspec.msgpack.Encoder().encode


class _Wrong(Exception):
    """The history does not follow the log."""

    def __init__(self, reason: str, *operations: Operation) -> None:
        super().__init__(reason)
        self.operations = operations


def judge_by_log(history: Iterable[Operation], log: Iterable[Value]) -> Judgement:
    """Judge a history by the log that was chosen, given from slot 1 on."""
    operations = list(history)
    if not any(one.returned is not None for one in operations):
        return NOTHING
    try:
        _Witness(operations).follow(log)
    except _Wrong as wrong:
        return Judgement("not linearizable", str(wrong), wrong.operations)
    return LINEARIZABLE


class _Witness:
    """A log on its way through the state machine, and the operations that have no place in it yet."""

    def __init__(self, operations: list[Operation]) -> None:
        self._batches = KeyValue()
        """Tells which batches count."""
        self._machine = KeyValue()
        """Executes their commands, one by one."""
        self._counted: dict[tuple[str, int], Slot] = {}
        self._sessions: dict[tuple[bytes, int], Reply] = {}
        self._unplaced = [
            (one.returned, at, one) for at, one in enumerate(operations) if one.returned is not None
        ]
        """The answered operations, a heap by return: with some that have a place by now."""
        self._unplaced.sort()
        self._placed = set[Operation]()
        self._reads = sorted(
            (one for one in operations if one.returned is not None and _is_read(one.command)),
            key=lambda one: one.called,
            reverse=True,
        )
        self._near: list[Operation] = []
        """Reads that may come now, and have not found their answer yet."""
        self._groups = defaultdict[Name, _Group](_Group)
        for at, one in enumerate(operations):
            if not _is_read(one.command):
                self._groups[_name(one.command)].add(at, one)
        for group in self._groups.values():
            group.called.sort(reverse=True)

    def follow(self, log: Iterable[Value]) -> None:
        """Give every operation its place.  Raises `_Wrong`."""
        self._place_reads()
        for slot, value in enumerate(log, 1):
            batch = None if value == NOOP else decode(value)
            if batch is None:
                self._batches.apply(slot, NOOP)
            elif self._batches.apply(slot, encode(Batch(batch.gateway, batch.number, []))) is not None:
                self._count(batch, slot)
                for command in batch.commands:
                    self._take(command, slot)
                    self._place_reads()
        first = self._first()
        if first is not None:
            raise _Wrong(self._why_left(first), first)

    def _count(self, batch: Batch, slot: Slot) -> None:
        before = self._counted.setdefault((batch.gateway, batch.number), slot)
        if before != slot:
            raise _Wrong(
                f"batch {batch.number} of {batch.gateway} is applied twice, in slot {before} and in slot {slot}"
            )

    # Writes ------------------------------------------------------------------------------

    def _take(self, command: Command, slot: Slot) -> None:
        """Execute the next command of the log and find out whose it was."""
        version, reply = self._machine.store.version, self._executed(command)
        parts = session_of(command)
        if parts is not None:
            client, number, _ = parts
            if reply in NOT_NOW or (client, number) in self._sessions:
                told = self._sessions.get((client, number), reply)
                if self._machine.store.version != version or (reply != told and reply not in NOT_NOW):
                    named = f"number {number} of session {client.decode('ascii', 'backslashreplace')}"
                    raise _Wrong(f"{named} is applied twice, the second time in slot {slot}")
                return
            self._sessions[client, number] = reply
        if _is_read(command):
            return
        group = self._groups[_name(command)]
        first = self._first()
        until = inf if first is None or first.returned is None else first.returned
        one = group.pop(reply, until)
        if one is None:
            raise _Wrong(*self._why_not(command, reply, slot, group, first))
        self._placed.add(one)

    def _executed(self, command: Command) -> Reply:
        machine = self._machine
        number = machine.applied + 1
        applied = machine.apply(number, encode(Batch("", number, [list(command)])))
        assert applied is not None, "it is its gateway's next"
        return applied.replies[0]

    def _first(self) -> Operation | None:
        """Of the answered operations that have no place yet, the first to return."""
        while self._unplaced and self._unplaced[0][2] in self._placed:
            heappop(self._unplaced)
        return self._unplaced[0][2] if self._unplaced else None

    # Reads -------------------------------------------------------------------------------

    def _place_reads(self) -> None:
        """Give their place to the reads that may come now and find what they found."""
        while (first := self._first()) is not None and first.returned is not None:
            while self._reads and self._reads[-1].called <= first.returned:
                self._near.append(self._reads.pop())
            found = [one for one in self._near if self._read(one.command) == one.reply]
            if not found:
                return
            self._placed.update(found)
            self._near = [one for one in self._near if one not in self._placed]

    def _read(self, command: Command) -> Reply:
        bad = fault_of(command)
        return self._machine.read(command) if bad is None else bad

    # What is wrong -----------------------------------------------------------------------

    def _why_not(
        self, command: Command, reply: Reply, slot: Slot, group: _Group, first: Operation | None
    ) -> tuple[str, *tuple[Operation, ...]]:
        """Why no operation can have the next command of the log."""
        what = f"slot {slot} has {shown(command)}"
        late = group.late(reply)
        if late is not None and first is not None:
            if _is_read(first.command):
                return f"{what}, and before it no state answers what was asked earlier: {first}", late, first
            return f"{what}, and only later what was answered before that was asked for: {first}", late, first
        other = group.other()
        if other is not None:
            return f"{what}, and the answer is {shown(reply)}; its client was told otherwise: {other}", other
        times = "more often than it was asked for" if group.taken else "and nobody asked for it"
        return (f"{what}, {times}",)

    def _why_left(self, first: Operation) -> str:
        if _is_read(first.command):
            return f"no state between call and return answers so: {first}"
        return f"it was answered, and the log does not have it: {first}"


class _Group:
    """The operations with one name."""

    def __init__(self) -> None:
        self.called: list[tuple[int, int, Operation]] = []
        """Those that nobody could have yet, the first called last."""
        self.taken = 0
        self._may: defaultdict[bytes | None, list[tuple[float, int, Operation]]] = defaultdict(list)
        """Those that may come, by answer, the first to return first; under None those without one."""

    def add(self, at: int, one: Operation) -> None:
        """Know of one more; `at` tells it apart."""
        self.called.append((one.called, at, one))

    def pop(self, reply: Reply, until: float) -> Operation | None:
        """The operation that has this place: called by `until`, answered so or not at all."""
        while self.called and self.called[-1][0] <= until:
            _, at, one = self.called.pop()
            if one.returned is None:
                heappush(self._may[None], (inf, at, one))
            else:
                heappush(self._may[_packed(one.reply)], (one.returned, at, one))
        fitting = self._may[_packed(reply)] or self._may[None]
        if not fitting:
            return None
        self.taken += 1
        return heappop(fitting)[2]

    def late(self, reply: Reply) -> Operation | None:
        """One that would do if it had been called earlier."""
        fitting = (one for _, _, one in reversed(self.called) if one.returned is None or one.reply == reply)
        return next(fitting, None)

    def other(self) -> Operation | None:
        """One that was answered otherwise."""
        return next((known[0][2] for known in self._may.values() if known), None) or next(
            (one for _, _, one in reversed(self.called)), None
        )


def _name(command: Command) -> Name:
    parts = session_of(command)
    if parts is None:
        return tuple(command)
    client, number, _ = parts
    return (b"SESSION", client, b"%d" % number, *command[4:])


def _is_read(command: Command) -> bool:
    """Does it not go through the log?"""
    return fault_of(command) is not None or (command[0] in COMMANDS and not COMMANDS[command[0]].writes)

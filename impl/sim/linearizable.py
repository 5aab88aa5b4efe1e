"""Tells from a history alone whether it is linearizable, by looking for an order that explains every answer.

A history is linearizable if its operations can be put in one order such that each takes effect between its call and
its return, and is answered as the state machine answers in that order (Herlihy and Wing, "Linearizability", 1990). An
operation without an answer may stand anywhere after its call, or nowhere.

The search goes from state to state (Wing and Gong, "Testing and verifying concurrent objects", 1993), remembers where
it has been (Lowe, "Testing for linearizability", 2017), and looks at keys apart where no command joins them, for
linearizability is a local property. What comes next must have been called before all that is still to come returned.
One step is free of choice: what may come next, is answered as it was and changes nothing comes next, for whatever can
follow without it can follow with it. That takes reads out of the search.

It is for short histories, and for long ones in which little is open at a time: what has no answer stays open to the
end. The number of steps is bounded; beyond, nothing is claimed. Where there is a log, `witness` judges any length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Literal, NamedTuple, TypeAlias

from ..kv.commands import Command, Item
from ..kv.machine import Batch, KeyValue, encode, reach_of, session_of
from ..kv.replies import Reply
from .history import Operation

STEPS_MAX: Final = 200_000
"""How many commands a search executes at most, for one part of a history: some seconds."""

CORE_MAX: Final = 200
"""Of a history of more operations no smallest part is sought: what was under way at the end of it is shown."""

CORE_SHARE: Final = 10
"""Looking for the smallest part may take the tenth of what a search may."""

KNOWN_MAX: Final = 10_000
"""How many executions a search remembers."""

Outcome: TypeAlias = Literal["linearizable", "not linearizable", "undecided"]


@dataclass(frozen=True)
class Judgement:
    """What a judge makes of a history."""

    outcome: Outcome
    reason: str = ""
    """Why it is not linearizable, or not decided, in a line; empty if it is linearizable."""
    operations: tuple[Operation, ...] = ()
    """If it is not: those concerned."""

    def __str__(self) -> str:
        return "\n".join(
            (self.outcome + (f": {self.reason}" if self.reason else ""), *map(str, self.operations))
        )


LINEARIZABLE: Final = Judgement("linearizable")
NOTHING: Final = Judgement("undecided", "nothing was answered, so there is nothing to judge")


def judge_by_search(history: Iterable[Operation], steps_max: int = STEPS_MAX) -> Judgement:
    """Judge a history by itself. `steps_max` bounds the commands executed, for each part of the history that has no
    key in common with the others."""
    undecided = None
    answered = False
    for part in parts_of(history):
        answered = answered or any(one.returned is not None for one in part)
        found = _judge(part, steps_max)
        if found.outcome == "not linearizable":
            return found
        if found.outcome == "undecided":
            undecided = found
    return undecided or (LINEARIZABLE if answered else NOTHING)


def parts_of(history: Iterable[Operation]) -> list[list[Operation]]:
    """A history apart, so that what the operations of a part touch no other part touches."""
    operations = list(history)
    reaches = [reach for one in operations if (reach := reach_of(one.command)) is not None]
    if len(reaches) < len(operations):
        return [operations]
    root: dict[bytes, bytes] = {}

    def find(key: bytes) -> bytes:
        while (above := root.setdefault(key, key)) != key:
            root[key] = root[above]
            key = above
        return key

    for keys in reaches:
        for key in keys:
            root[find(key)] = find(min(keys))
    parts: dict[bytes | None, list[Operation]] = {}
    for one, keys in zip(operations, reaches, strict=True):
        parts.setdefault(find(min(keys)) if keys else None, []).append(one)
    return list(parts.values())


# States ----------------------------------------------------------------------------------


class State(NamedTuple):
    """The keys that are there, as a search meets them."""

    items: frozenset[tuple[bytes, Item]]
    version: int


EMPTY: Final = State(frozenset(), 0)


def run(state: State, command: Command, versions: bool) -> tuple[Reply, State]:
    """What the state machine answers, and what it is then; `versions` says whether anybody looks at them."""
    machine = KeyValue()
    machine.store.items, machine.store.version = dict(state.items), state.version
    applied = machine.apply(1, encode(Batch("", 1, [list(command)])))
    assert applied is not None, "it is the first of its gateway"
    items = machine.store.items
    if versions:
        return applied.replies[0], State(frozenset(items.items()), machine.store.version)
    return applied.replies[0], State(frozenset([(key, (value, 0)) for key, (value, _) in items.items()]), 0)


# The search ------------------------------------------------------------------------------


class _Node(NamedTuple):
    """How far an order has come. Of the answered operations, by call, those below `low` and in `ahead` are in it."""

    low: int
    ahead: frozenset[int]
    open: frozenset[int]
    """The operations without an answer that are in it."""
    state: State


class _Search:
    """The search for an order of one part of a history."""

    def __init__(self, part: Sequence[Operation], steps_max: int) -> None:
        self.versions = any(reach_of(one.command) is None for one in part)
        self.answered = sorted((one for one in part if one.returned is not None), key=lambda one: one.called)
        self.open = sorted((one for one in part if one.returned is None), key=lambda one: one.called)
        self.commands = [_plain(one.command) for one in self.answered]
        self.open_commands = [_plain(one.command) for one in self.open]
        self.steps = 0
        """Commands executed so far."""
        self._steps_max = steps_max
        self._known: dict[tuple[State, Command], tuple[Reply, State]] = {}

    def find(self) -> Outcome:
        """Look for an order, depth first."""
        waiting, seen = [_Node(0, frozenset(), frozenset(), EMPTY)], set[_Node]()
        while waiting:
            node, near = self._settled(waiting.pop())
            if node.low == len(self.answered):
                return "linearizable"
            if self.steps > self._steps_max:
                return "undecided"
            if node not in seen:
                ways = list(self._ways(node, near))
                waiting += ways
                if len(ways) > 1:
                    seen.add(node)
        return "not linearizable"

    def _run(self, state: State, command: Command) -> tuple[Reply, State]:
        self.steps += 1
        found = self._known.get((state, command))
        if found is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            found = self._known[state, command] = run(state, command, self.versions)
        return found

    def _returned(self, i: int) -> float:
        returned = self.answered[i].returned
        return inf if returned is None else returned

    def _near(self, node: _Node) -> list[int]:
        """The answered operations that may come next."""
        until, near = inf, list[int]()
        for i in range(node.low, len(self.answered)):
            if self.answered[i].called > until:
                break
            if i not in node.ahead:
                until = min(until, self._returned(i))
                near.append(i)
        return near

    def _settled(self, node: _Node) -> tuple[_Node, list[int]]:
        """The node once all is in the order that may come next and changes nothing; and what may come next then."""
        while True:
            near = self._near(node)
            idle = [i for i in near if self._run(node.state, self.commands[i])
                    == (self.answered[i].reply, node.state)]  # fmt: skip
            if not idle:
                return node, near
            node = self._with(node, idle, node.state)

    def _with(self, node: _Node, placed: Iterable[int], state: State) -> _Node:
        ahead, low = set(node.ahead).union(placed), node.low
        while low in ahead:
            ahead.remove(low)
            low += 1
        return _Node(low, frozenset(ahead), node.open, state)

    def _ways(self, node: _Node, near: list[int]) -> Iterator[_Node]:
        """What may come of one operation more; what is likeliest last."""
        until = min(map(self._returned, near))
        tried = set[tuple[bytes, ...]]()
        for i, one in enumerate(self.open):
            if one.called > until:
                break
            command = self.open_commands[i]
            # Of equal ones that nobody saw return, the first called will do.
            if i in node.open or command in tried:
                continue
            tried.add(command)
            _, state = self._run(node.state, command)
            if state != node.state:
                yield node._replace(open=node.open | {i}, state=state)
        for i in sorted(near, key=self._returned, reverse=True):
            reply, state = self._run(node.state, self.commands[i])
            if reply == self.answered[i].reply:
                yield self._with(node, [i], state)


def _plain(command: Command) -> tuple[bytes, ...]:
    """A command without its session: an operation happens once, however often it was asked for."""
    return tuple(command[4:] if session_of(command) else command)


# What is wrong ---------------------------------------------------------------------------


def _judge(part: list[Operation], steps_max: int) -> Judgement:
    found = _Search(part, steps_max).find()
    if found == "linearizable":
        return LINEARIZABLE
    if found == "undecided":
        return Judgement(
            "undecided", f"{len(part)} operations, not decided by executing {steps_max:,} commands"
        )
    first, last = _shortest(part, steps_max)
    core = _core(first, last, steps_max // CORE_SHARE) if len(first) <= CORE_MAX else _beside(first, last)
    reason = f"no order explains all answers, the last of which is to {last}"
    return Judgement("not linearizable", reason, tuple(sorted(core, key=lambda one: one.called)))


def _fails(part: Sequence[Operation], steps_max: int) -> bool:
    return _Search(part, steps_max).find() == "not linearizable"


def _shortest(part: Sequence[Operation], steps_max: int) -> tuple[list[Operation], Operation]:
    """The shortest beginning that no order explains, for with more answers a history only gets harder; and an operation
    whose answer ends it."""
    ends = sorted({one.returned for one in part if one.returned is not None})
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if _fails(_until(part, ends[middle]), steps_max):
            high = middle
        else:
            low = middle + 1
    return _until(part, ends[high]), next(one for one in part if one.returned == ends[high])


def _until(part: Iterable[Operation], end: int) -> list[Operation]:
    """What was known at a time."""
    return [
        _silent(one) if one.returned is None or one.returned > end else one
        for one in part
        if one.called <= end
    ]


def _core(part: list[Operation], last: Operation, steps_max: int) -> list[Operation]:
    """As few operations, and as few answers, as still cannot be explained; `last` stays.

    Left out is what does not help even if it may take effect at any time, or never.
    """
    begin = min(one.called for one in part)
    tried, core, left = list(part), list[Operation](), steps_max
    for at, one in enumerate(part):
        kept: Operation | None = one
        for weaker, shown in ((_silent(one, begin), None), (_silent(one), _silent(one))):
            if one is not last and left > 0:
                rest = [*tried[:at], weaker, *tried[at + 1 :]]
                search = _Search(rest, left // 4)
                is_wrong = search.find() == "not linearizable"
                left -= search.steps
                if is_wrong:
                    tried, kept = rest, shown
                    break
        if kept is not None:
            core.append(kept)
    return core


def _silent(one: Operation, called: int | None = None) -> Operation:
    """The operation, had it no answer."""
    return Operation(one.client, one.command, one.called if called is None else called)


def _beside(part: Iterable[Operation], last: Operation) -> list[Operation]:
    """What was under way while an operation was."""
    return [one for one in part if one.returned is None or one.returned >= last.called]

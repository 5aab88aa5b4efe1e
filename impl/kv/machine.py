"""The state machine: it is handed what is chosen, slot by slot, and applies each client's command once.

It does not know leaders, connections or time. A value of the log is a *batch*: commands that one node gathered from its
clients, and the node's name for them.

Exactly once, from node to log. A node that serves clients is a *gateway*. It numbers its batches 1, 2, 3 ... in each
of its boots, and proposes one again until it is applied. Here a batch counts only if it is its gateway's next: one
that was chosen twice is applied once, and no batch overtakes another, so a client's commands keep their order.

Exactly once, from client to log. A client that wants more than its connection can promise gives its commands numbers,
in a *session* (`SESSION name number floor COMMAND ...`). The session, which is part of the state, keeps each answer
until the client says that it needs it no more (`floor`), so a command that is asked again, of whatever node, is
applied once and answered alike. Numbers may arrive in any order.

Sessions are kept for the `SESSIONS_MAX` clients that spoke last. A client that sleeps through as many others finds its
session gone and is refused, for a session begins with floor 1 alone. Exactly once holds for what has a greater floor:
so a client begins with a command that may be applied twice, and goes on with floor 2 when that is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from ...decoding import UNREADABLE
from ..core.messages import NOOP, Value
from .commands import COMMANDS, Command, Items, fault, integer, reach
from .replies import Failure, Reply, size_of

SESSIONS_MAX: Final = 65536
"""How many clients' sessions are kept. Part of the protocol: every node must agree on it."""

ANSWERS_MAX: Final = 65536
"""How many answers a session keeps: a client that never raises `floor` is refused beyond. Part of the protocol."""

ANSWERS_BYTES_MAX: Final = 8 << 20
"""How much they may be together, and one of them. Part of the protocol: a checkpoint has to hold them."""

GATEWAYS_MAX: Final = 4096
"""How many gateways are remembered, those that spoke last; each boot of a node is one. Part of the protocol."""

ANSWERED: Final = Failure("ANSWERED this number was answered, and its answer is forgotten")
TOO_MANY: Final = Failure("TOOMANY the session keeps too many answers; raise its floor")
NOT_KEPT: Final = Failure("NOTKEPT the command was applied, and its answer was too large to be kept")
NO_SESSION: Final = Failure("NOSESSION the session is gone; begin a new one")
BAD_SESSION: Final = Failure("ERR a session has a name, a number from 1, and a floor from 1 up to the number")
BAD_TRANSACTION: Final = Failure("ERR no transaction")


class Batch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A value of the log: the `number`-th batch of a gateway."""

    gateway: str
    number: int
    commands: list[list[bytes]]


class Transaction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Commands that are applied together, if no key has been written since its version was watched."""

    watched: list[tuple[bytes, int]]
    commands: list[list[bytes]]


class Applied(NamedTuple):
    """What came of a batch: one reply to each of its commands."""

    gateway: str
    number: int
    replies: list[Reply]


class Session:
    """What one client was answered, from `floor` on."""

    __slots__ = ("answers", "bytes", "floor")

    def __init__(self) -> None:
        self.floor = 1
        self.answers: dict[int, Reply] = {}
        self.bytes = 0

    @property
    def is_full(self) -> bool:
        """Must the client raise its floor before it is answered more?"""
        return len(self.answers) >= ANSWERS_MAX or self.bytes >= ANSWERS_BYTES_MAX

    def keep(self, number: int, answer: Reply) -> None:
        """Remember an answer, or, if it is too large, that there was one."""
        size = size_of(answer)
        if size > ANSWERS_BYTES_MAX:
            answer, size = NOT_KEPT, size_of(NOT_KEPT)
        self.answers[number] = answer
        self.bytes += size

    def forget_below(self, floor: int) -> None:
        """Drop the answers that the client needs no more. One that raises its floor with every command costs no more
        each time than there is to drop."""
        if floor <= self.floor:
            return
        passed = range(self.floor, floor)
        self.floor = floor
        if 2 * len(passed) < len(self.answers):
            for number in passed:
                if number in self.answers:
                    self.bytes -= size_of(self.answers.pop(number))
        else:
            self.answers = {number: answer for number, answer in self.answers.items() if number >= floor}
            self.bytes = sum(map(size_of, self.answers.values()))


_encoder: Final = msgspec.msgpack.Encoder()
_batch: Final = msgspec.msgpack.Decoder(Batch)
_transaction: Final = msgspec.msgpack.Decoder(Transaction)


def encode(batch: Batch) -> Value:
    """The batch as it stands in the log: an array of three, and so never `NOOP`."""
    return _encoder.encode(batch)


def decode(value: Value) -> Batch | None:
    """The batch that `value` stands for; None if it is none."""
    try:
        return _batch.decode(value)
    except UNREADABLE:
        return None


def transaction(watched: Sequence[tuple[bytes, int]], commands: Sequence[Command]) -> list[bytes]:
    """The command that has these applied together."""
    return [b"EXEC", _encoder.encode((watched, commands))]


def fault_of(command: Command) -> Failure | None:
    """Why a command, also one of a session or a transaction, can do nothing; None if it can."""
    if command[0] in COMMANDS:
        return fault(command)
    if command[0] == b"SESSION":
        return BAD_SESSION if session_of(command) is None else fault_of(command[4:])
    if command[0] == b"EXEC":
        wanted = transaction_of(command)
        if wanted is None or not all(wanted.commands):
            return BAD_TRANSACTION
        return next((bad for inner in wanted.commands if (bad := fault(inner)) is not None), None)
    return fault(command)


def reach_of(command: Command) -> frozenset[bytes] | None:
    """As `commands.reach`, also of a command of a session or a transaction."""
    if session_of(command) is not None:
        return reach_of(command[4:])
    wanted = transaction_of(command) if command[0] == b"EXEC" else None
    if wanted is None:
        return reach(command)
    reaches = [reach(inner) for inner in wanted.commands]
    if wanted.watched or None in reaches:
        return None
    return frozenset().union(*filter(None, reaches))


class KeyValue:
    """The keys, the sessions and the gateways, as of the last slot that was applied."""

    def __init__(self, sessions_max: int = SESSIONS_MAX) -> None:
        self.store = Items()
        self.sessions: dict[bytes, Session] = {}
        """By client, the one that spoke last at the end."""
        self.gateways: dict[str, int] = {}
        """The last batch of each gateway, the one that spoke last at the end."""
        self.applied = 0
        """The last slot that was applied."""
        self.origin = ""
        """What it stood at before the first slot: empty for nothing at all, else the name of what was restored. The
        same at every node of a cluster, for ever."""
        self._sessions_max = sessions_max

    def become(self, other: KeyValue) -> None:
        """Be as the other is, which is of no more use then."""
        self.store, self.sessions, self.gateways = other.store, other.sessions, other.gateways
        self.applied, self.origin = other.applied, other.origin

    def apply(self, slot: int, value: Value) -> Applied | None:
        """Apply what is chosen in `slot`, which must be the next; None if that is nothing: a no-op, no batch at all, or
        one that is not its gateway's next."""
        if slot != self.applied + 1:
            raise ValueError(f"slot {slot} does not follow {self.applied}; apply every slot once, in order")
        self.applied = slot
        batch = None if value == NOOP else decode(value)
        if batch is None or batch.number != self.gateways.get(batch.gateway, 0) + 1:
            return None
        self.gateways.pop(batch.gateway, None)
        self.gateways[batch.gateway] = batch.number
        if len(self.gateways) > GATEWAYS_MAX:
            del self.gateways[next(iter(self.gateways))]
        store, execute = self.store, self._execute
        replies: list[Reply] = []
        for command in batch.commands:
            spec = COMMANDS.get(command[0]) if command else None
            if spec is None or not spec.count_min <= len(command) <= spec.count_max:
                replies.append(execute(command))
            else:
                replies.append(spec.run(store, command))
        return Applied(batch.gateway, batch.number, replies)

    def read(self, command: Command) -> Reply:
        """What a command that changes nothing finds now."""
        spec = COMMANDS[command[0]]
        assert not spec.writes, "a write goes through the log"
        return spec.run(self.store, command)

    def _execute(self, command: Command) -> Reply:
        """Whatever is more than one plain command."""
        bad = fault_of(command) if command else BAD_TRANSACTION
        if bad is not None:
            return bad
        if command[0] == b"SESSION":
            return self._once(command)
        if command[0] == b"EXEC":
            return self._together(command)
        return COMMANDS[command[0]].run(self.store, command)

    def _together(self, command: Command) -> Reply:
        wanted = transaction_of(command)
        assert wanted is not None, "it was looked at before"
        items = self.store.items
        for key, version in wanted.watched:
            found = items.get(key)
            if (0 if found is None else found[1]) != version:
                return None
        return [COMMANDS[inner[0]].run(self.store, inner) for inner in wanted.commands]

    def _once(self, command: Command) -> Reply:
        parts = session_of(command)
        assert parts is not None, "it was looked at before"
        client, number, floor = parts
        session = self._session(client, floor)
        if session is None:
            return NO_SESSION
        session.forget_below(floor)
        if number < session.floor:
            return ANSWERED
        if number in session.answers:
            return session.answers[number]
        if session.is_full:
            return TOO_MANY
        answer = self._execute(command[4:])
        session.keep(number, answer)
        return answer

    def _session(self, client: bytes, floor: int) -> Session | None:
        """The client's session, now the latest; a new one for a client that begins; None if it is gone."""
        session = self.sessions.pop(client, None)
        if session is None:
            if floor > 1:
                return None
            session = Session()
            if len(self.sessions) >= self._sessions_max:
                del self.sessions[next(iter(self.sessions))]
        self.sessions[client] = session
        return session


def session_of(command: Command) -> tuple[bytes, int, int] | None:
    """Client, number and floor of a command in a session; None if it is none, or they cannot be."""
    if (
        len(command) < 5
        or command[0] != b"SESSION"
        or not 1 <= len(command[1]) <= 64
        or command[4] == b"SESSION"
    ):
        return None
    number, floor = integer(command[2]), integer(command[3])
    if number is None or floor is None or not 1 <= floor <= number:
        return None
    return command[1], number, floor


def transaction_of(command: Command) -> Transaction | None:
    """What `transaction` made a command of; None if it did not."""
    if len(command) != 2:
        return None
    try:
        return _transaction.decode(command[1])
    except UNREADABLE:
        return None

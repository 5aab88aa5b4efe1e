"""The key-value state machine: the same commands in the same order give the same answers on every node.

It does not know slots' history, leaders, clients' connections or time; it is handed what is chosen, in order.

Exactly once. A client numbers its commands 1, 2, 3 ... and retries one under its own number until it is
answered. Its session, which is part of the state, keeps each answer until the client says that it needs it
no more (`floor`), so a command that is chosen twice is applied once and answered twice alike. Numbers of one
client may arrive in any order: a client that has several commands in flight learns their order from the
versions.

Sessions are kept for the `SESSIONS_MAX` clients that spoke last. A client that sleeps through as many others
finds its session gone and is refused, unless none of its commands was answered before: exactly once ends there.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from .core.messages import NOOP, Value

SESSIONS_MAX: Final = 65536
"""How many clients' sessions are kept. Part of the protocol: every node must agree on it."""

ANSWERS_MAX: Final = 65536
"""How many answers a session keeps: a client that never raises `floor` is refused beyond. Part of the protocol."""

INTEGER_MAX: Final = 2**63 - 1
"""Counters are signed numbers of 64 bits."""

Sequence: TypeAlias = Annotated[int, Meta(ge=1)]


class Command(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """What all commands have: whose they are, their number in the session, and what the client needs no
    more."""

    client: str
    sequence: Sequence
    floor: Sequence
    """Every number below it is answered: its answer may be forgotten. At most `sequence`."""


class Set(Command, frozen=True, array_like=True, tag="set", gc=False):
    """Store `value` under `key`."""

    key: str
    value: str


class Get(Command, frozen=True, array_like=True, tag="get", gc=False):
    """Read `key`, in the order of the log: linearizable."""

    key: str


class Delete(Command, frozen=True, array_like=True, tag="delete", gc=False):
    """Forget `key`; its answer has the version that it had."""

    key: str


class CompareAndSet(Command, frozen=True, array_like=True, tag="cas", gc=False):
    """Store `value` under `key` if its version is `version`; 0 stands for a key that is not there."""

    key: str
    version: Annotated[int, Meta(ge=0)]
    value: str


class Increment(Command, frozen=True, array_like=True, tag="increment", gc=False):
    """Add `by` to the number under `key`; a key that is not there counts as 0."""

    key: str
    by: int


AnyCommand: TypeAlias = Set | Get | Delete | CompareAndSet | Increment


class Result(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The answer to a command. `version` is the key's now: the slot of its last write, 0 if it is not
    there."""

    value: str | None = None
    version: int = 0
    error: str | None = None
    """Why nothing was changed, if that is why."""


class Item(NamedTuple):
    """A key's value and the slot that wrote it."""

    value: str
    version: int


class Session:
    """What one client was answered, from `floor` on."""

    __slots__ = ("answers", "floor")

    def __init__(self) -> None:
        self.floor = 1
        self.answers: dict[int, Result] = {}

    def forget_below(self, floor: int) -> None:
        """Drop the answers that the client needs no more."""
        if floor > self.floor:
            self.floor = floor
            self.answers = {number: answer for number, answer in self.answers.items() if number >= floor}


ABSENT: Final = Item("", 0)
MALFORMED: Final = Result(error="not a command that this state machine knows")
ANSWERED: Final = Result(error="this number was answered, and its answer is forgotten")
TOO_MANY: Final = Result(error="the session keeps too many answers; raise its floor")
NO_SESSION: Final = Result(error="the session is gone; begin a new one")

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(AnyCommand)


def encode(command: AnyCommand) -> Value:
    """The command as it stands in the log: a JSON array, and so never `NOOP`."""
    return _encoder.encode(command).decode()


def decode(value: Value) -> AnyCommand | None:
    """The command that `value` stands for; None if it is none."""
    try:
        command: AnyCommand = _decoder.decode(value)
    except msgspec.MsgspecError:
        return None
    return command if command.floor <= command.sequence else None


class KeyValue:
    """The keys and the sessions, as of the last slot that was applied."""

    def __init__(self, sessions_max: int = SESSIONS_MAX) -> None:
        self.items: dict[str, Item] = {}
        self.sessions: dict[str, Session] = {}
        """By client, the one that spoke last at the end."""
        self.applied = 0
        """The last slot that was applied."""
        self._sessions_max = sessions_max

    def become(self, other: KeyValue) -> None:
        """Be as the other is, which is of no more use then."""
        self.items, self.sessions, self.applied = other.items, other.sessions, other.applied

    def apply(self, slot: int, value: Value) -> Result | None:
        """Apply what is chosen in `slot`, which must be the next; the answer for the client, None for a
        no-op."""
        if slot != self.applied + 1:
            raise ValueError(f"slot {slot} does not follow {self.applied}; apply every slot once, in order")
        self.applied = slot
        if value == NOOP:
            return None
        command = decode(value)
        if command is None:
            return MALFORMED
        session = self._session(command)
        if session is None:
            return NO_SESSION
        return self._answer(session, slot, command)

    def _session(self, command: Command) -> Session | None:
        """The client's session, now the latest; a new one for a client that begins; None if it is gone."""
        session = self.sessions.pop(command.client, None)
        if session is None:
            if command.floor > 1:
                return None
            session = Session()
            if len(self.sessions) >= self._sessions_max:
                del self.sessions[next(iter(self.sessions))]
        self.sessions[command.client] = session
        return session

    def _answer(self, session: Session, slot: int, command: AnyCommand) -> Result:
        session.forget_below(command.floor)
        if command.sequence < session.floor:
            return ANSWERED
        answer = session.answers.get(command.sequence)
        if answer is None:
            if len(session.answers) >= ANSWERS_MAX:
                return TOO_MANY
            answer = session.answers[command.sequence] = self._execute(slot, command)
        return answer

    def _execute(self, slot: int, command: AnyCommand) -> Result:
        item = self.items.get(command.key, ABSENT)
        if isinstance(command, Get):
            return Result(item.value if item.version else None, item.version)
        if isinstance(command, Delete):
            self.items.pop(command.key, None)
            return Result(None, item.version)
        if isinstance(command, CompareAndSet) and item.version != command.version:
            return Result(None, item.version, "the key has another version")
        if isinstance(command, Increment):
            return self._increment(slot, item, command)
        self.items[command.key] = Item(command.value, slot)
        return Result(None, slot)

    def _increment(self, slot: int, item: Item, command: Increment) -> Result:
        number = _integer(item.value) if item.version else 0
        if number is None:
            return Result(None, item.version, "the value is not a number")
        total = number + command.by
        if abs(total) > INTEGER_MAX:
            return Result(None, item.version, "the sum has more than 64 bits")
        self.items[command.key] = Item(str(total), slot)
        return Result(str(total), slot)


def _integer(text: str) -> int | None:
    """The number that `text` spells in the one way in which `str` does; None if it spells none."""
    if len(text) > 20:
        return None
    try:
        number = int(text)
    except ValueError:
        return None
    return number if str(number) == text else None

"""What replicas say to each other: the messages of Multi-Paxos, as frozen data.

This file does not know when a message is sent, or what it justifies: only what it carries.

Every message has an `id`, [sender, boot, k], with k = 1, 2, 3 ... in the order in which that boot of the
sender emitted its messages. On the wire a message is an array whose first element is its tag; in a trace it
is an object with the field names that stand here (`traced`).

Size: an `Accept` or a `Learn` is bounded by `Config.batch_entries_max` and `batch_bytes_max`; a `Promise`
carries the latest acceptance of every slot above `low`, so only checkpoints bound it. A `Snapshot` is a piece.
"""

from collections.abc import Iterable
from typing import Annotated, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta


class Ballot(NamedTuple):
    """One node's attempt to lead; ordered by round, then by the node's name. Rounds start at 1."""

    round: Annotated[int, Meta(ge=1)]
    node: str

    def __str__(self) -> str:
        return f"{self.round}.{self.node}"


class MessageId(NamedTuple):
    """Names one message for ever: the sender, its boot, and the message's number in that boot, from 1."""

    sender: str
    boot: int
    number: int


Slot: TypeAlias = Annotated[int, Meta(ge=1)]
"""A position in the log, from 1."""

Index: TypeAlias = Annotated[int, Meta(ge=0)]
"""A slot, or 0 for none: every slot up to it has the property in question."""

Value: TypeAlias = bytes
"""Commands in whatever form the state machine gives them, or NOOP. The protocol never looks inside.

A trace has it in base64."""

NOOP: Final[Value] = b"\x9e\x8a)"
"""The value that fills a gap; no command may equal it. In base64 these three bytes read `noop`, which is what the
trace format calls it."""

Entry: TypeAlias = tuple[Slot, Value]
"""What is proposed, accepted or chosen in a slot."""

Acceptance: TypeAlias = tuple[Slot, Ballot, Value]
"""What an acceptor accepted in a slot, and in which ballot: one row of a promise's report."""


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What all messages have."""

    id: MessageId

    @property
    def sender(self) -> str:
        """The node that sent this."""
        return self.id.sender


class Prepare(Message, frozen=True, array_like=True, tag="prepare", gc=False):
    """Phase 1a: its sender opens `ballot`, for every slot, and knows every slot up to `commit` to be chosen."""

    ballot: Ballot
    commit: Index = 0


class Promise(Message, frozen=True, array_like=True, tag="promise", gc=False):
    """Phase 1b: its sender accepts nothing below `ballot` any more, and reports what the candidate may not know."""

    ballot: Ballot
    accepted: tuple[Acceptance, ...]
    """The latest acceptance of every slot above `low` and `above`, by slot."""
    low: Index
    """The slot of the sender's checkpoint, 0 if it has none."""
    above: Index = 0
    """The prepare's `commit`."""


class Accept(Message, frozen=True, array_like=True, tag="accept", gc=False):
    """Phase 2a: the leader of `ballot` proposes `entries`; every slot up to `commit` is chosen."""

    ballot: Ballot
    entries: tuple[Entry, ...]
    commit: Index


class Accepted(Message, frozen=True, array_like=True, tag="accepted", gc=False):
    """Phase 2b: its sender accepted, durably, what `ballot` proposed in `slots`."""

    ballot: Ballot
    slots: tuple[Slot, ...]


class Nack(Message, frozen=True, array_like=True, tag="nack", gc=False):
    """A refusal: its sender has left `ballot`, for it has joined `promised`."""

    ballot: Ballot
    promised: Ballot


class Heartbeat(Message, frozen=True, array_like=True, tag="heartbeat", gc=False):
    """The idle leader of `ballot` lives, and every slot up to `commit` is chosen."""

    ballot: Ballot
    commit: Index


class Learn(Message, frozen=True, array_like=True, tag="learn", gc=False):
    """The answer to an `Ask`: `entries` are chosen."""

    entries: tuple[Entry, ...]


class Ask(Message, frozen=True, array_like=True, tag="ask", gc=False):
    """Its sender misses the chosen entries from slot `first` to slot `last`."""

    first: Slot
    last: Slot


class Fetch(Message, frozen=True, array_like=True, tag="fetch", gc=False):
    """Its sender wants the piece at `offset` of the checkpoint at `slot`."""

    slot: Slot
    offset: Annotated[int, Meta(ge=0)]


class Snapshot(Message, frozen=True, array_like=True, tag="snapshot", gc=False):
    """A piece of the checkpoint at `slot`, which has `size_bytes` in all: the answer to a `Fetch`, or to an `Ask` for
    what is truncated."""

    slot: Slot
    size_bytes: Annotated[int, Meta(ge=1)]
    offset: Annotated[int, Meta(ge=0)]
    data: bytes


class Confirm(Message, frozen=True, array_like=True, tag="confirm", gc=False):
    """The leader of `ballot` asks, for the reads that wait, whether it still leads: number `round` of such
    questions."""

    ballot: Ballot
    round: int


class Confirmed(Message, frozen=True, array_like=True, tag="confirmed", gc=False):
    """The answer to `Confirm` number `round`: when it was asked, its sender had not left `ballot`."""

    ballot: Ballot
    round: int


class Handover(Message, frozen=True, array_like=True, tag="handover", gc=False):
    """The leader of `ballot` wants its receiver to lead from here on, without asking anyone first."""

    ballot: Ballot


class Canvass(Message, frozen=True, array_like=True, tag="canvass", gc=False):
    """Its sender hears no leader, and asks whether others hear one before it disturbs them with a ballot."""

    attempt: int


class Support(Message, frozen=True, array_like=True, tag="support", gc=False):
    """The answer to `Canvass` number `attempt`: its sender hears no leader either. `promised` is a hint."""

    attempt: int
    promised: Ballot | None


AnyMessage: TypeAlias = (
    Prepare
    | Promise
    | Accept
    | Accepted
    | Nack
    | Heartbeat
    | Learn
    | Ask
    | Fetch
    | Snapshot
    | Canvass
    | Support
    | Confirm
    | Confirmed
    | Handover
)
"""Every message, for a decoder: `msgspec.msgpack.Decoder(AnyMessage)`."""


def bytes_of(rows: Iterable[tuple[object, Value]]) -> int:
    """Of the values alone, in what has each behind its slot or its ballot."""
    return sum([len(value) for _, value in rows])

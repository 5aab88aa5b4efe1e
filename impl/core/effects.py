"""What a replica wants done: the only ways in which it reaches the world.

This file does not know why; and it does not know how to hold anything back, for whatever a replica hands out
may be carried out at once (see `outbox`).
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from .messages import Acceptance, AnyMessage, Ballot, Entry, Index, Slot
from .records import Record


class Persist(msgspec.Struct, frozen=True, gc=False):
    """Write `records` in this order, sync, then say `Persisted(number)`. Numbers are 1, 2, 3 ... in a boot.

    Several may be written together and share one sync: `Persisted` of the last acknowledges all of them.
    """

    number: int
    records: tuple[Record, ...]


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A message to be carried to the nodes in `to`. A node that answers itself has `to` = its own name: that
    message needs no carrying, the replica has it already."""

    to: tuple[str, ...]
    message: AnyMessage


EventName: TypeAlias = Literal[
    "start",
    "prepare",
    "promise",
    "lead",
    "propose",
    "accept",
    "commit",
    "apply",
    "checkpoint",
    "truncate",
    "snapshot",
    "resend",
    "nack",
    "ignore",
    "stop",
]


class Line(msgspec.Struct, frozen=True, gc=False):
    """One atomic step: write it as a line of the trace, then let its messages go.

    A message has no other way out, so what a node says is always in its trace. Fields are the trace format's;
    those that an event does not carry are UNSET.
    """

    event: EventName
    ballot: Ballot | UnsetType = UNSET
    entries: tuple[Entry, ...] | UnsetType = UNSET
    quorum: tuple[str, ...] | UnsetType = UNSET
    learned: bool | UnsetType = UNSET
    slot: Slot | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    nodes: tuple[str, ...] | UnsetType = UNSET
    phase1: int | UnsetType = UNSET
    phase2: int | UnsetType = UNSET
    promised: Ballot | UnsetType | None = UNSET
    accepted: tuple[Acceptance, ...] | UnsetType = UNSET
    low: Index | UnsetType = UNSET
    ballot_used: Ballot | UnsetType | None = UNSET
    recv: AnyMessage | None = None
    send: tuple[Sent, ...] = ()


class Apply(msgspec.Struct, frozen=True, gc=False):
    """Hand `entries` to the state machine, in this order: the next slots, without gaps, no-ops included.

    `tickets` names the requests among them that this replica was given: the state machine's result is the
    answer.
    """

    entries: tuple[Entry, ...]
    tickets: Mapping[Slot, int]


class Readable(msgspec.Struct, frozen=True, gc=False):
    """The reads behind `tickets` may be answered by any state machine that has applied every slot up to `index`:
    it then has all that was chosen when they were asked."""

    tickets: tuple[int, ...]
    index: Index


class Refuse(msgspec.Struct, frozen=True, gc=False):
    """Whoever is behind `tickets`, of commands or of reads, has to try again, at `leader` if it is known.

    A command so refused may yet be chosen: whoever tries it again must make sure that it is applied once.
    """

    tickets: tuple[int, ...]
    reason: str
    leader: str | None


class Checkpoint(msgspec.Struct, frozen=True, gc=False):
    """Write down the whole state machine as it is now, which is as `slot` left it; then say `Checkpointed`."""

    slot: Slot


class Truncate(msgspec.Struct, frozen=True, gc=False):
    """Whatever the durable log has of slots up to this one may go."""

    slot: Slot


class ReadPiece(msgspec.Struct, frozen=True, gc=False):
    """Read a piece of the checkpoint at `slot`, from `offset` on; then say `PieceRead`."""

    to: str
    slot: Slot
    offset: int


class KeepPiece(msgspec.Struct, frozen=True, gc=False):
    """Keep `data`, which stands at `offset` of another node's checkpoint at `slot`. With offset 0 begins a new one."""

    slot: Slot
    size_bytes: int
    offset: int
    data: bytes


class Install(msgspec.Struct, frozen=True, gc=False):
    """All pieces are there: see that the checkpoint is whole, make it durable as this node's own, say `Installed`."""

    slot: Slot


class Restore(msgspec.Struct, frozen=True, gc=False):
    """The state machine becomes that of the checkpoint which was installed at `slot`; it was behind."""

    slot: Slot


Checkpointing: TypeAlias = Checkpoint | Truncate | ReadPiece | KeepPiece | Install | Restore
"""What concerns checkpoints."""

Effect: TypeAlias = Persist | Line | Apply | Readable | Refuse | Checkpointing

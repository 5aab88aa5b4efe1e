"""What a replica is told: the only ways in which the world reaches it.

This file does not know what a replica makes of an event.
"""

from typing import TypeAlias

import msgspec

from .messages import AnyMessage, Slot, Value

Request: TypeAlias = tuple[int, Value]
"""A client's command under a ticket: a number that the caller gives out, never twice in one boot."""


class Start(msgspec.Struct, frozen=True):
    """The first event of a boot, and only that. Time and draw as in `Tick`."""

    now_ms: int
    draw: float


class Tick(msgspec.Struct, frozen=True):
    """Time has come to `now_ms` on a clock that never goes back; call it a few times per heartbeat.

    `draw` is a random number, 0 <= draw < 1, new for every tick: election time-outs are made of it.
    """

    now_ms: int
    draw: float


class Received(msgspec.Struct, frozen=True, gc=False):
    """A message from another node. It may be late, repeated, reordered or never come, but never be
    altered."""

    message: AnyMessage


class Submitted(msgspec.Struct, frozen=True, gc=False):
    """Clients' commands. Those given together travel together, so gather what waits into one event."""

    requests: tuple[Request, ...]


class Asked(msgspec.Struct, frozen=True, gc=False):
    """Clients' reads, by ticket: each wants to know how much must be applied before it may be answered."""

    tickets: tuple[int, ...]


class Announce(msgspec.Struct, frozen=True):
    """Other nodes wait for the news of what is committed: the leader need not wait for the next accept to tell."""


class Transfer(msgspec.Struct, frozen=True):
    """A person wants `to` to lead. Only the leader heeds it."""

    to: str


class Persisted(msgspec.Struct, frozen=True, gc=False):
    """Every `Persist` up to `number` is durable: written *and* synced."""

    number: int


class Checkpointed(msgspec.Struct, frozen=True, gc=False):
    """The `Checkpoint` at `slot` is durable, and has so many bytes."""

    slot: Slot
    size_bytes: int


class Abandoned(msgspec.Struct, frozen=True, gc=False):
    """The `Checkpoint` at `slot` was not written, for want of room; or the one to `Install` was not whole."""

    slot: Slot


class PieceRead(msgspec.Struct, frozen=True, gc=False):
    """What a `ReadPiece` for `to` found: `data` at `offset` of the checkpoint at `slot`, of `size_bytes` in all.

    Of another checkpoint than was asked for if that is gone; then from its beginning.
    """

    to: str
    slot: Slot
    size_bytes: int
    offset: int
    data: bytes


class Installed(msgspec.Struct, frozen=True, gc=False):
    """What there was to `Install` at `slot` is durable as this node's own checkpoint."""

    slot: Slot


class Stop(msgspec.Struct, frozen=True):
    """An orderly end. After it a replica takes nothing but the `Persisted` that are still owed."""


Event: TypeAlias = (
    Start
    | Tick
    | Received
    | Submitted
    | Asked
    | Announce
    | Transfer
    | Persisted
    | Checkpointed
    | Abandoned
    | PieceRead
    | Installed
    | Stop
)

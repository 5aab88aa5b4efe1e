"""What nodes say to each other beside the replicas' messages: who they are, and what their clients want.

It does not know sockets. Everything is a MessagePack array whose first element is its tag: a `Hello` each way, then the
replicas' messages (`impl.core.messages`), and errands for each other's clients. Clients speak RESP (`resp`).
"""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

import msgspec

from ...decoding import UNREADABLE
from ..core.messages import AnyMessage, Index, Value
from .errors import MalformedFrame

PROTOCOL: Final = 4
"""Of nodes among themselves; nodes of different ones do not talk."""


class Hello(msgspec.Struct, frozen=True, array_like=True, tag="hello"):
    """The first frame each way between two nodes. What must agree is compared before anything else is heard."""

    protocol: int
    cluster: str
    node: str
    boot: int
    nodes: tuple[str, ...]
    phase1: int
    phase2: int
    clients: str
    """Where clients reach the node, for others to send them there."""
    origin: str = ""
    """What the state machine stood at before the first slot: the name of what was restored, or empty."""


class Rejected(msgspec.Struct, frozen=True, array_like=True, tag="rejected"):
    """The answer to a hello that is not welcome; the connection ends behind it."""

    reason: str


Greeting: TypeAlias = Hello | Rejected


class Forward(msgspec.Struct, frozen=True, array_like=True, tag="forward", gc=False):
    """Batches of the sender's clients, for the leader to propose. Whoever does not lead drops them."""

    values: tuple[Value, ...]


class AskIndex(msgspec.Struct, frozen=True, array_like=True, tag="ask_index", gc=False):
    """How much must be applied before the sender's round of reads `number` may be answered? For the leader."""

    number: int


class TellIndex(msgspec.Struct, frozen=True, array_like=True, tag="tell_index", gc=False):
    """The leader's answer to `AskIndex`."""

    number: int
    index: Index


Errand: TypeAlias = Forward | AskIndex | TellIndex
"""What nodes do for each other's clients; no message of the protocol, and in no trace."""


class NodeStatus(msgspec.Struct, frozen=True):
    """What a node knows of itself and of the cluster, in JSON for clients and people."""

    node: str
    nodes: tuple[str, ...]
    """All members."""
    boot: int
    role: str
    """leader, candidate or follower."""
    leader: str | None
    promised: tuple[int, str] | None
    """The highest ballot that it joined."""
    committed: int
    """Every slot up to it is known to be chosen."""
    inherited: int
    """Of a leader: what its predecessors may have committed; it answers nobody before it has, too."""
    applied: int
    """Every slot up to it is in the state machine."""
    batches: int
    """Batches in the durable log: one sync each."""
    leader_address: str | None = None
    """Where clients reach the leader, if that is known."""
    ballots_opened: int = 0
    """How often this boot ran phase 1."""
    elections_won: int = 0
    commands: int = 0
    """Writes of clients that this boot took, as their gateway."""
    queries: int = 0
    """Reads of clients that this boot took."""
    waiting: int = 0
    """Commands that are not answered yet."""
    connections: int = 0
    keys: int = 0
    sessions: int = 0
    tracing: bool = False
    """Is what it does being recorded?"""
    origin: str = ""
    """What the cluster began with: the name of the restored image, empty for nothing."""
    disk_free_bytes: int = 0
    """What the disk has left under the data folder."""


encode: Final = msgspec.msgpack.Encoder().encode

_GREETING: Final[msgspec.msgpack.Decoder[Greeting]] = msgspec.msgpack.Decoder(Greeting)
_MESSAGE: Final[msgspec.msgpack.Decoder[AnyMessage | Errand]] = msgspec.msgpack.Decoder(AnyMessage | Errand)

Read = TypeVar("Read")


def _decode(decoder: msgspec.msgpack.Decoder[Read], payload: bytes, what: str) -> Read:
    try:
        return decoder.decode(payload)
    except UNREADABLE as error:
        raise MalformedFrame(f"a frame of {len(payload)} bytes is no {what}: {error}") from error


def decode_greeting(payload: bytes) -> Greeting:
    """The first word, either way. Raises MalformedFrame for anything else, as all of these do."""
    return _decode(_GREETING, payload, "greeting")


def decode_message(payload: bytes) -> AnyMessage | Errand:
    """What a node says to another after the greeting."""
    return _decode(_MESSAGE, payload, "message")

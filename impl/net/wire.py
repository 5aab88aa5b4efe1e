"""What processes say to each other beside the replicas' messages: who they are, and what clients ask and get.

It does not know sockets. Everything is a MessagePack array whose first element is its tag. Between nodes: a `Hello`
each way, then the replicas' messages (`impl.core.messages`). Between a client and a node: requests one way,
answers the other, in any order, paired by their number.
"""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

import msgspec

from ..core.messages import AnyMessage
from ..kv import Result
from .errors import MalformedFrame

PROTOCOL: Final = 1
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


class Rejected(msgspec.Struct, frozen=True, array_like=True, tag="rejected"):
    """The answer to a hello that is not welcome; the connection ends behind it."""

    reason: str


Greeting: TypeAlias = Hello | Rejected


class Command(msgspec.Struct, frozen=True, array_like=True, tag="command", gc=False):
    """Apply `command`, once. It carries its client's session, so it may be asked again at any node."""

    number: int
    command: str


class AskStatus(msgspec.Struct, frozen=True, array_like=True, tag="status", gc=False):
    """How do you do?"""

    number: int


Request: TypeAlias = Command | AskStatus


class Answer(msgspec.Struct, frozen=True, array_like=True, tag="answer", gc=False):
    """The command is applied, durably; `result` is what the state machine said."""

    number: int
    result: Result


class Elsewhere(msgspec.Struct, frozen=True, array_like=True, tag="elsewhere", gc=False):
    """Not here, or not now: ask `leader` if there is one, else any node in a while. The command may yet be applied."""

    number: int
    reason: str
    leader: str | None


class Invalid(msgspec.Struct, frozen=True, array_like=True, tag="invalid", gc=False):
    """No node will ever apply this command."""

    number: int
    reason: str


class NodeStatus(msgspec.Struct, frozen=True, array_like=True, tag="status"):
    """What a node knows of itself and of the cluster."""

    number: int
    node: str
    boot: int
    role: str
    """leader, candidate or follower."""
    leader: str | None
    promised: tuple[int, str] | None
    """The highest ballot that it joined."""
    committed: int
    """Every slot up to it is known to be chosen."""
    applied: int
    """Every slot up to it is in the state machine."""
    batches: int
    """Batches in the durable log: one sync each."""


Reply: TypeAlias = Answer | Elsewhere | Invalid | NodeStatus

encode: Final = msgspec.msgpack.Encoder().encode

_GREETING: Final[msgspec.msgpack.Decoder[Greeting]] = msgspec.msgpack.Decoder(Greeting)
_MESSAGE: Final[msgspec.msgpack.Decoder[AnyMessage]] = msgspec.msgpack.Decoder(AnyMessage)
_REQUEST: Final[msgspec.msgpack.Decoder[Request]] = msgspec.msgpack.Decoder(Request)
_REPLY: Final[msgspec.msgpack.Decoder[Reply]] = msgspec.msgpack.Decoder(Reply)

Read = TypeVar("Read")


def _decode(decoder: msgspec.msgpack.Decoder[Read], payload: bytes, what: str) -> Read:
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedFrame(f"a frame of {len(payload)} bytes is no {what}: {error}") from error


def decode_greeting(payload: bytes) -> Greeting:
    """The first word, either way. Raises MalformedFrame for anything else, as all of these do."""
    return _decode(_GREETING, payload, "greeting")


def decode_message(payload: bytes) -> AnyMessage:
    """What a node says to another after the greeting."""
    return _decode(_MESSAGE, payload, "message")


def decode_request(payload: bytes) -> Request:
    """What a client says."""
    return _decode(_REQUEST, payload, "request")


def decode_reply(payload: bytes) -> Reply:
    """What a client is told."""
    return _decode(_REPLY, payload, "reply")

"""The messages that nodes send each other, as a trace shows them.

Each kind is one frozen msgspec struct, chosen by the JSON field `kind`. A message stands in a line either as the
`recv` that the step consumed or among the `send` that it emitted; only the latter must say `to` whom.
Fields that are not named here are no error: they are ignored (and remain in the line's text).

Knows nothing of events, files or order. The format in words: docs/trace-format.md.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, get_args

from msgspec import Meta, Struct
from msgspec.json import encode
from msgspec.structs import astuple

Node = Annotated[str, Meta(min_length=1)]
Boot = Annotated[int, Meta(ge=0)]
Slot = Annotated[int, Meta(ge=1)]
Prefix = Annotated[int, Meta(ge=0)]
"""Slots 1 to this one; 0 is none of them."""
Value = str

NOOP: Value = "noop"
"""The value that fills a gap and changes nothing."""


class Ballot(NamedTuple):
    """A ballot, ordered by round and then by the node that owns it; equal to the plain pair."""

    round: Annotated[int, Meta(ge=0)]
    node: Node


class MessageId(NamedTuple):
    """The k-th message that `sender` emitted in its `boot`, k from 1; equal to the plain triple."""

    sender: Node
    boot: Boot
    k: Annotated[int, Meta(ge=1)]

    def __str__(self) -> str:
        return f'["{self.sender}",{self.boot},{self.k}]'


Entry = tuple[Slot, Value]
Report = tuple[Slot, Ballot, Value]
"""The latest acceptance of a slot: in which ballot, which value."""


class Message(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="kind"):
    """What every message has: its `id`, and where it is sent, `to` whom (None where it is received)."""

    id: MessageId
    to: tuple[Node, ...] | None = None

    @property
    def kind(self) -> str:
        """The message's kind as it stands in the trace."""
        return str(self.__struct_config__.tag)

    @property
    def content(self) -> tuple[object, ...]:
        """What must arrive as it was sent: the kind and its fields, without `id` and `to`; hashable."""
        return (self.__struct_config__.tag, *astuple(self)[2:])


class Prepare(Message, frozen=True, kw_only=True, gc=False, tag="prepare"):
    """1a: the owner of `ballot` asks for promises, and knows every slot up to `commit` to be chosen."""

    ballot: Ballot
    commit: Prefix = 0


class Promise(Message, frozen=True, kw_only=True, gc=False, tag="promise"):
    """1b: nothing below `ballot` from here on, and the report: the latest acceptance of each slot above `low`
    and `above`, which is the `commit` of what asked for it."""

    ballot: Ballot
    accepted: tuple[Report, ...]
    low: Prefix
    above: Prefix = 0


class Accept(Message, frozen=True, kw_only=True, gc=False, tag="accept"):
    """2a: accept these entries in `ballot`; every slot up to `commit`, if given, is chosen."""

    ballot: Ballot
    entries: tuple[Entry, ...]
    commit: Prefix | None = None


class Accepted(Message, frozen=True, kw_only=True, gc=False, tag="accepted"):
    """2b: the sender accepted in `ballot` what was proposed there for these slots."""

    ballot: Ballot
    slots: tuple[Slot, ...]


class Nack(Message, frozen=True, kw_only=True, gc=False, tag="nack"):
    """`ballot` is refused, for the sender has `promised` a higher one."""

    ballot: Ballot
    promised: Ballot


class Heartbeat(Message, frozen=True, kw_only=True, gc=False, tag="heartbeat"):
    """The leader of `ballot` is there, and every slot up to `commit` is chosen."""

    ballot: Ballot
    commit: Prefix


class Learn(Message, frozen=True, kw_only=True, gc=False, tag="learn"):
    """These entries are chosen; sent to a node that asked for what it misses."""

    entries: tuple[Entry, ...]


class Snapshot(Message, frozen=True, kw_only=True, gc=False, tag="snapshot"):
    """A checkpoint at `slot`, or a piece of it, for a node that misses what its sender has truncated."""

    slot: Slot


class Other(Message, frozen=True, kw_only=True, gc=False, tag="other"):
    """A message on which the safety of the protocol does not rest; only its id is read."""


AnyMessage = Prepare | Promise | Accept | Accepted | Nack | Heartbeat | Learn | Snapshot | Other
KINDS = tuple(str(kind.__struct_config__.tag) for kind in get_args(AnyMessage))
"""Every `kind`, in the order of the documentation."""


def difference(sent: Message, received: Message) -> str:
    """The first field in which a message as received differs from the message as sent, in words."""
    if sent.kind != received.kind:
        return f"its kind was {sent.kind!r}, and is received as {received.kind!r}"
    for field in sent.__struct_fields__:
        if field not in ("id", "to"):
            found = _first_difference(field, getattr(sent, field), getattr(received, field))
            if found is not None:
                return found
    return "nothing"


def _first_difference(path: str, sent: object, received: object) -> str | None:
    if sent == received:
        return None
    if isinstance(sent, tuple) and isinstance(received, tuple):
        for position, (one, other) in enumerate(zip(sent, received, strict=False)):
            found = _first_difference(f"{path}[{position}]", one, other)
            if found is not None:
                return found
        return f"`{path}` had {len(sent)} elements, and is received with {len(received)}"
    return f"`{path}` was {_json(sent)}, and is received as {_json(received)}"


def _json(value: object) -> str:
    return encode(value).decode()

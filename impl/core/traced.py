"""A line as its trace has it: an object of named fields, and the messages in it objects with their kind.

This file does not know what an event or a message means, and it writes nothing: whoever encodes what it gives, as JSON,
has all of the line but the fields that number it.

The objects are msgspec structs, one kind for lines and one for each message, made here once from the fields that they
have anyway: to fill one and to encode it are single calls, which is what keeps a trace cheap.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import astuple

from . import messages
from .effects import Line
from .messages import Message

Row: TypeAlias = tuple[Any, ...]
"""An entry or a report: its value comes last."""

Rows: TypeAlias = Callable[[tuple[Row, ...]], Sequence[Row]]
"""How rows are shown, if not as they are."""

_KINDS: Final[dict[type[Message], str]] = {
    messages.Prepare: "prepare",
    messages.Promise: "promise",
    messages.Accept: "accept",
    messages.Accepted: "accepted",
    messages.Nack: "nack",
    messages.Heartbeat: "heartbeat",
    messages.Learn: "learn",
    messages.Ask: "other",
    messages.Fetch: "other",
    messages.Snapshot: "snapshot",
    messages.Canvass: "other",
    messages.Support: "other",
    messages.Confirm: "other",
    messages.Confirmed: "other",
    messages.Handover: "other",
}
"""The log's safety rests on no message that the format calls `other`. That of reads rests on `Confirm` and `Confirmed`,
which the format does not speak of."""


def _named(fields: Sequence[str], kind: str | None = None) -> Callable[..., Any]:
    """A struct of these fields, those that are not set left out."""
    described = [(name, object, UNSET) for name in fields]
    return msgspec.defstruct("Traced", described, tag_field=kind and "kind", tag=kind, gc=False)


_LINE: Final = _named(Line.__struct_fields__)
_MESSAGES: Final = {cls: _named(("to", *cls.__struct_fields__), kind) for cls, kind in _KINDS.items()}
_HAS_ROWS: Final = {messages.Accept: "entries", messages.Learn: "entries", messages.Promise: "accepted"}


def as_traced(line: Line, rows: Rows | None = None) -> Struct:
    """The line, all but what numbers it; entries and reports as `rows` shows them. A piece of a checkpoint is shown
    without what it holds."""
    traced = _LINE(*astuple(line))
    recv, send = line.recv, line.send
    traced.recv = UNSET if recv is None else _message(recv, UNSET, rows)
    traced.send = [_message(sent.message, sent.to, rows) for sent in send] if send else UNSET
    if rows is not None:
        if line.entries is not UNSET:
            traced.entries = rows(line.entries)
        if line.accepted is not UNSET:
            traced.accepted = rows(line.accepted)
    return traced  # type: ignore[no-any-return]


def _message(message: Message, to: tuple[str, ...] | UnsetType, rows: Rows | None) -> Any:
    kind = type(message)
    traced = _MESSAGES[kind](to, *astuple(message))
    if kind in _HAS_ROWS:
        if rows is not None:
            setattr(traced, _HAS_ROWS[kind], rows(getattr(message, _HAS_ROWS[kind])))
    elif kind is messages.Snapshot:
        traced.data = len(traced.data)
    return traced

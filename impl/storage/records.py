"""A batch on disk is a MessagePack array of the core's records, each an array whose first element names its type.

It does not know what the records mean (`impl.core.records`), nor how a batch is framed. A type that this version
does not know is refused: skipping a record would forget what it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ...decoding import UNREADABLE
from ..core.records import Record
from .errors import DamagedLog, UnknownFormat

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(list[Record])
_KNOWN: Final = frozenset(str(kind.__struct_config__.tag) for kind in Record.__args__)


def encode_batch(records: Sequence[Record]) -> bytes:
    """The body of a batch's frame."""
    return _ENCODER.encode(records)


def decode_batch(body: bytes, where: str) -> list[Record]:
    """The records of a batch that was read whole; `where` begins the line of an error.

    Raises UnknownFormat for a type of record that only a newer version can have written, DamagedLog for bytes that
    no version writes.
    """
    try:
        return _DECODER.decode(body)
    except UNREADABLE as error:
        unknown = _first_unknown(body)
        if unknown is None:
            raise DamagedLog(
                f"{where}: is not a batch of records ({error}); put back an intact copy"
            ) from error
        raise UnknownFormat(
            f"{where}: records of type {unknown!r} are unknown here; start the node with the version that wrote them"
        ) from error


def _first_unknown(body: bytes) -> object:
    """The first type among a batch's records that this version does not know, if there is one."""
    try:
        batch = msgspec.msgpack.decode(body, type=list[list[object]])
    except UNREADABLE:
        return None
    return next((record[0] for record in batch if record and record[0] not in _KNOWN), None)

"""The protocol of Redis, versions 2 and 3, as far as a server needs it: replies out, commands in.

Commands are read by hiredis. It does not know what a command means, nor connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from ..kv.replies import OK, Failure, Reply, Word, size_of

Answerable: TypeAlias = "Reply | Mapping[str, Reply] | list[Answerable]"
"""A reply, or what only the server itself says: names and what they stand for."""

OK_BYTES: Final = b"+OK\r\n"

ANSWER_BYTES_MAX: Final = 64 << 20
"""Of one answer: a short command may ask for any number of values."""


def is_too_large(reply: Reply) -> bool:
    """Must a reply not be sent?"""
    return isinstance(reply, list) and size_of(reply) > ANSWER_BYTES_MAX


def too_large() -> Failure:
    """What whoever asks for so much is told, before it is built."""
    return Failure(f"ERR the answer would have more than {ANSWER_BYTES_MAX} bytes")


def encode_reply(reply: Answerable, version: int) -> bytes:
    """A reply as version 2 or 3 of the protocol writes it."""
    if reply is OK:
        return OK_BYTES
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if reply is None:
        return b"_\r\n" if version == 3 else b"$-1\r\n"
    if isinstance(reply, Word):
        return b"+%b\r\n" % reply.text.encode()
    if isinstance(reply, Failure):
        return b"-%b\r\n" % reply.text.encode()
    if isinstance(reply, Mapping):
        return _pairs(reply, version)
    return b"*%d\r\n%b" % (len(reply), b"".join([encode_reply(part, version) for part in reply]))


def _pairs(reply: Mapping[str, Reply], version: int) -> bytes:
    head = b"%%%d\r\n" % len(reply) if version == 3 else b"*%d\r\n" % (2 * len(reply))
    parts = [encode_reply(part, version) for name, value in reply.items() for part in (name.encode(), value)]
    return head + b"".join(parts)

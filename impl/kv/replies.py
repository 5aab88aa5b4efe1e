"""What a command is answered with, before anyone thinks of a wire: nothing, a number, bytes, a word, a failure, a list.

It does not know how a reply is written on a wire (`impl.net.resp`), nor who asked.
"""

from __future__ import annotations

from typing import Final, TypeAlias, Union

import msgspec


class Word(msgspec.Struct, frozen=True, array_like=True, tag="word", gc=False):
    """A short answer that is no data, as OK."""

    text: str


class Failure(msgspec.Struct, frozen=True, array_like=True, tag="failure", gc=False):
    """Nothing was done. The text is one line; its first word, in capitals, says of which kind the failure is."""

    text: str


Reply: TypeAlias = Union[int, bytes, Word, Failure, "list[Reply]", None]

OK: Final = Word("OK")


def size_of(reply: Reply) -> int:
    """Roughly how many bytes a reply takes."""
    if isinstance(reply, list):
        return 32 + sum(map(size_of, reply))
    return 32 + (len(reply) if isinstance(reply, bytes) else 0)

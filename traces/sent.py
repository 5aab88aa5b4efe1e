"""What a node has sent so far, in little memory: whether an id was sent is a comparison, not a search.

A node numbers what it sends in a boot without gaps, so one number a boot, how many it sent, answers for every id
of that boot. What a message *held* is remembered as a hash of its content, for the last `window` messages of the
node; so the memory is bounded by the window (24 bytes a message), not by the length of the trace.

Knows one sender. Who waits for it, and in which order lines come, is the business of `merge`.
"""

from __future__ import annotations

import enum
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from .files import Place, Source
from .messages import Message
from .strands import Strand


class Fate(enum.Enum):
    """What the sender's trace, as far as it was read, says of a message id."""

    SENT = enum.auto()
    PENDING = enum.auto()
    """Not sent yet, but the boot has lines to come."""
    LOST = enum.auto()
    """Not in the trace, whose boot is missing or has no orderly end: the line that sent it may be lost."""
    NEVER = enum.auto()
    """Not in the trace, which is whole."""


class Kept(NamedTuple):
    """What is remembered of a message that was sent: the hash of its content, and the line that sent it."""

    content_hash: int
    source: Source
    number: int
    offset: int

    @property
    def place(self) -> Place:
        """Where it was sent."""
        return Place(self.source.name, self.number)


@dataclass(slots=True)
class _Boot:
    strand: Strand
    is_torn: bool
    base: int = 0
    """How many messages the node had sent in the boots that were read before this one."""
    sent: int = 0
    is_over: bool = False


class Sent:
    """The messages of one node, its boots taken in order.

    Two contents that differ are taken for the same only if their 64-bit hashes (SipHash of the strings, keyed by
    the process) agree: never by accident in any trace that could be written.
    """

    def __init__(self, strands: Iterable[Strand], torn: Iterable[int], window: int) -> None:
        broken = set(torn)
        self._boots = {strand.boot: _Boot(strand, strand.boot in broken) for strand in strands}
        self._window = window
        self._total = 0
        self._hashes = array("q")
        self._numbers = array("q")
        self._offsets = array("q")

    def open(self, boot: int) -> None:
        """This boot's messages come next."""
        self._boots[boot].base = self._total

    def close(self, boot: int) -> None:
        """This boot sends no more."""
        self._boots[boot].is_over = True

    def add(self, boot: int, message: Message, number: int, offset: int) -> None:
        """The boot's next message, sent by the line with this number and offset."""
        self._boots[boot].sent += 1
        slot = self._total % self._window
        if slot == len(self._hashes):
            self._hashes.append(0)
            self._numbers.append(0)
            self._offsets.append(0)
        self._hashes[slot] = hash(message.content)
        self._numbers[slot] = number
        self._offsets[slot] = offset
        self._total += 1

    def fate(self, boot: int, k: int) -> Fate:
        """What is known of the k-th message of this boot."""
        known = self._boots.get(boot)
        if known is None:
            return Fate.LOST
        if k <= known.sent:
            return Fate.SENT
        if not known.is_over:
            return Fate.PENDING
        return Fate.NEVER if known.strand.stopped and not known.is_torn else Fate.LOST

    def kept(self, boot: int, k: int) -> Kept | None:
        """What is remembered of a message that was sent; None where more than `window` were sent since."""
        known = self._boots[boot]
        position = known.base + k - 1
        if position < self._total - self._window:
            return None
        slot = position % self._window
        return Kept(self._hashes[slot], known.strand.source, self._numbers[slot], self._offsets[slot])

    def end(self, boot: int) -> str:
        """In words, where the trace of this boot stops telling; for the mark on a message that it does not tell."""
        known = self._boots.get(boot)
        if known is None:
            return f"there is no trace of boot {boot}"
        how = "breaks off in a torn line" if known.is_torn else "has no `stop`"
        return f"the trace of boot {boot} {how} after {known.strand.end}"

"""What a replica asks to have written down, and what it makes of it after a crash.

This file does not know how or where records are stored, nor how often a sync happens.

A crash may lose the records that were not acknowledged, or keep any prefix of them: either is safe.
"""

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from .errors import CallerError
from .messages import Acceptance, Ballot, Entry, Index, Slot, Value


class BallotRecord(msgspec.Struct, frozen=True, array_like=True, tag="ballot", gc=False):
    """This node has used its own `ballot`, and never uses it, or a smaller one, again."""

    ballot: Ballot


class PromiseRecord(msgspec.Struct, frozen=True, array_like=True, tag="promise", gc=False):
    """This node has left every ballot below `ballot`."""

    ballot: Ballot


class AcceptRecord(msgspec.Struct, frozen=True, array_like=True, tag="accept", gc=False):
    """This node has accepted `entries` in `ballot`, and so has left every smaller one."""

    ballot: Ballot
    entries: tuple[Entry, ...]


Record: TypeAlias = BallotRecord | PromiseRecord | AcceptRecord
"""Every record, for a decoder."""


class Recovered(msgspec.Struct, frozen=True):
    """The durable state that a replica starts from; the default is that of a node's first boot."""

    promised: Ballot | None = None
    """The highest ballot promised, or accepted in."""
    accepted: tuple[Acceptance, ...] = ()
    """The latest acceptance of every slot above `low`, by slot."""
    low: Index = 0
    """The slot of the checkpoint, 0 if there is none."""
    ballot_used: Ballot | None = None
    """The highest ballot that this node opened itself."""


def recover(records: Iterable[Record], base: Recovered | None = None) -> Recovered:
    """What `records`, in the order in which they were written, amount to. Linear; the later one wins its slot.

    `base` is what is known beside them: the checkpoint, whose slots are passed over, and what records said that went
    with the truncated log.
    """
    known = base or Recovered()
    promised, ballot_used, low = known.promised, known.ballot_used, known.low
    latest: dict[Slot, tuple[Ballot, Value]] = {slot: (b, v) for slot, b, v in known.accepted}
    for record in records:
        if isinstance(record, BallotRecord):
            ballot_used = higher(ballot_used, record.ballot)
            continue
        promised = higher(promised, record.ballot)
        if isinstance(record, AcceptRecord):
            for slot, value in record.entries:
                if slot <= low:
                    continue
                latest[slot] = (record.ballot, value)
    accepted = tuple((slot, *latest[slot]) for slot in sorted(latest))
    return Recovered(promised=promised, accepted=accepted, low=low, ballot_used=ballot_used)


def check_recovered(node: str, recovered: Recovered) -> None:
    """Raises `CallerError` when this cannot be what the node left behind."""
    used = recovered.ballot_used
    if used is not None and used.node != node:
        raise CallerError(f"recovered: {used} is not a ballot of '{node}'; this is another node's data")
    for slot, ballot, _ in recovered.accepted:
        if recovered.promised is None or ballot > recovered.promised:
            raise CallerError(
                f"recovered: slot {slot} is accepted in {ballot}, above the promise {recovered.promised}; "
                "every acceptance is a promise (see records.recover)"
            )
        if slot <= recovered.low:
            raise CallerError(f"recovered: slot {slot} is accepted, and the checkpoint is at {recovered.low}")


def higher(known: Ballot | None, ballot: Ballot) -> Ballot:
    """The higher of the two."""
    return ballot if known is None else max(known, ballot)

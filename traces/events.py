"""The lines of a trace: one atomic step of one node each, a frozen msgspec struct per event.

The struct is chosen by the JSON field `event`, and each names what that event carries. A step consumes at most
one message (`recv`), changes the node's state, and emits messages (`send`).

Knows what a single line may hold, and nothing of the lines around it; what the steps *mean* is the business of
whoever checks them. The format in words: docs/trace-format.md.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from .messages import AnyMessage, Ballot, Boot, Entry, Node, Prefix, Report, Slot

VERSION = 1

Reason = str
QuorumSize = Annotated[int, Meta(ge=1)]


class Line(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="event"):
    """What every line has: who stepped, when in its own order, what it consumed and what it emitted.

    `seq` counts 1, 2, 3 ... within a `boot`; boots of a node grow. Together they are the node's program order.
    """

    v: Literal[1]
    node: Node
    boot: Boot
    seq: Annotated[int, Meta(ge=1)]
    recv: AnyMessage | None = None
    send: tuple[AnyMessage, ...] = ()

    @property
    def event(self) -> str:
        """The event's name as it stands in the trace."""
        return str(self.__struct_config__.tag)


class Start(Line, frozen=True, kw_only=True, gc=False, tag="start"):
    """The node comes up: the membership it believes in, and the durable state that it recovered.

    `phase1` and `phase2` are quorum sizes, None for majorities. `promised` and `ballot_used` (the highest ballot
    of its own) are None where there is none; `accepted` lists the latest acceptance of each slot above `low`.
    """

    nodes: tuple[Node, ...]
    promised: Ballot | None
    accepted: tuple[Report, ...]
    low: Prefix
    ballot_used: Ballot | None
    phase1: QuorumSize | None = None
    phase2: QuorumSize | None = None


class Prepare(Line, frozen=True, kw_only=True, gc=False, tag="prepare"):
    """1a: the node opens a ballot of its own."""

    ballot: Ballot


class Promise(Line, frozen=True, kw_only=True, gc=False, tag="promise"):
    """1b: an acceptor joins the ballot and reports; without `recv` where a leader promises itself."""

    ballot: Ballot


class Lead(Line, frozen=True, kw_only=True, gc=False, tag="lead"):
    """The node leads `ballot`; the proposals that follow rest on the promises of this `quorum`."""

    ballot: Ballot
    quorum: tuple[Node, ...]


class Propose(Line, frozen=True, kw_only=True, gc=False, tag="propose"):
    """2a: the leader proposes these entries in its ballot."""

    ballot: Ballot
    entries: tuple[Entry, ...]


class Accept(Line, frozen=True, kw_only=True, gc=False, tag="accept"):
    """2b: an acceptor accepts these entries; without `recv` where a leader accepts its own."""

    ballot: Ballot
    entries: tuple[Entry, ...]


class Commit(Line, frozen=True, kw_only=True, gc=False, tag="commit"):
    """The node knows these entries to be chosen.

    Either it counted the acceptances of `quorum` in `ballot`, or it `learned` so from a message.
    """

    entries: tuple[Entry, ...]
    ballot: Ballot | None = None
    quorum: tuple[Node, ...] | None = None
    learned: bool = False

    def __post_init__(self) -> None:
        if not self.learned and (self.ballot is None or self.quorum is None):
            raise ValueError("a commit needs either `ballot` and `quorum`, or `learned` true")


class Apply(Line, frozen=True, kw_only=True, gc=False, tag="apply"):
    """The state machine is given these entries, in slot order."""

    entries: tuple[Entry, ...]


class Checkpoint(Line, frozen=True, kw_only=True, gc=False, tag="checkpoint"):
    """The state machine, as `slot` left it, is durable: the node's checkpoint from here on."""

    slot: Slot


class Truncate(Line, frozen=True, kw_only=True, gc=False, tag="truncate"):
    """The log forgets what it has up to `slot`."""

    slot: Slot


class Snapshot(Line, frozen=True, kw_only=True, gc=False, tag="snapshot"):
    """Another node's checkpoint at `slot` is installed, durably, and is the node's own from here on."""

    slot: Slot


class Resend(Line, frozen=True, kw_only=True, gc=False, tag="resend"):
    """Messages go out again, with fresh ids; the state does not change."""


class Nack(Line, frozen=True, kw_only=True, gc=False, tag="nack"):
    """A message is refused; the state does not change."""

    reason: Reason


class Ignore(Line, frozen=True, kw_only=True, gc=False, tag="ignore"):
    """A message is stale, or only counted; the state does not change."""

    reason: Reason


class Stop(Line, frozen=True, kw_only=True, gc=False, tag="stop"):
    """An orderly stop: nothing of this boot follows, and nothing of it is missing."""


AnyLine = (
    Start
    | Prepare
    | Promise
    | Lead
    | Propose
    | Accept
    | Commit
    | Apply
    | Checkpoint
    | Truncate
    | Snapshot
    | Resend
    | Nack
    | Ignore
    | Stop
)
EVENTS = tuple(str(kind.__struct_config__.tag) for kind in get_args(AnyLine))
"""Every `event`, in the order of the documentation."""

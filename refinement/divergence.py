"""What it is for a line not to conform: which claim of it fails, and by what rule.

Most rules are a `require` of the specification and stand there.  The few in `Rule` are the trace format's own: what
it takes for a line to be a step of the specification at all.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from ..checker.term import Require

Fact: TypeAlias = tuple[str, tuple[Any, ...]]
"""A row of a relation of the specification's state."""


class Rule(enum.Enum):
    """What the format asks of a line, beyond what the specification asks of the action that it stands for."""

    RECEIVED = "a message is received as it was sent, and after that"
    LIFE = "a boot begins with its only `start`, and nothing follows its `stop`"
    MEMBERS = "all nodes know the same members and quorum sizes, and are members"
    QUORUMS_MEET = "any two quorums meet"
    RECOVERED = "what was promised, accepted or opened before a crash is recovered after it"
    GAP = "what a gap of the trace hides does not contradict what the trace tells"
    OWN_BALLOT = "a node opens, leads and proposes in its own ballots, each above the last that it opened"
    ASKED = "a node promises and accepts what it was asked to by the message that it consumed"
    QUORUM = "a quorum is a set of members, large enough for its phase"
    HEARD = "a quorum consists of nodes whose answers were received"
    LED = "a proposal rests on the quorum that the `lead` of its ballot names"
    TOLD = "what is learned was said by a message that the node received"
    IN_ORDER = "a boot applies slot after slot, each once, from the checkpoint on"
    COMMITTED = "what is applied is what was committed in its slot"
    CHECKPOINT = "a checkpoint is of what the node applied, and none is older than the last"
    TRUNCATED = "what its log has truncated a node proposes no more, nor accepts of its own"
    REPORT = (
        "a promise reports the acceptor's whole log above its checkpoint and above what the candidate knows"
    )
    SPOKEN = "what a message says has happened, and the line that sends it is the one that says so"
    KNOWN = "a commit index is sent by a node that knows every slot up to it to be chosen"


class Diverges(Exception):
    """A line does what may not be done here.  The message is the reason, in a sentence.

    `broken` is the rule; `action` the action that was expected with its arguments, if the line stands for one;
    `facts` are the rows of the specification's state that contradict.
    """

    def __init__(
        self,
        broken: Rule | Require,
        reason: str,
        action: tuple[str, tuple[Any, ...]] | None = None,
        facts: Sequence[Fact] = (),
    ) -> None:
        super().__init__(reason)
        self.broken, self.reason, self.action, self.facts = broken, reason, action, tuple(facts)


def show(value: object) -> str:
    """A value as it stands in a trace; a quorum as a set."""
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(str, value))) + "}"
    return msgspec.json.encode(value).decode()

"""What the implementation deliberately never does, though the specification allows it: classes of edges, with reasons.

In the specification anybody proposes for a ballot, anything that some quorum leaves, in any slot.  In the
implementation one node does, its leader; and it has its ways.  An edge is never taken if of some ballot nobody could
have been the leader, and have done what was done in it before the edge and after.  The ways are looked at one after the
other: the class of an edge is the first way with which nobody is left who could have.

So classes are predicates over edges, their edges are counted, and an edge that is driven refutes its class.  What may
be proposed and what is chosen is asked of the specification.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from ...checker.language import Refused
from ...spec import multipaxos
from ...spec.multipaxos import MultiPaxos
from ...spec.sorts import Acceptor, Ballot, Quorum, Slot
from ..mapping import Action


@dataclass(frozen=True)
class Led:
    """What was done in a ballot, and by whom, it is thought: its leader, the quorum, the order of the log.

    `known` are slots that it knew to be chosen when it began to lead.
    """

    now: MultiPaxos
    b: Ballot
    order: Sequence[Slot]
    leader: Acceptor
    quorum: Quorum
    known: frozenset[Slot]
    is_proposing: bool
    """Is it the edge that proposes in this ballot?"""

    @cached_property
    def filled(self) -> set[Slot]:
        """The slots in which the ballot proposed."""
        return {s for s, b, _ in self.now.proposed if b == self.b}

    @cached_property
    def forced(self) -> set[Slot]:
        """The slots of which the quorum reports something."""
        return {s for s in Slot if not multipaxos.free(self.now, self.quorum, s, self.b)}

    @cached_property
    def accepted(self) -> set[Slot]:
        """The slots in which the leader accepted what it proposed itself."""
        return {s for a, s, b, _ in self.now.accepted if (a, b) == (self.leader, self.b)}


Way: TypeAlias = Callable[[Led], bool]


def joined(led: Led) -> bool:
    """The leader promised its ballot, and leads no more once it has left it."""
    a, b, now = led.leader, led.b, led.now
    return (a, b) in now.promised and not (led.is_proposing and (a, b) in now.left)


def in_order(led: Led) -> bool:
    """The log is filled from the first slot that is not known to be chosen."""
    return is_prefix(led.filled, [s for s in led.order if s not in led.known])


def on_one_quorum(led: Led) -> bool:
    """Each proposal could have been the first, and rest on this quorum."""
    bare = led.now.but(proposed=())
    try:
        for s, b, v in led.now.proposed:
            if b == led.b:
                multipaxos.propose(bare, led.quorum, s, b, v)
    except Refused:
        return False
    return True


def gaps_closed(led: Led) -> bool:
    """What is forced was proposed before any command.  No-ops in gaps come with what is forced, and are no commands."""
    freely = {c for c in Ballot if not any(row[1] == c for row in led.now.reported)}
    commands = {v for _, c, v in led.now.proposed if c in freely}
    told = {s for s, b, v in led.now.proposed if b == led.b and s not in led.forced and v in commands}
    return not told or led.forced - led.known <= led.filled


def disk_first(led: Led) -> bool:
    """What is forced was accepted by the leader before it proposed anything else."""
    due = led.forced & led.filled
    return led.filled <= led.forced or due <= led.accepted


def lead_begun(led: Led) -> bool:
    """All that is forced was proposed before the leader accepted any of it."""
    return not led.accepted or led.forced - led.known <= led.filled


def own_in_order(led: Led) -> bool:
    """The leader accepted its own proposals in the order in which it made them."""
    return is_prefix(led.accepted, [s for s in led.order if s in led.filled])


@dataclass(frozen=True)
class EdgeClass:
    """Edges that the implementation never takes: what they have in common, and why it does not take them.

    `way` is what a leader does instead.
    """

    name: str
    reason: str
    way: Way


OPENED = EdgeClass(
    "a ballot is opened that every node has left",
    "A node opens a ballot above all that it joined; one below would be refused, by itself first.",
    lambda led: True,
)
CLASSES = (
    OPENED,
    EdgeClass(
        "a ballot proposes that everyone who promised it has left",
        "A leader joins its own ballot before it proposes, and leads no more once it joins a higher one.",
        joined,
    ),
    EdgeClass(
        "two ballots fill the slots in different orders",
        "A leader fills the log slot after slot, from the first that it does not know to be chosen.",
        in_order,
    ),
    EdgeClass(
        "the proposals of a ballot rest on different quorums",
        "A leader leads with the first quorum that promised, and all its proposals rest on that one.",
        on_one_quorum,
    ),
    EdgeClass(
        "a command is proposed in a gap, before what is reported beyond",
        "A leader proposes what is reported first, with no-ops in the gaps: what comes late gets a later slot.",
        gaps_closed,
    ),
    EdgeClass(
        "a command is proposed before its leader accepted what is reported",
        "What is reported is proposed when the lead begins; commands wait until the leader's disk has that.",
        disk_first,
    ),
    EdgeClass(
        "a leader accepts its own before it has proposed all that is reported",
        "What is reported is proposed in one step, and the leader accepts when that has been said.",
        lead_begun,
    ),
    EdgeClass(
        "whoever may have led a ballot accepted in another order than it proposed",
        "A leader accepts its own proposals in the order in which it makes them, for its disk writes them so.",
        own_in_order,
    ),
)
LEADING = CLASSES[1:]


def class_of(now: MultiPaxos, action: Action, nxt: MultiPaxos) -> EdgeClass | None:
    """The class of an edge; None if there is none.  To be asked in an inhabited instance."""
    name, args = action
    if name == "prepare" and all((a, args[0]) in now.left for a in Acceptor):
        return OPENED
    if could_be(now, action, nxt, len(LEADING)):
        return None
    return next(c for count, c in enumerate(LEADING, 1) if not could_be(now, action, nxt, count))


def could_be(now: MultiPaxos, action: Action, nxt: MultiPaxos, count: int) -> bool:
    """Might every ballot have had a leader that has the first so many ways, and all the same log?"""
    ways = [c.way for c in LEADING[:count]]
    ballots = {b for _, b, _ in nxt.proposed}
    return any(
        all(
            any(all(way(led) for way in ways for led in both) for both in thought(now, action, nxt, b, order))
            for b in ballots
        )
        for order in itertools.permutations(Slot)
    )


def thought(
    now: MultiPaxos, action: Action, nxt: MultiPaxos, b: Ballot, order: Sequence[Slot]
) -> Iterator[tuple[Led, Led]]:
    """Everyone who might have led a ballot, before an edge and after; the ballot that proposes names its quorum."""
    name, args = action
    is_proposing = name == "propose" and args[2] == b
    chosen = chosen_below(now, b)
    for a in Acceptor:
        for q in [args[0]] if is_proposing else Quorum:
            for count in range(len(chosen) + 1):
                for known in map(frozenset, itertools.combinations(chosen, count)):
                    yield (
                        Led(now, b, order, a, q, known, is_proposing),
                        Led(nxt, b, order, a, q, known, is_proposing),
                    )


def chosen_below(now: MultiPaxos, b: Ballot) -> list[Slot]:
    """The slots in which something is chosen in smaller ballots: the leader may have known it."""
    below = now.but(accepted=[row for row in now.accepted if row[2] < b])
    return [s for s in Slot if multipaxos.decided(below, s)]


def is_prefix(some: set[Slot], order: Sequence[Slot]) -> bool:
    """Are these the first of an order?"""
    return set(order[: len(some)]) == some

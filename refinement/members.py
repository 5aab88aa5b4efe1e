"""Who the nodes are and what each has done and been told, as far as a single node's lines tell it.

This is what a node can know: what it sent, what it received, what it committed.  What is true of the cluster is in the
specification's state and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..traces.events import Start
from ..traces.messages import Ballot
from .divergence import Diverges, Rule
from .mapping import Quorum


@dataclass
class Prefix:
    """A set of slots that is, in the end, every slot up to one: kept as that one, and those beyond."""

    upto: int = 0
    beyond: set[int] = field(default_factory=set)

    def add(self, slot: int) -> None:
        if slot == self.upto + 1:
            self.raise_to(slot)
        elif slot > self.upto:
            self.beyond.add(slot)

    def raise_to(self, slot: int) -> None:
        """Let it have every slot up to this one."""
        if slot <= self.upto:
            return
        self.upto = slot
        if self.beyond:
            while self.upto + 1 in self.beyond:
                self.upto += 1
            self.beyond = {s for s in self.beyond if s > self.upto}

    def __contains__(self, slot: int) -> bool:
        return slot <= self.upto or slot in self.beyond


@dataclass
class Node:
    """A node, seen from outside.  What a boot forgets is in the second half."""

    name: str
    ballot_used: Ballot | None = None
    low: int = 0
    """The slot of its checkpoint."""
    promised_low: dict[Ballot, int] = field(default_factory=dict)
    """What that was when it promised each ballot, which a promise that is sent again still says."""
    known: dict[Ballot, int] = field(default_factory=dict)
    """Up to where the candidate then knew what is chosen: of that a promise need not speak."""
    truncated: int = 0
    """The last slot of which its log has forgotten everything."""
    told: Prefix = field(default_factory=Prefix)
    """The slots that it was told, or counted, to be chosen: in any boot, for it may have written that down."""
    boot: int | None = None
    """The boot that is up."""
    has_started: bool = False
    may_miss_lines: bool = False
    """Whether a boot ended without `stop`, so that lines at its end may be lost, or had no trace at all."""

    leads: dict[Ballot, Quorum] = field(default_factory=dict)
    promisers: dict[Ballot, set[str]] = field(default_factory=dict)
    """Whose promises it received."""
    acceptors: dict[tuple[Ballot, int], set[str]] = field(default_factory=dict)
    """Whose acceptances it received, in slots that it has not committed."""
    committed: dict[int, str] = field(default_factory=dict)
    """What it committed and has not applied."""
    applied: int = 0

    def start(self, boot: int, low: int) -> None:
        """A new boot, which has forgotten whatever is not on disk."""
        self.boot = boot
        self.has_started = True
        self.low = self.applied = low
        self.told.raise_to(low)
        self.leads = {}
        self.promisers = {}
        self.acceptors = {}
        self.committed = {}

    def install(self, slot: int) -> None:
        """Somebody's checkpoint is its own, and its state that of the checkpoint, if that is ahead."""
        self.low = max(self.low, slot)
        self.applied = max(self.applied, slot)
        self.committed = {s: v for s, v in self.committed.items() if s > self.applied}
        self.told.raise_to(slot)

    def forget(self, upto: int) -> None:
        """Let go of what was counted in slots that nobody speaks of any more."""
        self.acceptors = {key: known for key, known in self.acceptors.items() if key[1] > upto}

    def has_committed(self, slot: int) -> bool:
        """Whether this boot has committed something in the slot."""
        return slot <= self.applied or slot in self.committed

    def hear_promise(self, ballot: Ballot, acceptor: str) -> None:
        """Count a promise."""
        self.promisers.setdefault(ballot, set()).add(acceptor)

    def hear_accepted(self, ballot: Ballot, slots: Iterable[int], acceptor: str) -> None:
        """Count acceptances, in slots that are still open to it."""
        acceptors = self.acceptors
        for slot in slots:
            if slot > self.applied and slot not in self.committed:
                known = acceptors.get((ballot, slot))
                if known is None:
                    acceptors[ballot, slot] = {acceptor}
                else:
                    known.add(acceptor)

    def commit(self, slot: int, value: str, ballot: Ballot | None) -> None:
        """It knows that the value is chosen."""
        if slot > self.applied:
            self.committed[slot] = value
        self.told.add(slot)
        if ballot is not None:
            self.acceptors.pop((ballot, slot), None)


class Members:
    """The membership, as the first `start` has it, and every node."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        self.phase1 = self.phase2 = 0
        self.nodes: dict[str, Node] = {}
        self._first: str | None = None
        """Whose `start` the others are compared with."""

    def enrol(self, line: Start) -> Node:
        """The node that starts, once its members and quorum sizes are seen to be the others'."""
        names, majority = frozenset(line.nodes), len(set(line.nodes)) // 2 + 1
        phase1, phase2 = line.phase1 or majority, line.phase2 or majority
        if len(names) != len(line.nodes) or line.node not in names:
            raise Diverges(Rule.MEMBERS, f"{line.node} names as members {', '.join(line.nodes)}")
        if phase1 + phase2 <= len(names) or max(phase1, phase2) > len(names):
            reason = f"quorums of {phase1} and {phase2} among {len(names)} nodes need not meet"
            raise Diverges(Rule.QUORUMS_MEET, reason)
        if self._first is None:
            self._first, self.names = line.node, names
            self.phase1, self.phase2 = phase1, phase2
            self.nodes = {name: Node(name) for name in sorted(names)}
        elif (names, phase1, phase2) != (self.names, self.phase1, self.phase2):
            ours = f"{', '.join(sorted(self.names))}, quorums of {self.phase1} and {self.phase2}"
            theirs = f"{', '.join(sorted(names))}, quorums of {phase1} and {phase2}"
            raise Diverges(Rule.MEMBERS, f"{self._first} starts with {ours}; {line.node} with {theirs}")
        return self.nodes[line.node]

    def quorum(self, named: Iterable[str], phase: int) -> Quorum:
        """The nodes named, once they are seen to be a quorum of phase 1 or 2."""
        names, quorum = list(named), frozenset(named)
        size = self.phase1 if phase == 1 else self.phase2
        if strangers := quorum - self.names:
            raise Diverges(Rule.QUORUM, f"{', '.join(sorted(strangers))}: no members")
        if len(names) != len(quorum) or len(quorum) < size:
            shown = ", ".join(names)
            reason = f"{shown}: {len(quorum)} of {len(self.names)} nodes, phase {phase} needs {size}"
            raise Diverges(Rule.QUORUM, reason)
        return quorum

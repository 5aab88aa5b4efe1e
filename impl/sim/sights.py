"""Rare scenes that a long hunt must come to, told from what nodes write down: what was never seen was never tried.

A scene is no fault and no verdict. It is named by the sentence under which reports list it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

from msgspec import UNSET

from ..core.effects import Line
from ..core.messages import NOOP, Accept, Acceptance, Ballot, Promise, Slot
from ..core.replica import FULL

TWO_BALLOTS: Final = "a quorum reports two ballots for one slot"
MANY_VALUES: Final = "a quorum reports two values for one slot"
ALONE: Final = "a leader is deposed when nobody but itself has accepted"
TWO_LEADERS: Final = "two nodes lead at once"
THREE_LEADERS: Final = "three nodes lead at once"
TORN_PROMISE: Final = "a torn tail holds a promise"
TORN_ACCEPTANCE: Final = "a torn tail holds an acceptance"
DIED_RECOVERING: Final = "a node dies while it recovers"
BEHIND: Final = "a candidate finds itself behind a checkpoint of its quorum"
INSTALLED: Final = "a node that lags gets another's checkpoint"
RESTED: Final = "a node starts from a checkpoint, and from a log above it"
GAP: Final = "a new leader fills a gap with a no-op"
REPROPOSED: Final = "a value is proposed again in a higher ballot"
TWICE: Final = "a batch is chosen in two slots"
RETRIED: Final = "a session's command is answered a second time"
UNPROMISED: Final = "a node accepts in a ballot that it never promised"
RESENT: Final = "a promise is asked for again, and given again"
DISK_FULL: Final = "a disk is full, and a commit waits for room"
LOG_FULL: Final = "an acceptor's log is so full that it accepts nothing new"
LEFT: Final = "an acceptor refuses what a deposed leader proposes"
BALLOTS_COLLIDE: Final = "two candidates open the same round"

ALL: Final = (
    TWO_BALLOTS,
    MANY_VALUES,
    ALONE,
    TWO_LEADERS,
    THREE_LEADERS,
    TORN_PROMISE,
    TORN_ACCEPTANCE,
    DIED_RECOVERING,
    BEHIND,
    INSTALLED,
    RESTED,
    GAP,
    REPROPOSED,
    TWICE,
    RETRIED,
    UNPROMISED,
    RESENT,
    DISK_FULL,
    LOG_FULL,
    LEFT,
    BALLOTS_COLLIDE,
)
"""Every scene."""


class Watch:
    """Looks at every line that is written, by all nodes, in the order in which they are; counts scenes."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self._promises: dict[tuple[str, Ballot], Promise] = {}
        self._accepted: defaultdict[tuple[Slot, Ballot], set[str]] = defaultdict(set)
        self._proposed: dict[Slot, tuple[Ballot, bytes | str]] = {}
        self._opened: defaultdict[int, set[str]] = defaultdict(set)

    def see(self, scene: str) -> None:
        """It has come to this."""
        self.seen[scene] += 1

    def line(self, node: str, line: Line, leaders: int) -> None:
        """A node has written a line, while so many take themselves for leaders."""
        look = getattr(self, f"_{line.event}", None)
        if look is not None:
            look(node, line)
        if line.event == "lead":
            if leaders > 1:
                self.see(TWO_LEADERS)
            if leaders > 2:
                self.see(THREE_LEADERS)

    def _start(self, node: str, line: Line) -> None:
        if line.low is not UNSET and line.low > 0 and line.accepted:
            self.see(RESTED)

    def _prepare(self, node: str, line: Line) -> None:
        assert line.ballot is not UNSET
        self._opened[line.ballot.round].add(node)
        if len(self._opened[line.ballot.round]) > 1:
            self.see(BALLOTS_COLLIDE)

    def _promise(self, node: str, line: Line) -> None:
        for sent in line.send:
            if isinstance(sent.message, Promise):
                self._promises[node, sent.message.ballot] = sent.message

    def _lead(self, node: str, line: Line) -> None:
        assert line.ballot is not UNSET
        assert line.quorum is not UNSET
        promises = [self._promises.get((name, line.ballot)) for name in line.quorum]
        reports: defaultdict[Slot, list[Acceptance]] = defaultdict(list)
        for promise in promises:
            for report in () if promise is None else promise.accepted:
                reports[report[0]].append(report)
        for slot, told in reports.items():
            if len({ballot for _, ballot, _ in told}) > 1:
                self.see(TWO_BALLOTS)
            if len({value for _, _, value in told}) > 1:
                self.see(MANY_VALUES)
            if any(self._accepted[slot, ballot] == {ballot.node} for _, ballot, _ in told):
                self.see(ALONE)

    def _propose(self, node: str, line: Line) -> None:
        assert line.ballot is not UNSET
        for slot, value in _entries(line):
            before = self._proposed.get(slot)
            if before is not None and before[0] < line.ballot and before[1] == value and value != NOOP:
                self.see(REPROPOSED)
            if value == NOOP:
                self.see(GAP)
            self._proposed[slot] = line.ballot, value

    def _accept(self, node: str, line: Line) -> None:
        assert line.ballot is not UNSET
        if (node, line.ballot) not in self._promises:
            self.see(UNPROMISED)
        for slot, _ in _entries(line):
            self._accepted[slot, line.ballot].add(node)

    def _snapshot(self, node: str, line: Line) -> None:
        self.see(INSTALLED)

    def _resend(self, node: str, line: Line) -> None:
        if any(isinstance(sent.message, Promise) for sent in line.send):
            self.see(RESENT)

    def _nack(self, node: str, line: Line) -> None:
        if isinstance(line.recv, Accept):
            self.see(LEFT)

    def _ignore(self, node: str, line: Line) -> None:
        if line.reason == "behind a checkpoint of its quorum":
            self.see(BEHIND)
        elif line.reason == FULL:
            self.see(LOG_FULL)


def _entries(line: Line) -> Iterable[tuple[Slot, bytes | str]]:
    return () if line.entries is UNSET else line.entries

"""Linearizable reads without the log: one round of a quorum confirms a leader for all reads that wait.

It does not know what is read, or when the state machine has caught up: it tells an index, and who asked waits for it.

Why an answer at that index is never stale. Let a leader of ballot b be asked for a read. All that was chosen before
in a ballot up to b is at or below the index: the leader counted it, or it stands in the slots that the reports of
its quorum forced (`Leadership.inherited`). Nothing was chosen before in a higher ballot: every node of a phase 2
quorum says, after the read was asked, that it has not left b; such a quorum meets every phase 1 quorum, so no higher
ballot had finished phase 1 by then. (Ongaro, "Consensus: Bridging Theory and Practice", 6.4, has the same for Raft.)
"""

from collections.abc import Iterable

from .clock import Clock
from .config import Config
from .effects import Line, Readable, Sent
from .messages import Ballot, Confirm, Confirmed, Index
from .outbox import Outbox


class Reading:
    """The reads of one leadership, in rounds: those that come while a round is under way wait for the next."""

    def __init__(
        self, config: Config, ballot: Ballot, inherited: Index, clock: Clock, outbox: Outbox
    ) -> None:
        self._config = config
        self._ballot = ballot
        self._inherited = inherited
        self._clock = clock
        self._outbox = outbox
        self._waiting: list[int] = []
        self._round = 0
        self._asking: tuple[int, ...] = ()
        """The tickets of the round under way; none if there is none."""
        self._index: Index = 0
        self._confirmers: set[str] = set()
        self._asked_ms = 0

    @property
    def unanswered(self) -> tuple[int, ...]:
        """The tickets of all reads that it was asked for and that have no index yet."""
        return (*self._asking, *self._waiting)

    def take(self, tickets: Iterable[int], committed: Index) -> None:
        """Ask on behalf of these reads, now or in the next round."""
        self._waiting.extend(tickets)
        self._begin(committed)

    def count(self, confirmed: Confirmed, committed: Index) -> None:
        """Count a confirmation; with a quorum's, the round's reads have their index, and the next round begins."""
        if not self._asking or confirmed.round != self._round:
            self._outbox.emit(Line("ignore", recv=confirmed, reason="stale"))
            return
        self._outbox.emit(Line("ignore", recv=confirmed, reason="counted"))
        self._confirmers.add(confirmed.sender)
        self._settle()
        self._begin(committed)

    def tick(self) -> None:
        """Ask again who has not answered."""
        if self._asking and self._clock.since(self._asked_ms) >= self._config.resend_ms:
            self._ask()

    def _begin(self, committed: Index) -> None:
        if self._asking or not self._waiting:
            return
        self._asking, self._waiting = tuple(self._waiting), []
        self._index = max(committed, self._inherited)
        self._round += 1
        self._confirmers = {self._config.node}
        if not self._settle():
            self._ask()

    def _settle(self) -> bool:
        """End the round if a quorum has confirmed it; did it end?"""
        if len(self._confirmers) < self._config.phase2_size:
            return False
        self._outbox.emit(Readable(self._asking, self._index))
        self._asking = ()
        return True

    def _ask(self) -> None:
        self._asked_ms = self._clock.now_ms
        silent = tuple(name for name in self._config.peers if name not in self._confirmers)
        ask = Confirm(self._outbox.next_id(), self._ballot, self._round)
        self._outbox.emit(Line("ignore", reason="reads wait: confirming", send=(Sent(silent, ask),)))

"""The leader: Phase 2 of one ballot, many batches in flight, its reports before its clients.

It does not know how it came to lead, whether it still should, or what becomes of what is chosen.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

import msgspec

from .acceptor import Acceptor
from .clock import Clock
from .config import Config
from .effects import Line, Sent
from .events import Request
from .messages import Accept, Accepted, Ballot, Entry, Heartbeat, Index, Slot, Value, bytes_of
from .outbox import Outbox
from .reading import Reading

DOUBLINGS_MAX: Final = 4
"""A proposal is sent again after `resend_ms`, and after twice as long each time up to so many times: what is large, or
under way to a node that cannot keep up, would else be its own worst delay."""


class Proposal:
    """One accept message on its way to be chosen."""

    __slots__ = ("accept", "proposed_ms", "repeats", "sent_ms", "slots", "voters")

    def __init__(self, accept: Accept, now_ms: int) -> None:
        self.accept = accept
        self.slots = tuple([slot for slot, _ in accept.entries])
        self.proposed_ms = now_ms
        self.sent_ms = now_ms
        self.repeats = 0
        self.voters: set[str] = set()


class Leadership:
    """The volatile state of the leader of one ballot, and its acts. It ends by being dropped."""

    def __init__(
        self,
        config: Config,
        ballot: Ballot,
        committed: Index,
        forced: Iterable[Value],
        acceptor: Acceptor,
        clock: Clock,
        outbox: Outbox,
    ) -> None:
        self._config = config
        self._peers = config.peers
        self._acceptor = acceptor
        self._clock = clock
        self._outbox = outbox
        self.ballot = ballot
        self._tickets: dict[Slot, int] = {}
        """Whose request was proposed in which slot, and is not applied yet."""
        self._next: Slot = committed + 1
        """The lowest slot in which this ballot may propose; it proposed in those from where it began."""
        self._waiting: deque[tuple[int | None, Value]] = deque((None, value) for value in forced)
        """What is to be proposed, in order: what the reports leave, then clients' requests."""
        self.inherited: Index = committed + len(self._waiting)
        """The last slot in which the reports force a value: whatever an earlier leader may have committed."""
        self.reading = Reading(config, ballot, self.inherited, clock, outbox)
        """The reads that it confirms."""
        self._flying: dict[Slot, Proposal] = {}
        """The accept messages that no quorum has answered yet, by first slot."""
        self._spoke_ms: int | None = None
        self._told: Index = 0
        """The highest commit index that it spoke of."""

    @property
    def waiting(self) -> int:
        """How many values wait to be proposed."""
        return len(self._waiting)

    @property
    def is_ready(self) -> bool:
        """Would a request be proposed at once?"""
        return (
            not self._waiting
            and not self.is_full
            and self._outbox.is_clear
            and len(self._flying) < self._config.window_batches_max
        )

    @property
    def is_full(self) -> bool:
        """Must there be another checkpoint before anything is proposed for clients?"""
        return self._acceptor.bytes >= self._config.log_bytes_max

    def unanswered(self) -> tuple[int, ...]:
        """The tickets of all requests that it was given and that are not applied, and of reads without an index."""
        waiting = [ticket for ticket, _ in self._waiting if ticket is not None]
        return (*self._tickets.values(), *waiting, *self.reading.unanswered)

    # Proposing ---------------------------------------------------------------------------

    def take(self, requests: Iterable[Request]) -> None:
        """Queue clients' requests behind all that waits."""
        self._waiting.extend(requests)

    def propose(self, committed: Index) -> None:
        """Phase 2a: propose what waits, as far as the window has room, then accept it here as well.

        Proved safe: `spec.multipaxos.propose`: a slot is proposed in once, for `_next` only grows, and in a
        slot that was reported it gets what the reports force, for that stands at the head of the queue.

        While the disk is busy nothing could leave, so nothing is proposed: what waits makes one batch the larger. Nor
        are clients' requests while the log is full.
        And no acceptance of its own becomes durable before the trace has the proposal that justifies it.
        """
        if not self._outbox.is_clear:
            return
        proposed: list[tuple[Entry, ...]] = []
        room_bytes = self._config.log_bytes_max - self._acceptor.bytes
        while self._waiting and len(self._flying) < self._config.window_batches_max:
            if room_bytes <= 0 and self._waiting[0][0] is not None:
                break
            entries = self._next_batch()
            room_bytes -= bytes_of(entries)
            proposed.append(entries)
            accept = Accept(self._outbox.next_id(), self.ballot, entries, committed)
            self._flying[entries[0][0]] = Proposal(accept, self._clock.now_ms)
            self._spoke_ms = self._clock.now_ms
            self._told = committed
            self._outbox.emit(
                Line("propose", ballot=self.ballot, entries=entries, send=(Sent(self._peers, accept),))
            )
        for entries in proposed:  # all messages first: what follows waits for this node's disk
            self._acceptor.accept(self.ballot, entries)

    def _next_batch(self) -> tuple[Entry, ...]:
        """The values at the head of the queue that fit one message, each in a slot of its own."""
        entries: list[Entry] = []
        waiting = self._waiting
        room = self._config.batch_bytes_max
        while waiting and len(entries) < self._config.batch_entries_max:
            ticket, value = waiting[0]
            room -= len(value)
            if room < 0 and entries:
                break
            waiting.popleft()
            if ticket is not None:
                self._tickets[self._next] = ticket
            entries.append((self._next, value))
            self._next += 1
        return tuple(entries)

    # Counting ----------------------------------------------------------------------------

    def count(self, accepted: Accepted, recv: Accepted | None) -> Proposal | None:
        """Count an acceptance of this ballot; the proposal that it makes chosen, if it does.

        `recv` is None where the node hears its own acceptance: it is durable by then, or it would not be
        heard.
        """
        proposal = self._flying.get(accepted.slots[0])
        if proposal is None:
            self._merely(recv, "chosen already")
            return None
        if accepted.slots != proposal.slots:
            self._merely(recv, "answers another batch")
            return None
        proposal.voters.add(accepted.sender)
        if len(proposal.voters) < self._config.phase2_size:
            self._merely(recv, "counted")
            return None
        del self._flying[accepted.slots[0]]
        return proposal

    def claim(self, entries: Iterable[Entry]) -> dict[Slot, int]:
        """The tickets of the requests among `entries`, which are applied: they are answered, and
        forgotten."""
        tickets = self._tickets
        return {slot: tickets.pop(slot) for slot, _ in entries if slot in tickets}

    def _merely(self, recv: Accepted | None, reason: str) -> None:
        if recv is not None:
            self._outbox.emit(Line("ignore", recv=recv, reason=reason))

    # Time --------------------------------------------------------------------------------

    def is_cut_off(self) -> bool:
        """Has its oldest proposal waited too long for a quorum?"""
        oldest = next(iter(self._flying.values()), None)
        return oldest is not None and self._clock.since(oldest.proposed_ms) >= self._config.quorum_ms

    def tick(self, committed: Index) -> None:
        """Ask again what has no answer; if there was nothing to say for long, say that it lives."""
        for proposal in self._flying.values():
            pause_ms = self._config.resend_ms << min(proposal.repeats, DOUBLINGS_MAX)
            if self._clock.since(proposal.sent_ms) >= pause_ms:
                self._propose_again(proposal)
        if self._spoke_ms is None or self._clock.since(self._spoke_ms) >= self._config.heartbeat_ms:
            self._beat(committed)
        self.reading.tick()

    def _propose_again(self, proposal: Proposal) -> None:
        proposal.sent_ms = self._clock.now_ms
        proposal.repeats += 1
        silent = tuple(name for name in self._peers if name not in proposal.voters)
        if silent:
            again = msgspec.structs.replace(proposal.accept, id=self._outbox.next_id())
            self._outbox.emit(Line("resend", send=(Sent(silent, again),)))

    def announce(self, committed: Index) -> None:
        """Tell what is committed, unless it was told."""
        if committed > self._told:
            self._beat(committed)

    def _beat(self, committed: Index) -> None:
        self._spoke_ms = self._clock.now_ms
        self._told = committed
        if self._peers:
            beat = Heartbeat(self._outbox.next_id(), self.ballot, committed)
            self._outbox.emit(Line("ignore", reason="idle", send=(Sent(self._peers, beat),)))

"""Checkpoints of one node: when one is due, what is forgotten once it is durable, and how a node that is too far behind
gets another's, piece by piece.

It does not know what a state machine holds or how a checkpoint is stored.  What is proved of this is
`spec.checkpoint.checkpoint`, `spec.checkpoint.truncate` and `spec.checkpoint.install`.

A checkpoint is of what was applied, so of what is chosen.  Once it is durable, promises report only what is above it
and say so (`low`).  The log is truncated one checkpoint later: until then, whoever lags by less than that is taught
from the log, and the checkpoint before the last is there to be fetched to its end.

A fetch is pulled: the receiver asks for one piece after the other, so a piece is all that is ever in memory or on its
way, and what is lost is asked for again.
"""

from collections.abc import Iterable

from .acceptor import Acceptor
from .clock import Clock
from .config import Config
from .effects import Checkpoint, Install, KeepPiece, Line, ReadPiece, Restore, Sent, Truncate
from .events import Abandoned, Checkpointed, Installed, PieceRead
from .learner import Learner
from .messages import Ask, Entry, Fetch, Index, Slot, Snapshot, bytes_of
from .outbox import Outbox

LOG_SHARE = 4
"""Many slots make no checkpoint due before the log is a fourth as large as the last one, which bounds the price."""

PATIENCE_RESENDS = 10
"""A sender that leaves so many questions unanswered is given up."""


class Incoming:
    """Another node's checkpoint on its way here."""

    def __init__(self, source: str, slot: Slot, size_bytes: int, now_ms: int) -> None:
        self.source = source
        self.slot = slot
        self.size_bytes = size_bytes
        self.got_bytes = 0
        self.last: Snapshot | None = None
        """The piece that completed it; from then on it is being installed."""
        self.asked_ms = now_ms
        self.unanswered = 0


class Checkpointer:
    """What a node does about checkpoints; at most one is being written or fetched at a time."""

    def __init__(
        self, config: Config, acceptor: Acceptor, learner: Learner, clock: Clock, outbox: Outbox
    ) -> None:
        self._config = config
        self._acceptor = acceptor
        self._learner = learner
        self._clock = clock
        self._outbox = outbox
        self._writing: Slot | None = None
        self._failed_ms: int | None = None
        """When the last one could not be written, or did not come whole, if so."""
        self._before: Index = acceptor.low
        """The checkpoint before the last: what it covers is truncated."""
        self._size_bytes = 0
        """Of the last checkpoint."""
        self._since_bytes = 0
        """Of what was applied since the last checkpoint."""
        self._incoming: Incoming | None = None

    def take(self, event: Checkpointed | Abandoned | PieceRead | Installed) -> tuple[Entry, ...]:
        """What the caller did; returns what is ripe to be applied."""
        if isinstance(event, PieceRead):
            self._send(event)
        elif isinstance(event, Checkpointed):
            self._checkpointed(event.slot, event.size_bytes)
        elif isinstance(event, Abandoned):
            self._abandoned(event.slot)
        else:
            return self._installed(event.slot)
        return ()

    # Taking one --------------------------------------------------------------------------

    def applied(self, entries: Iterable[Entry]) -> None:
        """Count what the state machine was just handed, and ask for a checkpoint if one is due."""
        self._since_bytes += bytes_of(entries)
        config = self._config
        is_long = self._learner.committed - self._acceptor.low >= config.checkpoint_entries
        is_worth_it = self._since_bytes * LOG_SHARE >= self._size_bytes
        if (is_long and is_worth_it) or self._since_bytes >= config.checkpoint_bytes or self._is_pressing():
            self._take_one()

    def _is_pressing(self) -> bool:
        """Is the log half full, and has none failed a moment ago?"""
        return 2 * self._acceptor.bytes >= self._config.log_bytes_max and not self._has_just_failed()

    def _has_just_failed(self) -> bool:
        """Was there no room for one a moment ago, or was one not whole? The next had better wait."""
        return self._failed_ms is not None and self._clock.since(self._failed_ms) < self._config.quorum_ms

    def _take_one(self) -> None:
        """Ask for a checkpoint of what is applied, unless one is under way or none is wanted."""
        slot = self._learner.committed
        is_busy = self._writing is not None or self._incoming is not None
        if is_busy or self._config.checkpoint_entries == 0 or slot <= self._acceptor.low:
            return
        self._writing = slot
        self._since_bytes = 0
        self._outbox.emit(Checkpoint(slot))

    def _checkpointed(self, slot: Slot, size_bytes: int) -> None:
        """The checkpoint is durable: from here on promises report what is above it, and the log is truncated below
        the one before."""
        self._writing = self._failed_ms = None
        self._size_bytes = size_bytes
        if slot <= self._acceptor.low:
            return
        before, self._before = self._before, slot
        self._acceptor.rest_on_checkpoint(slot)
        self._outbox.emit(Line("checkpoint", slot=slot))
        self._truncate(before)

    def _truncate(self, slot: Index) -> None:
        if slot:
            self._learner.forget(slot)
            self._acceptor.truncate(slot)
            self._outbox.emit(Line("truncate", slot=slot))
            self._outbox.emit(Truncate(slot))

    def _abandoned(self, slot: Slot) -> None:
        """The checkpoint at `slot` could not be written, or was not whole when it came; there will be another."""
        if self._writing == slot:
            self._writing = None
            self._failed_ms = self._clock.now_ms
        if self._incoming is not None and self._incoming.slot == slot:
            self._failed_ms = self._clock.now_ms
            self._drop("the checkpoint was not whole")

    # Giving one --------------------------------------------------------------------------

    def teach(self, ask: Ask) -> None:
        """Answer with what is asked for, or, where that is truncated, with the checkpoint's first piece."""
        if ask.first > self._learner.floor:
            self._learner.teach(ask)
            return
        self._outbox.emit(Line("ignore", recv=ask, reason="asked for what is truncated"))
        self._read(ask.sender, self._acceptor.low, 0)

    def on_fetch(self, fetch: Fetch) -> None:
        """Answer with the piece that is asked for."""
        self._outbox.emit(Line("ignore", recv=fetch, reason="asked for a piece of a checkpoint"))
        self._read(fetch.sender, fetch.slot, fetch.offset)

    def _read(self, to: str, slot: Index, offset: int) -> None:
        if self._acceptor.low:
            self._outbox.emit(ReadPiece(to, slot, offset))

    def _send(self, piece: PieceRead) -> None:
        """A piece was read: send it."""
        if piece.slot <= self._acceptor.low:
            answer = Snapshot(self._outbox.next_id(), piece.slot, piece.size_bytes, piece.offset, piece.data)
            self._outbox.emit(
                Line("ignore", reason="a piece of a checkpoint", send=(Sent((piece.to,), answer),))
            )

    # Getting one -------------------------------------------------------------------------

    def on_snapshot(self, piece: Snapshot) -> None:
        """Keep the next piece, and ask for the one after it; when it is whole, have it installed."""
        incoming = self._begin(piece)
        if incoming is None or incoming.last is not None or piece.offset != incoming.got_bytes:
            self._outbox.emit(Line("ignore", recv=piece, reason="a piece that is not wanted"))
            return
        self._outbox.emit(KeepPiece(piece.slot, piece.size_bytes, piece.offset, piece.data))
        incoming.got_bytes += len(piece.data)
        incoming.unanswered = 0
        if incoming.got_bytes >= incoming.size_bytes:
            incoming.last = piece  # it is said again when all of it is durable
            self._outbox.emit(Line("ignore", recv=piece, reason="the last piece of a checkpoint"))
            self._outbox.emit(Install(incoming.slot))
            return
        self._ask(incoming, piece)

    def _begin(self, piece: Snapshot) -> Incoming | None:
        """The fetch that a piece belongs to: a new one with a first piece, if none is under way and it is of use."""
        incoming = self._incoming
        if incoming is not None and (incoming.source, incoming.slot) == (piece.sender, piece.slot):
            return incoming
        is_stale = incoming is None or (incoming.source == piece.sender and incoming.last is None)
        is_busy = self._writing is not None or self._has_just_failed()
        if piece.offset or not is_stale or is_busy or piece.slot <= self._learner.committed:
            return None
        self._incoming = Incoming(piece.sender, piece.slot, piece.size_bytes, self._clock.now_ms)
        return self._incoming

    def _installed(self, slot: Slot) -> tuple[Entry, ...]:
        """The checkpoint is durable as this node's own: the state machine goes on from it.  Returns what is ripe."""
        incoming, self._incoming = self._incoming, None
        assert incoming is not None, "only what was fetched is installed"
        assert incoming.slot == slot, "one at a time"
        self._size_bytes = incoming.size_bytes
        self._outbox.emit(Line("snapshot", recv=incoming.last, slot=slot))
        if slot > self._learner.committed:
            self._since_bytes = 0
            self._learner.jump(slot)
            self._outbox.emit(Restore(slot))
        self._before = slot
        self._acceptor.rest_on_checkpoint(slot)
        self._truncate(slot)
        return self._learner.resume(self._acceptor.log)

    def tick(self) -> None:
        """Ask again for the piece that did not come, give up a sender that stays silent, and see to a full log."""
        if self._is_pressing():
            self._take_one()
        incoming = self._incoming
        if incoming is None or incoming.last is not None:
            return
        if self._clock.since(incoming.asked_ms) >= self._config.resend_ms:
            incoming.unanswered += 1
            if incoming.unanswered > PATIENCE_RESENDS:
                self._drop("the sender is silent")
            else:
                self._ask(incoming, None)

    def _ask(self, incoming: Incoming, recv: Snapshot | None) -> None:
        incoming.asked_ms = self._clock.now_ms
        fetch = Fetch(self._outbox.next_id(), incoming.slot, incoming.got_bytes)
        reason = "a piece of a checkpoint" if recv is not None else "a piece is missing"
        self._outbox.emit(Line("ignore", recv=recv, reason=reason, send=(Sent((incoming.source,), fetch),)))

    def _drop(self, reason: str) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is not None and incoming.last is not None:
            self._outbox.emit(Line("ignore", recv=incoming.last, reason=reason))

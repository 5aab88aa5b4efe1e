"""The acceptor: the node's word. What it promised and accepted it never takes back, not even by crashing.

It does not know who leads, what is chosen, or which of the ballots is its own node's.
"""

from .effects import Line, Sent
from .errors import PeerError
from .messages import (
    Accept,
    Acceptance,
    Accepted,
    Ballot,
    Confirm,
    Confirmed,
    Entry,
    Heartbeat,
    Index,
    Nack,
    Prepare,
    Promise,
    Slot,
    Value,
    bytes_of,
)
from .outbox import Outbox
from .records import AcceptRecord, PromiseRecord, Recovered


class Acceptor:
    """One acceptor's durable state, and the two ways in which it changes."""

    def __init__(self, recovered: Recovered, outbox: Outbox) -> None:
        self._outbox = outbox
        self.promised: Ballot | None = recovered.promised
        """The highest ballot that it promised or accepted in: it has left all smaller ones."""
        self.log: dict[Slot, tuple[Ballot, Value]] = {s: (b, v) for s, b, v in recovered.accepted}
        """Its latest acceptance in each slot."""
        self.bytes = bytes_of(self.log.values())
        """Of the values in it: what a promise carries."""
        self.low: Index = recovered.low
        self.high: Index = max(self.log, default=self.low)
        """The highest slot in which it accepted."""
        self._given: Promise | None = None
        """The last promise of this boot, which a repeated prepare is answered with."""

    def left(self, ballot: Ballot) -> bool:
        """Does it promise nothing and accept nothing in `ballot` any more?"""
        return self.promised is not None and ballot < self.promised

    def promise(self, ballot: Ballot, commit: Index, recv: Prepare | None = None) -> bool:
        """Phase 1b: join `ballot` and report the log above `commit`, up to which the candidate knows what is chosen and
        proposes nothing; True if it did. Proved safe: `spec.multipaxos.promise`.

        Without `recv` the node promises itself.
        """
        if recv is not None and self.left(ballot):
            self.refuse(recv, "promised a higher ballot")
            return False
        if recv is not None and ballot == self.promised:
            self._promise_again(recv)
            return False
        assert not self.left(ballot), "who has left its own ballot is no candidate any more"
        self.promised = ballot
        self._given = Promise(self._outbox.next_id(), ballot, self._report(commit), self.low, commit)
        answer = Sent((ballot.node,), self._given)
        self._outbox.emit(
            Line("promise", recv=recv, ballot=ballot, send=(answer,)), after=PromiseRecord(ballot)
        )
        return True

    def accept(self, ballot: Ballot, entries: tuple[Entry, ...], recv: Accept | None = None) -> bool:
        """Phase 2b: accept `entries` in `ballot`, leaving smaller ones; True if it did. Proved safe:
        `spec.multipaxos.accept`. Accepting again what it accepted in this ballot writes nothing anew.

        Where the checkpoint covers a slot, nothing is kept of it: what is chosen there is in the checkpoint, and no
        promise speaks of it. Without `recv` the node accepts its own. Raises `PeerError` when `ballot` proposed
        otherwise before.
        """
        if recv is not None and self.left(ballot):
            self.refuse(recv, "promised a higher ballot")
            return False
        assert not self.left(ballot), "who has left its own ballot does not lead any more"
        fresh = self._fresh(ballot, entries)
        is_news = bool(fresh) or ballot != self.promised
        self.promised = ballot
        for slot, value in fresh:
            held = self.log.get(slot)
            self.bytes += len(value) - (0 if held is None else len(held[1]))
            self.log[slot] = (ballot, value)
        self.high = max(self.high, entries[-1][0])
        answer = Accepted(self._outbox.next_id(), ballot, tuple([slot for slot, _ in entries]))
        self._outbox.emit(
            Line("accept", recv=recv, ballot=ballot, entries=entries, send=(Sent((ballot.node,), answer),)),
            after=AcceptRecord(ballot, fresh) if is_news else None,
        )
        return True

    def refuse(self, message: Prepare | Accept | Heartbeat | Confirm, reason: str) -> None:
        """Tell the sender that its ballot is left, and for which one."""
        assert self.promised is not None, "only a promise makes an acceptor leave a ballot"
        answer = Nack(self._outbox.next_id(), message.ballot, self.promised)
        self._outbox.emit(Line("nack", recv=message, reason=reason, send=(Sent((message.sender,), answer),)))

    def rest_on_checkpoint(self, slot: Slot) -> None:
        """The checkpoint at `slot` is durable: what was accepted up to there is reported no more."""
        assert slot >= self.low, "a checkpoint never goes back"
        self.low = slot
        self.log = {s: held for s, held in self.log.items() if s > slot}
        self.bytes = bytes_of(self.log.values())
        self.high = max(self.high, slot)

    def truncate(self, slot: Slot) -> None:
        """The log is truncated up to `slot`: a promise that reported any of it is not given again, for nobody remembers
        what it says."""
        if self._given is not None and self._given.accepted and self._given.accepted[0][0] <= slot:
            self._given = None

    def confirm(self, recv: Confirm) -> bool:
        """Say that it has not left the ballot, if it has not; True if so."""
        if self.left(recv.ballot):
            self.refuse(recv, "promised a higher ballot")
            return False
        answer = Confirmed(self._outbox.next_id(), recv.ballot, recv.round)
        self._outbox.emit(Line("ignore", recv=recv, reason="confirmed", send=(Sent((recv.sender,), answer),)))
        return True

    def _promise_again(self, prepare: Prepare) -> None:
        """A repeated prepare gets the promise that it got: a report of today would not be the one promised.

        A promise of an earlier boot is gone with it; the candidate will try a higher ballot.
        """
        given = self._given
        if given is None or given.ballot != prepare.ballot:
            self._outbox.emit(Line("ignore", recv=prepare, reason="joined this ballot before"))
            return
        again = Promise(self._outbox.next_id(), given.ballot, given.accepted, given.low, given.above)
        self._outbox.emit(Line("resend", recv=prepare, send=(Sent((prepare.sender,), again),)))

    def _report(self, above: Index) -> tuple[Acceptance, ...]:
        return tuple([(slot, *self.log[slot]) for slot in sorted(self.log) if slot > above])

    def _fresh(self, ballot: Ballot, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """Those of `entries`, above the checkpoint, that are not in the log as they stand."""
        log = self.log
        if entries[0][0] <= self.low:
            entries = tuple([(slot, value) for slot, value in entries if slot > self.low])
        known = False
        for slot, value in entries:
            held = log.get(slot)
            if held is not None and held[0] == ballot:
                if held[1] != value:
                    raise PeerError(f"ballot {ballot} proposed two values in slot {slot}")
                known = True
        if not known:
            return entries
        return tuple([(slot, value) for slot, value in entries if log.get(slot) != (ballot, value)])

"""The learner: which slots are chosen, as far as this node knows, and what is ripe to be applied.

It does not count acceptances: its node's own leader, or a message, tells it what is chosen, and it never
forgets.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from .clock import Clock
from .config import Config
from .effects import Line, Sent
from .errors import BrokenAgreement
from .messages import Accept, Ask, Ballot, Entry, Heartbeat, Index, Learn, Slot, Value
from .outbox import Outbox

Log: TypeAlias = Mapping[Slot, tuple[Ballot, Value]]
"""An acceptor's latest acceptance in each slot."""


class Claim(NamedTuple):
    """What a promise says with its checkpoint: every slot up to `commit` is chosen, and its sender knows what."""

    sender: str
    ballot: Ballot
    commit: Index


class Learner:
    """What one node knows to be chosen. Nothing of it is durable: a restarted node learns it again."""

    def __init__(self, config: Config, low: Index, clock: Clock, outbox: Outbox) -> None:
        self._config = config
        self._clock = clock
        self._outbox = outbox
        self.floor: Index = low
        """What is chosen up to here is in the checkpoint, and otherwise forgotten."""
        self._values: list[Value] = []
        """What is chosen in the slots from `floor` + 1 to `committed`."""
        self._ahead: dict[Slot, Value] = {}
        """What this node, leading, counted as chosen above a slot that is still open."""
        self.committed: Index = low
        """Every slot up to this one is known to be chosen, and applied."""
        self._claim: Accept | Heartbeat | Claim | None = None
        """The latest message to say that more is chosen than this node knows."""
        self._asked_ms: int | None = None

    def commit(self, line: Line, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """Take `entries` as chosen, emit `line`, which says so; return those now ripe: the next, without
        gaps.

        Raises `BrokenAgreement` when something else is known to be chosen in one of the slots.
        """
        for slot, value in entries:
            if not self._agrees(slot, value):
                self._ahead[slot] = value
        self._outbox.emit(line)
        ripe = self._ripen()
        if ripe:
            self._outbox.emit(Line("apply", entries=ripe))
        return ripe

    def follow(
        self, log: Log, claim: Accept | Heartbeat | Claim, recv: Heartbeat | None
    ) -> tuple[Entry, ...]:
        """Learn what a leader's commit index allows, ask for what is missing; return what is ripe.

        `recv` is the claim if no line has consumed it yet. An acceptance tells what is chosen only if it was
        made *in the claim's ballot*: a ballot proposes one value a slot, and its leader says `commit` of
        slots in which it counted a quorum itself, or proposed nothing because it knew them before it led.
        What `log` holds of another ballot may never have been chosen.
        """
        entries = self._chosen_here(log, claim.ballot, claim.commit)
        reached = self.committed + len(entries)
        self._claim = claim if reached < claim.commit else None
        send = self._ask(reached)
        if entries:
            return self.commit(Line("commit", recv=recv, entries=entries, learned=True, send=send), entries)
        if recv is not None or send:
            self._outbox.emit(
                Line("ignore", recv=recv, reason="behind" if self._claim else "nothing new", send=send)
            )
        return ()

    def learn(self, log: Log, message: Learn) -> tuple[Entry, ...]:
        """Take the entries that come next, then go on with the claim that made this node ask; return what is
        ripe.

        Only what comes next: knowing a slot above an open one would raise the commit index, once this node
        leads, over a slot in which its own ballot may have proposed otherwise.
        """
        entries = self._next_of(message.entries)
        if not entries:
            self._outbox.emit(Line("ignore", recv=message, reason="nothing new"))
            return ()
        ripe = self.commit(Line("commit", recv=message, entries=entries, learned=True), entries)
        return ripe + self.resume(log)

    def resume(self, log: Log) -> tuple[Entry, ...]:
        """Go on with the claim that made this node ask, if there is one; return what is ripe."""
        if self._claim is None:
            return ()
        self._asked_ms = None
        return self.follow(log, self._claim, None)

    def forget(self, upto: Index) -> None:
        """Let go of what is chosen up to here; a checkpoint has it."""
        if upto > self.floor:
            del self._values[: upto - self.floor]
            self.floor = upto

    def jump(self, slot: Slot) -> None:
        """Everything up to `slot` is chosen, and applied: a checkpoint has it."""
        assert slot > self.committed, "a checkpoint that is behind is not jumped to"
        self.floor = self.committed = slot
        self._values = []
        self._ahead = {s: v for s, v in self._ahead.items() if s > slot}

    def teach(self, ask: Ask) -> None:
        """Answer with as much of what is asked for as this node knows and one message holds."""
        entries = self._batch(ask.first, min(ask.last, self.committed))
        if not entries:
            self._outbox.emit(Line("ignore", recv=ask, reason="asked for what is not known here"))
            return
        answer = Learn(self._outbox.next_id(), entries)
        self._outbox.emit(Line("ignore", recv=ask, reason="asked", send=(Sent((ask.sender,), answer),)))

    # What is known -----------------------------------------------------------------------

    def _agrees(self, slot: Slot, value: Value) -> bool:
        """Is `value` known to be chosen in `slot`? False if nothing is; of what is forgotten, True."""
        if slot <= self.floor:
            return True
        known = self._value(slot)
        if known is not None and known != value:
            raise BrokenAgreement(
                f"slot {slot}: both {known!r} and {value!r} are chosen; stop this node, keep its data"
            )
        return known is not None

    def _value(self, slot: Slot) -> Value | None:
        if slot > self.committed:
            return self._ahead.get(slot)
        return self._values[slot - self.floor - 1] if slot > self.floor else None

    def _ripen(self) -> tuple[Entry, ...]:
        ripe: list[Entry] = []
        slot = self.committed + 1
        while (value := self._ahead.pop(slot, None)) is not None:
            ripe.append((slot, value))
            self._values.append(value)
            slot += 1
        self.committed = slot - 1
        return tuple(ripe)

    def _chosen_here(self, log: Log, ballot: Ballot, commit: Index) -> tuple[Entry, ...]:
        """The next slots up to `commit`, as far as they were accepted here in `ballot`."""
        entries: list[Entry] = []
        for slot in range(self.committed + 1, commit + 1):
            held = log.get(slot)
            if held is None or held[0] != ballot:
                break
            entries.append((slot, held[1]))
        return tuple(entries)

    def _next_of(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        following: list[Entry] = []
        for slot, value in entries:
            if slot == self.committed + 1 + len(following):
                following.append((slot, value))
            else:
                self._agrees(slot, value)
        return tuple(following)

    # What is missing ---------------------------------------------------------------------

    def _ask(self, reached: Index) -> tuple[Sent, ...]:
        """The question for the slots from `reached` up to the claim, unless it was put a moment ago."""
        if self._claim is None:
            self._asked_ms = None
            return ()
        if self._asked_ms is not None and self._clock.since(self._asked_ms) < self._config.resend_ms:
            return ()
        self._asked_ms = self._clock.now_ms
        ask = Ask(self._outbox.next_id(), reached + 1, self._claim.commit)
        return (Sent((self._claim.sender,), ask),)

    def _batch(self, first: Slot, last: Index) -> tuple[Entry, ...]:
        entries: list[Entry] = []
        room = self._config.batch_bytes_max
        for slot in range(
            max(first, self.floor + 1), min(last, first + self._config.batch_entries_max - 1) + 1
        ):
            value = self._values[slot - self.floor - 1]
            room -= len(value)
            if room < 0 and entries:
                break
            entries.append((slot, value))
        return tuple(entries)

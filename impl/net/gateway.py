"""A node as its clients' gateway: gathers their commands into batches, sees each batch into the log, answers in order.

It does not know sockets, nor how the log comes about: the driver asks it for what is due and hands it to whoever leads.

Writes. Whatever waits makes the next batch, so batches grow with the load and no timer delays anybody. A batch that has
left is kept until this node itself applies it: only then are its clients answered, from this node's own state machine.
If the leader is lost meanwhile the batches are handed to the next one, in order, under their old numbers, and the state
machine applies each once (`impl.kv.machine`). So what a client was told happened once, whoever led.

Reads. All that wait make one round: the leader confirms that it leads and names an index; when this node has applied so
much it answers from its own state machine. A read that is asked again is only a later read.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

from ..core.messages import Index, Value
from ..kv.commands import Command
from ..kv.machine import Applied, Batch, KeyValue, encode
from ..kv.replies import Failure, Reply

BATCH_COMMANDS_MAX: Final = 1024
BATCH_BYTES_MAX: Final = 1 << 20
"""Of one batch; a larger single command travels alone."""

COMMANDS_MAX: Final = 1 << 16
BYTES_MAX: Final = 64 << 20
"""What a gateway holds at most; whoever comes then has to wait, or is told to."""

ROUNDS_MAX: Final = 2
"""Rounds of reads under way; what comes later makes one larger round."""

OVERHEAD_BYTES: Final = 128
PART_BYTES: Final = 48
"""What a command costs beside its own bytes, and each of its parts, roughly."""

NO_LEADER: Final = Failure("NOLEADER no leader took it in time; nothing was done, try again")
UNCERTAIN: Final = Failure(
    "UNCERTAIN no quorum answered in time; the command may have been applied, or may yet be"
)


NO_ROOM: Final = Failure("BUSY the leader takes no more for now; nothing was done, try again in a while")

RESULT_LOST: Final = Failure(
    "UNCERTAIN this node was behind and took over another's state; the command was applied, its result is lost"
)


def weight(command: Command) -> int:
    """How many bytes a command takes here, roughly."""
    return OVERHEAD_BYTES + PART_BYTES * len(command) + sum(map(len, command))


class Asker(Protocol):
    """Whoever is to be answered; it may have gone meanwhile. Answers come in the order of its questions."""

    def answer(self, reply: Reply) -> None:
        """Keep a reply for the next `flush`."""
        ...

    def flush(self) -> None:
        """Send what was kept."""
        ...


class Flight:
    """A batch that is not applied yet."""

    __slots__ = ("askers", "begun_ms", "bytes", "commands", "number", "sent_ms", "value")

    def __init__(self, number: int, value: Value, askers: list[Asker], size: int, now_ms: int) -> None:
        self.number = number
        self.value = value
        self.askers = askers
        self.bytes = size
        self.commands = len(askers)
        self.begun_ms = now_ms
        self.sent_ms: int | None = None
        """None while no leader has it."""


class Round:
    """Reads that wait for one index."""

    __slots__ = ("asked_ms", "begun_ms", "index", "number", "reads")

    def __init__(self, number: int, reads: list[tuple[Asker, Command]], now_ms: int) -> None:
        self.number = number
        self.reads = reads
        self.index: Index | None = None
        self.begun_ms = now_ms
        self.asked_ms: int | None = None


class Gateway:
    """The commands of one node's clients that are not answered yet."""

    def __init__(
        self, name: str, machine: KeyValue, *, patience_ms: int, resend_ms: int, rounds_from: int = 0
    ) -> None:
        """`rounds_from` is greater than the number of every round of an earlier boot: an answer that was meant for that
        one, and comes late, is then nobody's."""
        self.name: Final = name
        """No other gateway has it, in no boot."""
        self.commands = 0
        """Writes taken so far."""
        self.queries = 0
        """Reads taken so far."""
        self.is_held_up = False
        """Does this node lead, and take no more for now?"""
        self.is_blocked = False
        """Is nothing new taken, for the disk is full?"""
        self.batches = 0
        """The number of the last batch."""
        self._machine = machine
        self._patience_ms = patience_ms
        self._resend_ms = resend_ms
        self._askers: list[Asker] = []
        self._waiting: list[list[bytes]] = []
        self._waiting_bytes = 0
        self._waiting_since_ms = 0
        self._flights: deque[Flight] = deque()
        self._progress_ms = 0
        """When one of them was last known to be applied."""
        self._held = 0
        self._held_bytes = 0
        self._reads: list[tuple[Asker, Command]] = []
        self._rounds: deque[Round] = deque()
        self._round = rounds_from
        self._answered: set[Asker] = set()
        self._now_ms = 0

    # What clients want -------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Must whoever comes now wait?"""
        return self.is_blocked or self._held >= COMMANDS_MAX or self._held_bytes >= BYTES_MAX

    @property
    def is_idle(self) -> bool:
        """Is everybody answered?"""
        return not (self._waiting or self._flights or self._reads or self._rounds)

    @property
    def held(self) -> int:
        """Commands that are not answered yet."""
        return self._held + len(self._reads) + sum(len(one.reads) for one in self._rounds)

    def write(self, asker: Asker, command: list[bytes]) -> None:
        """Take a command that goes through the log."""
        if not self._waiting:
            self._waiting_since_ms = self._now_ms
        size = weight(command)
        self._askers.append(asker)
        self._waiting.append(command)
        self._waiting_bytes += size
        self._held += 1
        self._held_bytes += size
        self.commands += 1

    def read(self, asker: Asker, command: Command) -> None:
        """Take a command that changes nothing; it sees all that was answered before, by whatever node."""
        self._reads.append((asker, command))
        self.queries += 1

    # What is due -------------------------------------------------------------------------

    def batches_due(self, window: int, room: int) -> list[Value]:
        """What the leader is to get now, `room` batches at most: those that no leader has, and new ones while fewer
        than `window` are under way. All in order, for one that comes before its predecessor is not applied."""
        due: list[Value] = []
        for flight in self._flights:
            if flight.sent_ms is None:
                if len(due) >= room:
                    return due
                flight.sent_ms = self._now_ms
                due.append(flight.value)
        while self._waiting and len(self._flights) < window and len(due) < room:
            flight = self._next_flight()
            flight.sent_ms = self._now_ms
            self._flights.append(flight)
            due.append(flight.value)
        return due

    def rounds_due(self) -> list[int]:
        """The rounds that the leader is to be asked for now, by number."""
        self._gather_reads()
        due = [one for one in self._rounds if one.asked_ms is None and one.index is None]
        for one in due:
            one.asked_ms = self._now_ms
        return [one.number for one in due]

    def _gather_reads(self) -> None:
        """Make what waits a round, if there is room for one."""
        if self._reads and len(self._rounds) < ROUNDS_MAX:
            self._round += 1
            self._rounds.append(Round(self._round, self._reads, self._now_ms))
            self._reads = []

    def _next_flight(self) -> Flight:
        """What waits, or as much of it as one batch holds."""
        count = len(self._waiting)
        size = self._waiting_bytes
        if count > BATCH_COMMANDS_MAX or size > BATCH_BYTES_MAX:
            count, size = self._fitting()
        commands, self._waiting = self._waiting[:count], self._waiting[count:]
        askers, self._askers = self._askers[:count], self._askers[count:]
        self._waiting_bytes -= size
        self._waiting_since_ms = self._now_ms
        self.batches += 1
        value = encode(Batch(self.name, self.batches, commands))
        return Flight(self.batches, value, askers, size, self._now_ms)

    def _fitting(self) -> tuple[int, int]:
        """How many commands of those that wait fit one batch, at least one, and their bytes."""
        total = 0
        for count, command in enumerate(self._waiting[:BATCH_COMMANDS_MAX]):
            size = weight(command)
            if count and total + size > BATCH_BYTES_MAX:
                return count, total
            total += size
        return min(len(self._waiting), BATCH_COMMANDS_MAX), total

    # What became of it -------------------------------------------------------------------

    def applied(self, batch: Applied) -> None:
        """This node applied a batch: if it is one of its own, its clients are answered."""
        if batch.gateway != self.name:
            return
        flight = self._flights.popleft()
        assert flight.number == batch.number, "batches are applied in order"
        self._progress_ms = self._now_ms
        self._held -= flight.commands
        self._held_bytes -= flight.bytes
        for asker, reply in zip(flight.askers, batch.replies, strict=False):
            asker.answer(reply)
        self._answered.update(flight.askers)

    def skipped(self) -> None:
        """This node took over another's state, and with it batches of its own whose results it has not seen."""
        done = self._machine.gateways.get(self.name, 0)
        while self._flights and self._flights[0].number <= done:
            flight = self._flights.popleft()
            self._progress_ms = self._now_ms
            self._held -= flight.commands
            self._held_bytes -= flight.bytes
            self._fail(flight.askers, RESULT_LOST)
        self.flush()

    def readable(self, number: int, index: Index) -> None:
        """Round `number` may be answered when so much is applied."""
        for one in self._rounds:
            if one.number == number and one.index is None:
                one.index = index

    def answer_reads(self) -> None:
        """Answer the rounds that may be answered by now."""
        while self._rounds:
            first = self._rounds[0]
            if first.index is None or first.index > self._machine.applied:
                return
            self._rounds.popleft()
            for asker, command in first.reads:
                asker.answer(self._machine.read(command))
                self._answered.add(asker)

    def flush(self) -> None:
        """Let the answers go."""
        if self._answered:
            answered, self._answered = self._answered, set()
            for asker in answered:
                asker.flush()

    # When something is amiss -------------------------------------------------------------

    def leader_changed(self) -> None:
        """Whoever leads now has nothing of what is under way."""
        self._hand_over_again()
        self._ask_again()

    def _hand_over_again(self) -> None:
        for flight in self._flights:
            flight.sent_ms = None

    def _ask_again(self) -> None:
        for one in self._rounds:
            one.asked_ms = None

    def tick(self, now_ms: int) -> None:
        """Hand over again what has no answer for long; tell who has waited too long."""
        self._now_ms = now_ms
        if self._is_stuck:
            self._hand_over_again()
        if any(one.index is None and self._is_long_ago(one.asked_ms) for one in self._rounds):
            self._ask_again()
        for flight in self._flights:
            if flight.askers and now_ms - flight.begun_ms >= self._patience_ms:
                self._fail(flight.askers, UNCERTAIN)
                flight.askers = []
        self._gather_reads()
        while self._rounds and now_ms - self._rounds[0].begun_ms >= self._patience_ms:
            self._fail([asker for asker, _ in self._rounds.popleft().reads], NO_LEADER)
        if self._waiting and now_ms - self._waiting_since_ms >= self._patience_ms:
            self._give_up_waiting()
        self.flush()

    @property
    def _is_stuck(self) -> bool:
        """Has the leader had batches for long, and has none been applied for as long? They may be many: as long as one
        after the other is applied, none is late."""
        return (
            bool(self._flights)
            and self._is_long_ago(self._flights[0].sent_ms)
            and self._is_long_ago(self._progress_ms)
        )

    def _is_long_ago(self, then_ms: int | None) -> bool:
        return then_ms is not None and self._now_ms - then_ms >= self._resend_ms

    def _give_up_waiting(self) -> None:
        """No leader was ever given these: they can be forgotten."""
        self._fail(self._askers, NO_ROOM if self.is_held_up else NO_LEADER)
        self._held -= len(self._waiting)
        self._held_bytes -= self._waiting_bytes
        self._askers, self._waiting, self._waiting_bytes = [], [], 0

    def _fail(self, askers: list[Asker], failure: Failure) -> None:
        for asker in askers:
            asker.answer(failure)
        self._answered.update(askers)

"""Carries out what a replica wants: the one place where the replica, the disk, the trace and the network meet.

It does not know Multi-Paxos (`impl.core.replica`, whose numbered duties it fulfils), nor sockets: messages leave
through what it is given, answers through the gateway. One round of it, a *turn*:

1. step the replica for everything that waits, then for what the gateway's clients want: all of it in one batch, and
   only when the leader could propose it at once, so the disk sets the pace and what waits for it makes one batch the
   larger;
2. write what the trace must have of it, then let messages and answers go;
3. hand the records of all these steps to the disk as one batch (`commits`), beside what the peers now do.

What a promise or an acceptance justifies is not among the effects before its batch is acknowledged (`Persisted`), so
nothing has to be held back here. A failure of the disk ends the driver for good: nothing of that turn leaves, and
nothing comes after. A disk that is full is waited for.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeAlias

from ..core.effects import Apply, Checkpoint, Effect, Install, Line, Persist, Readable, Refuse, Restore
from ..core.errors import PeerError
from ..core.events import (
    Announce,
    Asked,
    Event,
    Persisted,
    Received,
    Start,
    Stop,
    Submitted,
    Tick,
    Transfer,
)
from ..core.messages import AnyMessage, Ballot, Value
from ..core.replica import Replica
from ..kv.machine import KeyValue
from ..storage import DurableLog
from .checkpoints import Checkpoints
from .commits import Commits
from .framing import PEER_BYTES_MAX, encode_frame
from .gateway import Gateway
from .surroundings import Surroundings
from .wire import AskIndex, Errand, Forward, TellIndex, encode

log = logging.getLogger("quorate.node")

WINDOW_LEADING: Final = 64
"""Batches that a gateway has under way while its own node leads: the disk sets the pace."""

WINDOW_FOLLOWING: Final = 4
"""The same while another node leads: its answers set the pace."""

RESEND_MS: Final = 1000
"""What a leader was handed is handed over again when none of it has been committed for so long."""

HANDED_MAX: Final = 1024
"""More batches of other gateways than can wait here for room, each once: none has over `WINDOW_LEADING` under way."""

ROUNDS_A_BOOT: Final = 1 << 32
"""More than any boot comes to."""

Leader: TypeAlias = tuple[str | None, Ballot | None]


class Trace(Protocol):
    """What lines are written to; `Tracer` is one."""

    def write(self, line: Line) -> None: ...

    def flush(self, *, all_lines: bool = False) -> None: ...


class Source(Protocol):
    """Where a message came from, to be closed if no correct peer can have sent it."""

    def close(self, reason: str) -> None: ...


class Driver:
    """A replica at work. `start` it, feed it with `receive` and through `gateway`, `stop` it; `ended` tells how it
    went."""

    def __init__(
        self,
        replica: Replica,
        durable: DurableLog,
        trace: Trace | None,
        machine: KeyValue,
        carry: Callable[[str, Sequence[bytes]], None],
        *,
        patience_ms: int = 5000,
        surroundings: Surroundings | None = None,
    ) -> None:
        around = surroundings or Surroundings.real()
        self.replica: Final = replica
        self.machine: Final = machine
        self.ended: Final[asyncio.Future[None]] = around.loop.create_future()
        """Done after an orderly stop; or with the error that ended it."""
        config = replica.config
        self.gateway: Final = Gateway(
            f"{config.node}.{config.boot}",
            machine,
            patience_ms=patience_ms,
            resend_ms=RESEND_MS,
            rounds_from=config.boot * ROUNDS_A_BOOT,
        )
        """What clients want of this node. Say `call_turn` after giving it something."""
        self.ballots_opened = 0
        """How often this boot ran phase 1."""
        self.elections_won = 0
        self._loop = around.loop
        self._draw = around.draw
        self._node = config.node
        self._trace = trace
        self._carry = carry
        self._tick_s = max(1, config.heartbeat_ms // 2) / 1000
        self._turn_is_due = False
        self._ticked = False
        """Has a tick come since the last turn?"""
        self._waiting: list[tuple[Event, Source | None]] = []
        self._tickets = 0
        self._rounds: dict[int, tuple[str, int]] = {}
        """By ticket: whose round of reads the leader is asked for, and its number there."""
        self._leader: Leader = (None, None)
        self._outgoing: dict[str, list[bytes]] = {}
        self._handed: deque[Value] = deque()
        """Batches of other gateways that this node, leading, has no room for yet. One that was turned away would leave
        a gap, and nothing behind it in the same gateway would be applied."""
        self._others_go_first = True
        self._others_wait = False
        """Did this node, leading, apply batches of other gateways that have not been told so?"""
        self._said_stop = False
        self._commits = Commits(
            durable,
            self.gateway,
            self._post,
            self.fail,
            self.ended.done,
            around.loop,
            around.worker("disk"),
        )
        self._checkpoints = Checkpoints(durable, machine, self._post, self.fail, around.worker("checkpoint"))

    def start(self) -> None:
        """Begin the boot."""
        self.gateway.tick(self._now_ms())
        self._post(Start(self._now_ms(), self._draw()))
        self._loop.call_later(self._tick_s, self._tick)

    def receive(self, message: AnyMessage, source: Source) -> None:
        """Take a message from a peer."""
        self._post(Received(message), source)

    def run_errand(self, errand: Errand, peer: str) -> None:
        """Do what a peer wants for its clients."""
        if isinstance(errand, Forward):
            for value in errand.values:
                if value not in self._handed and len(self._handed) < HANDED_MAX:
                    self._handed.append(value)
            self.call_turn()
        elif isinstance(errand, AskIndex):
            self._post(self._asked(peer, errand.number))
        else:
            self.gateway.readable(errand.number, errand.index)
            self.call_turn()

    def transfer(self, to: str) -> None:
        """Have another node lead, if this one does."""
        self._post(Transfer(to))

    def stop(self) -> None:
        """End in order: what was begun is finished, the trace ends with `stop`, and `ended` is done."""
        self._post(Stop())

    def fail(self, error: Exception) -> None:
        """End at once because of `error`; nothing leaves any more."""
        if not self.ended.done():
            self.ended.set_exception(error)

    def close(self) -> None:
        """Wait for the disk and let go of its thread; blocks. The log and the trace remain the caller's."""
        if not self.ended.done():
            self.ended.cancel()
        self._commits.close()
        self._checkpoints.close()

    def call_turn(self) -> None:
        """Have a turn soon: whatever else has already arrived will be part of it."""
        if not self._turn_is_due:
            self._turn_is_due = True
            self._loop.call_soon(self._turn)

    def _post(self, event: Event, source: Source | None = None) -> None:
        self._waiting.append((event, source))
        self.call_turn()

    def _tick(self) -> None:
        if not self.ended.done():
            now_ms = self._now_ms()
            self._ticked = True
            self._post(Tick(now_ms, self._draw()))
            self._loop.call_later(self._tick_s, self._tick)

    def _now_ms(self) -> int:
        return int(self._loop.time() * 1000)

    # A turn ------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._turn_is_due = False
        if self.ended.done():
            return
        try:
            if self._ticked:
                self.gateway.tick(self._now_ms())
            waiting, self._waiting = self._waiting, []
            for event, source in waiting:
                self._step(event, source)
            if not self._said_stop:
                self._serve()
            self._release()
            self._commits.begin()
        except Exception as error:
            self.fail(error)

    def _step(self, event: Event, source: Source | None = None) -> None:
        if self._said_stop and not isinstance(event, Persisted):
            return
        self._said_stop = self._said_stop or isinstance(event, Stop)
        try:
            effects = self.replica.step(event)
        except PeerError as error:
            if source is not None:
                source.close(str(error))
            return
        self._carry_out(effects)

    def _serve(self) -> None:
        """Give the leader, this node or another, what the gateway's clients want."""
        status = self.replica.status()
        if (status.leader, status.promised) != self._leader:
            self._leader = (status.leader, status.promised)
            self.gateway.leader_changed()
        if status.role == "leader":
            if self._handed or not self.gateway.is_idle:
                self._propose()
            if self._others_wait:
                self._others_wait = False
                self._step(Announce())
            return
        self._handed.clear()
        self.gateway.is_held_up = False
        if status.leader is not None and status.leader != self._node and not self.gateway.is_idle:
            for number in self.gateway.rounds_due():
                self._send(status.leader, AskIndex(number))
            if values := self.gateway.batches_due(WINDOW_FOLLOWING, WINDOW_LEADING):
                self._send(status.leader, Forward(tuple(values)))

    def _propose(self) -> None:
        """Have this node, leading, do what clients want, its own and those of others."""
        for number in self.gateway.rounds_due():
            self._step(self._asked(self._node, number))
        if values := self._due():
            self._step(self._submitted(values))

    def _due(self) -> list[Value]:
        """The batches that this node, leading, is to propose next, no more than it would take. Where there is no room
        for all, those of others and its own take turns."""
        room = self.replica.room
        self.gateway.is_held_up = room == 0
        window = WINDOW_LEADING if self.replica.is_ready else 0
        due = self._take_handed(room) if self._others_go_first else []
        due += self.gateway.batches_due(window, room - len(due))
        due += self._take_handed(room - len(due))
        if len(due) == room:
            self._others_go_first = not self._others_go_first
        return due

    def _take_handed(self, room: int) -> list[Value]:
        return [self._handed.popleft() for _ in range(min(room, len(self._handed)))]

    def _submitted(self, values: Iterable[Value]) -> Submitted:
        """Batches under tickets that nobody looks at: a gateway waits until it applies what it wants."""
        requests = []
        for value in values:
            self._tickets += 1
            requests.append((self._tickets, value))
        return Submitted(tuple(requests))

    def _asked(self, node: str, number: int) -> Asked:
        self._tickets += 1
        self._rounds[self._tickets] = (node, number)
        return Asked((self._tickets,))

    # Effects -----------------------------------------------------------------------------

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Line):
                self._record(effect)
            elif isinstance(effect, Persist):
                self._commits.add(effect)
            elif isinstance(effect, Apply):
                self._apply(effect)
            elif isinstance(effect, Readable):
                self._tell(effect)
            elif isinstance(effect, Refuse):
                for ticket in effect.tickets:
                    self._rounds.pop(ticket, None)
            else:
                if self._trace is not None and isinstance(effect, Checkpoint | Install):
                    self._trace.flush(all_lines=True)  # what justifies it is there before it is durable
                self._checkpoints.carry_out(effect)
                if isinstance(effect, Restore):
                    self.gateway.skipped()

    def _record(self, line: Line) -> None:
        if self._trace is not None:
            self._trace.write(line)
        for sent in line.send:
            if sent.to == (self._node,):
                continue
            payload = encode(sent.message)
            if len(payload) > PEER_BYTES_MAX:
                log.error(
                    "a message of %d bytes is too large to be sent; the log needs a checkpoint", len(payload)
                )
                continue
            frame = encode_frame(payload)
            for node in sent.to:
                if node == self._node:
                    continue
                self._outgoing.setdefault(node, []).append(frame)
        if line.event == "stop":
            self._loop.call_soon(self._end)
        elif line.event == "prepare":
            self.ballots_opened += 1
        elif line.event == "lead":
            self.elections_won += 1

    def _apply(self, effect: Apply) -> None:
        for slot, value in effect.entries:
            applied = self.machine.apply(slot, value)
            if applied is not None:
                self.gateway.applied(applied)
                self._others_wait = self._others_wait or applied.gateway != self.gateway.name

    def _tell(self, effect: Readable) -> None:
        for ticket in effect.tickets:
            node, number = self._rounds.pop(ticket)
            if node == self._node:
                self.gateway.readable(number, effect.index)
            else:
                self._send(node, TellIndex(number, effect.index))

    def _send(self, node: str, errand: Errand) -> None:
        self._outgoing.setdefault(node, []).append(encode_frame(encode(errand)))

    def _release(self) -> None:
        """What has been decided becomes visible to others, and before that, as far as other nodes hear of it, in the
        trace."""
        if self._trace is not None:
            self._trace.flush(all_lines=self._ticked)
        self._ticked = False
        outgoing, self._outgoing = self._outgoing, {}
        for node, frames in outgoing.items():
            self._carry(node, frames)
        self.gateway.answer_reads()
        self.gateway.flush()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

"""Carries out what a replica wants: the one place where the replica, the disk, the trace and the network meet.

It does not know Multi-Paxos (`impl.core.replica`, whose numbered duties it fulfils), nor sockets: messages and
answers leave through what it is given. One round of it, a *turn*:

1. step the replica for everything that waits, all clients' commands together in one event;
2. hand the records of all these steps to the log, in another thread, as one batch: one write, one sync. While one
   batch is being synced the next one gathers, so the disk sets the pace and no step waits for it;
3. write the trace, then let messages and answers go.

What a promise or an acceptance justifies is not among the effects before its batch is acknowledged (`Persisted`), so
nothing has to be held back here. Any failure of the disk or the trace ends the driver for good: nothing of that turn
leaves, and nothing comes after.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from ..core.effects import Apply, Effect, Line, Persist, Refuse
from ..core.errors import PeerError
from ..core.events import Event, Persisted, Received, Request, Start, Stop, Submitted, Tick
from ..core.messages import AnyMessage
from ..core.replica import Replica
from ..kv import KeyValue
from ..storage import DiskFull, DurableLog
from .checkpoints import Checkpoints
from .framing import PEER_BYTES_MAX, encode_frame
from .wire import Answer, Elsewhere, Reply, encode

log = logging.getLogger("quorate.node")

ROOM_S: Final = 0.5
"""How long a full disk is left alone between two attempts."""


class Trace(Protocol):
    """What lines are written to; `traces.Recorder` is one."""

    def write(
        self,
        event: str,
        fields: dict[str, object],
        *,
        recv: dict[str, object] | None,
        send: list[dict[str, object]],
    ) -> None: ...

    def flush(self) -> None: ...


class Asker(Protocol):
    """Whoever is to be answered; it may have gone meanwhile."""

    def reply(self, reply: Reply) -> None:
        """Keep a reply for the next `flush`."""
        ...

    def flush(self) -> None:
        """Send what was kept."""
        ...


class Source(Protocol):
    """Where a message came from, to be closed if no correct peer can have sent it."""

    def close(self, reason: str) -> None: ...


class Driver:
    """A replica at work. `start` it, feed it with `receive` and `submit`, `stop` it; `ended` tells how it went."""

    def __init__(
        self,
        replica: Replica,
        durable: DurableLog,
        trace: Trace | None,
        machine: KeyValue,
        carry: Callable[[str, bytes], None],
    ) -> None:
        self.replica: Final = replica
        self.machine: Final = machine
        self.ended: Final[asyncio.Future[None]] = asyncio.get_running_loop().create_future()
        """Done after an orderly stop; or with the error that ended it."""
        self._loop = asyncio.get_running_loop()
        self._durable = durable
        self._trace = trace
        self._carry = carry
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="quorate-disk")
        self._random = random.SystemRandom()
        self._tick_s = max(1, replica.config.heartbeat_ms // 4) / 1000
        self._turn_is_due = False
        self._waiting: list[tuple[Event, Source | None]] = []
        self._requests: list[Request] = []
        self._tickets = 0
        self._askers: dict[int, tuple[Asker, int]] = {}
        """By ticket: who asked, and under which number of theirs."""
        self._unsynced: list[Persist] = []
        self._syncing: list[Persist] = []
        self._outgoing: dict[str, list[bytes]] = {}
        self._answered: set[Asker] = set()
        self._said_stop = False
        self._is_full = False
        """Does a batch wait for room on the disk?"""
        self._checkpoints = Checkpoints(durable, machine, self._post, self.fail)

    def start(self) -> None:
        """Begin the boot."""
        self._post(Start(self._now_ms(), self._random.random()))
        self._loop.call_later(self._tick_s, self._tick)

    def receive(self, message: AnyMessage, source: Source) -> None:
        """Take a message from a peer."""
        self._post(Received(message), source)

    def submit(self, asker: Asker, number: int, command: str) -> None:
        """Take a client's command; `asker` gets exactly one reply under `number`, unless this process dies."""
        if self._is_full:
            asker.reply(Elsewhere(number, "the disk of this node is full", None))
            asker.flush()
            return
        self._tickets += 1
        self._askers[self._tickets] = (asker, number)
        self._requests.append((self._tickets, command))
        self._call_turn()

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
        self._disk.shutdown(wait=True)
        self._checkpoints.close()

    def _post(self, event: Event, source: Source | None = None) -> None:
        self._waiting.append((event, source))
        self._call_turn()

    def _call_turn(self) -> None:
        """Have a turn soon: whatever else has already arrived will be part of it."""
        if not self._turn_is_due:
            self._turn_is_due = True
            self._loop.call_soon(self._turn)

    def _tick(self) -> None:
        if not self.ended.done():
            self._post(Tick(self._now_ms(), self._random.random()))
            self._loop.call_later(self._tick_s, self._tick)

    def _now_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def _turn(self) -> None:
        self._turn_is_due = False
        if self.ended.done():
            return
        try:
            self._step_all()
            self._sync()
            self._release()
        except Exception as error:
            self.fail(error)

    def _step_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        requests, self._requests = self._requests, []
        if requests:
            waiting.append((Submitted(tuple(requests)), None))
        for event, source in waiting:
            if self._said_stop and not isinstance(event, Persisted):
                continue
            self._said_stop = self._said_stop or isinstance(event, Stop)
            try:
                effects = self.replica.step(event)
            except PeerError as error:
                if source is not None:
                    source.close(str(error))
                continue
            self._carry_out(effects)

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Line):
                self._record(effect)
            elif isinstance(effect, Persist):
                self._unsynced.append(effect)
            elif isinstance(effect, Apply):
                self._apply(effect)
            elif isinstance(effect, Refuse):
                self._refuse(effect)
            else:
                self._checkpoints.carry_out(effect)

    def _record(self, line: Line) -> None:
        if self._trace is not None:
            self._trace.write(line.event, line.fields(), recv=line.received(), send=line.sent())
        for sent in line.send:
            payload = encode(sent.message)
            if len(payload) > PEER_BYTES_MAX:
                log.error(
                    "a message of %d bytes is too large to be sent; the log needs a checkpoint", len(payload)
                )
                continue
            frame = encode_frame(payload)
            for node in sent.to:
                if node != self.replica.config.node:
                    self._outgoing.setdefault(node, []).append(frame)
        if line.event == "stop":
            self._loop.call_soon(self._end)

    def _apply(self, effect: Apply) -> None:
        for slot, value in effect.entries:
            result = self.machine.apply(slot, value)
            ticket = effect.tickets.get(slot)
            if ticket is not None:
                assert result is not None, "nobody asks for a no-op"
                asker, number = self._askers.pop(ticket)
                self._reply(asker, Answer(number, result))

    def _refuse(self, effect: Refuse) -> None:
        for ticket in effect.tickets:
            asker, number = self._askers.pop(ticket)
            self._reply(asker, Elsewhere(number, effect.reason, effect.leader))

    def _reply(self, asker: Asker, reply: Reply) -> None:
        asker.reply(reply)
        self._answered.add(asker)

    def _sync(self) -> None:
        """Start one write and one sync for everything that waits for the disk, unless one is under way."""
        if not self._unsynced or self._syncing:
            return
        self._syncing, self._unsynced = self._unsynced, []
        self._write()

    def _write(self) -> None:
        records = [record for persist in self._syncing for record in persist.records]
        self._disk.submit(self._durable.commit, records).add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(self._synced, done.exception())
        )

    def _synced(self, error: BaseException | None) -> None:
        if isinstance(error, DiskFull):
            self._wait_for_room(error)
            return
        if isinstance(error, Exception):
            self.fail(error)
            return
        if self._is_full:
            self._is_full = False
            log.info("there is room on the disk again")
        number = self._syncing[-1].number
        self._syncing = []
        self._post(Persisted(number))

    def _wait_for_room(self, error: DiskFull) -> None:
        """Try the same batch again in a while; until it is on the disk nothing leaves, and clients go elsewhere.

        If the log has not survived the error, the next attempt says so and ends this.
        """
        if not self._is_full:
            self._is_full = True
            log.error("%s; until then this node accepts nothing", error)
        if not self.ended.done():
            self._loop.call_later(ROOM_S, self._write)

    def _release(self) -> None:
        """What has been decided becomes visible: first in the trace, then to others."""
        if self._trace is not None:
            self._trace.flush()
        outgoing, self._outgoing = self._outgoing, {}
        for node, frames in outgoing.items():
            self._carry(node, b"".join(frames))
        answered, self._answered = self._answered, set()
        for asker in answered:
            asker.flush()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

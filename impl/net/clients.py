"""A client's connection: reads commands, has them answered in order, and never lets one client take too much.

It does not know what a command does to the keys (`impl.kv`), nor who leads (`driver`). What concerns the connection
alone, as AUTH or MULTI, is in `conversation`.

Replies leave in the order of the commands. So what must not overtake waits here: a write while reads are under way, and
whatever the connection answers by itself while anything is. A read behind writes joins them in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable
from typing import Final

from ..kv.commands import COMMANDS, Spec
from ..kv.machine import fault_of
from ..kv.replies import OK, Failure, Reply
from .commands_in import CommandReader
from .conversation import converse
from .front import Front, Queued, Then
from .gateway import weight
from .resp import OK_BYTES, Answerable, encode_reply, is_too_large, too_large
from .stream import Stream, as_stream, watch

IN_FLIGHT_MAX: Final = 2048
QUEUE_BYTES_MAX: Final = 16 << 20
"""Commands of one connection that are not answered, and what those of them take that have not begun; it is not read
further meanwhile."""

READS_MAX: Final = 128
"""Values that one connection has asked for and has not got: they may be much larger than what asked for them."""

STRANGER_BYTES_MAX: Final = 512 << 10
"""Of a command that is not whole, of a client that has not said the password."""

SEND_BYTES: Final = 64 << 10
"""An answer that is larger is not kept until others are there."""

BUSY: Final = Failure("BUSY too many commands wait here; nothing was done, try again in a while")

NOT_SENT: Final = Failure("NOTKEPT the command was applied, and its answer is too large to be sent")

DISK_FULL: Final = Failure("BUSY the disk of this node is full; nothing was done, try another node")

NOTHING_DONE: Final = frozenset(("BUSY", "CLUSTERDOWN", "MOVED", "NOLEADER"))
"""Refusals after which a command is asked again."""

log = logging.getLogger("quorate.clients")


class ClientConnection(asyncio.Protocol):
    """One client, a `front.Client`; among `others` while it is connected."""

    def __init__(self, front: Front, others: set[ClientConnection]) -> None:
        self.front: Final = front
        self.id: Final = next(front.ids)
        self.name = ""
        self.version = 2
        self.trusted = front.password is None
        self.transaction: Queued | None = None
        self.watched: dict[bytes, int] = {}
        self._others = others
        self._writing = 0
        self._reading = 0
        self._values = 0
        """How many they may be answered with, those included that were answered since nothing was under way."""
        self._then: Then | None = None
        self._task: asyncio.Future[None] | None = None
        self._in_session = False
        """Did it ever name a session? Then what it asks for is to be applied in order, also if it has to ask again."""
        self._held_up = False
        """Does an answer come that is neither a write's nor a read's?"""
        self._queue: deque[list[bytes]] = deque()
        self._queued_bytes = 0
        self._out: list[bytes] = []
        self._reader = CommandReader()
        self._stream: Stream | None = None
        self._heard = 0
        """How often data came."""
        self._suspected = -1
        self._paused = False
        self._congested = False
        self._complaint: str | None = None
        """Why what follows in the stream cannot be understood."""
        self._ended = False
        """Does the client say no more?"""
        self._closing = False

    # Commands in -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._stream = as_stream(transport)
        if len(self._others) >= self.front.clients_max:
            self._out.append(b"-ERR max number of clients reached\r\n")
            self.close()
            return
        self._others.add(self)
        watch(self._stream)

    def data_received(self, data: bytes) -> None:
        if self._hears_no_more():
            return
        self._heard += 1
        for command in self._reader.feed(data):
            command[0] = command[0].upper()
            if self._queue or not self._start(command):
                self._queue.append(command)
                self._queued_bytes += weight(command)
            if self._hears_no_more():
                return
        if self._reader.complaint is not None:
            self._refuse_protocol(self._reader.complaint)
        elif not (self.trusted or self._held_up) and self._reader.waiting_bytes > STRANGER_BYTES_MAX:
            self._refuse_protocol(f"more than {STRANGER_BYTES_MAX} bytes of a command before the password")
        if self._writing or self._reading:
            self.front.call_turn()
        if self._out:
            self._send()
        self._regulate()

    def eof_received(self) -> bool:
        """A client that says no more may listen still: it gets the answers to what it said. TLS cannot do that."""
        self._ended = True
        self._end_if_due()
        is_tls = self._stream is None or self._stream.get_extra_info("sslcontext") is not None
        return not (self._closing or is_tls)

    def _hears_no_more(self) -> bool:
        return self._closing or self._complaint is not None

    def _start(self, command: list[bytes]) -> bool:
        """Begin a command, if what is under way allows that; did it begin?"""
        if self._congested:
            return False
        if command[0] == b"SESSION":
            self._in_session = True
        if self.is_plain:
            spec = COMMANDS.get(command[0])
            if (spec is not None or command[0] == b"SESSION") and fault_of(command) is None:
                values = _values_of(command, spec)
                if values and not self._may_ask_for(values):
                    return False
                if spec is None or spec.writes or self._writing:
                    return not self._reading and self.write(command)
                self._reading += 1
                self.front.gateway.read(self, command)
                return True
        if self._writing or self._reading or self._held_up:
            return False
        converse(self, command)
        return True

    def _may_ask_for(self, values: int) -> bool:
        """May a command be answered with so many values more? Then they count."""
        if not (self._writing or self._reading):
            self._values = 0
        elif self._values + values > READS_MAX:
            return False
        self._values += values
        return True

    @property
    def is_plain(self) -> bool:
        """Is a command on keys carried out as it comes?"""
        return (
            self.trusted
            and self.transaction is None
            and not (self._held_up or self.front.redirects or self.front.closing)
        )

    # As whoever answers sees it (`front.Client`) -----------------------------------------

    def write(self, command: list[bytes]) -> bool:
        gateway = self.front.gateway
        if gateway.is_full:
            if self._writing:
                return False
            self.say(DISK_FULL if gateway.is_blocked else BUSY)
            return True
        self._writing += 1
        gateway.write(self, command)
        return True

    def read(self, command: list[bytes], then: Then | None = None) -> None:
        self._reading += 1
        self._then = then
        self.front.gateway.read(self, command)

    def say(self, reply: Answerable) -> None:
        said = encode_reply(reply, self.version)
        self._out.append(said)
        if len(said) > SEND_BYTES:
            self._send()
        self._end_if_refused(reply)

    def hold(self, reply: Awaitable[Answerable]) -> None:
        self._held_up = True

        async def wait() -> None:
            said = await reply
            self._held_up = False
            self.say(said)
            self.flush()

        self._task = asyncio.ensure_future(wait())

    def close(self) -> None:
        if self._closing or self._stream is None:
            return
        self._closing = True
        self._send()
        self._stream.close()

    # Replies out -------------------------------------------------------------------------

    def answer(self, reply: Reply) -> None:
        """The gateway's answer to the oldest command that is under way."""
        if is_too_large(reply):
            reply = NOT_SENT if self._writing else too_large()
        if self._writing:
            self._writing -= 1
        else:
            self._reading -= 1
            if self._then is not None:
                then, self._then = self._then, None
                self.say(then(reply))
                return
        self._out.append(OK_BYTES if reply is OK else encode_reply(reply, self.version))
        if self._in_session:
            self._end_if_refused(reply)

    def flush(self) -> None:
        """Send the replies, and begin what waited for them."""
        self._send()
        queue = self._queue
        if queue:
            while queue and not self._closing and self._start(queue[0]):
                self._queued_bytes -= weight(queue.popleft())
            if self._writing or self._reading:
                self.front.call_turn()
            self._send()
        self._end_if_due()
        self._regulate()

    def _send(self) -> None:
        if self._out and self._stream is not None and not self._stream.is_closing():
            self._stream.write(b"".join(self._out))
        self._out.clear()

    def is_idle_too_long(self) -> bool:
        """Was there an unfinished command, or no password yet, at the last time of asking, and nothing since? What this
        node does not read is not missed."""
        is_late = self._reader.is_partial and not self._paused
        suspicious = (is_late or not self.trusted) and not self._held_up
        too_long = suspicious and self._suspected == self._heard
        self._suspected = self._heard if suspicious else -1
        return too_long

    def drop(self, reason: str) -> None:
        """End the connection of a client that is to blame."""
        self._refuse_protocol(reason)

    def _refuse_protocol(self, reason: str) -> None:
        """What follows in the stream cannot be understood: say so behind all other answers, and end this connection
        and nothing else."""
        if not self._closing and self._complaint is None:
            log.warning("closed the connection of client %d: %s", self.id, reason)
            self._complaint = reason
            self._end_if_due()

    def _end_if_due(self) -> None:
        under_way = self._queue or self._writing or self._reading or self._held_up
        if under_way or self._closing:
            return
        if self._complaint is not None:
            self._out.append(b"-ERR Protocol error: %b\r\n" % self._complaint.encode())
        if self._complaint is not None or self._ended:
            self.close()

    def _end_if_refused(self, reply: Answerable) -> None:
        """In a session, take nothing behind a command that will be asked again: it would be applied before that."""
        if self._in_session and isinstance(reply, Failure) and reply.text.partition(" ")[0] in NOTHING_DONE:
            self.close()

    # Not too much of one client ----------------------------------------------------------

    def _regulate(self) -> None:
        """Read on, or do not, as much is under way or is not."""
        busy = (
            self._congested
            or self._queued_bytes > QUEUE_BYTES_MAX
            or len(self._queue) + self._writing + self._reading > IN_FLIGHT_MAX
            or (self._held_up and not self.trusted)
        )
        if busy != self._paused and self._stream is not None and not (self._closing or self._ended):
            self._paused = busy
            (self._stream.pause_reading if busy else self._stream.resume_reading)()

    def pause_writing(self) -> None:
        """A client that does not read its answers is not read either."""
        self._congested = True
        self._regulate()

    def resume_writing(self) -> None:
        self._congested = False
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._others.discard(self)
        self._closing = True
        self._stream = None
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()


def _values_of(command: list[bytes], spec: Spec | None) -> int:
    """How many values the answer to a command may hold that it did not bring."""
    if spec is None:
        return _values_of(command[4:], COMMANDS.get(command[4])) if command[0] == b"SESSION" else READS_MAX
    if spec.writes:
        return int(command[0] == b"SET" and len(command) > 3)
    return len(command) - 1

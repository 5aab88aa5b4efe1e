"""A client of a cluster: it finds the leader, follows it when it changes, and has each command applied once.

It does not know how the nodes agree. Its session, a name that no other client has and a number for each command, is
what makes asking again safe: a command that was applied already is answered, not applied a second time. So it
asks, wherever the leader may be now, until there is an answer or its time is up.

    async with Client({"a": Address.parse("127.0.0.1:7001"), ...}) as client:
        await client.set("apple", "green")
        print((await client.get("apple")).value)

Any number of commands may be in flight: start them without awaiting each. Use it from one event loop.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from ..kv import ANSWERED, NO_SESSION, AnyCommand, CompareAndSet, Delete, Get, Increment, Result, Set, encode
from ..settings import Address
from . import wire
from .errors import BadCommand, MalformedFrame, NetError, NoAnswer, SessionLost
from .framing import CLIENT_BYTES_MAX, FrameDecoder, encode_frame
from .stream import Stream, as_stream
from .wire import Answer, AskStatus, Elsewhere, Invalid, NodeStatus, Reply, decode_reply

IN_FLIGHT_MAX: Final = 1024
"""Commands that wait for an answer at once; more wait their turn."""

FLOOR_STEP: Final = 1024
"""The session's floor is raised in such steps, for raising it costs the state machine a pass over the session."""

PAUSE_S_MIN: Final = 0.02
PAUSE_S_MAX: Final = 0.5
CONNECT_S_MAX: Final = 2.0
SILENCE_S_MAX: Final = 2.0
"""A node that answers nothing for so long, though commands wait, is left for the next."""

Numbered: TypeAlias = Callable[[str, int, int], AnyCommand]
"""Makes a command of the client's name, the command's number, and the session's floor."""


@dataclass(slots=True)
class _Pending:
    frame: bytes
    answered: asyncio.Future[Result]


class Client:
    """One session with a cluster. `timeout_s` bounds every command that is in flight, retries included."""

    def __init__(
        self, nodes: Mapping[str, Address], *, timeout_s: float = 10.0, in_flight_max: int = IN_FLIGHT_MAX
    ) -> None:
        if not nodes:
            raise ValueError("nodes: a client needs the address of at least one node")
        self.name: Final = secrets.token_hex(8)
        """The session's: no two clients have the same."""
        self.timeout_s = timeout_s
        self._nodes = dict(nodes)
        self._order = random.sample(sorted(nodes), len(nodes))
        self._at = self._order[0]
        self._sequence = 0
        self._pending: dict[int, _Pending] = {}
        """In the order of their numbers."""
        self._floor = 1
        self._room = asyncio.Semaphore(in_flight_max)
        self._link: _Link | None = None
        self._linking: asyncio.Task[None] | None = None
        self._unsent = bytearray()
        self._last_complaint = "nobody was reached"

    async def __aenter__(self) -> Self:
        self._linking = asyncio.create_task(self._keep_linked(), name=f"client {self.name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._linking is not None:
            self._linking.cancel()
            with suppress(asyncio.CancelledError):
                await self._linking
        for pending in self._pending.values():
            pending.answered.cancel()

    async def set(self, key: str, value: str) -> Result:
        """Store `value`; the result has the key's new version. Errors are those of `execute`, for all of these."""
        return await self.execute(lambda name, number, floor: Set(name, number, floor, key, value))

    async def get(self, key: str) -> Result:
        """Read, in the order of the log."""
        return await self.execute(lambda name, number, floor: Get(name, number, floor, key))

    async def delete(self, key: str) -> Result:
        """Forget the key."""
        return await self.execute(lambda name, number, floor: Delete(name, number, floor, key))

    async def compare_and_set(self, key: str, version: int, value: str) -> Result:
        """Store `value` if the key's version is `version`; else the result has an `error`, and the version."""
        return await self.execute(
            lambda name, number, floor: CompareAndSet(name, number, floor, key, version, value)
        )

    async def increment(self, key: str, by: int = 1) -> Result:
        """Add to the number under `key`; the result has the sum."""
        return await self.execute(lambda name, number, floor: Increment(name, number, floor, key, by))

    async def execute(self, numbered: Numbered) -> Result:
        """Have a command applied exactly once, and return its result.

        Raises NoAnswer when the time is up (the command may have been applied, or may yet be), BadCommand when
        no node will ever apply it, and SessionLost when the cluster no longer knows the session.
        """
        async with self._room:
            self._sequence += 1
            number = self._sequence
            command = encode(numbered(self.name, number, self._raised_floor()))
            frame = encode_frame(wire.encode(wire.Command(number, command)))
            pending = _Pending(frame, asyncio.get_running_loop().create_future())
            self._pending[number] = pending
            self._send(frame)
            try:
                async with asyncio.timeout(self.timeout_s):
                    result = await pending.answered
            except TimeoutError:
                raise NoAnswer(
                    f"command {number} of client {self.name} had no answer within {self.timeout_s:g} s "
                    f"({self._last_complaint}); it may have been applied"
                ) from None
            finally:
                del self._pending[number]
        if result in (NO_SESSION, ANSWERED):
            raise SessionLost(f"command {number} of client {self.name}: {result.error}; begin a new session")
        return result

    def _raised_floor(self) -> int:
        """Every number below it is answered, or was given up."""
        lowest = next(iter(self._pending), self._sequence)
        if lowest - self._floor >= FLOOR_STEP:
            self._floor = lowest
        return self._floor

    def _send(self, frame: bytes) -> None:
        """Send with whatever else is sent in this turn of the event loop."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent += frame

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, bytearray()
        if self._link is not None:
            self._link.write(
                unsent
            )  # without a link nothing is lost: a new one begins with all that is pending

    async def _keep_linked(self) -> None:
        """Be linked to a node, the leader if possible, until cancelled."""
        pause_s = PAUSE_S_MIN
        while True:
            if await self._stay_with(self._at):
                pause_s = PAUSE_S_MIN
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))
            pause_s = min(2 * pause_s, PAUSE_S_MAX)

    async def _stay_with(self, node: str) -> bool:
        """Talk to one node for as long as it answers commands; did it answer any? Leaves `_at` where to go next."""
        self._at = self._after(node)
        link = _Link(self._take)
        address = self._nodes[node]
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                await asyncio.get_running_loop().create_connection(lambda: link, address.host, address.port)
            self._link = link
            link.write(b"".join(pending.frame for pending in self._pending.values()))
            reason = await self._heard_out(link)
        except (OSError, TimeoutError) as error:
            reason = str(error) or "no connection in time"
        finally:
            self._link = None
            link.close()
        self._last_complaint = f"{node} at {address}: {reason}"
        return link.answers > 0

    async def _heard_out(self, link: _Link) -> str:
        """Wait until a link ends, or is silent while commands wait for an answer; return why."""
        while True:
            waiting, replies = bool(self._pending), link.replies
            await asyncio.wait((link.ended,), timeout=SILENCE_S_MAX)
            if link.ended.done():
                return link.ended.result()
            if waiting and self._pending and link.replies == replies:
                return f"no answer for {SILENCE_S_MAX:g} s"

    def _after(self, node: str) -> str:
        return self._order[(self._order.index(node) + 1) % len(self._order)]

    def _take(self, link: _Link, reply: Reply) -> None:
        link.replies += 1
        if isinstance(reply, Elsewhere):
            if reply.leader in self._nodes:
                self._at = reply.leader
            link.end(f"it said: {reply.reason}")
            return
        pending = self._pending.get(reply.number)
        if pending is None or pending.answered.done():
            return
        if isinstance(reply, Answer):
            link.answers += 1
            pending.answered.set_result(reply.result)
        elif isinstance(reply, Invalid):
            pending.answered.set_exception(BadCommand(f"command {reply.number} was refused: {reply.reason}"))


class _Link(asyncio.Protocol):
    """A connection to one node."""

    def __init__(self, take: Callable[[_Link, Reply], None]) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Done with the reason when there is nothing more to expect."""
        self.replies = 0
        self.answers = 0
        """Of the replies, those that say a command was applied."""
        self._take = take
        self._decoder = FrameDecoder(CLIENT_BYTES_MAX)
        self._transport: Stream | None = None

    def write(self, data: bytes | bytearray) -> None:
        if self._transport is not None and data:
            self._transport.write(data)

    def end(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = as_stream(transport)

    def data_received(self, data: bytes) -> None:
        if self.ended.done():
            return
        try:
            for payload in self._decoder.feed(data):
                self._take(self, decode_reply(payload))
        except MalformedFrame as error:
            self.end(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(str(exc) if exc is not None else "it closed the connection")


async def ask_status(address: Address, *, timeout_s: float = 2.0) -> NodeStatus:
    """Ask one node how it is. Raises NoAnswer."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            try:
                writer.write(encode_frame(wire.encode(AskStatus(1))))
                decoder = FrameDecoder(CLIENT_BYTES_MAX)
                while data := await reader.read(65536):
                    for payload in decoder.feed(data):
                        reply = decode_reply(payload)
                        if isinstance(reply, NodeStatus):
                            return reply
            finally:
                writer.close()
    except (OSError, TimeoutError, NetError) as error:
        raise NoAnswer(
            f"{address}: no status within {timeout_s:g} s: {str(error) or type(error).__name__}"
        ) from error
    raise NoAnswer(f"{address}: closed the connection without a status")

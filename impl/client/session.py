"""A client of a cluster: it follows the leader, and has each command applied once, however often it must ask.

It does not know how the nodes agree. Its session, a name that no other client has and a number for each write, is what
makes asking again safe: a command that was applied already is answered, not applied a second time. So it asks, wherever
the leader may be now, until there is an answer or its time is up.

    async with Client({"a": Address.parse("127.0.0.1:7001"), ...}) as client:
        version = await client.set("apple", "green")
        print(await client.get("apple"))                       # b"green"
        await client.compare_and_set("apple", version, "red")

Keys and values are bytes; text is taken as UTF-8. Reads are linearizable. Any number of commands may be in flight:
start them without awaiting each; they are sent, and applied, in the order in which they were started. Use it from one
event loop.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import ssl
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple, Self, cast

import hiredis
import msgspec

from ...decoding import UNREADABLE
from ..kv.machine import transaction
from ..net.errors import AnswerLost, BadCommand, NetError, NoAnswer, SessionLost
from ..net.wire import NodeStatus
from ..settings import Address
from .checks import frame_of, name_of
from .link import Link, Part, as_bytes, encode_command

IN_FLIGHT_MAX: Final = 1024
"""Commands that wait for an answer at once; more wait their turn."""

OPENING: Final = 1
"""The number in the session of what begins it: nothing is done, so no harm if that is done twice."""

PAUSE_S_MIN: Final = 0.02
PAUSE_S_MAX: Final = 0.5
CONNECT_S_MAX: Final = 2.0
SILENCE_S_MAX: Final = 2.0
"""A node that answers nothing for so long, though commands wait, is left for the next."""

AGAIN: Final = frozenset(("BUSY", "CLUSTERDOWN", "MOVED", "NOLEADER", "UNCERTAIN"))
"""Failures that say nothing about the command: ask again, elsewhere or later."""

LOST: Final = frozenset(("NOSESSION", "ANSWERED"))

_KINDS: Final[Mapping[str, type[NetError]]] = {**dict.fromkeys(LOST, SessionLost), "NOTKEPT": AnswerLost}
"""Of the other failures; any that is not here is a BadCommand."""


class Item(NamedTuple):
    """A key's value, None if it is not there, and its version: the number of the write that put it there, or 0."""

    value: bytes | None
    version: int


class Swap(NamedTuple):
    """Did a comparing write find the version that it wanted, and which one has the key now?"""

    done: bool
    version: int


@dataclass(slots=True, eq=False)
class _Pending:
    name: str
    """For people: what was asked."""
    frame: bytes
    number: int | None
    """In the session; None for a read, which may be asked as often as one likes."""
    answered: asyncio.Future[object]


class Client:
    """One session with a cluster. `timeout_s` bounds every command that is in flight, retries included.

    Every method that asks the cluster raises NoAnswer when the time is up or the client is left (a write may have been
    applied, or may yet be), BadCommand when the cluster refuses the command or would, AnswerLost when it was applied
    and its answer is gone, and SessionLost when the cluster no longer knows the session.
    """

    def __init__(
        self,
        nodes: Mapping[str, Address],
        *,
        timeout_s: float = 10.0,
        in_flight_max: int = IN_FLIGHT_MAX,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if not nodes:
            raise ValueError("nodes: a client needs the address of at least one node")
        self.name: Final = secrets.token_hex(8)
        """The session's: no two clients have the same."""
        self.timeout_s = timeout_s
        self._nodes = dict(nodes)
        self._order = random.sample(sorted(nodes), len(nodes))
        self._at = self._order[0]
        self._password = password
        self._tls = tls
        self._sequence = OPENING
        self._is_closed = False
        self._is_open = False
        """Did a node answer the opening? All else in the session is sent after that."""
        self._opening: _Pending | None = None
        self._writes: dict[int, _Pending] = {}
        """Those in flight, in the order of their numbers."""
        self._pending: dict[_Pending, None] = {}
        """All that is in flight, in the order in which it was started."""
        self._room = asyncio.Semaphore(in_flight_max)
        self._link: Link | None = None
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
        self._is_closed = True
        for pending in self._pending:
            if not pending.answered.done():
                pending.answered.set_exception(self._no_answer(pending, ": the client was closed"))

    # Commands ----------------------------------------------------------------------------

    async def set(self, key: Part, value: Part) -> int:
        """Store a value; the key's new version."""
        return cast("int", await self.write("PUT", key, value))

    async def get(self, key: Part) -> bytes | None:
        """The key's value, None if it is not there."""
        return cast("bytes | None", await self.read("GET", key))

    async def get_item(self, key: Part) -> Item:
        """The key's value and version."""
        return Item(*cast("list[object]", await self.read("GETVERSION", key)))  # type: ignore[arg-type]

    async def delete(self, *keys: Part) -> int:
        """Forget keys; how many of them were there."""
        return cast("int", await self.write("DEL", *keys))

    async def compare_and_set(self, key: Part, version: int, value: Part) -> Swap:
        """Store a value if the key's version is `version`; 0 stands for a key that is not there."""
        done, found = cast("list[int]", await self.write("CAS", key, version, value))
        return Swap(bool(done), found)

    async def compare_and_delete(self, key: Part, version: int) -> Swap:
        """Forget a key if its version is `version`."""
        done, found = cast("list[int]", await self.write("CAD", key, version))
        return Swap(bool(done), found)

    async def increment(self, key: Part, by: int = 1) -> int:
        """Add to the number under `key`, 0 if it is not there; the sum."""
        return cast("int", await self.write("INCRBY", key, by))

    async def transact(
        self, commands: Iterable[Sequence[Part]], watched: Mapping[bytes, int] | None = None
    ) -> list[object] | None:
        """Apply these commands together, each a sequence as ("SET", "apple", "green"), and return their results.

        None, and nothing is done, if a key of `watched` has another version by then.
        """
        whole = [[as_bytes(part) for part in command] for command in commands]
        reply = await self.write(*transaction(tuple((watched or {}).items()), whole))
        return cast("list[object] | None", reply)

    async def write(self, *parts: Part) -> object:
        """Have any command applied exactly once; what the state machine answered, as hiredis reads it."""
        async with self._room:
            number = self._sequence + 1
            floor = next(iter(self._writes), number)  # whatever is below it was answered, or given up
            frame = frame_of(parts, ("SESSION", self.name, number, floor))
            self._sequence = number
            return await self._answer_to(
                _Pending(name_of(parts), frame, number, asyncio.get_running_loop().create_future())
            )

    async def read(self, *parts: Part) -> object:
        """Ask for what a command that changes nothing finds."""
        async with self._room:
            frame = frame_of(parts)
            return await self._answer_to(
                _Pending(name_of(parts), frame, None, asyncio.get_running_loop().create_future())
            )

    async def _answer_to(self, pending: _Pending) -> object:
        if self._is_closed:
            raise NoAnswer(f"{pending.name} of client {self.name}: the client was closed; nothing was sent")
        if pending.number is not None:
            if not self._is_open and self._opening is None:
                self._open()
            self._writes[pending.number] = pending
        self._pending[pending] = None
        if self._opening is None:
            self._send(pending)
        try:
            async with asyncio.timeout(self.timeout_s):
                return await pending.answered
        except TimeoutError:
            why = f" had no answer within {self.timeout_s:g} s ({self._last_complaint})"
            raise self._no_answer(pending, why) from None
        finally:
            del self._pending[pending]
            if pending.number is not None:
                del self._writes[pending.number]

    def _no_answer(self, pending: _Pending, why: str) -> NoAnswer:
        doubt = "" if pending.number is None else "; it may have been applied"
        return NoAnswer(f"{pending.name} of client {self.name}{why}{doubt}")

    def _open(self) -> None:
        """Begin the session, with floor 1, alone. What follows has a greater floor, so it is refused should the session
        be forgotten; with floor 1 it would begin it anew, and might be applied twice."""
        frame = encode_command(opening_of(self.name))
        opening = _Pending("to begin the session", frame, OPENING, asyncio.get_running_loop().create_future())
        self._pending[opening] = None
        self._send(opening)
        self._opening = opening
        opening.answered.add_done_callback(lambda answered: self._opened(opening, answered))

    def _opened(self, opening: _Pending, answered: asyncio.Future[object]) -> None:
        """Send what waited for that. If it was refused, so is the rest, and whoever comes next tries again."""
        del self._pending[opening]
        self._opening = None
        self._is_open = not answered.cancelled() and answered.exception() is None
        self._send_pending()

    # The link ----------------------------------------------------------------------------

    def _send(self, pending: _Pending) -> None:
        """Send with whatever else is sent in this turn of the event loop; without a link nothing is lost, for a new one
        begins with all that is pending."""
        link = self._link
        if link is None or link.ended.done():
            return
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush, link)
        self._unsent += link.send(pending.frame, lambda reply: self._take(link, pending, reply))

    def _send_pending(self) -> None:
        """Send all that is not answered, as far as the opening if that is among it."""
        for pending in self._pending:
            if not pending.answered.done():
                self._send(pending)
            if pending is self._opening:
                return

    def _flush(self, link: Link) -> None:
        unsent, self._unsent = self._unsent, bytearray()
        link.write(unsent)

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
        self._at = self._order[(self._order.index(node) + 1) % len(self._order)]
        link = Link()
        greetings = 0
        try:
            await self._greet(link, node)
            greetings = link.replies
            self._link = link
            self._send_pending()
            reason = await self._heard_out(link)
        except (OSError, TimeoutError, UnicodeError) as error:
            reason = str(error) or "no connection in time"
        finally:
            self._link = None
            self._unsent.clear()
            link.close()
        self._last_complaint = f"{node} at {self._nodes[node]}: {reason}"
        return link.replies > greetings

    async def _greet(self, link: Link, node: str) -> None:
        """Connect, say who we are, and ask who leads: if that is another, leave for it."""
        address = self._nodes[node]
        async with asyncio.timeout(CONNECT_S_MAX):
            await asyncio.get_running_loop().create_connection(
                lambda: link,
                address.host,
                address.port,
                ssl=self._tls,
                server_hostname=None if self._tls is None else address.host,
            )
            credentials = () if self._password is None else ("AUTH", "default", self._password)
            greeting = await link.ask("HELLO", 3, *credentials)
            if isinstance(greeting, hiredis.ReplyError):
                raise ConnectionError(f"it refuses this client: {greeting}")
            name = _leader_in(await link.ask("LEADER"))
        if name is None or name == node or name not in self._nodes:
            return
        self._at = name
        raise ConnectionError(f"{name} leads")

    async def _heard_out(self, link: Link) -> str:
        """Wait until a link ends, or is silent while commands wait for an answer; return why."""
        while True:
            waiting, replies = link.is_waiting, link.replies
            await asyncio.wait((link.ended,), timeout=SILENCE_S_MAX)
            if link.ended.done():
                return link.ended.result()
            if waiting and link.is_waiting and link.replies == replies:
                return f"no answer for {SILENCE_S_MAX:g} s"

    def _take(self, link: Link, pending: _Pending, reply: object) -> None:
        if isinstance(reply, hiredis.ReplyError):
            text = str(reply)
            code = text.partition(" ")[0]
            if code in AGAIN:
                link.end(f"it said: {text}")
            elif not pending.answered.done():
                kind = _KINDS.get(code, BadCommand)
                pending.answered.set_exception(kind(f"{pending.name} of client {self.name}: {text}"))
        elif not pending.answered.done():
            pending.answered.set_result(reply)


def _leader_in(said: object) -> str | None:
    """Who leads, as an answer to LEADER says. Raises ConnectionError if that is none."""
    if isinstance(said, list) and len(said) == 2 and isinstance(said[0], bytes | None):
        return None if said[0] is None else said[0].decode("utf-8", "replace")
    raise ConnectionError(f"it does not say who leads: {str(said)[:100]}")


def opening_of(session: str) -> list[bytes]:
    """The command that begins a session."""
    number = b"%d" % OPENING
    return [b"SESSION", session.encode(), number, number, *transaction((), ())]


async def ask_status(
    address: Address,
    *,
    timeout_s: float = 2.0,
    password: Part | None = None,
    tls: ssl.SSLContext | None = None,
) -> NodeStatus:
    """Ask one node how it is. Raises NoAnswer."""
    link = Link()
    try:
        async with asyncio.timeout(timeout_s):
            loop = asyncio.get_running_loop()
            host = None if tls is None else address.host
            await loop.create_connection(
                lambda: link, address.host, address.port, ssl=tls, server_hostname=host
            )
            if password is not None:
                await _accepted(link.ask("AUTH", password))
            said = await _accepted(link.ask("STATUS"))
            return msgspec.json.decode(cast("bytes", said), type=NodeStatus)
    except (OSError, TimeoutError, NetError, *UNREADABLE) as error:
        raise NoAnswer(
            f"{address}: no status within {timeout_s:g} s: {str(error) or type(error).__name__}"
        ) from error
    finally:
        link.close()


async def _accepted(asked: Awaitable[object]) -> object:
    reply = await asked
    if isinstance(reply, hiredis.ReplyError):
        raise BadCommand(str(reply))
    return reply

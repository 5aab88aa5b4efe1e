"""The load: clients that ask one thing after another while things go wrong, and write down all that they were told.

Some keep a session (`impl.client`) and ask until their patience ends; the others speak plain Redis protocol to one
node. What has no answer, or one that leaves it open, stays open in the history. When the faults are over every client
asks a few things more, and has to be answered.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

import hiredis

from ...impl.client import Address, BadCommand, Client, NoAnswer, SessionLost
from ...impl.client.link import Link
from ...impl.client.session import AGAIN, OPENING, opening_of
from ...impl.kv.commands import COMMANDS
from ...impl.kv.machine import transaction_of
from ...impl.kv.replies import OK, Failure, Reply
from ...impl.sim.caller import UNCERTAIN, drawn
from ...impl.sim.history import History, Operation
from ...impl.sim.world import Complaint
from .schedule import Caller, Plan

PROGRESS_S: Final = 120.0
"""Once all is right again everybody is answered within this: many times what it takes on a machine that is busy."""

LAST_COMMANDS: Final = 3
"""What every client still asks when the faults are over, and is to be answered."""

PAUSE_S: Final = 0.05
CONNECT_S_MAX: Final = 2.0


def as_reply(said: object) -> Reply:
    """What the state machine answered, of what hiredis makes of it; no value of the load is the text "OK"."""
    if isinstance(said, hiredis.ReplyError):
        return Failure(str(said))
    if isinstance(said, list):
        return [as_reply(part) for part in said]
    if said == b"OK":
        return OK
    assert said is None or isinstance(said, int | bytes), f"no command of the load is answered so: {said!r}"
    return said


class Load:
    """All clients of a round. `run` them, set `over` when the faults are, and `run` ends when all were answered."""

    def __init__(
        self, plan: Plan, addresses: Mapping[str, Address], complain: Callable[[Complaint], None]
    ) -> None:
        self.history: Final = History()
        self.over: Final = asyncio.Event()
        self.addresses: Final = dict(addresses)
        self.complain: Final = complain
        self._plan = plan
        self._clients = [
            (_SessionClient if caller.session else _PlainClient)(self, plan, number, caller)
            for number, caller in enumerate(plan.callers)
        ]

    @property
    def keys(self) -> list[bytes]:
        """Every key that a client may write."""
        return [b"%b%d" % (kind, number) for kind in (b"k", b"n") for number in range(self._plan.keys)]

    async def run(self) -> None:
        """Ask until the faults are over, and a little longer."""
        async with asyncio.TaskGroup() as group:
            for client in self._clients:
                group.create_task(client.run())


class _Caller(ABC):
    """One client."""

    def __init__(self, load: Load, plan: Plan, number: int, caller: Caller) -> None:
        self.name = f"client {number}"
        self.patience_s = caller.patience_ms / 1000
        self.node = plan.names[caller.node]
        self._load = load
        self._think_s = caller.think_ms / 1000
        self._keys = plan.keys
        self._random = Random(f"{plan.seed} {number}")
        self._number = number
        self._asked = 0

    async def run(self) -> None:
        """Ask while there are faults; then ask what must be answered."""
        while not self._load.over.is_set():
            await self._ask_once()
            await asyncio.sleep(self._random.uniform(0, self._think_s))
        self.patience_s = PROGRESS_S
        deadline_s = time.monotonic() + PROGRESS_S
        answered = 0
        while answered < LAST_COMMANDS:
            answered += await self._ask_once()
            if time.monotonic() > deadline_s:
                self._load.complain(Complaint("progress", f"{self.name}: not answered in {PROGRESS_S:g} s"))
                return

    async def _ask_once(self) -> bool:
        """Ask for something; was it answered?"""
        self._asked += 1
        command = drawn(self._random, self._keys, f"c{self._number}.{self._asked}".encode())
        writes = command[0] == b"EXEC" or COMMANDS[command[0]].writes
        return await self.ask(command, writes=writes)

    @abstractmethod
    async def ask(self, command: list[bytes], *, writes: bool) -> bool:
        """Have a command carried out, and write it down; was it answered?"""

    def begin(self, command: list[bytes]) -> Operation:
        """It is asked for now."""
        return self._load.history.begin(self.name, command, time.monotonic_ns())

    def end(self, operation: Operation, reply: Reply) -> None:
        """It is answered now."""
        self._load.history.end(operation, reply, time.monotonic_ns())


class _SessionClient(_Caller):
    """A client of ours: it follows the leader, and its session lets it ask again."""

    _client: Client

    async def run(self) -> None:
        async with Client(self._load.addresses, timeout_s=self.patience_s) as self._client:
            self.begin(opening_of(self._client.name))
            self._written = OPENING
            await super().run()

    async def ask(self, command: list[bytes], *, writes: bool) -> bool:
        self._client.timeout_s = self.patience_s
        recorded = command
        if writes:
            self._written += 1  # as the client counts: one command is under way at a time
            recorded = [b"SESSION", self._client.name.encode(), b"%d" % self._written, b"1", *command]
        operation = self.begin(recorded)
        try:
            said = await (self._client.write if writes else self._client.read)(*command)
        except NoAnswer:
            return False
        except (BadCommand, SessionLost) as error:
            self._load.complain(Complaint("session", str(error)))
            return True
        self.end(operation, as_reply(said))
        return True


class _PlainClient(_Caller):
    """A client that knows one node and no session: it never asks for the same twice."""

    _link: Link | None = None

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    async def ask(self, command: list[bytes], *, writes: bool) -> bool:
        link = self._link or await self._connected()
        if link is None:
            await asyncio.sleep(PAUSE_S)
            return False
        operation = self.begin(command)
        try:
            async with asyncio.timeout(self.patience_s):
                reply = as_reply(await _asked(link, command))
        except (TimeoutError, ConnectionError):
            self._leave()
            return False
        code = reply.text.partition(" ")[0] if isinstance(reply, Failure) else ""
        if code not in AGAIN:
            self.end(operation, reply)
            return True
        if code != UNCERTAIN:
            self._load.history.drop(operation)
        await asyncio.sleep(PAUSE_S)
        return False

    async def _connected(self) -> Link | None:
        """A connection to the node, if there is one to be had."""
        address = self._load.addresses[self.node]
        link = Link()
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                await asyncio.get_running_loop().create_connection(lambda: link, address.host, address.port)
        except (OSError, TimeoutError):
            link.close()
            return None
        self._link = link
        return link


async def _asked(link: Link, command: list[bytes]) -> object:
    """The reply to a command; a transaction is asked for as Redis's clients do."""
    wanted = transaction_of(command) if command[0] == b"EXEC" else None
    if wanted is None:
        return await link.ask(*command)
    said = await asyncio.gather(
        link.ask("MULTI"), *(link.ask(*inner) for inner in wanted.commands), link.ask("EXEC")
    )
    return said[-1]


async def stale_state(address: Address, keys: list[bytes]) -> list[Reply]:
    """What a node's own state machine has: the number of its keys, then each key's value and version.

    Raises ConnectionError or TimeoutError.
    """
    link = Link()
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(PROGRESS_S):
            await loop.create_connection(lambda: link, address.host, address.port)
            commands = [(b"STALE", b"DBSIZE"), *((b"STALE", b"GETVERSION", key) for key in keys)]
            return [as_reply(await link.ask(*command)) for command in commands]
    finally:
        link.close()

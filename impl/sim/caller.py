"""A client of the simulated world: it asks one thing after another, waits, asks again elsewhere, or gives up.

One that keeps a session asks until it is answered, as `impl.client.session` does; one that does not is left in doubt
about what it wrote when no answer comes. What it asked and what it was told goes to the history.
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Final, Protocol

from ..client.session import AGAIN, LOST
from ..kv.commands import COMMANDS, Command
from ..kv.machine import transaction
from ..kv.replies import Failure, Reply
from .history import History, Operation
from .member import Member
from .network import Network
from .plan import Caller
from .timeline import Moment, Timeline

UNCERTAIN: Final = "UNCERTAIN"
"""Of the failures after which one asks again, the one after which something may have been done, or may yet be."""

PATIENCE_MAX: Final = 4_000_000
MORE: Final = 3
"""So much does a client ask for, at most, once the faults are over: enough to see that it is answered as before."""

PAUSE: Final = 50_000
"""Before a client that was refused asks again."""


class World(Protocol):
    """Of the world, what a client reaches."""

    timeline: Timeline
    network: Network
    history: History

    @property
    def members(self) -> list[Member]: ...

    def complain(self, rule: str, sentence: str) -> None: ...


def drawn(random: Random, keys: int, value: bytes) -> list[bytes]:
    """A command of a client, any of them, on some of so many keys; `value` is what it writes if it writes one.

    What counts stands under other keys than what is written, so none of them is refused.
    """
    draw = random.random()
    key = b"k%d" % random.randrange(keys)
    count = b"n%d" % random.randrange(keys)
    if draw < 0.25:
        return [b"GET", key]
    if draw < 0.35:
        return [b"GET", count]
    if draw < 0.4:
        return [b"GETVERSION", key]
    if draw < 0.45:
        return [b"MGET", key, count]
    if draw < 0.65:
        return [b"SET", key, value]
    if draw < 0.8:
        return [b"INCR", count]
    if draw < 0.84:
        return [b"DEL", key]
    if draw < 0.88:
        return [b"APPEND", key, b"+"]
    if draw < 0.92:
        return [b"CAS", key, b"%d" % random.randrange(40), value]
    if draw < 0.96:
        return [b"SET", key, value, b"NX", b"GET"]
    return transaction((), [[b"INCR", count], [b"SET", key, value]])


class Client:
    """A client; `is_done` tells whether it has asked for all that it wants."""

    def __init__(
        self, world: World, name: str, number: int, caller: Caller, keys: int, random: Random
    ) -> None:
        self.name: Final = name
        self._world = world
        self._number = number
        self._caller = caller
        self._keys = keys
        self._random = random
        self._at = number
        self._sequence = 0
        self._last = caller.commands
        self._written = 0
        self._operation: Operation | None = None
        self._command: Command = ()
        self._attempt = 0
        self._patience = caller.patience
        """How long it waits for the answer to this asking; longer each time."""

    @property
    def is_done(self) -> bool:
        return self._operation is None and self._sequence >= self._last

    @property
    def waits_for(self) -> str:
        """What it has no answer to, for people."""
        return f"{self.name}: {b' '.join(self._command).decode('utf-8', 'backslashreplace')}"

    def start(self) -> None:
        """Begin, after a while."""
        self._after(self._random.randint(0, self._caller.think), self._next)

    def come_to_an_end(self) -> None:
        """The faults are over: wait for what was asked, ask for a little more, and let that be all."""
        self._last = min(self._last, self._sequence + MORE)

    def _after(self, delay: Moment, callback: object, *args: object) -> None:
        timeline = self._world.timeline
        timeline.at(timeline.now + delay, None, callback, *args)  # type: ignore[arg-type]

    # One command after another -----------------------------------------------------------

    def _next(self) -> None:
        if self._sequence >= self._last:
            return
        self._sequence += 1
        value = f"{self.name}.{self._sequence}".encode()
        command = drawn(self._random, self._keys, value)
        self._writes = command[0] == b"EXEC" or COMMANDS[command[0]].writes
        if self._writes and self._caller.session:
            self._written += 1
            number = b"%d" % self._written
            command = [b"SESSION", self.name.encode(), number, number, *command]
        self._command = command
        self._patience = self._caller.patience
        self._operation = self._world.history.begin(self.name, command, self._world.timeline.now)
        self._ask()

    def _ask(self) -> None:
        """Ask a node, and be patient."""
        members = self._world.members
        if self._caller.roams:
            self._at = self._random.randrange(len(members))
        member = members[self._at % len(members)]
        self._attempt += 1
        attempt = Attempt(self, self._attempt, self._operation, member.name)
        command, writes = self._command, self._writes
        self._world.network.send(
            self.name,
            member.name,
            lambda: member.ask(attempt, command, writes=writes),
            once=not self._repeats,
        )
        self._after(self._patience, self._lose_patience, self._attempt)

    @property
    def _repeats(self) -> bool:
        """May it be asked twice without harm?"""
        return self._caller.session or not self._writes

    def _lose_patience(self, attempt: int) -> None:
        if attempt != self._attempt or self._operation is None:
            return
        self._at += 1
        if self._repeats:
            self._patience = min(2 * self._patience, PATIENCE_MAX)
            self._ask()
        else:
            self._finish()

    def _ask_again(self, attempt: int) -> None:
        """Unless it has been answered meanwhile, by whom it was asked before."""
        if attempt == self._attempt:
            self._ask()

    def answered(self, attempt: Attempt, node: str, reply: Reply) -> None:
        """A node sends an answer."""
        self._world.network.send(node, self.name, partial(self.hear, attempt, reply), once=True)

    def hear(self, attempt: Attempt, reply: Reply) -> None:
        """An answer has arrived, to this asking or an earlier one; what is settled is not heard any more."""
        if self._operation is None or attempt.operation is not self._operation:
            return
        code = reply.text.partition(" ")[0] if isinstance(reply, Failure) else ""
        if code in LOST:
            self._world.complain("session", f"{self.waits_for}: {code}")
            self._finish()
        elif code in AGAIN:
            if attempt.number == self._attempt:
                self._refused(is_open=code == UNCERTAIN)
        else:
            self._world.history.end(self._operation, reply, self._world.timeline.now)
            self._finish()

    def _refused(self, *, is_open: bool) -> None:
        self._at += 1
        self._attempt += 1
        if self._repeats:
            self._after(PAUSE, self._ask_again, self._attempt)
            return
        if not is_open and self._operation is not None:
            self._world.history.drop(self._operation)
        self._finish()

    def _finish(self) -> None:
        self._operation = None
        self._attempt += 1
        self._after(self._random.randint(0, self._caller.think), self._next)


class Attempt:
    """One asking of a node, which answers it once."""

    def __init__(self, client: Client, number: int, operation: Operation | None, node: str) -> None:
        self.number = number
        self.operation = operation
        self._client = client
        self._node = node
        self._replies: list[Reply] = []

    def __hash__(self) -> int:
        return self.number

    def answer(self, reply: Reply) -> None:
        self._replies.append(reply)

    def flush(self) -> None:
        replies, self._replies = self._replies, []
        for reply in replies:
            self._client.answered(self, self._node, reply)

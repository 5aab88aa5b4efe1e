"""What clients asked for and were told, and when: all that a judge of linearizability goes by.

It does not know who answered, nor how often a client asked: an operation is one wish, from the first time that it was
asked for to the answer that was believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..kv.commands import Command
from ..kv.replies import Failure, Reply, Word


@dataclass(slots=True, eq=False)
class Operation:
    """One command of one client. Times are whole numbers of any unit; what is equal is at the same time."""

    client: str
    command: Command
    """As the state machine takes it, SESSION and EXEC included (`impl.kv.machine`)."""
    called: int
    returned: int | None = None
    """None if no answer came, or one that leaves it open: then it may take effect at any time from `called` on, or
    never."""
    reply: Reply = None
    """The answer, if it returned."""

    def __str__(self) -> str:
        asked = f"{self.client}: {shown(self.command)}"
        if self.returned is None:
            return f"{asked} (called at {self.called}, without an answer)"
        return f"{asked} (called at {self.called}, answered at {self.returned}: {shown(self.reply)})"


def shown(said: Command | Reply) -> str:
    """A command or an answer, fit for a line."""
    if isinstance(said, Word | Failure):
        return said.text
    if isinstance(said, bytes):
        return said[:40].decode("utf-8", "backslashreplace")
    if isinstance(said, list | tuple):
        return " ".join(map(shown, said))
    return "nothing" if said is None else str(said)


class History:
    """The operations of a run, in the order in which they were first asked for."""

    def __init__(self) -> None:
        self._operations: dict[Operation, None] = {}

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._operations)

    def __len__(self) -> int:
        return len(self._operations)

    @property
    def operations(self) -> list[Operation]:
        """All of them."""
        return list(self._operations)

    def begin(self, client: str, command: Command, now: int) -> Operation:
        """A client asks for something."""
        operation = Operation(client, command, now)
        self._operations[operation] = None
        return operation

    def end(self, operation: Operation, reply: Reply, now: int) -> None:
        """It is answered, and the answer says what came of it. Where none comes the operation stays open."""
        operation.reply, operation.returned = reply, now

    def drop(self, operation: Operation) -> None:
        """It was refused, and will never take effect."""
        del self._operations[operation]

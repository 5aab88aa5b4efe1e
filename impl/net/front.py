"""What the connections of one node share, and what one of them is to whoever answers what is said to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol, TypeAlias

from ..kv.machine import KeyValue
from ..kv.replies import Reply
from .gateway import Gateway
from .resp import Answerable
from .wire import NodeStatus

Then: TypeAlias = Callable[[Reply], Answerable]


@dataclass
class Queued:
    """What a client said since MULTI."""

    commands: list[list[bytes]] = field(default_factory=list)
    bytes: int = 0
    spoilt: bool = False
    """Was one of them refused?"""


@dataclass
class Front:
    """The node, as its clients' connections have it."""

    gateway: Gateway
    machine: KeyValue
    call_turn: Callable[[], None]
    status: Callable[[], NodeStatus]
    password: str | None = None
    """The hash of it (`passwords`), if clients need one."""
    checker: Executor | None = None
    """Where passwords are checked; one at a time is plenty."""
    redirects: bool = False
    """Send clients to the leader, rather than their commands."""
    clients_max: int = 4096
    closing: bool = False
    """The node stops: nothing new is begun."""
    passwords_waiting: int = 0
    """To be checked."""
    ids: count[int] = field(default_factory=lambda: count(1))


class Client(Protocol):
    """A connection: what is known of the client, and what may be done with what it says."""

    @property
    def front(self) -> Front: ...

    @property
    def id(self) -> int: ...

    name: str
    version: int
    """Of the protocol."""
    trusted: bool
    transaction: Queued | None
    watched: dict[bytes, int]

    def write(self, command: list[bytes]) -> bool:
        """Have a command go through the log; False if it must wait until others are answered."""
        ...

    def read(self, command: list[bytes], then: Then | None = None) -> None:
        """Have a command read; its reply goes through `then`, if that is given, and nothing else begins meanwhile."""
        ...

    def say(self, reply: Answerable) -> None:
        """Answer now."""
        ...

    def hold(self, reply: Awaitable[Answerable]) -> None:
        """Answer when `reply` is there; nothing else begins meanwhile."""
        ...

    def close(self) -> None:
        """Send what there is, and end the connection."""
        ...

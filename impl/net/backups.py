"""A backup of a node that runs: the state machine copied at one moment, which all that was answered precedes.

It does not know HTTP (`admin`) or the file (`impl.backup`). The moment is that of a linearizable read: the leader has
confirmed that it leads, and this node has applied all that was committed when it was asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from ..backup import about, encoded
from ..kv.image import Frozen, freeze
from ..kv.machine import KeyValue
from ..kv.replies import Failure, Reply
from .errors import NoAnswer
from .gateway import Gateway


class Backups:
    """Takes backups of one node."""

    def __init__(
        self, cluster: str, node: str, gateway: Gateway, machine: KeyValue, call_turn: Callable[[], None]
    ) -> None:
        self._cluster = cluster
        self._node = node
        self._gateway = gateway
        self._machine = machine
        self._call_turn = call_turn

    async def take(self, stale: bool) -> Iterator[bytes]:
        """A backup, piece by piece; it may be iterated in another thread while the node goes on.

        `stale` takes what this node has applied, whether or not anybody leads. Otherwise raises NoAnswer if no leader
        can be reached.
        """
        frozen = freeze(self._machine) if stale else await self._current()
        said = about(self._cluster, self._node, frozen.applied, current=not stale)
        return encoded(said, frozen.parts())

    async def _current(self) -> Frozen:
        moment = _Moment(self._machine)
        self._gateway.read(moment, [b"DBSIZE"])
        self._call_turn()
        return await moment.frozen


class _Moment:
    """Whoever asks for a read only to know when it would be answered, and copies the state machine then."""

    def __init__(self, machine: KeyValue) -> None:
        self.frozen: asyncio.Future[Frozen] = asyncio.get_running_loop().create_future()
        self._machine = machine

    def answer(self, reply: Reply) -> None:
        if self.frozen.done():
            return
        if isinstance(reply, Failure):
            self.frozen.set_exception(NoAnswer("no leader could be reached in time"))
        else:
            self.frozen.set_result(freeze(self._machine))

    def flush(self) -> None:
        """There is nothing to send."""

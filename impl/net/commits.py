"""Makes durable what a replica wants: one write and one sync for all that waits, beside the event loop.

It does not know what a record says, nor what hangs on it. While one batch is being synced the next one gathers. A disk
that is full is waited for, and the gateway is told meanwhile; any other failure is final.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from ..core.effects import Persist
from ..core.events import Event, Persisted
from ..storage import DiskFull, DurableLog
from .gateway import Gateway
from .surroundings import Loop
from .worker import Worker

log = logging.getLogger("quorate.node")

ROOM_S: Final = 0.5
"""How long a full disk is left alone between two attempts."""


class Commits:
    """The commits of one node's log. What is durable goes to `post`, what cannot be helped to `fail`; none begins once
    all `is_over`."""

    def __init__(
        self,
        durable: DurableLog,
        gateway: Gateway,
        post: Callable[[Event], None],
        fail: Callable[[Exception], None],
        is_over: Callable[[], bool],
        loop: Loop,
        worker: Worker,
    ) -> None:
        self._durable: Final = durable
        self._gateway = gateway
        self._post = post
        self._fail = fail
        self._is_over = is_over
        self._loop = loop
        self._worker = worker
        self._waiting: list[Persist] = []
        self._syncing: list[Persist] = []

    def add(self, persist: Persist) -> None:
        """Have something made durable by the next commit."""
        self._waiting.append(persist)

    def begin(self) -> None:
        """Start one commit of all that waits, unless one is under way."""
        if self._waiting and not self._syncing:
            self._syncing, self._waiting = self._waiting, []
            self._commit()

    def close(self) -> None:
        """Finish the commit that is under way; blocks."""
        self._worker.close()

    def _commit(self) -> None:
        if not self._is_over():
            records = [record for persist in self._syncing for record in persist.records]
            self._worker.submit(partial(self._durable.commit, records), self._done)

    def _done(self, failure: Exception | None) -> None:
        if isinstance(failure, DiskFull):
            self._wait_for_room(failure)
            return
        if failure is not None:
            self._fail(failure)
            return
        if self._gateway.is_blocked:
            self._gateway.is_blocked = False
            log.info("there is room on the disk again")
        number = self._syncing[-1].number
        self._syncing = []
        self._post(Persisted(number))

    def _wait_for_room(self, error: DiskFull) -> None:
        """Try the same batch again in a while; until it is on the disk nothing leaves, and clients go elsewhere.

        If the log has not survived the error, the next attempt says so and ends the node.
        """
        if not self._gateway.is_blocked:
            self._gateway.is_blocked = True
            log.error("%s; until then this node accepts nothing", error)
        self._loop.call_later(ROOM_S, self._commit)

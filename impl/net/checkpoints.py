"""Carries out what a replica wants of checkpoints: writes, sends, keeps and installs them, beside the event loop.

It does not know when one is due, nor what it means. What takes long (to write a checkpoint, to see that one that came
is whole, to read it) is done in a thread of its own, so neither commits nor the event loop wait for it; a piece is
small, and read or kept at once. A disk that is full is no harm here: the checkpoint is abandoned, and tried again when
the next is due.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from ..core.effects import Checkpoint, Checkpointing, Install, KeepPiece, ReadPiece, Restore, Truncate
from ..core.events import Abandoned, Checkpointed, Event, Installed, PieceRead
from ..kv.image import BadImage, Frozen, freeze, thaw
from ..kv.machine import KeyValue
from ..storage import DiskFull, DurableLog, StoredCheckpoint, UnknownFormat
from .worker import Worker

log = logging.getLogger("quorate.node")


class Checkpoints:
    """The checkpoints of one node. Events go to `post`, what cannot be helped to `fail`."""

    def __init__(
        self,
        durable: DurableLog,
        machine: KeyValue,
        post: Callable[[Event], None],
        fail: Callable[[Exception], None],
        worker: Worker,
    ) -> None:
        self._durable: Final = durable
        self._machine: Final = machine
        self._post = post
        self._fail = fail
        self._worker = worker
        self._installed: KeyValue | None = None
        """What the state machine will be, once the replica says so."""

    def carry_out(self, effect: Checkpointing) -> None:
        """Do, or begin to do, what the replica wants."""
        if isinstance(effect, Checkpoint):
            assert self._machine.applied == effect.slot, (
                "the state machine stands where the checkpoint is to be"
            )
            self._worker.submit(partial(self._write, effect.slot, freeze(self._machine)), self._done)
        elif isinstance(effect, Truncate):
            self._worker.submit(partial(self._truncate, effect.slot), self._done)
        elif isinstance(effect, ReadPiece):
            slot, size, offset, data = self._durable.read_piece(effect.slot, effect.offset)
            self._post(PieceRead(effect.to, slot, size, offset, data))
        elif isinstance(effect, KeepPiece):
            self._keep(effect)
        elif isinstance(effect, Install):
            self._worker.submit(partial(self._install, effect.slot), self._done)
        else:
            self._restore(effect)

    def close(self) -> None:
        """Wait for what was begun; blocks."""
        self._worker.close()

    def _done(self, outcome: Event | Exception | None) -> None:
        if isinstance(outcome, Exception):
            self._fail(outcome)
        elif outcome is not None:
            self._post(outcome)

    def _keep(self, effect: KeepPiece) -> None:
        try:
            self._durable.keep_piece(effect.offset, effect.data)
        except DiskFull as error:
            log.error("%s", error)
            self._post(Abandoned(effect.slot))

    def _restore(self, effect: Restore) -> None:
        assert self._installed is not None, "what is restored was installed"
        assert self._installed.applied == effect.slot, "and it is that of the slot"
        self._machine.become(self._installed)
        self._installed = None

    # In the worker -----------------------------------------------------------------------

    def _write(self, slot: int, frozen: Frozen) -> Event:
        try:
            return Checkpointed(slot, self._durable.checkpoint(slot, frozen.parts()))
        except DiskFull as error:
            log.error("%s", error)
            return Abandoned(slot)

    def _truncate(self, slot: int) -> None:
        try:
            self._durable.truncate(slot)
        except DiskFull as error:
            log.error("%s", error)

    def _install(self, slot: int) -> Event:
        try:
            stored = self._durable.receive(slot)
            if stored is None:
                log.error("the checkpoint at %d did not come whole; it will be fetched again", slot)
                return Abandoned(slot)
            self._installed = load(stored)
            self._durable.rest_on(slot)
        except (DiskFull, UnknownFormat) as error:
            log.error("%s", error)
            return Abandoned(slot)
        return Installed(slot)


def load(stored: StoredCheckpoint) -> KeyValue:
    """The state machine of a checkpoint. Raises DamagedLog if it has changed since, UnknownFormat if it is of a newer
    version."""
    machine = KeyValue()
    try:
        thaw(stored.content(), machine)
    except BadImage as error:
        for _ in stored.content():  # raises DamagedLog, if that is why
            pass
        raise UnknownFormat(
            f"{stored.path}: {error}; start the node with the version that wrote it"
        ) from error
    return machine

"""One node of the simulated world: what outlasts it, its disk and its clock, and the life that it has now.

A life is the real thing from the driver inwards: `impl.net.driver` with its gateway, the replica, the durable log, the
state machine and the trace, started as `impl.net.node` starts them. Played are the event loop, the workers, the files
and the ways to others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Final, Protocol, TypeVar

from ...traces import Recorder
from ..core.records import PromiseRecord, Record
from ..core.replica import Replica
from ..kv.commands import Command
from ..kv.machine import KeyValue
from ..kv.replies import Failure, Reply
from ..net.checkpoints import load
from ..net.driver import Driver
from ..net.framing import payload_of
from ..net.surroundings import Surroundings
from ..net.tracer import Tracer
from ..net.wire import AskIndex, Forward, TellIndex, decode_message
from ..net.worker import Worker
from ..storage import Identity, Opened, StorageError
from . import life as lives
from . import sights
from .disk import SimulatedDisk
from .life import Life, SimulatedWorker, Suspect, WatchedLog, WatchedMachine, WatchedTrace
from .plan import Plan
from .timeline import Clock, Crash, Moment, NodeLoop

CLUSTER: Final = "simulated"
FOLDER: Final = Path("/data")
"""Where each node has its data, on its own disk."""

BUSY: Final = Failure("BUSY too many commands wait here")

T = TypeVar("T")


class Asker(Protocol):
    """Who asked a node for something; see `impl.net.gateway`."""

    def answer(self, reply: Reply) -> None: ...

    def flush(self) -> None: ...


class World(lives.World, Protocol):
    """Of the world, what a node reaches."""

    plan: Plan
    traces: Path

    def carry(self, sender: str, receiver: str, payload: bytes) -> None: ...

    def died(self, member: Member) -> None: ...

    def ended(self, member: Member, error: BaseException | None) -> None: ...


class Member:
    """A node: `start` it, and `crash` it; `up` tells which it was last."""

    def __init__(self, world: World, name: str, random: Random) -> None:
        self.name: Final = name
        self.disk: Final = SimulatedDisk(random)
        self.disk.before = self._before_disk
        rates = dict(zip(world.plan.names, world.plan.clocks, strict=False))
        self.clock: Final = Clock(world.timeline, rates.get(name, 1.0), random.randrange(10**9))
        self.boots = 0
        self.refused: StorageError | None = None
        """Why its last start came to nothing, if it did."""
        self.is_rotten = False
        """Has anything on its disk changed by itself?"""
        self.slowness = 1
        """How many times as long its disk takes."""
        self.power = True
        """Does what is not synced go when it dies next?"""
        self.down: Moment = 0
        """How long it stays down when it dies next."""
        self.dies_again = 0
        """The boundary at which its next life ends, if it does: perhaps before it has recovered."""
        self._world = world
        self._random = random
        self._life: Life | None = None
        self._durable: WatchedLog | None = None
        """The log of its life, or of its last."""
        self._recorder: Recorder | None = None
        self._tracer: Tracer | None = None

    @property
    def up(self) -> bool:
        return self._life is not None

    @property
    def life(self) -> Life:
        assert self._life is not None, f"{self.name} is down"
        return self._life

    @property
    def rests(self) -> bool:
        """Does its log rest on a checkpoint?"""
        return self._durable is not None and self._durable.rests

    @property
    def driver(self) -> Driver:
        assert self._life is not None, f"{self.name} is down"
        return self._driver

    # Life and death ----------------------------------------------------------------------

    def start(self) -> None:
        """Begin a life, if what the disk holds allows it."""
        assert self._life is None, f"{self.name} is up"
        world, plan = self._world, self._world.plan
        self.refused = self._recorder = self._tracer = None
        life = self._life = Life(self.crash)
        life.fuse, self.dies_again = self.dies_again, 0
        machine = WatchedMachine(world, self.name)
        try:
            durable, opened = self._recover(machine)
        except StorageError as error:
            self.refused = error
            self._life, life.alive = None, False
            self.disk.crash(power=False)
            return
        except Crash:
            world.watch.see(sights.DIED_RECOVERING)
            self.crash()
            return
        self.boots += 1
        self._recorder = Recorder(world.traces, self.name, opened.boot)
        self._tracer = Tracer(self._recorder)
        loop = NodeLoop(world.timeline, life, self.clock)
        self._driver = Driver(
            Replica(plan.config(self.name, opened.boot), opened.state),
            durable,
            WatchedTrace(world, life, self.name, self._tracer),
            machine,
            partial(self._carry, life),
            patience_ms=plan.timing.patience_ms,
            surroundings=Surroundings(loop, self._random.random, partial(self._worker, life)),
        )
        self._driver.ended.add_done_callback(self._ended)
        self._driver.start()

    def _recover(self, machine: KeyValue) -> tuple[WatchedLog, Opened]:
        """Open the log, and let the machine stand where it begins."""
        sizes, before = self._world.plan.sizes, self._durable
        durable, opened = WatchedLog.open(
            FOLDER,
            Identity(CLUSTER, self.name),
            segment_bytes=sizes.segment_bytes,
            piece_bytes=sizes.piece_bytes,
            files=self.disk,
        )
        self._durable = durable
        if opened.checkpoint is not None:
            durable.rests = True
            machine.become(load(opened.checkpoint))
        if opened.torn is not None and before is not None:
            self._see_torn(before.committing)
        return durable, opened

    def _see_torn(self, records: Sequence[Record]) -> None:
        """The batch that it was at when it died is there in part."""
        for record in records:
            promised = isinstance(record, PromiseRecord)
            self._world.watch.see(sights.TORN_PROMISE if promised else sights.TORN_ACCEPTANCE)

    def crash(self) -> None:
        """Die; what its disk holds then is as its power says."""
        self._end()
        self.disk.crash(power=self.power)
        self._world.died(self)

    def rot(self) -> None:
        """Let something on its disk change by itself; it is down."""
        assert not self.up, "what a node has read it does not read again"
        self.is_rotten = True
        paths = [FOLDER / name for name in sorted(self.disk.names(FOLDER))]
        with suppress(ValueError, OSError):  # there may be nothing yet that could
            self.disk.rot(self._random.choice(paths))

    def fill_disk(self) -> None:
        """Let there be no more room on its disk than is used, or a little."""
        self.disk.capacity_bytes = self.disk.used_bytes + self._random.choice((0, 0, 300, 5000))

    def free_disk(self) -> None:
        """Let there be room again."""
        self.disk.capacity_bytes = None

    def _end(self) -> None:
        life, self._life = self._life, None
        if life is not None and life.alive:
            life.alive = False
            if self._recorder is not None:
                self._recorder.abandon()

    def _ended(self, done: object) -> None:
        """The driver has come to its end: in order, or because something cannot be helped."""
        error = self._driver.ended.exception()
        if error is None and self._durable is not None:
            try:
                self._durable.close()
            except StorageError as late:
                error = late
        if error is None:
            if self._tracer is not None:
                self._tracer.close()
            self._end()
        else:
            self.power = False
            self.crash()
        self._world.ended(self, error)

    def _before_disk(self, operation: str, path: Path) -> None:
        if self._life is not None:
            self._life.pass_boundary()

    def _worker(self, life: Life, name: str) -> Worker:
        disks = self._world.plan.disks
        span = (
            (disks.sync_min, disks.sync_max)
            if name == "disk"
            else (disks.checkpoint_min, disks.checkpoint_max)
        )
        return SimulatedWorker(self._world, life, lambda: self._random.randint(*span) * self.slowness)

    # To others, and from them ------------------------------------------------------------

    def _carry(self, life: Life, peer: str, frames: Sequence[bytes]) -> None:
        life.pass_boundary()
        for frame in frames:
            self._world.carry(self.name, peer, payload_of(frame))

    def receive(self, sender: str, payload: bytes) -> None:
        """What another node said has arrived."""
        self._soon(self._receive, sender, payload)

    def _receive(self, sender: str, payload: bytes) -> None:
        message = decode_message(payload)
        if isinstance(message, Forward | AskIndex | TellIndex):
            self._driver.run_errand(message, sender)
        else:
            self._driver.receive(message, Suspect(self._world, self.name, message))

    def ask(self, asker: Asker, command: Command, *, writes: bool) -> None:
        """What a client wants has arrived; lost on a node that is down."""
        self._soon(self._ask, asker, command, writes)

    def _ask(self, asker: Asker, command: Command, writes: bool) -> None:
        gateway = self._driver.gateway
        if not writes:
            gateway.read(asker, command)
        elif gateway.is_full:
            asker.answer(BUSY)
            asker.flush()
            return
        else:
            gateway.write(asker, list(command))
        self._driver.call_turn()

    def stop(self) -> None:
        """Have it end in order."""
        self._soon(self._driver.stop)

    def transfer(self, to: str) -> None:
        """Tell it to have another node lead."""
        self._soon(self._driver.transfer, to)

    def _soon(self, callback: Callable[..., object], *args: object) -> None:
        if self._life is not None:
            timeline = self._world.timeline
            timeline.at(timeline.now, self._life, callback, *args)

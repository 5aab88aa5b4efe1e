"""The simulated world: nodes, clients, what happens to them, and what every run owes, whatever happened.

    outcome = World(plan, folder_for_traces).run()

What is owed and seen to here, while it runs: state machines agree wherever they stand at one slot, no node takes a
peer's message for nonsense, none ends but for what its disk did, and when the faults are over everybody is answered and
all nodes come to stand at the same slot. Whether the trace conforms and the history is linearizable is judged by those
who ran it.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Final, TypeAlias, assert_never

from ..core.effects import Line
from ..core.errors import BrokenAgreement
from ..core.messages import NOOP
from ..kv.image import freeze
from ..kv.machine import Applied, KeyValue, decode
from ..storage import DiskFailed, DiskFull, StorageError
from . import plan as plans
from . import sights
from .caller import Client
from .history import History
from .member import Member
from .network import Network
from .plan import Fault, Plan
from .sights import Watch
from .timeline import Moment, Timeline

REST: Final[Moment] = 120_000_000
"""So long after the faults have ended, at most, everybody is answered and everything stands still."""

STEP: Final[Moment] = 20_000
AGAIN: Final[Moment] = 200_000
"""How long a node stays down whose end was nobody's plan."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a run owed and did not give."""

    rule: str
    """In a word or two, of which kind it is: a run that is made smaller must still break the same."""
    sentence: str


Situation: TypeAlias = tuple[str, str, int, bool, bool, int]
"""A line's event and reason; and of its node the role, how many others are down (2 for more), whether it was restarted,
whether it rests on a checkpoint, and how far it lags (in powers of four)."""


@dataclass
class Outcome:
    """What a run came to."""

    plan: Plan
    complaints: list[Complaint] = field(default_factory=list)
    history: History = field(default_factory=History)
    log: list[bytes] = field(default_factory=list)
    """What was chosen, slot by slot."""
    counts: Counter[str] = field(default_factory=Counter)
    """What happened how often: faults, messages, boots."""
    events: Counter[str] = field(default_factory=Counter)
    """Lines of the trace, by event."""
    sights: Counter[str] = field(default_factory=Counter)
    """Rare scenes, see `impl.sim.sights`."""
    coverage: set[Situation] = field(default_factory=set)
    """In what situations which lines were written."""
    steps: int = 0
    lasted: Moment = 0


class World:
    """A run of a plan; `traces` is a folder for what the nodes write down."""

    def __init__(self, plan: Plan, traces: Path) -> None:
        self.plan = plan
        self.traces = traces
        self.timeline = Timeline()
        self.network = Network(self.timeline, plan.net, self._chance("network"))
        self.outcome = Outcome(plan)
        self.history = self.outcome.history
        self.members = [Member(self, name, self._chance(name)) for name in plan.names]
        self._by_name = {member.name: member for member in self.members}
        self._clients = [
            Client(self, f"client-{number}", number, caller, plan.keys, self._chance(f"client-{number}"))
            for number, caller in enumerate(plan.callers)
        ]
        self.watch = Watch()
        self._asked: set[tuple[bytes, bytes]] = set()
        """Commands in sessions that were applied, by client and number."""
        self._results: list[Applied | None] = []
        """What came of each slot, as the first node had it that applied it."""
        self._is_over = False
        """Are the faults?"""
        self._stopping: set[str] = set()

    def run(self) -> Outcome:
        """Let it happen."""
        outcome = self.outcome
        try:
            self._live()
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self.complain("exception", f"{what} (line {where.lineno} of {Path(where.filename).name})")
        outcome.steps, outcome.lasted = self.timeline.steps, self.timeline.now
        outcome.counts.update(self.network.counts)
        outcome.sights = self.watch.seen
        outcome.counts["boots"] += sum(member.boots for member in self.members)
        return outcome

    def _live(self) -> None:
        self.begin()
        for fault in self.plan.faults:
            self.timeline.at(fault.at, None, self.befall, fault)
        self.timeline.run(self.plan.ends)
        self.end()

    def begin(self) -> None:
        """Start nodes and clients; whoever does not `run` a world lets time pass, and has faults happen, himself."""
        for member in self.members:
            member.start()
        for client in self._clients:
            client.start()

    def pass_time(self, span: Moment) -> None:
        """Let happen what happens within so many microseconds."""
        self.timeline.run(self.timeline.now + span)

    def end(self) -> None:
        """End all faults, wait until everything stands still, compare the nodes and stop them."""
        self._set_right()
        if self._come_to_rest():
            self._compare()
            self._stop_all()

    def _chance(self, purpose: str) -> Random:
        """Draws of its own for each purpose, so that what is left out elsewhere changes nothing here."""
        return Random(f"{self.plan.seed} {purpose}")

    def complain(self, rule: str, sentence: str) -> None:
        """Something owed was not given."""
        self.outcome.complaints.append(Complaint(rule, sentence))

    # What nodes do -----------------------------------------------------------------------

    def carry(self, sender: str, receiver: str, payload: bytes) -> None:
        """A node sends something."""
        self.network.send(sender, receiver, partial(self._by_name[receiver].receive, sender, payload))

    def traced(self, node: str, lines: Iterable[Line]) -> None:
        """A node has written lines of its trace."""
        where = self._where(self._by_name[node])
        for line in lines:
            reason = line.reason if isinstance(line.reason, str) else ""
            name = f"{line.event}: {reason}" if reason else line.event
            self.outcome.events[name] += 1
            self.outcome.coverage.add((name, *where))
            self.watch.line(node, line, self._leaders() if line.event == "lead" else 0)

    def _where(self, member: Member) -> tuple[str, int, bool, bool, int]:
        """Of a situation, all but the line."""
        driver = member.driver
        down = [each.up for each in self.members].count(False)
        lag = (max(0, len(self.outcome.log) - driver.machine.applied).bit_length() + 1) // 2
        role = driver.replica.status().role
        return role, min(down, 2), member.boots > 1, member.rests, min(lag, 3)

    def _leaders(self) -> int:
        return sum(each.up and each.driver.replica.status().role == "leader" for each in self.members)

    def applied(self, node: str, slot: int, value: bytes, applied: Applied | None) -> None:
        """A node's state machine has applied a slot."""
        log = self.outcome.log
        if slot == len(log) + 1:
            log.append(value)
            self._results.append(applied)
            self._look_at(value, applied)
        elif log[slot - 1] != value:
            self.complain("agreement", f"{node} applied {value!r} in slot {slot}, another {log[slot - 1]!r}")
        elif self._results[slot - 1] != applied:
            self.complain(
                "state", f"slot {slot} came to {applied} at {node}, to {self._results[slot - 1]} at another"
            )

    def _look_at(self, value: bytes, applied: Applied | None) -> None:
        """What has just been applied for the first time: is anything in it that had been there before?"""
        batch = None if value == NOOP else decode(value)
        if batch is None:
            return
        if applied is None:
            self.watch.see(sights.TWICE)
            return
        for command in batch.commands:
            if command[0] == b"SESSION":
                if (command[1], command[2]) in self._asked:
                    self.watch.see(sights.RETRIED)
                self._asked.add((command[1], command[2]))

    def restored(self, node: str, machine: KeyValue) -> None:
        """A node's state machine has become that of a checkpoint."""
        slot = machine.applied
        if slot > len(self.outcome.log):
            self.complain("state", f"{node} has a checkpoint at {slot}, and nobody has applied so much")
        elif image_of(machine) != image_of(replayed(self.outcome.log[:slot])):
            self.complain("state", f"the checkpoint at {slot} of {node} is not what the log leads to")

    def died(self, member: Member) -> None:
        """A node is down; it will be up again."""
        down, member.down = member.down or AGAIN, 0
        if self._is_over:
            down = AGAIN
        if member.name not in self._stopping:
            self.timeline.at(self.timeline.now + down, None, self._start, member)

    def ended(self, member: Member, error: BaseException | None) -> None:
        """A node's driver came to its end by itself."""
        if isinstance(error, BrokenAgreement):
            self.complain("agreement", f"{member.name}: {error}")
        elif error is not None and not isinstance(error, StorageError):
            self.complain("exception", f"{member.name}: {type(error).__name__}: {error}")
        elif error is None:
            self.died(member)

    def _start(self, member: Member) -> None:
        if member.up or member.name in self._stopping:
            return
        member.start()
        if isinstance(member.refused, DiskFull | DiskFailed):
            self.timeline.at(self.timeline.now + AGAIN, None, self._start, member)
        elif member.refused is not None:
            self.outcome.counts["folders refused"] += 1
            if not member.is_rotten:
                self.complain("storage", f"{member.name}: {member.refused}")

    # What happens to them ----------------------------------------------------------------

    def befall(self, fault: Fault) -> None:
        """Have a fault happen, if it can: who is down cannot crash."""
        if self._is_over:
            return
        if isinstance(fault, plans.Cuts):
            self._cut(fault)
        elif isinstance(fault, plans.PowerFails):
            for member in self.members:
                if member.up:
                    member.power, member.down = True, fault.down
                    member.crash()
        else:
            member = self.members[fault.node % len(self.members)]
            if not member.up and not isinstance(fault, plans.Jumps | plans.Transfers):
                return
            if isinstance(fault, plans.BitsRot) and not self._can_spare(member):
                return
            self._befall_one(member, fault)
        self.outcome.counts[plans.kind(fault)] += 1

    def _befall_one(self, member: Member, fault: Fault) -> None:
        now = self.timeline.now
        match fault:
            case plans.Crashes(boundary=boundary, power=power, down=down, again=again):
                member.power, member.down, member.dies_again = power, down, again
                if boundary:
                    member.life.fuse = boundary
                else:
                    member.crash()
            case plans.Pauses(lasts=lasts):
                member.life.paused_until = now + lasts
            case plans.Jumps(by=by):
                member.clock.jump(by)
            case plans.DiskFills(lasts=lasts):
                member.fill_disk()
                self.timeline.at(now + lasts, None, member.free_disk)
            case plans.DiskSlows(lasts=lasts, factor=factor):
                member.slowness = factor
                self.timeline.at(now + lasts, None, setattr, member, "slowness", 1)
            case plans.SyncFails(down=down):
                member.down = down
                member.disk.fail_next_sync()
            case plans.BitsRot(down=down):
                member.down = down
                member.crash()
                member.rot()
            case plans.Stops(down=down):
                member.down = down
                member.stop()
            case plans.Transfers():
                for other in self.members:
                    if other.up:
                        other.transfer(member.name)
            case plans.Cuts() | plans.PowerFails():
                raise AssertionError("it happens to more than one")
            case _:
                assert_never(fault)

    def _can_spare(self, member: Member) -> bool:
        """May a node be gone for ever, with those whose disks have rotted before? One that has not written a line yet
        never took part, and would be missed in the trace."""
        if not any(self.traces.glob(f"{member.name}-*")):
            return False
        return sum(each.is_rotten for each in self.members if each is not member) < self.plan.spared

    def _cut(self, fault: plans.Cuts) -> None:
        inside = [self.plan.names[number % len(self.members)] for number in fault.sources]
        others = [member.name for member in self.members if member.name not in inside]
        pairs = [(source, other) for source in inside for other in others]
        if fault.both:
            pairs += [(other, source) for source, other in pairs]
        self.network.cut(pairs)
        self.timeline.at(self.timeline.now + fault.lasts, None, self._mend, pairs)

    def _mend(self, pairs: Iterable[tuple[str, str]]) -> None:
        if not self._is_over:
            self.network.mend(pairs)

    # How it ends -------------------------------------------------------------------------

    def _set_right(self) -> None:
        """End all faults, and start whoever is down."""
        self._is_over = True
        self.network.calm()
        for client in self._clients:
            client.come_to_an_end()
        for member in self.members:
            member.slowness, member.dies_again = 1, 0
            member.free_disk()
            if member.up:
                member.life.fuse = 0
                member.life.paused_until = 0
            elif member.refused is None:
                self._start(member)

    def _come_to_rest(self) -> bool:
        """Wait until nobody waits; complain if that takes too long."""
        limit = self.timeline.now + REST
        while self.timeline.now < limit:
            self.pass_time(STEP)
            if self.outcome.complaints:
                return False
            if not any(self._waiting()):
                return True
        self.complain("progress", "; ".join(list(self._waiting())[:5]))
        return False

    def _waiting(self) -> Iterator[str]:
        """What does not stand still yet."""
        for client in self._clients:
            if not client.is_done:
                yield f"{client.waits_for} has no answer"
        staying = [member for member in self.members if member.refused is None]
        for member in staying:
            if not member.up:
                yield f"{member.name} is down"
        for member in staying:
            if member.up and member.driver.machine.applied < len(self.outcome.log):
                yield f"{member.name} has applied {member.driver.machine.applied} of {len(self.outcome.log)} slots"

    def _compare(self) -> None:
        """Nodes that have applied the same are in the same state: that of the log."""
        expected = image_of(replayed(self.outcome.log))
        for member in self.members:
            if member.up and image_of(member.driver.machine) != expected:
                self.complain("state", f"{member.name} is not in the state that the log leads to")

    def _stop_all(self) -> None:
        """End in order, so that every trace is whole."""
        self._stopping = set(self.plan.names)
        for member in self.members:
            if member.up:
                member.stop()
        limit = self.timeline.now + REST  # a sync may be under way that takes its time
        while any(member.up for member in self.members) and self.timeline.now < limit:
            self.pass_time(STEP)
        for member in self.members:
            if member.up:
                self.complain("progress", f"{member.name} was told to stop and goes on")


def replayed(log: Iterable[bytes]) -> KeyValue:
    """The state machine that a log leads to."""
    machine = KeyValue()
    for slot, value in enumerate(log, 1):
        machine.apply(slot, value)
    return machine


def image_of(machine: KeyValue) -> bytes:
    """The whole state of a machine."""
    return b"".join(freeze(machine).parts())

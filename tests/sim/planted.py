"""Planted bugs: small, named patches of the implementation, each of which the judges of simulated runs must catch.

A patch wraps what it spoils and calls it; it says nothing of the protocol that it does not change. It is undone with
the `MonkeyPatch` that it was given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from quorate.impl.core import acceptor as acceptor_module
from quorate.impl.core import replica as replica_module
from quorate.impl.core.acceptor import Acceptor
from quorate.impl.core.checkpointer import Checkpointer
from quorate.impl.core.config import Config
from quorate.impl.core.effects import Checkpoint, Effect, Line
from quorate.impl.core.election import Election
from quorate.impl.core.leader import Leadership, Proposal
from quorate.impl.core.messages import NOOP, Accept, Accepted, Ballot, Entry, Promise, Value
from quorate.impl.core.outbox import Outbox
from quorate.impl.core.reading import Reading
from quorate.impl.core.records import Record, Recovered
from quorate.impl.core.replica import Replica
from quorate.impl.kv.machine import KeyValue, session_of
from quorate.impl.net import checkpoints as checkpoints_module
from quorate.impl.net.driver import Driver
from quorate.impl.net.tracer import Tracer
from quorate.impl.sim.plan import Caller, Crashes, Disks, Fault, Net, Plan, Sizes, Timing, Transfers
from quorate.impl.sim.swarm import draw
from quorate.refinement.divergence import Rule

Patch = pytest.MonkeyPatch
Spoil = Callable[[Patch], None]

REPORT = f"trace: {Rule.REPORT.value}"
RECOVERED = f"trace: {Rule.RECOVERED.value}"
RECEIVED = f"trace: {Rule.RECEIVED.value}"
QUORUM = f"trace: {Rule.QUORUM.value}"
HEARD = f"trace: {Rule.HEARD.value}"
KNOWN = f"trace: {Rule.KNOWN.value}"
SPOKEN = f"trace: {Rule.SPOKEN.value}"
LEFT = "trace: (a, b) not in now.left"
PREPARED = "trace: (b,) not in now.prepared"
FORCED = "trace: free(now, q, s, b) or forced(now, q, s, b, v)"
PROMISED = "trace: all((a, b) in now.promised for a in q)"
CHOSEN = "trace: all((a, s, b, v) in now.accepted for a in q)"
CHECKPOINT = "trace: (a, s) in now.checkpoints"
UNVERIFIED = "trace: unverified"
HISTORY = "history: not linearizable"
STATE = "state"


@dataclass(frozen=True)
class Planted:
    """A bug."""

    name: str
    sentence: str
    apply: Spoil
    rules: tuple[str, ...]
    """Under one of these it is reported."""
    plan: Callable[[int], Plan] = draw
    """The run of a seed, where not any will do."""


RUNS = 40
"""In one of the first so many runs each is caught: of the same seeds for all, of which none was chosen."""

PLANTED: list[Planted] = []


def planted(*rules: str, plan: Callable[[int], Plan] = draw) -> Callable[[Spoil], Spoil]:
    """Registers a bug; its name is the function's, its sentence the docstring."""

    def register(apply: Spoil) -> Spoil:
        PLANTED.append(Planted(apply.__name__, apply.__doc__ or "", apply, rules, plan))
        return apply

    return register


def wrap(patch: Patch, owner: Any, name: str, spoilt: Callable[..., Any]) -> None:
    """Put `spoilt` in the place of a method, or of a name of a module; it is given the original first."""
    original = getattr(owner, name)

    def instead(*args: Any, **named: Any) -> Any:
        return spoilt(original, *args, **named)

    patch.setattr(owner, name, instead)


def restless(seed: int) -> Plan:
    """A run in which somebody crashes all the time, and loses what was not synced."""
    plan = draw(seed)
    every = plan.ends // 60
    crashes = [
        Crashes(at=at, node=(at // every * 7 + seed) % plan.nodes, power=True, down=20_000)
        for at in range(every, plan.ends, every)
    ]
    disks = Disks(sync_min=2_000, sync_max=10_000)
    return msgspec.structs.replace(plan, nodes=max(3, plan.nodes), faults=tuple(crashes), disks=disks)


def quarrelsome(seed: int) -> Plan:
    """A run in which leaders replace each other all the time, and messages come late, twice or never."""
    plan = draw(seed)
    every = plan.ends // 80
    faults: list[Fault] = [
        Transfers(at=at, node=(at // every * 3 + seed) % 5) for at in range(every, plan.ends, every)
    ]
    net = Net(delay_min=200, delay_max=8_000, slow=0.05, lost=0.15, doubled=0.3, in_order=False)
    callers = tuple(msgspec.structs.replace(each, think=20_000) for each in plan.callers)
    return msgspec.structs.replace(plan, nodes=5, faults=tuple(faults), net=net, callers=callers, clocks=())


def belated(seed: int) -> Plan:
    """As before, but two nodes take the lead from each other before much is committed, and many messages come when
    their ballot is over; one command a message."""
    plan = quarrelsome(seed)
    faults = tuple(Transfers(at=at, node=at // 15_000 % 2) for at in range(100_000, plan.ends, 15_000))
    sizes = msgspec.structs.replace(plan.sizes, batch_entries_max=1, window_batches_max=8)
    net = msgspec.structs.replace(plan.net, slow=0.1, lost=0.05)
    return msgspec.structs.replace(plan, faults=faults, sizes=sizes, net=net)


# What was said before it was written -------------------------------------------------------


def speak_early(patch: Patch, event: str) -> None:
    """Let what a node answers others leave before the record on which it rests is durable."""

    def emit(original: Callable[..., None], box: Outbox, effect: Effect, after: Record | None = None) -> None:
        is_answer = isinstance(effect, Line) and effect.event == event and effect.recv is not None
        if after is None or not is_answer or not box.is_clear:
            original(box, effect, after)
            return
        box._ready.append(effect)
        box.persist(after)

    wrap(patch, Outbox, "emit", emit)


@planted(RECOVERED, plan=restless)
def promise_answered_before_durable(patch: Patch) -> None:
    """A promise leaves before it is on the disk."""
    speak_early(patch, "promise")


@planted(RECOVERED, plan=restless)
def accept_answered_before_durable(patch: Patch) -> None:
    """An acceptance is answered before it is on the disk."""
    speak_early(patch, "accept")


# What was forgotten ------------------------------------------------------------------------


@planted(RECOVERED)
def disk_wiped_and_rejoined(patch: Patch) -> None:
    """A node comes back with an empty disk and takes part as if it had never been there."""

    def begin(original: Callable[..., None], replica: Replica, config: Config, recovered: Recovered) -> None:
        original(replica, config, Recovered())

    wrap(patch, Replica, "__init__", begin)


@planted(PREPARED, plan=restless)
def ballot_reused_after_restart(patch: Patch) -> None:
    """A node begins after a restart with the last ballot that it opened before."""

    def begin(original: Callable[..., None], election: Election, *args: Any) -> None:
        original(election, *args)
        patch.setattr(election, "_again", election.ballot_used, raising=False)

    def reopen(original: Callable[..., None], election: Election) -> None:
        again, election._again = election._again, None  # type: ignore[attr-defined]
        if again is None or election._acceptor.promised != again:
            original(election)
            return
        seen, promised = election._round_seen, election._acceptor.promised
        election.ballot_used = Ballot(again.round - 1, again.node)
        election._round_seen, election._acceptor.promised = 0, None
        original(election)
        election._round_seen, election._acceptor.promised = seen, promised

    wrap(patch, Election, "__init__", begin)
    wrap(patch, Election, "_open", reopen)


# What a leader makes of reports ------------------------------------------------------------


@planted(FORCED, plan=quarrelsome)
def any_reported_value(patch: Patch) -> None:
    """A leader proposes what it heard first of a slot, not what was reported with the highest ballot."""

    def first(
        original: Callable[..., list[Value]], promises: Iterable[Promise], committed: int
    ) -> list[Value]:
        heard: dict[int, Value] = {}
        for promise in promises:
            for slot, _, value in promise.accepted:
                heard.setdefault(slot, value)
        right = original(promises, committed)
        return [heard.get(slot, value) for slot, value in enumerate(right, committed + 1)]

    wrap(
        patch, replica_module, "reconciled", lambda original, promises, c: first(original, list(promises), c)
    )


@planted(FORCED, plan=belated)
def gap_skipped(patch: Patch) -> None:
    """A leader puts no no-op where nothing is reported: what is reported behind moves up."""
    wrap(
        patch,
        replica_module,
        "reconciled",
        lambda original, promises, committed: [v for v in original(promises, committed) if v != NOOP],
    )


@planted(FORCED)
def leader_serves_before_reconciling(patch: Patch) -> None:
    """A leader begins with its clients' commands, and not with what the reports force."""
    patch.setattr(replica_module, "reconciled", lambda promises, committed: [])


@planted(HISTORY, plan=quarrelsome)
def reads_served_before_reconciling(patch: Patch) -> None:
    """A leader answers reads before it has committed what its predecessors may have."""

    def begin(
        original: Callable[..., None],
        reading: Reading,
        config: Config,
        ballot: Ballot,
        inherited: int,
        *rest: Any,
    ) -> None:
        original(reading, config, ballot, 0, *rest)

    wrap(patch, Reading, "__init__", begin)


# What an acceptor does ---------------------------------------------------------------------


@planted(LEFT, plan=quarrelsome)
def accept_below_promise(patch: Patch) -> None:
    """An acceptor accepts in a ballot that it has left, and keeps in its log what is newer."""

    def accept(
        original: Callable[..., bool], self: Acceptor, ballot: Ballot, entries: tuple[Entry, ...],
        recv: Accept | None = None,
    ) -> bool:  # fmt: skip
        promised, held = self.promised, dict(self.log)
        if recv is None or not self.left(ballot):
            return original(self, ballot, entries, recv)
        self.promised = ballot
        original(self, ballot, entries, recv)
        self.promised = promised
        self.log.update({slot: known for slot, known in held.items() if known[0] > ballot})
        return True

    wrap(patch, Acceptor, "accept", accept)


@planted(LEFT, SPOKEN, plan=quarrelsome)
def accept_not_raising_the_promise(patch: Patch) -> None:
    """Accepting in a ballot does not leave the smaller ones."""

    def accept(original: Callable[..., bool], self: Acceptor, *args: Any, **named: Any) -> bool:
        promised = self.promised
        done = original(self, *args, **named)
        if promised is not None:
            self.promised = promised
        return done

    wrap(patch, Acceptor, "accept", accept)


@planted(REPORT, plan=quarrelsome)
def late_message_erases_a_newer_acceptance(patch: Patch) -> None:
    """What comes late is refused, and stands in the log all the same."""

    def accept(
        original: Callable[..., bool], self: Acceptor, ballot: Ballot, entries: tuple[Entry, ...],
        recv: Accept | None = None,
    ) -> bool:  # fmt: skip
        if recv is not None and self.left(ballot):
            self.log.update({slot: (ballot, value) for slot, value in entries if slot > self.low})
        return original(self, ballot, entries, recv)

    wrap(patch, Acceptor, "accept", accept)


@planted(REPORT)
def truncated_slot_reported_as_empty(patch: Patch) -> None:
    """A promise does not say that a checkpoint covers what it does not report."""
    patch.setattr(
        acceptor_module,
        "Promise",
        lambda number, ballot, accepted, low, above: Promise(number, ballot, accepted, 0, above),
    )


# What a leader counts ----------------------------------------------------------------------


@planted(PROMISED, HEARD, plan=quarrelsome)
def promise_for_another_ballot_counted(patch: Patch) -> None:
    """A candidate counts the promise of a ballot that it opened before."""

    def count(original: Callable[..., Any], self: Election, promise: Promise, recv: Promise | None) -> Any:
        if self.candidacy is not None:
            promise = msgspec.structs.replace(promise, ballot=self.candidacy.ballot)
        return original(self, promise, recv)

    wrap(patch, Election, "on_promise", count)


class Heads(set[str]):
    """A set that counts how often something was added."""

    def __init__(self) -> None:
        super().__init__()
        self.added = 0

    def add(self, name: str) -> None:
        super().add(name)
        self.added += 1

    def __len__(self) -> int:
        return self.added

    def __iter__(self) -> Iterator[str]:
        return super().__iter__()


@planted(QUORUM, plan=quarrelsome)
def duplicate_accepted_counted(patch: Patch) -> None:
    """A leader counts answers and not who gave them."""

    def begin(original: Callable[..., None], self: Proposal, *args: Any) -> None:
        original(self, *args)
        self.voters = Heads()

    wrap(patch, Proposal, "__init__", begin)


@planted(CHOSEN, HEARD, plan=belated)
def committed_on_acceptances_of_an_old_ballot(patch: Patch) -> None:
    """A leader counts what was accepted in a ballot that it led before."""

    def count(
        original: Callable[..., None], self: Replica, accepted: Accepted, recv: Accepted | None
    ) -> None:
        if self._leadership is not None:
            accepted = msgspec.structs.replace(accepted, ballot=self._leadership.ballot)
        original(self, accepted, recv)

    wrap(patch, Replica, "_on_accepted", count)


@planted(KNOWN)
def commit_index_beyond_what_is_stored(patch: Patch) -> None:
    """A leader tells a commit index one too high."""
    wrap(patch, Leadership, "_beat", lambda original, self, committed: original(self, committed + 1))


@planted(QUORUM)
def quorum_size_by_integer_division(patch: Patch) -> None:
    """Half of the nodes, rounded down, are taken for a majority."""
    patch.setattr(Config, "majority", property(lambda self: max(1, len(self.nodes) // 2)))
    patch.setattr("quorate.impl.core.config._check_quorums", lambda config: None)


# Checkpoints and clients -------------------------------------------------------------------


@planted(CHECKPOINT)
def truncation_before_a_safe_checkpoint(patch: Patch) -> None:
    """The log is let go of when a checkpoint is due, and not when it is durable."""

    def applied(original: Callable[..., None], self: Checkpointer, entries: Iterable[Entry]) -> None:
        before = self._writing
        original(self, entries)
        if before is None and self._writing is not None:
            self._outbox.emit(Line("truncate", slot=self._writing))

    wrap(patch, Checkpointer, "applied", applied)


@planted(HISTORY)
def retry_applied_twice(patch: Patch) -> None:
    """A session does not know its answers: what is asked again is done again."""

    def once(original: Callable[..., Any], self: KeyValue, command: list[bytes]) -> Any:
        client, number, _ = session_of(command) or (b"", 0, 0)
        if client in self.sessions:
            self.sessions[client].answers.pop(number, None)
        return original(self, command)

    wrap(patch, KeyValue, "_once", once)


@planted(STATE)
def sessions_missing_from_the_checkpoint(patch: Patch) -> None:
    """A checkpoint has the keys, and not what clients were answered."""
    wrap(
        patch,
        checkpoints_module,
        "freeze",
        lambda original, machine: dataclasses.replace(original(machine), sessions=[]),
    )


# The trace ---------------------------------------------------------------------------------


@planted(UNVERIFIED, RECEIVED)
def line_traced_after_its_message_left(patch: Patch) -> None:
    """Messages leave before the trace has the lines that send them."""

    class Late:
        def __init__(self, trace: Any) -> None:
            self.write = trace.write

        def flush(self, *, all_lines: bool = False) -> None:
            """Not yet."""

    def release(original: Callable[..., None], self: Driver) -> None:
        trace = self._trace
        if trace is None:
            return
        self._trace = Late(trace)
        original(self)
        self._trace = trace
        trace.flush()

    wrap(patch, Driver, "_release", release)


def checkpointing(seed: int) -> Plan:
    """A run in which nodes are killed, and in which a checkpoint follows on every other slot, long before the disk has
    what there is to say next."""
    ends, every = 4_000_000, 470_000
    return Plan(
        seed=seed,
        ends=ends,
        timing=Timing(heartbeat_ms=100, election_ms_min=200, election_ms_max=400),
        sizes=Sizes(checkpoint_entries=2),
        disks=Disks(sync_min=10_000, sync_max=20_000, checkpoint_min=10, checkpoint_max=100),
        callers=(Caller(session=True, commands=60, think=5_000),) * 3,
        faults=tuple(
            Crashes(at=at, node=at // every % 3, power=False, down=1_000) for at in range(every, ends, every)
        ),
    )


@planted(UNVERIFIED, plan=checkpointing)
def checkpoint_durable_before_its_lines(patch: Patch) -> None:
    """A checkpoint is durable before the trace has the lines that justify it."""

    def carry_out(original: Callable[..., None], self: Driver, effects: list[Effect]) -> None:
        for effect in effects:
            trace = self._trace
            if isinstance(effect, Checkpoint):
                self._trace = None
            original(self, [effect])
            self._trace = trace

    wrap(patch, Driver, "_carry_out", carry_out)


@planted(RECEIVED)
def line_dropped(patch: Patch) -> None:
    """Now and then a line is not written down."""

    def write(original: Callable[..., None], self: Tracer, line: Line) -> None:
        if line.event != "accept" or line.recv is None or line.recv.id.number % 5:
            original(self, line)

    wrap(patch, Tracer, "write", write)

"""A cluster in memory for the tests of the core: every disk, network and clock is a list that a test can hold.

It carries out effects as a caller must, checks on the way what every run owes (`Audit`), and can lose, repeat and
reorder messages, delay syncs, and crash a node between any two effects. Everything follows from the seed.
"""

import os
import random
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from quorate.impl.core.config import Config
from quorate.impl.core.effects import (
    Apply,
    Checkpoint,
    Effect,
    Install,
    KeepPiece,
    Line,
    Persist,
    Readable,
    ReadPiece,
    Refuse,
    Restore,
    Truncate,
)
from quorate.impl.core.events import (
    Asked,
    Checkpointed,
    Event,
    Installed,
    Persisted,
    PieceRead,
    Received,
    Start,
    Stop,
    Submitted,
    Tick,
)
from quorate.impl.core.messages import (
    NOOP,
    Accept,
    Accepted,
    AnyMessage,
    Ballot,
    Nack,
    Prepare,
    Promise,
    Snapshot,
)
from quorate.impl.core.records import AcceptRecord, Record, Recovered, recover
from quorate.impl.core.replica import Replica
from quorate.impl.core.traced import as_traced

QUICK = {
    "heartbeat_ms": 10,
    "resend_ms": 20,
    "election_ms_min": 30,
    "election_ms_max": 60,
    "quorum_ms": 200,
}

NONE = (0, "")

PIECE_BYTES = 40


class Node:
    """One node's place in the cluster: what survives a crash, and what does not."""

    def __init__(self, name: str, config: dict[str, object]) -> None:
        self.name = name
        self.config = config
        self.boot = 0
        self.disk: list[Record] = []
        self.base = Recovered()
        """What is durable beside the log: the slot of the checkpoint, and what went with truncated records."""
        self.checkpoints: dict[int, bytes] = {}
        """The last two."""
        self.jobs: list[Checkpoint | Install | ReadPiece] = []
        """What concerns checkpoints and is not done yet; with what is to be written."""
        self.copies: dict[int, bytes] = {}
        self.incoming = b""
        self.unsynced: list[Persist] = []
        self.lines: dict[int, list[Line]] = {}
        self.applied: list[tuple[int, str]] = []
        self.messages = 0
        self.now_ms = 1000
        self._replica: Replica | None = None

    @property
    def up(self) -> bool:
        return self._replica is not None

    @property
    def replica(self) -> Replica:
        assert self._replica is not None, f"{self.name} is down"
        return self._replica

    @property
    def status(self):
        return self.replica.status()

    def boot_up(self) -> None:
        self.boot += 1
        self.lines[self.boot] = []
        self.applied = self.state_at(self.base.low)
        self.messages = 0
        config = msgspec.convert({**self.config, "node": self.name, "boot": self.boot}, Config)
        self._replica = Replica(config, self.durable())

    def durable(self) -> Recovered:
        return recover(self.disk, self.base)

    def state_at(self, slot: int) -> list[tuple[int, str]]:
        """The state machine of the checkpoint: here, all that it was ever handed."""
        return [tuple(entry) for entry in msgspec.msgpack.decode(self.checkpoints[slot])] if slot else []

    def rest_on(self, slot: int, image: bytes) -> None:
        """A checkpoint becomes durable."""
        if slot > self.base.low:
            self.checkpoints = {s: x for s, x in self.checkpoints.items() if s >= self.base.low}
            self.checkpoints[slot] = image
            self.base = msgspec.structs.replace(self.base, low=slot)

    def truncate(self, slot: int) -> None:
        """Records of nothing but truncated slots go; what they say of ballots is kept."""
        known = self.durable()
        self.base = Recovered(known.promised, (), self.base.low, known.ballot_used)
        self.disk = [
            record
            for record in self.disk
            if not isinstance(record, AcceptRecord) or any(s > slot for s, _ in record.entries)
        ]

    def crash(self, kept: int = 0) -> None:
        """Lose everything volatile; of the unsynced records the first `kept` writes happen to survive."""
        self.disk += [record for persist in self.unsynced[:kept] for record in persist.records]
        self.unsynced = []
        self.jobs = []
        self._replica = None

    def trace(self) -> str:
        """All lines of all boots as NDJSON."""
        return "".join(self._ndjson(boot) for boot in self.lines)

    def _ndjson(self, boot: int) -> str:
        rows = []
        for seq, line in enumerate(self.lines[boot], 1):
            row = {"v": 1, "node": self.name, "boot": boot, "seq": seq}
            row |= msgspec.to_builtins(as_traced(line))
            rows.append(msgspec.json.encode(row).decode() + "\n")
        return "".join(rows)


class Audit:
    """What is known of a run from outside, and what every run owes. It reads nothing but lines and disks."""

    def __init__(self) -> None:
        self.chosen: dict[int, str] = {}
        self.ballots: set[Ballot] = set()
        self._joined: dict[str, tuple[int, str]] = {}
        self._logs: dict[str, dict[int, tuple[Ballot, str]]] = {}
        self._lows: dict[str, int] = {}
        self._known: dict[Ballot, int] = {}
        """Up to where the candidate knew what is chosen."""
        self._led: dict[Ballot, tuple[str, ...]] = {}
        self._promises: dict[tuple[str, Ballot], Promise] = {}
        self._proposed: dict[tuple[int, Ballot], str] = {}
        self._accepted: set[tuple[str, int, Ballot]] = set()

    def read(self, node: Node, line: Line) -> None:
        """Judge a line at the moment at which its messages leave."""
        for sent in line.send:
            node.messages += 1
            assert sent.message.id == (node.name, node.boot, node.messages), "ids are consecutive in a boot"
            self._check_durable(node, sent.message)
        check = getattr(self, f"_{line.event}", None)
        if check is not None:
            check(node, line)

    def _check_durable(self, node: Node, message: AnyMessage) -> None:
        """A promise or an acceptance that is said stands on the disk."""
        durable = node.durable()
        promised = durable.promised or NONE
        if isinstance(message, Prepare):
            assert (durable.ballot_used or NONE) >= message.ballot
        elif isinstance(message, Promise):
            assert promised >= message.ballot
            assert durable.low >= message.low, "a checkpoint that is spoken of stands on the disk"
        elif isinstance(message, Snapshot):
            assert durable.low >= message.slot
        elif isinstance(message, Nack):
            assert promised >= message.promised > message.ballot
        elif isinstance(message, Accepted):
            assert promised >= message.ballot
            log = {slot: (ballot, value) for slot, ballot, value in durable.accepted}
            for slot in message.slots:
                if slot <= durable.low:
                    continue
                ballot, value = log[slot]
                assert ballot > message.ballot or (ballot, value) == (
                    message.ballot,
                    self._proposed[slot, ballot],
                )

    def _start(self, node: Node, line: Line) -> None:
        """What a node knows after a crash may be ahead of what it said, never behind, and never out of nowhere."""
        assert line.promised is None or line.promised in self.ballots
        assert (line.promised or NONE) >= self._joined.get(node.name, NONE)
        log = {slot: (ballot, value) for slot, ballot, value in line.accepted}
        for slot, (ballot, value) in self._logs.get(node.name, {}).items():
            assert slot <= line.low or log[slot][0] > ballot or log[slot] == (ballot, value)
        assert line.low >= self._lows.get(node.name, 0), "a checkpoint is not forgotten"
        assert [value for _, value in node.applied] == [self.chosen[s] for s in range(1, line.low + 1)]
        self._lows[node.name] = line.low
        assert all(self._proposed.get((slot, b)) == value for slot, (b, value) in log.items())
        self._joined[node.name] = line.promised or NONE
        self._logs[node.name] = log

    def _prepare(self, node: Node, line: Line) -> None:
        assert line.ballot.node == node.name
        assert line.ballot not in self.ballots, "a ballot is never used twice"
        self.ballots.add(line.ballot)
        self._known[line.ballot] = len(node.applied)
        for sent in line.send:
            assert sent.message.commit == len(node.applied), "it says what it knows"

    def _promise(self, node: Node, line: Line) -> None:
        assert line.ballot in self.ballots
        assert line.ballot > self._joined[node.name], "a promise joins a ballot above all that were joined"
        self._joined[node.name] = line.ballot
        [sent] = line.send
        above = max(self._lows[node.name], self._known[line.ballot])
        log = {s: held for s, held in self._logs[node.name].items() if s > above}
        assert sent.message.low == self._lows[node.name]
        assert sent.message.accepted == tuple((slot, *log[slot]) for slot in sorted(log)), (
            "it reports its log, as far as the candidate may not know it"
        )
        self._promises[node.name, line.ballot] = sent.message

    def _resend(self, node: Node, line: Line) -> None:
        """What is said again was said before."""
        for message in (sent.message for sent in line.send):
            if isinstance(message, Promise):
                assert message.accepted == self._promises[node.name, message.ballot].accepted
            elif isinstance(message, Accept):
                assert all(self._proposed[slot, message.ballot] == value for slot, value in message.entries)
            else:
                assert message.ballot in self.ballots

    def _lead(self, node: Node, line: Line) -> None:
        assert len(line.quorum) >= node.replica.config.phase1_size
        assert all((name, line.ballot) in self._promises for name in line.quorum)
        assert line.ballot not in self._led, "a ballot is led once"
        self._led[line.ballot] = line.quorum

    def _propose(self, node: Node, line: Line) -> None:
        """Free or forced, by the reports of the quorum that the lead line named; and once a slot."""
        reports = [
            row for name in self._led[line.ballot] for row in self._promises[name, line.ballot].accepted
        ]
        low = max(self._promises[name, line.ballot].low for name in self._led[line.ballot])
        for slot, value in line.entries:
            assert slot > low, "nothing is proposed where a checkpoint covers the slot"
            assert (slot, line.ballot) not in self._proposed
            self._proposed[slot, line.ballot] = value
            highest = max(((ballot, w) for s, ballot, w in reports if s == slot), default=None)
            assert highest is None or highest[1] == value

    def _accept(self, node: Node, line: Line) -> None:
        assert line.ballot >= self._joined[node.name], "nothing is accepted in a ballot that was left"
        self._joined[node.name] = line.ballot
        for slot, value in line.entries:
            assert self._proposed[slot, line.ballot] == value
            self._logs[node.name][slot] = (line.ballot, value)
            self._accepted.add((node.name, slot, line.ballot))

    def _commit(self, node: Node, line: Line) -> None:
        """What is counted was said, by enough nodes, in one ballot; and nobody knows otherwise."""
        for slot, value in line.entries:
            assert self.chosen.setdefault(slot, value) == value, "agreement"
            if line.learned is not True:
                assert len(line.quorum) >= node.replica.config.phase2_size
                assert all((name, slot, line.ballot) in self._accepted for name in line.quorum)
                assert self._proposed[slot, line.ballot] == value

    def _apply(self, node: Node, line: Line) -> None:
        for slot, value in line.entries:
            assert slot == len(node.applied) + 1, "in slot order, without gaps, each once"
            assert self.chosen[slot] == value
            node.applied.append((slot, value))

    def _checkpoint(self, node: Node, line: Line) -> None:
        assert line.slot <= len(node.applied), "of what was applied"
        assert self._lows[node.name] < line.slot <= node.base.low, "durable, and newer"
        self._lows[node.name] = line.slot

    def _truncate(self, node: Node, line: Line) -> None:
        assert line.slot <= self._lows[node.name], "only what a checkpoint covers"

    def _snapshot(self, node: Node, line: Line) -> None:
        assert isinstance(line.recv, Snapshot)
        assert line.recv.slot == line.slot <= node.base.low
        self._lows[node.name] = line.slot


class Cluster:
    """Nodes, the messages between them, and all that is known of the run from outside."""

    def __init__(self, names: str = "abc", seed: int = 0, **config: object) -> None:
        self.random = random.Random(seed)
        settings = {"nodes": tuple(names), **QUICK, **config}
        self.nodes = {name: Node(name, settings) for name in names}
        self.flying: list[tuple[str, AnyMessage]] = []
        self.cut: set[str] = set()
        self.crash_chance = 0.0
        self.audit = Audit()
        self.answered: dict[int, str] = {}
        self.refused: dict[int, str] = {}
        self.submitted: dict[int, str] = {}
        self.acknowledged = 0
        """The last slot whose command was acknowledged, by any node."""
        self.reads: dict[int, int] = {}
        """Reads that have no index yet: what was acknowledged when each began."""
        self.indexes: dict[int, int] = {}
        self._given: dict[int, tuple[str, int]] = {}
        self.story: list[tuple[str, Effect]] = []

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    # What a test may do ------------------------------------------------------------------

    def start(self, *names: str) -> "Cluster":
        for name in names or self.nodes:
            self.nodes[name].boot_up()
            self.step(name, Start(self.nodes[name].now_ms, self.random.random()))
        return self

    def step(self, name: str, event: Event) -> list[Effect]:
        """Give a node an event and carry out its effects; a crash may come before any of them."""
        node = self.nodes[name]
        effects = node.replica.step(event)
        for effect in effects:
            if self.random.random() < self.crash_chance:
                self.crash(name)
                break
            self._carry_out(node, effect)
        return effects

    def sync(self, name: str, upto: int | None = None) -> None:
        """Make the first `upto` waiting writes durable (all of them if None), and say so once."""
        node = self.nodes[name]
        count = len(node.unsynced) if upto is None else upto
        if not node.up or not count:
            return
        written, node.unsynced = node.unsynced[:count], node.unsynced[count:]
        node.disk += [record for persist in written for record in persist.records]
        self.step(name, Persisted(written[-1].number))

    def work(self, name: str, upto: int | None = None) -> None:
        """Do what waits to be done about checkpoints."""
        node = self.nodes[name]
        for job in node.jobs[:upto]:
            if not node.up or job not in node.jobs:
                return
            node.jobs.remove(job)
            if isinstance(job, Checkpoint):
                image = node.copies.pop(job.slot)
                node.rest_on(job.slot, image)
                self.step(name, Checkpointed(job.slot, len(image)))
            elif isinstance(job, Install):
                node.rest_on(job.slot, node.incoming)
                self.step(name, Installed(job.slot))
            else:
                slot, offset = (job.slot, job.offset) if job.slot in node.checkpoints else (node.base.low, 0)
                image = node.checkpoints[slot]
                piece = image[offset : offset + PIECE_BYTES]
                self.step(name, PieceRead(job.to, slot, len(image), offset, piece))

    def tick(self, name: str, ms: int, draw: float | None = None) -> None:
        node = self.nodes[name]
        node.now_ms += ms
        self.step(name, Tick(node.now_ms, self.random.random() if draw is None else draw))

    def submit(self, name: str, *values: str) -> list[int]:
        tickets = range(len(self.submitted) + 1, len(self.submitted) + 1 + len(values))
        requests = tuple(zip(tickets, values, strict=True))
        self.submitted.update(requests)
        self._given.update(dict.fromkeys(tickets, (name, self.nodes[name].boot)))
        self.step(name, Submitted(requests))
        return list(tickets)

    def ask(self, name: str) -> int:
        """Begin a read at a node, and remember how much was acknowledged by anyone until now; its ticket."""
        ticket = 1_000_000 + len(self.indexes) + len(self.reads)
        self.reads[ticket] = self.acknowledged
        self.step(name, Asked((ticket,)))
        return ticket

    def deliver(self, index: int = 0) -> None:
        """Hand over one of the messages under way, unless its receiver is down or cut off."""
        name, message = self.flying.pop(index)
        if self.nodes[name].up and name not in self.cut and message.sender not in self.cut:
            self.step(name, Received(message))

    def settle(self) -> None:
        """Sync and deliver until nothing is left to do; time stands still."""
        while self.flying or any(node.unsynced or node.jobs for node in self.nodes.values()):
            for name in self.nodes:
                self.sync(name)
                self.work(name)
            if self.flying:
                self.deliver()

    def crash(self, name: str, kept: int | None = None) -> None:
        node = self.nodes[name]
        node.crash(self.random.randint(0, len(node.unsynced)) if kept is None else kept)

    def elect(self, name: str) -> None:
        """Let time pass until `name` leads, and settle."""
        for node in self.nodes.values():
            if node.up and node.name != name:
                node.now_ms += 30
                self.step(node.name, Tick(node.now_ms, 0.99))
        for _ in range(200):
            if self.nodes[name].status.role == "leader":
                return
            self.tick(name, 10, 0.0)
            self.settle()
        raise AssertionError(f"{name} does not come to lead")

    def heal(self) -> None:
        """End all faults, and run on until every node has applied the same."""
        self.crash_chance = 0.0
        self.cut.clear()
        for name, node in self.nodes.items():
            if not node.up:
                self.start(name)
        for _ in range(400):
            self.settle()
            leaders = [node for node in self.nodes.values() if node.status.role == "leader"]
            if len(leaders) == 1 and len({node.status.committed for node in self.nodes.values()}) == 1:
                done = f"last {len(self.submitted)}"
                [ticket] = self.submit(leaders[0].name, done)
                self.settle()
                if ticket in self.answered:
                    break
            for name in self.nodes:
                self.tick(name, self.random.randint(1, 10))
        else:
            raise AssertionError("the healed cluster does not come to rest")
        self.pass_time(40)
        self._check_rest()

    def pass_time(self, ms: int, *names: str, step_ms: int = 5) -> None:
        """Tick all nodes (or those named) together, settling in between."""
        for _ in range(0, ms, step_ms):
            for name in names or self.nodes:
                if self.nodes[name].up:
                    self.tick(name, step_ms)
            self.settle()

    def wander(self, steps: int) -> None:
        """A random schedule: everything that may go wrong, at any moment, as the seed has it."""
        for _ in range(steps):
            self._wander_once()

    def _wander_once(self) -> None:
        chance = self.random.random()
        name = self.random.choice(list(self.nodes))
        node = self.nodes[name]
        if chance < 0.43:
            self._deliver_any()
        elif chance < 0.45:
            self._ask_any()
        elif chance < 0.51:
            self._submit_any()
        elif chance < 0.515:
            self.cut = set() if self.cut else {name}
        elif not node.up:
            if chance < 0.6:
                self.start(name)
        elif chance < 0.52:
            self.crash(name)
        elif chance < 0.75:
            self.sync(name, self.random.randint(0, len(node.unsynced)))
        elif chance < 0.8 and node.jobs:
            self.work(name, 1)
        else:
            self.tick(name, self.random.randint(0, 12))

    def _deliver_any(self) -> None:
        """Usually one of the older messages; now and then it comes twice, or never."""
        if not self.flying:
            return
        index = min(self.random.randrange(len(self.flying)) for _ in range(3))
        fate = self.random.random()
        if fate < 0.03:
            self.flying.pop(index)
            return
        if fate < 0.1:
            self.flying.append(self.flying[index])
        self.deliver(index)

    def _ask_any(self) -> None:
        leading = [name for name, node in self.nodes.items() if node.up and node.status.role == "leader"]
        if leading:
            self.ask(self.random.choice(leading))

    def _submit_any(self) -> None:
        """Usually to a leader."""
        up = [name for name, node in self.nodes.items() if node.up]
        leading = [name for name in up if self.nodes[name].status.role == "leader"]
        if leading or (up and self.random.random() < 0.1):
            values = [f"c{len(self.submitted) + i}" for i in range(self.random.randint(1, 4))]
            self.submit(self.random.choice(leading or up), *values)

    # Carrying out effects ----------------------------------------------------------------

    def _carry_out(self, node: Node, effect: Effect) -> None:
        self.story.append((node.name, effect))
        if isinstance(effect, Persist):
            node.unsynced.append(effect)
        elif isinstance(effect, Line):
            node.lines[node.boot].append(effect)
            self.audit.read(node, effect)
            for sent in effect.send:
                self.flying += [(name, sent.message) for name in sent.to if name != node.name]
        elif isinstance(effect, Apply):
            self._answer(node, effect)
        elif isinstance(effect, Checkpoint):
            assert effect.slot == len(node.applied), "the state machine stands where the checkpoint is to be"
            node.copies[effect.slot] = msgspec.msgpack.encode(node.applied)
            node.jobs.append(effect)
        elif isinstance(effect, Install | ReadPiece):
            node.jobs.append(effect)
        elif isinstance(effect, KeepPiece):
            assert len(node.incoming[: effect.offset]) == effect.offset
            node.incoming = node.incoming[: effect.offset] + effect.data
        elif isinstance(effect, Restore):
            node.applied = node.state_at(effect.slot)
            assert node.applied == [(s, self.audit.chosen[s]) for s in range(1, effect.slot + 1)]
        elif isinstance(effect, Truncate):
            node.truncate(effect.slot)
        elif isinstance(effect, Readable):
            self._read(node, effect)
        elif isinstance(effect, Refuse) and effect.tickets[0] in self.reads:
            for ticket in effect.tickets:
                assert self.reads.pop(ticket) is not None, "answered once"
        elif isinstance(effect, Refuse):
            assert not {*effect.tickets} & {*self.answered, *self.refused}, "answered once"
            self.refused.update(dict.fromkeys(effect.tickets, effect.reason))

    def _answer(self, node: Node, effect: Apply) -> None:
        assert node.applied[-len(effect.entries) :] == list(effect.entries), "what the line before it says"
        values = dict(effect.entries)
        for slot, ticket in effect.tickets.items():
            assert ticket not in {**self.answered, **self.refused}, "answered once"
            assert self.submitted[ticket] == values[slot]
            self.answered[ticket] = values[slot]
            self.acknowledged = max(self.acknowledged, slot)

    def _read(self, node: Node, effect: Readable) -> None:
        for ticket in effect.tickets:
            begun_at = self.reads.pop(ticket)
            assert effect.index >= begun_at, f"a stale read at {node.name}"
            self.indexes[ticket] = effect.index

    def _check_rest(self) -> None:
        for ticket, (name, boot) in self._given.items():
            died = self.nodes[name].boot != boot
            assert died or ticket in self.answered or ticket in self.refused, "every ticket is answered"
        logs = [node.applied for node in self.nodes.values()]
        assert all(log == logs[0] for log in logs), "equal logs"
        values = [value for _, value in logs[0]]
        assert set(self.answered.values()) <= set(values), "no acknowledged command is lost"
        commands = [value for value in values if value != NOOP]
        assert len(commands) == len(set(commands)), "no command is doubled"


def tell(story: Iterable[tuple[str, Effect]]) -> str:
    """The effects of a run as a text that a person reads from top to bottom."""
    return "".join(f"{name}  {_sentence(effect)}\n" for name, effect in story)


def _sentence(effect: Effect) -> str:
    if isinstance(effect, Persist):
        return f"persist #{effect.number}: " + ", ".join(_said(record) for record in effect.records)
    if isinstance(effect, Refuse):
        return f"refuse {list(effect.tickets)}: {effect.reason}; the leader is {effect.leader or 'unknown'}"
    if isinstance(effect, Checkpoint | Truncate | Install | Restore | ReadPiece | KeepPiece):
        return f"{type(effect).__name__} at {effect.slot}"
    if isinstance(effect, Readable):
        return f"readable at {effect.index}: {list(effect.tickets)}"
    if isinstance(effect, Apply):
        return f"hand over {_listed(effect.entries)}, answer {list(effect.tickets.values())}"
    head = effect.event
    head += f" {effect.ballot}" if effect.ballot is not msgspec.UNSET else ""
    head += f" {_listed(effect.entries)}" if effect.entries is not msgspec.UNSET else ""
    head += f" by {' '.join(effect.quorum)}" if effect.quorum is not msgspec.UNSET else ""
    head += " learned" if effect.learned is True else ""
    head += f" at {effect.slot}" if effect.slot is not msgspec.UNSET else ""
    head += f": {effect.reason}" if effect.reason is not msgspec.UNSET else ""
    came = f"  <- {effect.recv.sender}: {_said(effect.recv)}" if effect.recv is not None else ""
    went = [f"  -> {' '.join(sent.to)}: {_said(sent.message)}" for sent in effect.send]
    return "".join([head, came, *went])


def _said(data: msgspec.Struct) -> str:
    words = [str(data.__struct_config__.tag)]
    for name, field in msgspec.structs.asdict(data).items():
        if name == "entries":
            words.append(_listed(field))
        elif name == "accepted":
            words.append("reporting " + (", ".join(f"{s}={v}@{b}" for s, b, v in field) or "nothing"))
        elif name in ("commit", "low", "above"):
            words += [f"{name} {field}"] if field else []
        elif name == "slots":
            words.append(" ".join(map(str, field)))
        elif name == "data":
            words.append(f"{len(field)} bytes")
        elif name != "id":
            words.append(f"{'' if name == 'ballot' else name + ' '}{field}")
    return " ".join(words)


def _listed(entries: Iterable[tuple[int, str]]) -> str:
    return " ".join(f"{slot}={'noop' if value == NOOP else value}" for slot, value in entries)


@pytest.fixture
def make_cluster():
    """Makes a started `Cluster`: names of one letter each, a seed, and fields of `Config`."""
    return lambda names="abc", seed=0, **config: Cluster(names, seed, **config).start()


@pytest.fixture
def bare_cluster():
    """Makes a `Cluster` that is not started."""
    return Cluster


def traces_of_random_run(seed: int, steps: int = 400, names: str = "abc", **config: object) -> dict[str, str]:
    """Per node all lines of all its boots in a random run that ends in order, as NDJSON text."""
    cluster = Cluster(names, seed, **config).start()
    cluster.wander(steps)
    cluster.heal()
    for name in cluster.nodes:
        cluster.step(name, Stop())
    cluster.settle()
    return {name: node.trace() for name, node in cluster.nodes.items()}


def random_run(seed: int, steps: int, names: str) -> str:
    """The same as one text."""
    return "".join(traces_of_random_run(seed, steps, names).values())


@pytest.fixture
def traces_of_a_run():
    """The traces of a random run, per node, ready to be checked: see `traces_of_random_run`."""
    return traces_of_random_run


@pytest.fixture
def golden(request):
    """Compares a story with the text kept beside the tests; QUORATE_REWRITE=1 writes it anew."""

    def compare(name: str, story: Iterable[tuple[str, Effect]]) -> None:
        path = Path(request.fspath).parent / "golden" / f"{name}.txt"
        told = tell(story)
        if os.environ.get("QUORATE_REWRITE"):
            path.write_text(told)
        assert told == path.read_text(), f"{path.name} tells it otherwise; QUORATE_REWRITE=1 rewrites it"

    return compare

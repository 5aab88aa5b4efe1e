"""What is done to a real cluster, and when: a plan that follows from its seed alone, as data that can be kept.

A plan decides the nodes, their settings, the clients and every fault; it does not decide the run. Processes, disks and
the scheduler of the machine are real, so the same plan leads to another run each time.

Nodes are numbers from 0. Times of faults are milliseconds from the moment when a node leads.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

import msgspec

from ...decoding import UNREADABLE
from ...impl.sim.plan import BadPlan

LEADER: Final = -1
"""In the place of a node: whichever leads at that time."""

COUNTS: Final = (3, 3, 3, 5)
"""How many nodes there are: one of these."""


class Kills(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="kill"):
    """Nodes get SIGKILL, and are started again."""

    at_ms: int
    nodes: tuple[int, ...]
    down_ms: int


class Stops(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="stop"):
    """A node is stopped in order, and started again."""

    at_ms: int
    node: int
    down_ms: int


class Pauses(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="pause"):
    """A node gets SIGSTOP, and later SIGCONT: it goes on as if no time had passed."""

    at_ms: int
    node: int
    lasts_ms: int


class Cuts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="cut"):
    """Nothing comes from `sources` to the others, and if it is cut both ways nothing goes there."""

    at_ms: int
    sources: tuple[int, ...]
    lasts_ms: int
    both: bool
    silent: bool
    """Does nobody notice? Then connections stay and what they carry waits; otherwise they are reset, and refused."""


class Slows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="slow"):
    """What one node sends to another takes longer, and only so much of it gets through."""

    at_ms: int
    source: int
    to: int
    lasts_ms: int
    delay_ms: int
    bytes_per_s: int
    """0 for as much as there is."""


class DiskFills(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="full"):
    """The file system that a node's log is on has no room for more, for a while."""

    at_ms: int
    node: int
    lasts_ms: int


class Transfers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="transfer"):
    """Whoever leads is told to have this node lead."""

    at_ms: int
    node: int


Fault: TypeAlias = Kills | Stops | Pauses | Cuts | Slows | DiskFills | Transfers
"""Something that is done to the nodes."""


class Caller(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One client: one command after another, until the faults are over."""

    session: bool
    """Is it our own client with its session? Otherwise it speaks plain Redis protocol, to one node."""
    node: int
    """Which one."""
    think_ms: int
    """How long it waits between two commands at most."""
    patience_ms: int
    """How long it waits for an answer while there are faults."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A round."""

    seed: int
    nodes: int = 3
    ends_ms: int = 5000
    """When the faults end, and all is set right."""
    heartbeat_ms: int = 50
    election_ms_min: int = 500
    election_ms_max: int = 1000
    checkpoint_entries: int = 300
    segment_bytes: int = 1 << 16
    keys: int = 8
    callers: tuple[Caller, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes, by name: a, b, c ..."""
        return tuple("abcdefghi"[: self.nodes])

    @property
    def fills_disks(self) -> bool:
        return any(isinstance(fault, DiskFills) for fault in self.faults)


def kind(fault: Fault) -> str:
    """The fault's name, as reports have it."""
    return str(fault.__struct_config__.tag)


def encode(plan: Plan) -> bytes:
    """The plan as JSON for people."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n"


def read(path: Path) -> Plan:
    """The plan in a file. Raises `BadPlan`."""
    advice = "name a plan that `quorate hunt --real` wrote"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Plan)
    except OSError as error:
        raise BadPlan(f"{path}: cannot be read: {error.strerror}; {advice}") from error
    except UNREADABLE as error:
        raise BadPlan(f"{path}: is no plan for real processes: {error}; {advice}") from error


# Drawing ---------------------------------------------------------------------------------


def draw(seed: int, nodes: int | None = None) -> Plan:
    """The plan of a seed: the same on any machine, at any time. It has some kinds of faults and not others."""
    random = Random(f"real plan {seed}")
    drawn = random.choice(COUNTS)
    nodes = drawn if nodes is None else nodes
    ends_ms = random.randint(5000, 20_000)
    slower = random.choice((1, 1, 2))
    return Plan(
        seed=seed,
        nodes=nodes,
        ends_ms=ends_ms,
        heartbeat_ms=random.choice((25, 50, 100)),
        election_ms_min=500 * slower,
        election_ms_max=500 * slower * random.choice((2, 3)),
        checkpoint_entries=random.choice((50, 200, 1000)),
        segment_bytes=random.choice((1 << 15, 1 << 16, 1 << 18)),
        keys=random.choice((2, 8, 32)),
        callers=tuple(
            _caller(random, nodes, session=session)
            for session in (True, False)
            for _ in range(random.randint(2, 5))
        ),
        faults=_faults(random, nodes, ends_ms),
    )


def _caller(random: Random, nodes: int, *, session: bool) -> Caller:
    return Caller(
        session=session,
        node=random.randrange(nodes),
        think_ms=random.choice((0, 10, 50, 200)),
        patience_ms=random.choice((500, 2000, 5000)),
    )


def _faults(random: Random, nodes: int, ends_ms: int) -> tuple[Fault, ...]:
    """Of some kinds, at least one, and of each of these a few, over the whole round."""
    faults: list[Fault] = []
    while not faults:
        for make, most in _KINDS:
            if random.random() < 0.4:
                faults += [
                    make(random, nodes, random.randrange(ends_ms)) for _ in range(random.randint(1, most))
                ]
    return tuple(sorted(faults, key=lambda fault: fault.at_ms))


def _node(random: Random, nodes: int) -> int:
    return LEADER if random.random() < 0.5 else random.randrange(nodes)


def _down(random: Random) -> int:
    return random.choice((0, 300, 1500, 4000))


def _lasts(random: Random) -> int:
    return random.choice((200, 800, 2000, 5000))


def _kill(random: Random, nodes: int, at_ms: int) -> Fault:
    killed = tuple(range(nodes)) if random.random() < 0.15 else (_node(random, nodes),)
    return Kills(at_ms=at_ms, nodes=killed, down_ms=_down(random))


def _stop(random: Random, nodes: int, at_ms: int) -> Fault:
    return Stops(at_ms=at_ms, node=_node(random, nodes), down_ms=_down(random))


def _pause(random: Random, nodes: int, at_ms: int) -> Fault:
    return Pauses(at_ms=at_ms, node=_node(random, nodes), lasts_ms=_lasts(random))


def _cut(random: Random, nodes: int, at_ms: int) -> Fault:
    several = random.sample(range(nodes), random.randint(1, nodes // 2))
    return Cuts(
        at_ms=at_ms,
        sources=(LEADER,) if random.random() < 0.5 else tuple(sorted(several)),
        lasts_ms=_lasts(random),
        both=random.random() < 0.5,
        silent=random.random() < 0.5,
    )


def _slow(random: Random, nodes: int, at_ms: int) -> Fault:
    source, to = random.sample(range(nodes), 2)
    return Slows(
        at_ms=at_ms,
        source=source,
        to=to,
        lasts_ms=_lasts(random),
        delay_ms=random.choice((0, 20, 200, 1500)),
        bytes_per_s=random.choice((0, 5_000, 100_000)),
    )


def _full(random: Random, nodes: int, at_ms: int) -> Fault:
    return DiskFills(at_ms=at_ms, node=_node(random, nodes), lasts_ms=_lasts(random))


def _transfer(random: Random, nodes: int, at_ms: int) -> Fault:
    return Transfers(at_ms=at_ms, node=random.randrange(nodes))


_KINDS: Final[tuple[tuple[Callable[[Random, int, int], Fault], int], ...]] = (
    (_kill, 5),
    (_stop, 2),
    (_pause, 4),
    (_cut, 4),
    (_slow, 5),
    (_full, 2),
    (_transfer, 4),
)

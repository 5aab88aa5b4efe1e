"""Draws plans: each run has some of the faults and not others, often many of few kinds, so that rare mixtures happen.

The idea is that of swarm testing (Groce et al., ISSTA 2012): a run that may have everything rarely has much of
anything.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from .plan import (
    BitsRot,
    Caller,
    Crashes,
    Cuts,
    DiskFills,
    Disks,
    DiskSlows,
    Fault,
    Jumps,
    Net,
    Pauses,
    Plan,
    PowerFails,
    Sizes,
    Stops,
    SyncFails,
    Timing,
    Transfers,
)

BOUNDARIES: Final = 400
"""Within so many boundaries, at most, a node dies that is to die in the middle of something."""

COUNTS: Final = (3, 3, 3, 3, 5, 5, 4, 2, 1)
"""How many nodes there are: one of these."""


def draw(seed: int) -> Plan:
    """The plan of a seed: the same on any machine, at any time."""
    random = Random(f"plan {seed}")
    nodes = random.choice(COUNTS)
    ends = random.randint(500, 4000) * 1000
    net = _net(random)
    return Plan(
        seed=seed,
        nodes=nodes,
        ends=ends,
        timing=_timing(random, net),
        sizes=_sizes(random, nodes, Random(f"log {seed}")),
        net=net,
        disks=_disks(random),
        clocks=tuple(random.choice((1.0, 1.0, 0.7, 1.4)) for _ in range(nodes))
        if random.random() < 0.3
        else (),
        keys=random.randint(1, 4),
        callers=tuple(_caller(random) for _ in range(random.randint(1, 6))),
        faults=_faults(random, nodes, ends),
    )


def _timing(random: Random, net: Net) -> Timing:
    """Nodes that are far from each other have the time of two round trips before they think that nobody leads; they may
    ask again what is on its way."""
    heartbeat = random.choice((20, 50, 50, 100))
    shortest = max(heartbeat * random.randint(2, 6), net.two_round_trips_ms)
    return Timing(
        heartbeat_ms=heartbeat,
        resend_ms=random.choice((20, 50, 100)),
        election_ms_min=shortest,
        election_ms_max=shortest + heartbeat * random.choice((1, 3, 8)),
        quorum_ms=random.choice((300, 1000, 3000)),
        patience_ms=random.choice((500, 2000)),
    )


def _sizes(random: Random, nodes: int, apart: Random) -> Sizes:
    """Without checkpoints a log that is full stays so, and nobody is answered any more."""
    batch, window, backlog = random.choice((1, 2, 16)), random.choice((1, 2, 8)), random.choice((2, 64))
    checkpoint = random.choice((0, 5, 15, 40))
    return Sizes(
        batch_entries_max=batch,
        window_batches_max=window,
        backlog_entries_max=backlog,
        checkpoint_entries=checkpoint,
        log_bytes_max=apart.choice((1 << 20, 1 << 20, 1 << 20, 2000, 500)) if checkpoint else 1 << 20,
        segment_bytes=random.choice((1 << 11, 1 << 13, 1 << 15)),
        piece_bytes=random.choice((64, 1 << 10, 1 << 16)),
        flexible=nodes > 2 and random.random() < 0.2,
    )


def _net(random: Random) -> Net:
    shortest, longest = random.choice(_DELAYS)
    return Net(
        delay_min=shortest,
        delay_max=longest,
        slow=_sometimes(random, 0.001, 0.02),
        lost=_sometimes(random, 0.005, 0.2),
        doubled=_sometimes(random, 0.005, 0.1),
        in_order=random.random() < 0.4,
    )


def _disks(random: Random) -> Disks:
    shortest = random.choice((50, 300, 2000))
    return Disks(sync_min=shortest, sync_max=shortest * random.choice((1, 5, 30)))


def _caller(random: Random) -> Caller:
    return Caller(
        session=random.random() < 0.6,
        commands=random.randint(5, 60),
        think=random.choice((0, 5_000, 50_000, 200_000)),
        patience=random.choice((50_000, 300_000, 1_000_000)),
        roams=random.random() < 0.5,
    )


def _sometimes(random: Random, least: float, most: float) -> float:
    return round(random.uniform(least, most), 4) if random.random() < 0.4 else 0.0


_DELAYS: Final = (
    *((shortest, shortest * times) for shortest in (50, 200, 1000) for times in (1, 3, 20)),
    (30_000, 90_000),
)
"""How long messages take, at least and at most: under one roof, and here and there over a continent."""

# Faults ----------------------------------------------------------------------------------


def _faults(random: Random, nodes: int, ends: int) -> tuple[Fault, ...]:
    """Of some kinds, and of each of these a few, over the whole run."""
    faults: list[Fault] = []
    for kind, most in _KINDS:
        if random.random() < 0.35:
            faults += [kind(random, nodes, random.randrange(ends)) for _ in range(random.randint(1, most))]
    if random.random() < 0.06:
        faults.append(BitsRot(at=random.randrange(ends), node=random.randrange(nodes), down=_down(random)))
    return tuple(sorted(faults, key=lambda fault: fault.at))


def _down(random: Random) -> int:
    return random.choice((1_000, 50_000, 300_000, 1_500_000))


def _lasts(random: Random) -> int:
    return random.choice((20_000, 200_000, 1_000_000))


def _crash(random: Random, nodes: int, at: int) -> Fault:
    return Crashes(
        at=at,
        node=random.randrange(nodes),
        boundary=random.randint(1, BOUNDARIES) if random.random() < 0.7 else 0,
        power=random.random() < 0.6,
        down=_down(random),
        again=random.randint(1, 60) if random.random() < 0.2 else 0,
    )


def _power(random: Random, nodes: int, at: int) -> Fault:
    return PowerFails(at=at, down=_down(random))


def _cut(random: Random, nodes: int, at: int) -> Fault:
    sources = random.sample(range(nodes), random.randint(1, max(1, nodes // 2)))
    return Cuts(at=at, sources=tuple(sorted(sources)), lasts=_lasts(random), both=random.random() < 0.6)


def _pause(random: Random, nodes: int, at: int) -> Fault:
    return Pauses(at=at, node=random.randrange(nodes), lasts=_lasts(random))


def _jump(random: Random, nodes: int, at: int) -> Fault:
    return Jumps(at=at, node=random.randrange(nodes), by=random.choice((100_000, 1_000_000, 60_000_000)))


def _full(random: Random, nodes: int, at: int) -> Fault:
    return DiskFills(at=at, node=random.randrange(nodes), lasts=_lasts(random))


def _slow(random: Random, nodes: int, at: int) -> Fault:
    return DiskSlows(
        at=at, node=random.randrange(nodes), lasts=_lasts(random), factor=random.choice((10, 100))
    )


def _sync(random: Random, nodes: int, at: int) -> Fault:
    return SyncFails(at=at, node=random.randrange(nodes), down=_down(random))


def _stop(random: Random, nodes: int, at: int) -> Fault:
    return Stops(at=at, node=random.randrange(nodes), down=_down(random))


def _transfer(random: Random, nodes: int, at: int) -> Fault:
    return Transfers(at=at, node=random.randrange(nodes))


_KINDS: Final[tuple[tuple[Callable[[Random, int, int], Fault], int], ...]] = (
    (_crash, 12),
    (_power, 3),
    (_cut, 8),
    (_pause, 6),
    (_jump, 3),
    (_full, 2),
    (_slow, 3),
    (_sync, 3),
    (_stop, 3),
    (_transfer, 4),
)

"""A plan changed a little: what led somewhere new may lead further."""

from __future__ import annotations

from random import Random
from typing import Final

from msgspec.structs import replace

from ..impl.sim.plan import Fault, Plan
from ..impl.sim.swarm import draw

NEAR: Final = 200_000
"""So many microseconds, at most, a fault is moved."""


def mutated(plan: Plan, random: Random) -> Plan:
    """A plan with another seed, and with a few of its faults moved, left out, doubled or taken from another plan."""
    other = draw(random.randrange(2**48))
    faults = list(plan.faults)
    for _ in range(random.randint(1, 4)):
        _change(faults, other.faults, random)
    changed = replace(plan, seed=random.randrange(2**48), faults=tuple(sorted(faults, key=lambda f: f.at)))
    part = random.choice(("net", "disks", "sizes", "timing", "callers", None, None, None))
    varied = changed if part is None else replace(changed, **{part: getattr(other, part)})
    return changed if varied.refusal is not None else varied


def _change(faults: list[Fault], others: tuple[Fault, ...], random: Random) -> None:
    """One step of it."""
    if not faults or random.random() < 0.3:
        faults += random.sample(others, min(1, len(others)))
        return
    i = random.randrange(len(faults))
    fault = faults[i]
    draw = random.random()
    if draw < 0.5:
        faults[i] = replace(fault, at=max(0, fault.at + random.randint(-NEAR, NEAR)))
    elif draw < 0.75:
        faults.append(replace(fault, at=fault.at + random.randint(1, NEAR)))
    else:
        del faults[i]

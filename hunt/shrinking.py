"""A plan that fails, made small: whatever can be left out while the same rule is still broken is left out.

Delta debugging over what a plan names (Zeller and Hildebrandt, TSE 2002): halves first, then smaller pieces, until no
single step makes it smaller. What a plan leaves to chance is drawn anew in a smaller one, so each is tried with a few
seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from ..impl.sim.plan import Caller, Disks, Net, Plan, Sizes, Timing

SEEDS: Final = 3
"""With so many seeds a smaller plan is tried before it counts as one that does not fail."""

T = TypeVar("T")

Fails = Callable[[Plan], bool]
"""Whether a plan breaks the rule in question."""


def shrink(plan: Plan, fails: Fails, trials_max: int) -> Iterator[Plan]:
    """Smaller and smaller plans that fail, the smallest last; nothing if none is smaller than this one.

    Ends when no step makes it smaller, or after so many trials.
    """
    left = [trials_max]
    smaller: Plan | None = plan
    while smaller is not None and left[0] > 0:
        smaller = _smaller(plan, fails, left)
        if smaller is not None:
            plan = smaller
            yield plan


def size(plan: Plan) -> int:
    """Roughly how much there is to read in a plan."""
    parts = (plan.timing, plan.sizes, plan.net, plan.disks)
    odd = sum(
        bool(getattr(part, name) != getattr(type(part)(), name))
        for part in parts
        for name in part.__struct_fields__
    )
    commands = sum(caller.commands for caller in plan.callers)
    return (
        1000 * len(plan.faults)
        + 100 * plan.nodes
        + 50 * len(plan.callers)
        + 5 * commands
        + 10 * odd
        + plan.keys
    )


def _smaller(plan: Plan, fails: Fails, left: list[int]) -> Plan | None:
    """The first of the smaller plans that fails, and not because no node would run so."""
    for candidate in _candidates(plan):
        if candidate.refusal is not None:
            continue
        for i in range(SEEDS):
            if left[0] <= 0:
                return None
            left[0] -= 1
            tried = replace(candidate, seed=plan.seed + i)
            if fails(tried):
                return tried
    return None


def _candidates(plan: Plan) -> Iterator[Plan]:
    """Smaller plans, those that are much smaller first."""
    for faults in _parts(plan.faults):
        yield replace(plan, faults=faults)
    for callers in _parts(plan.callers):
        if callers:
            yield replace(plan, callers=callers)
    for nodes in range(1, plan.nodes):
        yield replace(plan, nodes=nodes, clocks=plan.clocks[:nodes])
    for i, caller in enumerate(plan.callers):
        for fewer in _fewer_commands(caller):
            yield replace(plan, callers=(*plan.callers[:i], fewer, *plan.callers[i + 1 :]))
    if plan.keys > 1:
        yield replace(plan, keys=1)
    if plan.clocks:
        yield replace(plan, clocks=())
    yield from _plainer(plan)


def _parts(items: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """The items without a half, without a quarter and so on, at last without each one."""
    length = len(items)
    chunk = length
    while chunk:
        for start in range(0, length, chunk):
            yield (*items[:start], *items[start + chunk :])
        chunk //= 2


def _fewer_commands(caller: Caller) -> Iterator[Caller]:
    for commands in sorted({1, caller.commands // 2, caller.commands - 1}):
        if 0 < commands < caller.commands:
            yield replace(caller, commands=commands)


def _plainer(plan: Plan) -> Iterator[Plan]:
    """One number after another as it is where nobody says anything."""
    plain: dict[str, Any] = {"net": Net(), "disks": Disks(), "sizes": Sizes(), "timing": Timing()}
    for part, default in plain.items():
        now = getattr(plan, part)
        if now != default:
            yield replace(plan, **{part: default})
            for name in now.__struct_fields__:
                if getattr(now, name) != getattr(default, name):
                    yield replace(plan, **{part: replace(now, **{name: getattr(default, name)})})

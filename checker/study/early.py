"""False conjuncts found early: before a solver is asked, every property is tried on the states of small instances.

A conjunct that a run breaks cannot be proved, and the run says more than any counterexample to induction.  What holds
here is not proved; how far the search came is not even said.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from ..evaluate import witness
from ..explore.referee import explore
from ..explore.report import counterexample
from ..explore.result import Exploration, Limits
from ..instance import BadInstance, Instance
from ..language import Many, item_of
from ..prove.counterexample_text import instance_of
from ..specification import Specification

FEW = Limits(states_max=4_000, seconds_max=3.0)
"""So many states of each instance, and so long for all of them, that nobody waits for it."""


def refuted_early(spec: Specification, limits: Limits = FEW) -> Exploration | None:
    """An exploration that found a property broken, with the shortest run to it; None if none was found.

    The instance is the smallest that shows it.
    """
    started = time.perf_counter()
    for instance in small_instances(spec):
        left = limits.seconds_max and limits.seconds_max - (time.perf_counter() - started)
        if left is not None and left <= 0:
            return None
        found = explore(spec, instance, limits=replace(limits, seconds_max=left))
        if found.violation is not None:
            return found
    return None


def small_instances(spec: Specification) -> Iterator[Instance]:
    """One or two members of each sort, up to three where sets are made of them; the fewest in all come first.

    An instance in which what the specification assumes does not hold is left out.
    """
    items = {item_of(s) for s in spec.sorts if issubclass(s, Many)}
    most = {s.__name__.lower(): 3 if s in items else 2 for s in spec.sorts if not issubclass(s, Many)}
    for sizes in sorted(itertools.product(*(range(1, n + 1) for n in most.values())), key=sum):
        with suppress(BadInstance):
            yield Instance.of(spec, dict(zip(most, sizes, strict=True)))


def early_lines(spec: Specification, found: Exploration) -> Iterator[str]:
    """The run that breaks a property, where and for what it is false in the end, and in how small an instance."""
    broken = found.violation
    assert broken is not None, "what was refuted has a run"
    yield from counterexample(broken)
    instance = Instance.of(spec, found.instance)
    *_, last = broken.states()
    values = witness(spec.claims[broken.property], vars(last), {}, instance.members)
    yield ""
    yield f"  {broken.place}: {broken.property} is false{instance_of(values)}"
    yield ""
    yield f"{spec.name}: refuted by a run, with {instance}; no solver was asked"

"""False conjuncts found early: before a solver is asked, every property is tried on the states of a small instance.

A conjunct that a run breaks cannot be proved, and the run says more than any counterexample to induction.  What holds
here is not proved; how far the search came is not even said.
"""

from __future__ import annotations

from ..explore.referee import explore
from ..explore.result import Exploration, Limits
from ..instance import BadInstance, Instance
from ..specification import Specification

FEW = Limits(states_max=3_000, seconds_max=2.0)
"""So few that nobody waits for it."""


def refuted_early(spec: Specification, limits: Limits = FEW) -> Exploration | None:
    """An exploration that found a property broken, with the shortest run to it; None if none was found."""
    for instance in smallest_instances(spec):
        found = explore(spec, instance, limits=limits)
        if found.violation is not None:
            return found
    return None


def smallest_instances(spec: Specification) -> list[Instance]:
    """An instance with two members of every sort, three where sets are made of them, and one in which less can happen.

    The first that breaks a property is the smaller one, whose every state can be looked at; none, if what the
    specification assumes does not hold in either.
    """
    out: list[Instance] = []
    default = _instance(spec, {})
    fewer = _instance(spec, {name: size - 1 for name, size in (default.sizes() if default else {}).items()})
    out += [x for x in (fewer, default) if x is not None]
    return out


def _instance(spec: Specification, sizes: dict[str, int]) -> Instance | None:
    try:
        return Instance.of(spec, sizes)
    except BadInstance:
        return None

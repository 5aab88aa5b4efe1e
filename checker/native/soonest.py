"""Explores with whichever engine answers first: a tiny instance is done before machine code for it would be made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ..explore.referee import explore as referee
from ..explore.result import Exploration, Limits, Watcher
from ..instance import Instance
from ..specification import Function, Specification
from .explore import Storage
from .explore import explore as native

TINY_STATES = 1_000
"""So many states the referee explores before machine code for them would have been made."""


def explore(
    spec: Specification,
    instance: Instance,
    *,
    limits: Limits | None = None,
    properties: Sequence[Function] | None = None,
    workers: int | None = None,
    exact: bool = False,
    symmetry: bool | Collection[str] = True,
    stop_at_deadlock: bool = False,
    storage: Storage | None = None,
    watch: Watcher | None = None,
) -> Exploration:
    """Explores an instance by the referee if it is tiny, and else by machine code, from the start.

    The counts are the same either way; `engine` says who answered.  Raises `CannotExplore` and `BadSymmetry`.
    """
    limits = limits or Limits()
    states_max = min(TINY_STATES, limits.states_max or TINY_STATES)
    found = referee(
        spec,
        instance,
        limits=replace(limits, states_max=states_max),
        properties=properties,
        stop_at_deadlock=stop_at_deadlock,
    )
    tiny = found.distinct <= states_max or states_max == limits.states_max
    if tiny or found.verdict != "unknown":
        return found
    return native(
        spec,
        instance,
        limits=limits,
        properties=properties,
        workers=workers,
        exact=exact,
        symmetry=symmetry,
        stop_at_deadlock=stop_at_deadlock,
        storage=storage,
        watch=watch,
    )

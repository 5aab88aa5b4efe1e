"""Explores with whichever engine answers first: a tiny instance is done before machine code for it would be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..explore.referee import explore as referee
from ..explore.result import Exploration, Limits, Watcher
from ..instance import Instance
from ..specification import Function, Specification
from .explore import explore as native

HEAD_START_SECONDS = 0.15
"""What the referee gets: less than loading and compiling take the native explorer."""


def explore(
    spec: Specification,
    instance: Instance,
    *,
    limits: Limits | None = None,
    properties: Sequence[Function] | None = None,
    workers: int | None = None,
    symmetry: bool = True,
    stop_at_deadlock: bool = False,
    watch: Watcher | None = None,
) -> Exploration:
    """Explores an instance by the referee for a moment, and if that was not enough by machine code from the start.

    The counts are the same either way; `engine` says who answered.
    """
    limits = limits or Limits()
    seconds = limits.seconds_max
    if seconds is None or seconds > HEAD_START_SECONDS:
        short = replace(limits, seconds_max=HEAD_START_SECONDS)
        found = referee(
            spec, instance, limits=short, properties=properties, stop_at_deadlock=stop_at_deadlock
        )
        if not found.cut_short.startswith("the time limit"):
            return found
    return native(
        spec,
        instance,
        limits=limits,
        properties=properties,
        workers=workers,
        symmetry=symmetry,
        stop_at_deadlock=stop_at_deadlock,
        watch=watch,
    )

"""How many clients there may be without a node running out of descriptors: what it then cannot open may be its log."""

from __future__ import annotations

import logging
import resource
from typing import Final

RESERVE: Final = 256
"""For segments, checkpoints, traces, peers, the admin port, and clients that are about to be turned away."""

log = logging.getLogger("quorate.node")


def clients_possible(wanted: int) -> int:
    """How many of so many clients this process can have, with as many descriptors as it may ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVE
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    possible = max(1, soft - RESERVE)
    log.warning("no more than %d clients at a time: %d open files are allowed (ulimit -n)", possible, soft)
    return possible

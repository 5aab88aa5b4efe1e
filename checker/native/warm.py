"""Has the inner loops compiled, or fetched from disk, before the clock of a search starts."""

from __future__ import annotations

import numpy as np

from .kernels import route, settle
from .memory import Chunk, Fingerprints, Whole
from .search import Order


def warm_up(order: Order) -> None:
    """Calls every loop that this search will need, once, on next to nothing."""
    record = order.program.record_words
    box, via = np.ones(record, np.uint64), np.zeros(1, np.uint8)
    ends, ones = np.zeros(1, np.uint64), np.ones(1, np.int64)
    counts = [np.zeros(256, np.int64) for _ in range(3)]
    chunk = Chunk(np.empty(record, np.uint64), np.empty(1, np.uint8))
    seen = Whole(record) if order.exact else Fingerprints(record)
    seen.absorb(box, via, 0, 1, chunk)
    seen.grow()
    settle(ends, 0, box, via, record, ones, via, *counts)
    if order.workers > 1:
        route(box, via, 0, record, box, via, 1, np.zeros(order.workers, np.int64))
    if order.markers:
        order.markers().weigh(box, 0, 0, ones)

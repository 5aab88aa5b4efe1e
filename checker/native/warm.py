"""Has the inner loops compiled, or fetched from disk, before the clock of a search starts."""

from __future__ import annotations

import numpy as np

from .frontier import Chunk
from .kernels import route, settle
from .order import Order
from .seen import Fingerprints, Whole


def warm_up(order: Order) -> None:
    """Calls every loop that this search will need, once, on next to nothing."""
    program = order.program
    record, words = program.waiting_words + 1, program.state_words
    box, via = np.ones(record, np.uint64), np.zeros(1, np.uint8)
    ends, ones, sums = np.zeros(1, np.uint64), np.ones(1, np.int64), np.zeros(8, np.int64)
    taken, found = np.zeros(256, np.int64), np.zeros(256, np.int64)
    chunk = Chunk.empty(record - 1, 1)
    seen = Whole(record, words) if order.exact else Fingerprints(record)
    seen.absorb(box, via, 0, 1, chunk)
    seen.grow()
    settle(
        ends, ends, program.kinds, program.unsure, 0, box, via, record, words,
        ones, via, taken, found, sums,
    )  # fmt: skip
    if order.workers > 1:
        route(box, via, 0, record, box, via, 1, np.zeros(order.workers, np.int64))
    if order.markers:
        order.markers().weigh(box, 0, 0, ones)

"""The inner loops of the search: settling what was expanded, sending states to their owners, keeping the new ones.

They know records (a fingerprint and the words of a state) and nothing of any specification.
"""

from __future__ import annotations

import numpy as np

from .intrinsics import Array, Bytes, Counts, compiled, ones, prefetch

U64 = np.uint64

AHEAD = 16
"""How many records ahead the table is asked for."""
END = U64((1 << 63) - 1)
"""What of an entry of `ends` is the count; the bit above says that successors may be equal."""
EDGES, DEADLOCKS, STUCK, DISTINCT, GENERATED, UNSURE = 0, 1, 2, 3, 4, 5
"""Places in `totals`.  `totals[STUCK]` is the first state without a successor, or -1.  `totals[GENERATED]` counts steps
from what is stored, whatever it weighs, `totals[UNSURE]` those by leaves that are not sure to lead to a new state."""


@compiled
def settle(
    ends: Array, fired: Array, kinds: Array, unsure: Array, states: int,
    out: Array, via: Bytes, record: int, words: int,
    weights: Counts, came: Bytes, taken: Counts, found: Counts, totals: Counts,
) -> None:  # fmt: skip
    """Counts what `states` states led to, each of them with its weight.

    `kinds[action]` is the set of the action's leaves.  Of equal successors of one state one counts as an edge, and one
    for each action that makes it; whatever may have an equal was made.
    """
    start, size, actions = np.int64(0), kinds.shape[1], kinds.shape[0]
    all_edges, deadlocks, distinct, generated, unsure_steps = (
        np.int64(0),
        np.int64(0),
        np.int64(0),
        np.int64(0),
        np.int64(0),
    )
    for k in range(states):
        end, weight, edges = np.int64(ends[k] & END), weights[k], np.int64(0)
        for w in range(size):
            set_of_leaves = fired[k * size + w]
            for action in range(actions):
                steps = ones(set_of_leaves & kinds[action, w])
                taken[action] += steps * weight
                edges += steps
            unsure_steps += ones(set_of_leaves & unsure[w])
        generated += edges
        if ends[k] != U64(end):
            for i in range(start + 1, end):
                again = same_action = False
                for j in range(start, i):
                    same = True
                    for w in range(1, words + 1):
                        same &= out[i * record + w] == out[j * record + w]
                    again |= same
                    same_action |= same and via[i] == via[j]
                edges -= again
                if same_action:
                    taken[via[i]] -= weight
        if edges == 0:
            deadlocks += weight
            if totals[STUCK] < 0:
                totals[STUCK] = k
        all_edges += edges * weight
        distinct += weight
        found[came[k]] += weight
        start = end
    totals[EDGES] += all_edges
    totals[DEADLOCKS] += deadlocks
    totals[DISTINCT] += distinct
    totals[GENERATED] += generated
    totals[UNSURE] += unsure_steps


@compiled
def route(
    out: Array, via: Bytes, count: int, record: int, box: Array, box_via: Bytes, room: int, sizes: Counts
) -> None:
    """Sorts records by owner: that of number d has its own from record d * room on, sizes[d] of them."""
    owners = U64(len(sizes))
    for i in range(count):
        owner = np.int64(((out[i * record] & U64(0xFFFF)) * owners) >> U64(16))
        at = owner * room + sizes[owner]
        for w in range(record):
            box[at * record + w] = out[i * record + w]
        box_via[at] = via[i]
        sizes[owner] += 1


@compiled
def absorb(
    box: Array,
    box_via: Bytes,
    start: int,
    count: int,
    record: int,
    table: Array,
    shift: U64,
    states: Array,
    came: Bytes,
    kept: int,
) -> int:
    """Appends to `states` those records whose fingerprint is not in the table, and puts it there.

    Returns how many `states` holds then; there is room for `count` more.
    """
    mask = len(table) - 1
    for i in range(start, start + min(AHEAD, count)):
        prefetch(table, np.int64(box[i * record] >> shift))
    for i in range(start, start + count):
        if i + AHEAD < start + count:
            prefetch(table, np.int64(box[(i + AHEAD) * record] >> shift))
        mark = box[i * record]
        at = np.int64(mark >> shift)
        while table[at] != U64(0) and table[at] != mark:
            at = (at + 1) & mask
        if table[at] == U64(0):
            table[at] = mark
            for w in range(record - 1):
                states[kept * (record - 1) + w] = box[i * record + 1 + w]
            came[kept] = box_via[i]
            kept += 1
    return kept


@compiled
def insert(table: Array, mark: U64, shift: U64) -> None:
    """Puts a fingerprint that is not there into a table."""
    mask = len(table) - 1
    at = np.int64(mark >> shift)
    while table[at] != U64(0):
        at = (at + 1) & mask
    table[at] = mark


@compiled
def insert_all(table: Array, marks: Array, shift: U64) -> None:
    """Puts fingerprints that are not there into a table."""
    for i in range(len(marks)):
        insert(table, marks[i], shift)


@compiled
def furthest(table: Array, shift: U64) -> np.int64:
    """How far an entry stands, at the most, behind where its fingerprint says."""
    mask, most = len(table) - 1, np.int64(0)
    for i in range(len(table)):
        if table[i] != U64(0):
            wandered = (i - np.int64(table[i] >> shift)) & mask
            if wandered > most:
                most = wandered
    return most


@compiled
def spread(table: Array, size: int, low: Array, shift: U64) -> None:
    """Spreads the first `size` entries over a table that has grown to twice that.

    An entry moves to twice its index, less twice what it wandered.  Going backwards, it lands on what was dealt with
    already, unless it is nearer to the beginning than twice `furthest`; so many entries are kept in `low` meanwhile.
    """
    for i in range(len(low)):
        low[i] = table[i]
        table[i] = U64(0)
    for i in range(size - 1, len(low) - 1, -1):
        mark = table[i]
        if mark != U64(0):
            table[i] = U64(0)
            insert(table, mark, shift)
    for i in range(len(low)):
        if low[i] != U64(0):
            insert(table, low[i], shift)


TAG = U64(0xFFFFFF)
INDEX = U64((1 << 40) - 1)


@compiled
def absorb_whole(
    box: Array,
    box_via: Bytes,
    start: int,
    count: int,
    record: int,
    words: int,
    table: Array,
    shift: U64,
    store: Array,
    stored: int,
    states: Array,
    came: Bytes,
    kept: int,
) -> int:
    """The same, comparing whole states: the table holds places in `store`, which keeps every record.

    An entry is a place counted from 1, below 24 bits of the fingerprint that spare most comparisons.
    """
    mask = len(table) - 1
    for i in range(start, start + count):
        mark = box[i * record]
        tag = (mark & TAG) << U64(40)
        at = np.int64(mark >> shift)
        known = False
        while table[at] != U64(0) and not known:
            if table[at] & ~INDEX == tag:
                place = np.int64(table[at] & INDEX) - 1
                known = True
                for w in range(1, words + 1):
                    known &= store[place * (words + 1) + w] == box[i * record + w]
            at = (at + 1) & mask
        if not known:
            table[at] = tag | U64(stored + 1)
            for w in range(words + 1):
                store[stored * (words + 1) + w] = box[i * record + w]
            for w in range(record - 1):
                states[kept * (record - 1) + w] = box[i * record + 1 + w]
            came[kept] = box_via[i]
            kept += 1
            stored += 1
    return kept


@compiled
def place_whole(store: Array, first: int, stored: int, words: int, new: Array, shift: U64) -> None:
    """Puts the places of stored records, from number `first` on, into a table."""
    mask = len(new) - 1
    for i in range(first, stored):
        mark = store[i * words]
        at = np.int64(mark >> shift)
        while new[at] != U64(0):
            at = (at + 1) & mask
        new[at] = (mark & TAG) << U64(40) | U64(i + 1)


@compiled
def parent_of(out: Array, ends: Array, states: int, record: int, words: int, target: Array) -> int:
    """The first of `states` expanded states that has the target among its successors, or -1."""
    start = np.int64(0)
    for k in range(states):
        end = np.int64(ends[k] & END)
        for i in range(start, end):
            same = True
            for w in range(1, words + 1):
                same &= out[i * record + w] == target[w - 1]
            if same:
                return k
        start = end
    return -1

"""The inner loops of symmetry: fingerprints that permutations leave alone, and the sizes of orbits.

A state's bits are hashed once for each permutation (a lane).  Where the members of one sort occur at most once in a
row, a state is a bag of slices, one a member, beside what they share: slices are scrambled by themselves and added, so
that the permutations of that sort cost nothing at all.
"""

from __future__ import annotations

import numpy as np

from .intrinsics import Array, Counts, compiled, lowest_bit
from .kernels import END, U64

SHARED, SLICED = U64(0x8E5F_11D3_9A2C_6B47), U64(0x3C79_AC49_2BA7_B653)


@compiled
def scramble(x: U64) -> U64:
    """A one-to-one mixing of a word (splitmix64's)."""
    x = (x ^ (x >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U64(27))) * U64(0x94D049BB133111EB)
    return x ^ (x >> U64(31))


@compiled
def lanes_of(
    states: Array, k: int, words: int, waiting: int, place: Counts, codes: Array, lanes: Array
) -> None:
    """Hashes the words of state k: lanes[slice, permutation] joins the codes of the slice's bits."""
    lanes[:] = U64(0)
    for w in range(words):
        x = states[k * waiting + w]
        while x != U64(0):
            bit = 64 * w + lowest_bit(x)
            x &= x - U64(1)
            for g in range(codes.shape[1]):
                lanes[place[bit], g] ^= codes[bit, g]


@compiled
def images_of(lanes: Array, mixed: Array, sums: Array, images: Array) -> None:
    """Scrambles the lanes, and hashes the state's image under each permutation into `images`."""
    for g in range(lanes.shape[1]):
        mixed[0, g] = scramble(lanes[0, g] ^ SHARED)
        sums[g] = U64(0)
        for s in range(1, lanes.shape[0]):
            mixed[s, g] = scramble(lanes[s, g] ^ SLICED)
            sums[g] += mixed[s, g]
        images[g] = scramble(mixed[0, g] ^ sums[g])


@compiled
def size_of(lanes: Array, images: Array) -> int:
    """The size of an orbit: its different images, times the ways to deal different slices to the members."""
    size = 0
    for g in range(len(images)):
        known = False
        for h in range(g):
            known |= images[h] == images[g]
        size += not known
    for s in range(1, lanes.shape[0]):
        # A multinomial, built up slice by slice: times s, divided by how many equal ones there are so far.
        equal = 0
        for t in range(1, s + 1):
            equal += lanes[t, 0] == lanes[s, 0]
        size = size * s // equal
    return size


@compiled
def mark_orbits(
    states: Array, low: int, high: int, words: int, waiting: int, out: Array, ends: Array, fired: Array, size: int,
    place: Counts, codes: Array, instead: Array, peers: Array, marks: Array,
    lanes: Array, mixed: Array, child: Array, sums: Array, images: Array, weights: Counts,
) -> None:  # fmt: skip
    """Gives the successors of states low .. high - 1 their fingerprints and what they need not take, and the states
    their weights.  `fired` has `size` words a state.

    Only the slices that a step touches are hashed anew.
    """
    record, permutations, start = waiting + 1, codes.shape[1], np.int64(0)
    for k in range(low, high):
        lanes_of(states, k, words, waiting, place, codes, lanes)
        images_of(lanes, mixed, sums, images)
        weights[k - low] = size_of(lanes, images)
        end = np.int64(ends[k - low] & END)
        for i in range(start, end):
            touched = U64(0)
            for w in range(words):
                x = out[i * record + 1 + w] ^ states[k * waiting + w]
                while x != U64(0):
                    bit = 64 * w + lowest_bit(x)
                    x &= x - U64(1)
                    s = place[bit]
                    if touched >> U64(s) & U64(1) == U64(0):
                        touched |= U64(1) << U64(s)
                        for g in range(permutations):
                            child[s, g] = lanes[s, g]
                    for g in range(permutations):
                        child[s, g] ^= codes[bit, g]
            fingerprint = U64(0)
            for g in range(permutations):
                shared, total, rest = mixed[0, g], sums[g], touched
                while rest != U64(0):
                    s = lowest_bit(rest)
                    rest &= rest - U64(1)
                    if s == 0:
                        shared = scramble(child[0, g] ^ SHARED)
                    else:
                        total += scramble(child[s, g] ^ SLICED) - mixed[s, g]
                fingerprint += scramble(shared ^ total)
            fingerprint = scramble(fingerprint)
            marks[np.int64(out[i * record])] = fingerprint if fingerprint != U64(0) else U64(1)
        put_to_sleep(out, start, end, record, words, fired, (k - low) * size, instead, peers, marks)
        start = end


@compiled
def put_to_sleep(
    out: Array, start: np.int64, end: np.int64, record: int, words: int, fired: Array, at: int,
    instead: Array, peers: Array, marks: Array,
) -> None:  # fmt: skip
    """Fills in the fingerprints of a state's successors and what they need not take.

    `marks` holds the fingerprint of what each leaf has made, and is left cleared; the set of leaves that led on stands
    in `fired` from `at` on.
    """
    for i in range(start, end):
        leaf = np.int64(out[i * record])
        for w in range(instead.shape[1]):
            tried = fired[at + w]
            asleep, rest = tried & instead[leaf, w], tried & peers[leaf, w]
            while rest != U64(0):
                bit = lowest_bit(rest)
                rest &= rest - U64(1)
                if marks[64 * w + bit] > marks[leaf]:
                    asleep |= U64(1) << U64(bit)
            out[i * record + 1 + words + w] = asleep
    for i in range(start, end):
        leaf = np.int64(out[i * record])
        out[i * record] = marks[leaf]
        marks[leaf] = U64(0)


@compiled
def weigh_orbits(
    states: Array, low: int, high: int, words: int, waiting: int, place: Counts, codes: Array,
    lanes: Array, mixed: Array, sums: Array, images: Array, weights: Counts,
) -> None:  # fmt: skip
    """The sizes of the orbits of states low .. high - 1."""
    for k in range(low, high):
        lanes_of(states, k, words, waiting, place, codes, lanes)
        images_of(lanes, mixed, sums, images)
        weights[k - low] = size_of(lanes, images)

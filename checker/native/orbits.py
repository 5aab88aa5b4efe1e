"""The inner loops of symmetry: fingerprints that permutations leave alone, and the sizes of orbits.

A state's bits are hashed once for each permutation (a lane).  Where the members of one sort occur at most once in a
row, a state is a bag of slices, one a member, beside what they share: slices are scrambled by themselves and added, so
that the permutations of that sort cost nothing at all.
"""

from __future__ import annotations

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
    states: Array, start: U64, words: U64, permutations: U64, place: Array, codes: Array, lanes: Array
) -> None:
    """Hashes the words of the state that begins at `start`: a lane joins the codes of its slice's bits.

    The lanes of a slice lie side by side, those of the slice of bit b from `place[b]` on.
    """
    for i in range(U64(len(lanes))):
        lanes[i] = U64(0)
    for w in range(words):
        x = states[start + w]
        while x != U64(0):
            bit = U64(64) * w + lowest_bit(x)
            x &= x - U64(1)
            lane, code = place[bit], bit * permutations
            for g in range(permutations):
                lanes[lane + g] ^= codes[code + g]


@compiled
def images_of(lanes: Array, permutations: U64, mixed: Array, sums: Array, images: Array) -> None:
    """Scrambles the lanes, and hashes the state's image under each permutation into `images`."""
    for g in range(permutations):
        mixed[g] = scramble(lanes[g] ^ SHARED)
        sums[g] = U64(0)
    for i in range(permutations, U64(len(lanes)), permutations):
        for g in range(permutations):
            mixed[i + g] = scramble(lanes[i + g] ^ SLICED)
            sums[g] += mixed[i + g]
    for g in range(permutations):
        images[g] = scramble(mixed[g] ^ sums[g])


@compiled
def size_of(lanes: Array, images: Array) -> int:
    """The size of an orbit: its different images, times the ways to deal different slices to the members."""
    size, step = 0, len(images)
    for g in range(step):
        known = False
        for h in range(g):
            known |= images[h] == images[g]
        size += not known
    for s in range(1, len(lanes) // step):
        # A multinomial, built up slice by slice: times s, divided by how many equal ones there are so far.
        equal = 0
        for t in range(1, s + 1):
            equal += lanes[t * step] == lanes[s * step]
        size *= s
        if equal > 1:
            size //= equal
    return size


@compiled
def mark_orbits(
    states: Array, low: U64, high: U64, words: U64, waiting: U64, out: Array, ends: Array, fired: Array, size: U64,
    permutations: U64, place: Array, codes: Array, instead: Array, peers: Array, marks: Array,
    lanes: Array, mixed: Array, child: Array, sums: Array, images: Array, weights: Counts,
) -> None:  # fmt: skip
    """Gives the successors of states low .. high - 1 their fingerprints and what they need not take, and the states
    their weights.  `fired` has `size` words a state.

    Only the slices that a step touches are hashed anew.
    """
    record, start = waiting + U64(1), U64(0)
    for k in range(low, high):
        lanes_of(states, k * waiting, words, permutations, place, codes, lanes)
        images_of(lanes, permutations, mixed, sums, images)
        weights[k - low] = size_of(lanes, images)
        end = ends[k - low] & END
        for i in range(start, end):
            touched = U64(0)
            for w in range(words):
                x = out[i * record + U64(1) + w] ^ states[k * waiting + w]
                while x != U64(0):
                    bit = U64(64) * w + lowest_bit(x)
                    x &= x - U64(1)
                    lane, code = place[bit], bit * permutations
                    slice_ = U64(1) << lane // permutations
                    if touched & slice_ == U64(0):
                        touched |= slice_
                        for g in range(permutations):
                            child[lane + g] = lanes[lane + g]
                    for g in range(permutations):
                        child[lane + g] ^= codes[code + g]
            fingerprint = U64(0)
            for g in range(permutations):
                shared, total = mixed[g], sums[g]
                if touched & U64(1) != U64(0):
                    shared = scramble(child[g] ^ SHARED)
                rest = touched & ~U64(1)
                while rest != U64(0):
                    lane = lowest_bit(rest) * permutations + g
                    rest &= rest - U64(1)
                    total += scramble(child[lane] ^ SLICED) - mixed[lane]
                fingerprint += scramble(shared ^ total)
            fingerprint = scramble(fingerprint)
            marks[out[i * record]] = fingerprint if fingerprint != U64(0) else U64(1)
        put_to_sleep(out, start, end, record, words, fired, (k - low) * size, instead, peers, marks)
        start = end


@compiled
def put_to_sleep(
    out: Array, start: U64, end: U64, record: U64, words: U64, fired: Array, at: U64,
    instead: Array, peers: Array, marks: Array,
) -> None:  # fmt: skip
    """Fills in the fingerprints of a state's successors and what they need not take.

    `marks` holds the fingerprint of what each leaf has made, and is left cleared; the set of leaves that led on stands
    in `fired` from `at` on.
    """
    for i in range(start, end):
        leaf = out[i * record]
        for w in range(U64(instead.shape[1])):
            tried = fired[at + w]
            asleep, rest = tried & instead[leaf, w], tried & peers[leaf, w]
            while rest != U64(0):
                bit = lowest_bit(rest)
                rest &= rest - U64(1)
                if marks[U64(64) * w + bit] > marks[leaf]:
                    asleep |= U64(1) << bit
            out[i * record + U64(1) + words + w] = asleep
    for i in range(start, end):
        leaf = out[i * record]
        out[i * record] = marks[leaf]
        marks[leaf] = U64(0)


@compiled
def weigh_orbits(
    states: Array, low: U64, high: U64, words: U64, waiting: U64,
    permutations: U64, place: Array, codes: Array,
    lanes: Array, mixed: Array, sums: Array, images: Array, weights: Counts,
) -> None:  # fmt: skip
    """The sizes of the orbits of states low .. high - 1."""
    for k in range(low, high):
        lanes_of(states, k * waiting, words, permutations, place, codes, lanes)
        images_of(lanes, permutations, mixed, sums, images)
        weights[k - low] = size_of(lanes, images)

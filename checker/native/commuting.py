"""Which steps a search may leave out, because others lead to the same state.

Let a state have a step by a and one by b, and let the two commute.  Then where b leads after a, a leads after b: of the
two last steps of this diamond one may be left out, if it is always said which.

Nothing is lost by that, not even a shortest run.  Let the step that is kept be the greater one in some order, and
look, of all steps that lead to some state from the level before it, at the greatest: had it been left out, a greater
one would lead there, from the same level.  So every state is found in its own level, mostly once, and what was left out
is counted as an edge all the same.

Without symmetry, steps are in the order in which leaves are tried.  Under symmetry a search keeps another state of the
orbit that a step stands in for, and takes another leaf there; so the order must be one that no permutation changes:
first by rank (the action, and the members that stay), then by the fingerprint of the orbit that the step starts from.

(P. Godefroid, "Using partial orders to improve automatic verification methods", CAV 1990, calls what a state need not
take its sleep set; a search level by level need not store it longer than it stores the frontier.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, lt
from typing import Any

import numpy as np

from .assembler import WORD_MASK
from .circuit import Lit, Node, literals_of
from .intrinsics import Array
from .layout import WORD_BITS
from .moves import Leaf, Moves

WORDS_MAX = 2
"""A state that waits carries so many words of steps that it need not take; what is beyond is always taken."""
LEAVES_MAX = 1_024
"""With more of them, finding out which commute takes too long."""

Mask = int
Rank = Callable[[Leaf], Any]
"""What no permutation changes of a leaf."""


@dataclass(frozen=True)
class Sleep:
    """The number of each leaf in sets of leaves, and for each leaf those that its successor need not take.

    That is, of those that led to another state as well: all that are in `instead`, and under symmetry those in `peers`
    that led to an orbit with a greater fingerprint.  Leaves that can be left out have the smallest numbers; a set of
    those takes `words` words, a set of any `all_words`.
    """

    number: Mapping[Leaf, int]
    instead: Mapping[Leaf, Mask]
    peers: Mapping[Leaf, Mask]
    sleepers: int
    """How many leaves can be left out."""

    @property
    def words(self) -> int:
        return -(-self.sleepers // WORD_BITS)

    @property
    def all_words(self) -> int:
        return max(1, -(-len(self.number) // WORD_BITS))

    def may_be_left_out(self, leaf: Leaf) -> bool:
        """Whether there is a leaf after which this one need not be taken."""
        return self.number[leaf] < self.sleepers

    def set_of(self, leaves: Iterable[Leaf]) -> Array:
        """A set of leaves, as `all_words` words."""
        return _words(_mask(self.number[leaf] for leaf in leaves), self.all_words)

    def table(self, sets: Mapping[Leaf, Mask]) -> Array:
        """`instead` or `peers` as an array: of the leaf with this number, this word."""
        out = np.zeros((len(self.number), self.words), np.uint64)
        for leaf, number in self.number.items():
            out[number] = _words(sets[leaf], self.words)
        return out

    @classmethod
    def none(cls, moves: Moves) -> Sleep:
        """Nothing is left out."""
        empty = dict.fromkeys(moves.leaves, 0)
        return cls({leaf: n for n, leaf in enumerate(moves.leaves)}, empty, empty, 0)

    @classmethod
    def of(cls, moves: Moves, rank: Rank | None = None) -> Sleep:
        """What may be left out.  Without a rank, leaves are in the order in which they are tried."""
        leaves = moves.leaves
        commuting = _commuting(leaves) if len(leaves) <= LEAVES_MAX else [[] for _ in leaves]
        ranks = [rank(leaf) for leaf in leaves] if rank else list(range(len(leaves)))
        gain = Counter(j for i, row in enumerate(commuting) for j in row if ranks[j] <= ranks[i])
        slept = sorted(j for j, _ in gain.most_common(WORDS_MAX * WORD_BITS))
        order = [*slept, *(j for j in range(len(leaves)) if j not in set(slept))]
        number = {j: n for n, j in enumerate(order)}

        def sets(chosen: Callable[[int, int], bool]) -> dict[Leaf, Mask]:
            return {
                leaf: _mask(number[j] for j in row if number[j] < len(slept) and chosen(ranks[j], ranks[i]))
                for i, (leaf, row) in enumerate(zip(leaves, commuting, strict=True))
            }

        return cls({leaves[j]: n for j, n in number.items()}, sets(lt), sets(eq), len(slept))


def _commuting(leaves: Sequence[Leaf]) -> list[list[int]]:
    """For each leaf the others, by their places, that commute with it; only those that surely lead to new states."""
    effects = [_Effect.of(leaf) for leaf in leaves]
    sure = [i for i, leaf in enumerate(leaves) if leaf.always_new]
    out: list[list[int]] = [[] for _ in leaves]
    for i in sure:
        out[i] = [j for j in sure if j != i and effects[i].bears(effects[j])]
    return out


@dataclass(frozen=True)
class _Effect:
    """What one leaf needs, reads and writes, as sets of bits."""

    needs_set: Mask
    needs_clear: Mask
    reads: Mask
    raises: Mask
    lowers: Mask
    sets: Mask
    clears: Mask
    writes: Mask

    @classmethod
    def of(cls, leaf: Leaf) -> _Effect:
        needed = literals_of(leaf.guard)
        read: set[Lit] = set().union(*(literals_of(x) for x in leaf.becomes.values()))

        def written(wanted: Callable[[Node], bool]) -> Mask:
            return _mask(bit for bit, value in leaf.becomes.items() if wanted(value))

        return cls(
            _mask(x.bit for x in needed if x.positive),
            _mask(x.bit for x in needed if not x.positive),
            _mask(x.bit for x in read),
            _mask(bit for bit, up in leaf.flips if up),
            _mask(bit for bit, up in leaf.flips if not up),
            written(lambda value: value is True),
            written(lambda value: value is False),
            written(lambda value: True),
        )

    def bears(self, other: _Effect) -> bool:
        """Whether, where both are possible, this is possible after the other, and the order makes no difference.

        That the other is possible after this one is not said: it is found out when it is tried.
        """
        spoils = other.lowers & self.needs_set | other.raises & self.needs_clear
        misreads = (other.raises | other.lowers) & self.reads | (self.raises | self.lowers) & other.reads
        alike = self.sets & other.sets | self.clears & other.clears
        return not (spoils or misreads or self.writes & other.writes & ~alike)


def _words(mask: Mask, words: int) -> Array:
    return np.array([mask >> WORD_BITS * j & WORD_MASK for j in range(words)], np.uint64)


def _mask(bits: Iterable[int]) -> Mask:
    out = 0
    for bit in bits:
        out |= 1 << bit
    return out

"""Which sorts' members are interchangeable in an instance, and what permuting them does to a state.

A specification has no constants of a sort, so it cannot tell the members of an unordered sort apart; sets of them are
permuted along, which an instance must allow.  What that says is checked all the same, on the layout and the initial
state.  This file does not know how a search uses it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..instance import Instance
from ..language import Many, Sort, item_of, relations_of
from ..specification import Specification
from .commuting import Sleep
from .ground import Row
from .intrinsics import Array, Counts
from .layout import WORD_BITS, Layout, Words
from .orbits import mark_orbits, weigh_orbits
from .order import Made

PERMUTATIONS_MAX = 720
"""More lanes than these cost more than they save; sorts beyond them are not permuted."""
SLICES_MAX = 63
SEED = 0x5EED

Permutation = Mapping[Any, Any]
"""Where each member goes; those that are not named stay."""


class BadSymmetry(Exception):
    """Members that are asked to be interchangeable are not; the message is one line that says why."""


def interchangeable(
    spec: Specification, instance: Instance, asked: bool | Collection[str] = True
) -> tuple[type[Sort], ...]:
    """The sorts whose members may be permuted: all that can be, none, or those that are named.

    Raises `BadSymmetry` if one that is named cannot be.
    """
    if isinstance(asked, bool):
        return tuple(s for s in spec.sorts if asked and not _objection(s, instance))
    known = {s.__name__.lower(): s for s in spec.sorts}
    out = []
    for name in asked:
        sort = known.get(name.lower())
        if sort is None:
            raise BadSymmetry(f"symmetry of {name}: {spec.name} has no such sort; it has {', '.join(known)}")
        if len(instance.members[sort]) > 1 and (why := _objection(sort, instance)):
            raise BadSymmetry(f"symmetry of {name}: {why}; leave it out")
        out.append(sort)
    return tuple(s for s in out if len(instance.members[s]) > 1)


def _objection(sort: type[Sort], instance: Instance) -> str:
    """Why the members of a sort cannot be permuted; empty if they can."""
    if issubclass(sort, Many):
        return f"{sort.__name__} follows {item_of(sort).__name__}"
    if sort.ordered:
        return f"{sort.__name__} is ordered, so its members are not alike"
    members = instance.members[sort]
    if len(members) < 2:
        return "it has one member"
    for many, sets in instance.members.items():
        if issubclass(many, Many) and item_of(many) is sort:
            for x, y in itertools.pairwise(members):
                exchange = {x: y, y: x}
                if {frozenset(exchange.get(z, z) for z in s) for s in sets} != set(sets):
                    return f"exchanging {x} and {y} would change which sets {many.__name__} has"
    return ""


@dataclass(frozen=True)
class Symmetry:
    """The permutations of some sorts, as codes for the bits of a layout.

    `place[bit]` is the slice that a bit belongs to, 0 what is shared; `codes[bit, g]` a random word for the row that
    permutation g makes of the bit's row.  The members of the sliced sort do not show in the codes.
    """

    sorts: tuple[type[Sort], ...]
    words: int
    slices: int
    place: Counts
    codes: Array

    @classmethod
    def of(
        cls, spec: Specification, instance: Instance, layout: Layout, sorts: Sequence[type[Sort]]
    ) -> Symmetry:
        """The symmetry of as many of these sorts as are worth their cost."""
        sliced = _sliced(spec, instance, sorts)
        permuted, count = [], 1
        for sort in sorted((s for s in sorts if s is not sliced), key=lambda s: len(instance.members[s])):
            if count * math.factorial(len(instance.members[sort])) <= PERMUTATIONS_MAX:
                count *= math.factorial(len(instance.members[sort]))
                permuted.append(sort)
        used = tuple(s for s in sorts if s is sliced or s in permuted)
        _check_closed(spec, instance, layout, used)
        return cls(used, layout.words, *_codes(spec, instance, layout, sliced, permuted))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(s.__name__ for s in self.sorts)


def _sliced(spec: Specification, instance: Instance, sorts: Sequence[type[Sort]]) -> type[Sort] | None:
    """The largest sort that no relation mentions twice."""

    def fits(sort: type[Sort]) -> bool:
        relations = relations_of(spec.state).values()
        return len(instance.members[sort]) <= SLICES_MAX and all(c.count(sort) <= 1 for c in relations)

    return max(filter(fits, sorts), key=lambda s: len(instance.members[s]), default=None)


def _permutations(instance: Instance, sorts: Sequence[type[Sort]]) -> list[dict[type[Sort], Permutation]]:
    each = [
        [
            (s, dict(zip(instance.members[s], p, strict=True)))
            for p in itertools.permutations(instance.members[s])
        ]
        for s in sorts
    ]
    return [dict(choice) for choice in itertools.product(*each)]


def _image(row: Row, columns: Sequence[type[Sort]], permutation: Mapping[type[Sort], Permutation]) -> Row:
    """A row with its members permuted."""
    return tuple(
        permutation[c].get(x, x) if c in permutation else x for x, c in zip(row, columns, strict=True)
    )


def _codes(
    spec: Specification,
    instance: Instance,
    layout: Layout,
    sliced: type[Sort] | None,
    permuted: Sequence[type[Sort]],
) -> tuple[int, Counts, Array]:
    relations, group = relations_of(spec.state), _permutations(instance, permuted)
    size = layout.words * WORD_BITS
    place, codes = np.zeros(size, np.int64), np.zeros((size, len(group)), np.uint64)
    members = list(instance.members[sliced]) if sliced else []
    random, known = np.random.default_rng(SEED), dict[tuple[str, Row], Any]()
    for bit, (name, row) in enumerate(layout.rows):
        columns = relations[name]
        for g, permutation in enumerate(group):
            image = _image(row, columns, permutation)
            key = (name, tuple(None if c is sliced else x for x, c in zip(image, columns, strict=True)))
            if key not in known:
                known[key] = random.integers(1, 1 << 64, dtype=np.uint64)
            codes[bit, g] = known[key]
        for x, c in zip(row, columns, strict=True):
            if c is sliced:
                place[bit] = 1 + members.index(x)
    return len(members) + 1, place, codes


def _check_closed(
    spec: Specification, instance: Instance, layout: Layout, sorts: Sequence[type[Sort]]
) -> None:
    """Exchanging two members maps what varies to what varies, and the initial state to itself."""
    relations = relations_of(spec.state)
    for sort in sorts:
        for x, y in itertools.pairwise(instance.members[sort]):
            exchange = {sort: {x: y, y: x}}
            for name, columns in relations.items():
                varying, first = layout.bits.varying[name], layout.bits.first[name]
                alike = {_image(r, columns, exchange) for r in varying} == varying.keys()
                if not alike or {_image(r, columns, exchange) for r in first} != first:
                    raise BadSymmetry(
                        f"{spec.name} tells {x} and {y} of {sort.__name__} apart in {name}; explore without symmetry"
                    )


class OrbitMarker:
    """One worker's means to give waiting states, of so many words, the fingerprints of their orbits, and to say which
    leaves they need not take."""

    def __init__(self, symmetry: Symmetry, state_words: int, sleep: Sleep) -> None:
        self.state_words, self.sleep = state_words, sleep
        permutations = symmetry.codes.shape[1]
        self._lanes, self._mixed, self._child = (
            np.zeros(symmetry.slices * permutations, np.uint64) for _ in range(3)
        )
        self._sums, self._images = np.zeros(permutations, np.uint64), np.zeros(permutations, np.uint64)
        self._marks = np.zeros(max(1, len(sleep.number)), np.uint64)
        self._instead, self._peers = sleep.table(sleep.instead), sleep.table(sleep.peers)
        self._words, self._waiting = np.uint64(state_words), np.uint64(state_words + sleep.words)
        self._permutations, self._codes = np.uint64(permutations), symmetry.codes.reshape(-1)
        self._place = (symmetry.place * permutations).astype(np.uint64)

    def mark(self, states: Array, low: int, high: int, made: Made, weights: Counts) -> None:
        """Fills in the successors' fingerprints and what they need not take, and the weights of these states."""
        mark_orbits(
            states, np.uint64(low), np.uint64(high), self._words, self._waiting,
            made.out, made.ends, made.fired, np.uint64(self.sleep.all_words),
            self._permutations, self._place, self._codes, self._instead, self._peers, self._marks,
            self._lanes, self._mixed, self._child, self._sums, self._images, weights,
        )  # fmt: skip

    def weigh(self, states: Array, low: int, high: int, weights: Counts) -> None:
        """Fills in the sizes of the orbits of these states."""
        weigh_orbits(
            states, np.uint64(low), np.uint64(high), self._words, self._waiting,
            self._permutations, self._place, self._codes,
            self._lanes, self._mixed, self._sums, self._images, weights,
        )  # fmt: skip

    def fingerprint(self, words: Words) -> int:
        """The fingerprint of one state's orbit."""
        state = np.zeros(self.state_words + self.sleep.words, np.uint64)
        state[: len(words)] = words
        out, fired = np.array([0, *state], np.uint64), np.zeros(self.sleep.all_words, np.uint64)
        itself = Made(out, np.zeros(1, np.uint8), np.ones(1, np.uint64), fired)
        self.mark(state, 0, 1, itself, np.zeros(1, np.int64))
        return int(out[0])

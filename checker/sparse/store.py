"""How rows are stored: as tries whose levels are the columns that plans find bound, or as bounds.

A plan that knows the acceptor and the slot of a row, and wants ballot and value, needs a way from (acceptor, slot)
to the rest.  The ways that the plans of a specification need are known when it is compiled; those of which each
contains the last share one trie, so `log` is found by acceptor, and then by slot, at the price of one.  At the bottom
of a trie stands what is left of a row: bare where there is one, in a set where there are several.  No branch is empty.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..language import Sort

Row: TypeAlias = tuple[Any, ...]
Pattern: TypeAlias = frozenset[int]
"""The columns that are bound when a relation is looked into."""


class Several(set[Hashable]):
    """What is left of several rows that have a branch in common."""

    __slots__ = ()


@dataclass(frozen=True)
class Trie:
    """Rows by the columns of the first level, then by those of the next; `root` is a set if there is but one level."""

    levels: tuple[tuple[int, ...], ...]
    root: dict[Any, Any] | set[Any] = field(compare=False)

    @classmethod
    def of(cls, levels: Sequence[Sequence[int]]) -> Trie:
        return cls(tuple(map(tuple, levels)), set() if len(levels) == 1 else {})

    def follows(self, pattern: Pattern) -> int:
        """How many levels lead down, from the top, by columns of the pattern alone."""
        within = (frozenset(level) <= pattern for level in self.levels)
        return sum(1 for _ in itertools.takewhile(bool, within))

    def depth(self, pattern: Pattern) -> int | None:
        """How many levels lead down to just the rows that agree in these columns; None if no number of them does."""
        depth = self.follows(pattern)
        return depth if sum(map(len, self.levels[:depth])) == len(pattern) else None

    def rows(self) -> Iterator[Row]:
        """Every row, its columns in the relation's order."""
        order = [column for level in self.levels for column in level]
        back = sorted(range(len(order)), key=order.__getitem__)
        for flat in self._flat(self.root, 0):
            yield tuple(flat[i] for i in back)

    def _flat(self, node: Any, depth: int) -> Iterator[Row]:
        wide = len(self.levels[depth]) > 1
        if depth == len(self.levels) - 1:
            below = node if isinstance(node, set) else (node,)
            yield from (key if wide else (key,) for key in below)
            return
        for key, below in node.items():
            head = key if wide else (key,)
            yield from ((*head, *rest) for rest in self._flat(below, depth + 1))


def tries_for(columns: int, patterns: Iterable[Pattern]) -> tuple[Trie, ...]:
    """The tries by which all these patterns can be followed: as few as a greedy choice finds, at least one."""
    chains: list[list[Pattern]] = [[frozenset(range(columns))]]
    for pattern in sorted(set(patterns), key=lambda p: (-len(p), sorted(p))):
        chain = next((c for c in chains if pattern < c[-1]), None)
        if chain is not None:
            chain.append(pattern)
        elif pattern != chains[0][0]:
            chains.append([chains[0][0], pattern])
    return tuple(Trie.of(_levels(chain)) for chain in chains)


def _levels(chain: Sequence[Pattern]) -> list[list[int]]:
    """The columns that each pattern of a chain, the widest first, has beyond the next."""
    narrow = [*chain[1:], frozenset[int]()]
    levels = [sorted(wide - less) for wide, less in zip(chain, narrow, strict=True)]
    return [level for level in reversed(levels) if level]


@dataclass
class Bounds:
    """A relation kept as bounds: for each key, every row below the bound in the column `cut`, and no other."""

    cut: int
    columns: int
    below: dict[Any, Any] = field(default_factory=dict)

    def key(self, row: Sequence[Any]) -> Any:
        """The key of a row: its other columns, bare if there is but one."""
        rest = (*row[: self.cut], *row[self.cut + 1 :])
        return rest[0] if len(rest) == 1 else rest

    def bound(self, row: Sequence[Any]) -> Any | None:
        """The bound of a row's key; None if there is none.  What stands in the cut column does not matter."""
        return self.below.get(self.key(row))

    def rows(self, members: Iterable[Any]) -> Iterator[Row]:
        """Every row, given the members of the sort that is cut."""
        known = list(members)
        for key, bound in self.below.items():
            rest = (key,) if self.columns == 2 else key
            for x in known:
                if x < bound:
                    yield (*rest[: self.cut], x, *rest[self.cut :])


Store: TypeAlias = Mapping[str, tuple[Trie, ...] | Bounds]


def between(floors: Iterable[Any], ceilings: Iterable[Any]) -> bool:
    """Whether there is a member at or above every floor and below every ceiling; None is no floor, or an unreachable
    ceiling."""
    tops = list(ceilings)
    known = [x for x in floors if x is not None]
    if None in tops:
        return False
    return all(max(known) < top for top in tops) if known else True


# Names in printed plans --------------------------------------------------------------------
# A local name there ends in a digit, so none of these is ever shadowed.


def trie_name(relation: str, i: int) -> str:
    """The i-th trie of a relation."""
    return f"rows_{relation}_{'abcdefghijklmnopqrstuvwxyz'[i]}"


def bounds_name(relation: str) -> str:
    """The bounds of a relation kept as such."""
    return f"below_{relation}_"


def members_name(sort: type[Sort]) -> str:
    """The members of a sort, where they are given."""
    return f"members_{sort.__name__}_"

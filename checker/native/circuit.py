"""Formulas over bits: literals, conjunctions and disjunctions, each made once, with constants folded away.

Negation is pushed down to the literals when it is made, so nothing above them is negative.  This file does not
know what a bit stands for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, eq=False)
class Lit:
    """A bit, or that it is not set."""

    bit: int
    positive: bool


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """All of its parts (a conjunction) or one of them; two or more, none of them a gate of the same kind."""

    conjunction: bool
    parts: tuple[Lit | Gate, ...]


Node: TypeAlias = bool | Lit | Gate


class Circuit:
    """Where nodes are made.  Two nodes of one circuit are the same formula if and only if they are the same object,
    up to what folding does not see."""

    def __init__(self) -> None:
        self._literals: dict[tuple[int, bool], Lit] = {}
        self._gates: dict[tuple[bool, frozenset[Lit | Gate]], Gate] = {}
        self._negations: dict[Gate, Node] = {}

    def lit(self, bit: int, positive: bool = True) -> Lit:
        key = (bit, positive)
        if key not in self._literals:
            self._literals[key] = Lit(bit, positive)
        return self._literals[key]

    def conj(self, parts: Iterable[Node]) -> Node:
        """All of these; parts after the first false one are not asked for."""
        return self._gather(True, parts)

    def disj(self, parts: Iterable[Node]) -> Node:
        """One of these; parts after the first true one are not asked for."""
        return self._gather(False, parts)

    def negation(self, x: Node) -> Node:
        if isinstance(x, bool):
            return not x
        if isinstance(x, Lit):
            return self.lit(x.bit, not x.positive)
        if x not in self._negations:
            self._negations[x] = self._gather(not x.conjunction, map(self.negation, x.parts))
        return self._negations[x]

    def _gather(self, conjunction: bool, parts: Iterable[Node]) -> Node:
        flat: dict[Lit | Gate, None] = {}
        for part in parts:
            if isinstance(part, bool):
                if part is not conjunction:
                    return part
                continue
            nested = isinstance(part, Gate) and part.conjunction is conjunction
            for x in part.parts if nested and isinstance(part, Gate) else (part,):
                if isinstance(x, Lit) and self._literals.get((x.bit, not x.positive)) in flat:
                    return not conjunction
                flat[x] = None
        if not flat:
            return conjunction
        if len(flat) == 1:
            return next(iter(flat))
        key = (conjunction, frozenset(flat))
        if key not in self._gates:
            self._gates[key] = Gate(conjunction, tuple(flat))
        return self._gates[key]


def conjuncts(x: Node) -> tuple[Lit | Gate, ...]:
    """What must hold for a node to hold; nothing for a constant."""
    if isinstance(x, bool):
        return ()
    return x.parts if isinstance(x, Gate) and x.conjunction else (x,)


def literals_of(x: Node) -> set[Lit]:
    """The literals that a node is made of."""
    if isinstance(x, bool):
        return set()
    if isinstance(x, Lit):
        return {x}
    return set[Lit]().union(*(literals_of(p) for p in x.parts))

"""A specification in one instance as machine code: its layout, and functions that expand, check and fingerprint states.

This file puts the parts together; it knows neither how states are stored nor in which order they are visited.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..instance import Instance
from ..reading import read_predicate
from ..specification import Function, Specification
from .circuit import Circuit, Node
from .code import Printer
from .commuting import Sleep
from .ground import Grounder, Scope
from .implied import reduce
from .intrinsics import Array
from .layout import Layout, Words, lay_out
from .machine import Machine
from .moves import Leaf, Moves, ground_moves, parted
from .order import Made
from .ranks import counting


@dataclass
class Program:
    """What `code` printed, ready to be called on arrays of states (`layout.words` words each)."""

    layout: Layout
    moves: Moves
    sleep: Sleep
    properties: tuple[Function, ...]
    claims: tuple[tuple[str, Node], ...]
    """Each property by name, over the layout's bits."""
    levels_apart: bool
    """Whether every run to a state is equally long, as long as no leaf leads on that is not sure to."""
    assembly: str = field(repr=False)
    machine: Machine = field(repr=False)
    seconds: float
    """What it took to make, compilation included."""

    kinds: Array = field(init=False)
    """For each action the set of its leaves: `kinds[action, word]`."""
    unsure: Array = field(init=False)
    """The set of leaves that may lead to a state that others lead to as well, or that is known."""

    def __post_init__(self) -> None:
        leaves, actions = self.moves.leaves, range(len(self.moves.actions))
        self.kinds = np.array([self.sleep.set_of(x for x in leaves if x.action == i) for i in actions])
        self.unsure = self.sleep.set_of(x for x in leaves if not x.always_new)
        self._expand = self.machine.function("expand", "piipppp")
        self._check = self.machine.function("check", "pii")
        self._hash = self.machine.function("hash", "pip")

    @property
    def successors_max(self) -> int:
        """The most successors that a state can have."""
        return len(self.moves.leaves)

    @property
    def state_words(self) -> int:
        return self.layout.words

    @property
    def waiting_words(self) -> int:
        """A state that waits to be expanded, with the set of leaves that it need not take."""
        return self.layout.words + self.sleep.words

    def expand(self, states: Array, low: int, high: int, into: Made) -> int:
        """Writes the successors of waiting states `low` .. `high` - 1 as records; returns how many.

        Nothing is checked: there must be room for as many states.
        """
        arrays = (x.ctypes.data for x in (into.out, into.via, into.ends, into.fired))
        return self._expand(states.ctypes.data, low, high, *arrays)

    def check(self, states: Array, low: int, high: int) -> int:
        """The first of these states that breaks a property, or -1."""
        return self._check(states.ctypes.data, low, high)

    def fingerprint(self, words: Words) -> int:
        """The fingerprint of one state."""
        state, out = np.array(words, np.uint64), np.zeros(1, np.uint64)
        self._hash(state.ctypes.data, 1, out.ctypes.data)
        return int(out[0])


def compile_program(
    spec: Specification,
    instance: Instance,
    properties: Sequence[Function],
    *,
    fingerprints: bool = True,
    sleeping: bool = True,
    rank: Callable[[Leaf], Any] | None = None,
) -> Program:
    """Grounds, prints and compiles a specification for one instance.

    `properties` are checked in this order.  `fingerprints` is told in `code`, `rank` in `commuting`;
    if not `sleeping`, every step is made.
    """
    started = time.perf_counter()
    layout, circuit = lay_out(spec, instance), Circuit()
    moves = parted(ground_moves(spec, instance, layout, circuit), layout)
    claims = ground_properties(spec, instance, properties, layout, circuit)
    if (less := reduce(layout, moves)) is not None:
        layout, moves = less.layout(layout), less.moves(moves)
        claims = [(name, less.node(holds)) for name, holds in claims]
    sleep = Sleep.of(moves, rank) if sleeping else Sleep.none(moves)
    printer = Printer(layout, sleep, fingerprints)
    assembly = printer.emit() + printer.expand(moves) + printer.check(claims) + printer.hash()
    machine = Machine(assembly)
    apart = counting(moves, layout) is not None
    seconds = time.perf_counter() - started
    return Program(layout, moves, sleep, tuple(properties), tuple(claims), apart, assembly, machine, seconds)


def ground_properties(
    spec: Specification, instance: Instance, properties: Sequence[Function], layout: Layout, circuit: Circuit
) -> list[tuple[str, Node]]:
    """Each property as a node, by name."""
    grounder = Grounder(circuit, instance.members, layout.bits)
    out: list[tuple[str, Node]] = []
    for p in properties:
        claim = spec.claims[p.__name__] if p in spec.properties else read_predicate(p, spec.now)
        scope = Scope.of(())
        grounded: Callable[[list[object]], Node] = grounder.formula(claim, scope)
        out.append((p.__name__, grounded([None] * scope.size)))
    return out

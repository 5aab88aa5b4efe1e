"""The graph of an instance: its states as the referee found them, and every step between two of them.

States are numbered breadth first, so number 0 is the initial one and a smaller number is never farther from it.  A
step that changes nothing is no edge.  This file knows no property.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from ..instance import Instance
from ..language import State
from ..reading import parameters
from ..specification import Function, Specification
from .referee import explore
from .result import Exploration, Limits, Taken, Watcher

Move: TypeAlias = tuple[str, tuple[Any, ...]]
"""An action and values for its parameters."""

Edge: TypeAlias = tuple[int, int]
"""The number of a move, and that of the state it leads to."""


@dataclass
class Graph:
    """States, and from each the edges that leave it, in the order of the specification's actions."""

    spec: Specification
    states: list[State] = field(default_factory=list)
    edges: list[list[Edge]] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    came: list[Edge] = field(default_factory=list)
    """By which move each state was found first, and from which state; of the initial one (-1, -1)."""
    _number: dict[State, int] = field(default_factory=dict)
    _move: dict[Move, int] = field(default_factory=dict)

    def add(self, now: State, name: str, args: tuple[Any, ...], nxt: State) -> None:
        """Adds a step; a check of steps that never objects, so the referee can be asked to call it."""
        if nxt == now:
            return
        move = self._move.setdefault((name, args), len(self.moves))
        if move == len(self.moves):
            self.moves.append((name, args))
        source = self._number[now]
        self.edges[source].append((move, self.number(nxt, (move, source))))

    def number(self, state: State, came: Edge = (-1, -1)) -> int:
        """The number of a state, which is given one if it is new."""
        known = self._number.setdefault(state, len(self.states))
        if known == len(self.states):
            self.states.append(state)
            self.edges.append([])
            self.came.append(came)
        return known

    def taken(self, move: int, to: int) -> Taken:
        """An edge as a step of a run."""
        name, args = self.moves[move]
        return Taken(name, dict(zip(self._parameters[name], args, strict=True)), self.states[to])

    @cached_property
    def _parameters(self) -> Mapping[str, Sequence[str]]:
        return {f.__name__: [x.name for x in parameters(f)] for f in self.spec.actions}

    def way_to(self, state: int) -> list[Edge]:
        """A shortest run from the initial state to this one, as the edges it takes."""
        out: list[Edge] = []
        while state:
            move, before = self.came[state]
            out.append((move, state))
            state = before
        return out[::-1]

    @cached_property
    def depth(self) -> Sequence[int]:
        """How many steps each state is from the initial one; to be asked of a graph that grows no more."""
        out = [0]
        for _, before in self.came[1:]:
            out.append(out[before] + 1)
        return out

    def leaves(self) -> Iterator[int]:
        """The states from which nothing was found first: the shortest runs to them pass every state."""
        inner = {before for _, before in self.came}
        return (i for i in range(len(self.states)) if i not in inner)


def explored(
    spec: Specification,
    instance: Instance,
    *,
    limits: Limits | None = None,
    properties: Sequence[Function] | None = None,
    watch: Watcher | None = None,
) -> tuple[Graph, Exploration]:
    """Explores with the referee and keeps the graph, which is whole if the verdict is `holds`."""
    graph = Graph(spec)
    with instance.inhabited():
        graph.number(spec.init())
    found = explore(
        spec, instance, limits=limits, properties=properties, step_checks=[graph.add], watch=watch
    )
    return graph, found

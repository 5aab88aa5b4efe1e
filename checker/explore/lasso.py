"""Fair lassos: runs of a finite graph that enter a set of states and never leave it, though every fair move is served.

A run may stutter: stay where it is for ever.  It is fair to a move if it takes the move again and again, or (weak) if
again and again the move is impossible, or (strong) if from some point on it is.  Where no run is fair within a
component, the strong conditions say which of its states such a run must leave to others, and the rest is searched
again.  (E. A. Emerson, C.-L. Lei, "Modalities for model checking", Science of Computer Programming 8, 1987.)

This file knows numbers of states and moves, and nothing of specifications.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from heapq import heapify, heappop, heappush
from itertools import count

from ..components import components
from .graph import Edge


@dataclass(frozen=True)
class Lasso:
    """A run: a way from where it starts, and a cycle for ever after; an empty cycle is to stay there for ever."""

    start: int
    way: tuple[Edge, ...]
    cycle: tuple[Edge, ...]


@dataclass(frozen=True)
class Fairness:
    """The edges of every state, and the moves that are served fairly; strong fairness includes weak."""

    edges: Sequence[Sequence[Edge]]
    weak: frozenset[int]
    strong: frozenset[int]

    @cached_property
    def enabled(self) -> Sequence[frozenset[int]]:
        """The moves possible in each state."""
        return [frozenset(move for move, _ in out) for out in self.edges]

    def may_stay(self, state: int) -> bool:
        """Whether a fair run may stay in a state for ever."""
        return not self.enabled[state] & (self.weak | self.strong)

    def fair_parts(self, region: Collection[int]) -> Iterator[list[int]]:
        """The largest strongly connected parts of a region through all of which a fair run may go for ever."""
        pending: list[Collection[int]] = [region]
        while pending:
            for part in components(pending.pop(), lambda v: (w for _, w in self.edges[v])):
                taken = self.taken_within(part)
                always, ever = self._always_and_ever(part)
                if always & self.weak - taken:
                    continue
                refused = ever & self.strong - taken
                if not refused:
                    yield part
                elif rest := [v for v in part if not self.enabled[v] & refused]:
                    pending.append(rest)

    def taken_within(self, part: Collection[int]) -> frozenset[int]:
        """The moves by which a part can be walked without leaving it."""
        inside = frozenset(part)
        return frozenset(move for v in part for move, w in self.edges[v] if w in inside)

    def cycle_through(self, part: Sequence[int], start: int) -> tuple[Edge, ...]:
        """A cycle from `start` within a fair part of several states by which every fair move is served.

        It goes where it is nearest to serve the next move that is not served yet.  It is short, not the shortest.
        """
        inside = frozenset(part)
        cycle: list[Edge] = []
        while not cycle or cycle[-1][1] != start or self.unserved(start, cycle):
            unserved = self.unserved(start, cycle)
            at = cycle[-1][1] if cycle else start
            if unserved:
                cycle += self.walk(at, inside, partial(self.serves, unserved))
            else:
                cycle += self.walk(at, inside, lambda edge: edge[1] == start)
        return tuple(cycle)

    def unserved(self, start: int, cycle: Sequence[Edge]) -> frozenset[int]:
        """The fair moves to which it is not fair to go round a cycle for ever.

        A longer cycle may be less fair: on its way it may make possible what must be done if it is strong.
        """
        taken = {move for move, _ in cycle}
        always, ever = self._always_and_ever({start, *(to for _, to in cycle)})
        return (always & self.weak | ever & self.strong) - taken

    def serves(self, moves: frozenset[int], edge: Edge) -> bool:
        """Whether an edge serves one of some moves: it takes it or, if the move is weak, makes it impossible."""
        move, to = edge
        return move in moves or bool(moves - self.strong - self.enabled[to])

    def _always_and_ever(self, states: Collection[int]) -> tuple[frozenset[int], frozenset[int]]:
        """The moves that are possible in each of some states, and those that are in any."""
        possible = [self.enabled[v] for v in states]
        return frozenset.intersection(*possible), frozenset[int]().union(*possible)

    def walk(self, source: int, inside: Collection[int], wanted: Callable[[Edge], bool]) -> list[Edge]:
        """A shortest walk within, of at least one edge, whose last edge is wanted.  There must be one."""
        back: dict[int, tuple[int, Edge] | None] = {source: None}
        queue = deque([source])
        while queue:
            v = queue.popleft()
            for edge in self.edges[v]:
                if edge[1] not in inside:
                    continue
                if wanted(edge):
                    out = [edge]
                    while (step := back[v]) is not None:
                        v, edge = step
                        out.append(edge)
                    return out[::-1]
                if edge[1] not in back:
                    back[edge[1]] = (v, edge)
                    queue.append(edge[1])
        raise AssertionError("a strongly connected part leads nowhere")


@dataclass(frozen=True)
class Region:
    """The states that can be reached from some starts through allowed states alone, and the shortest ways there.

    `distance` is counted from the beginning of the run, `back` says by which edge and from where a state was reached.
    """

    distance: Mapping[int, int]
    back: Mapping[int, tuple[int, Edge] | None]

    @classmethod
    def reached(
        cls, edges: Sequence[Sequence[Edge]], starts: Mapping[int, int], allowed: Callable[[int], bool]
    ) -> Region:
        """Searches from `starts`, of which each is given with its distance from the beginning."""
        distance: dict[int, int] = {}
        back: dict[int, tuple[int, Edge] | None] = {}
        tie = count()
        queue: list[tuple[int, int, int, tuple[int, Edge] | None]] = [
            (far, next(tie), v, None) for v, far in starts.items() if allowed(v)
        ]
        heapify(queue)
        while queue:
            far, _, v, came = heappop(queue)
            if v in distance:
                continue
            distance[v], back[v] = far, came
            for edge in edges[v]:
                if edge[1] not in distance and allowed(edge[1]):
                    heappush(queue, (far + 1, next(tie), edge[1], (v, edge)))
        return cls(distance, back)

    def lasso(self, end: int, cycle: tuple[Edge, ...]) -> Lasso:
        """The shortest way to a state, and a cycle from there."""
        way: list[Edge] = []
        at = end
        while (step := self.back[at]) is not None:
            at, edge = step
            way.append(edge)
        return Lasso(at, tuple(reversed(way)), cycle)


def shortest_lasso(
    fairness: Fairness, starts: Mapping[int, int], allowed: Callable[[int], bool]
) -> Lasso | None:
    """A fair run from one of `starts` through allowed states for ever; None if there is none.

    Of the places where one may stay or go round, it takes that with the least way and cycle together.
    """
    region = Region.reached(fairness.edges, starts, allowed)
    ends: list[tuple[int, tuple[Edge, ...]]] = [(v, ()) for v in region.distance if fairness.may_stay(v)]
    for part in fairness.fair_parts(region.distance):
        if len(part) > 1:
            entry = min(part, key=region.distance.__getitem__)
            ends.append((entry, fairness.cycle_through(part, entry)))
    if not ends:
        return None
    return region.lasso(*min(ends, key=lambda end: region.distance[end[0]] + len(end[1])))

"""Where the nodes of a layered drawing go: columns from left to right, edges forward, few crossings.

The method is Sugiyama's: nodes get layers, long edges get a bend in every layer that they pass, layers are put in order
by the middles of their neighbours, and then everything is moved as close to its neighbours as the others allow.  It
knows how large nodes are, and neither what they say nor how they are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import mean

from ..components import along, components

Edge = tuple[str, str]
Point = tuple[float, float]

SWEEPS = 24
GAP = 14.0
"""Between two nodes of a layer."""
BEND_GAP = 7.0
"""Beside a bend."""
LAYER_GAP = 48.0
"""Between two layers, where the edges are."""


@dataclass(frozen=True)
class Layout:
    """The left end and the middle of every node, the points that every edge passes, and how large it all is."""

    nodes: Mapping[str, Point]
    edges: Mapping[Edge, Sequence[Point]]
    width: float
    height: float


def lay_out(sizes: Mapping[str, Point], edges: Sequence[Edge]) -> Layout:
    """Lays out nodes of these widths and heights; an edge within a group of mutual ones stays within a layer."""
    layers = layers_of(tuple(sizes), edges)
    drawing = Drawing(dict(sizes), layers)
    paths = {edge: drawing.path(*edge) for edge in edges}
    return drawing.settled(paths)


def layers_of(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """For each node, the length of the longest way to it; nodes that lead to one another share a layer."""
    groups = list(components(nodes, along(edges)))[::-1]
    of = {n: i for i, group in enumerate(groups) for n in group}
    layer = [0] * len(groups)
    for i, group in enumerate(groups):
        for source, target in edges:
            if source in group and of[target] != i:
                layer[of[target]] = max(layer[of[target]], layer[i] + 1)
    return {n: layer[of[n]] for n in nodes}


@dataclass
class Drawing:
    """A drawing in the making: nodes and bends, by layer, and what each hangs on."""

    sizes: dict[str, Point]
    layer: dict[str, int]
    left: dict[str, list[str]] = field(default_factory=dict)
    right: dict[str, list[str]] = field(default_factory=dict)

    def path(self, source: str, target: str) -> list[str]:
        """The nodes and bends from one node to another, each hung on the one before."""
        path = [source]
        for i in range(self.layer[source] + 1, self.layer[target]):
            bend = f"{source} > {target} @ {i}"
            self.sizes[bend], self.layer[bend] = (0.0, 0.0), i
            path.append(bend)
        path.append(target)
        if self.layer[source] != self.layer[target]:
            for one, other in pairwise(path):
                self.right.setdefault(one, []).append(other)
                self.left.setdefault(other, []).append(one)
        return path

    def settled(self, paths: Mapping[Edge, Sequence[str]]) -> Layout:
        """The finished drawing."""
        columns = self.ordered()
        y = self.heights(columns)
        x, at = [], 0.0
        for column in columns:
            x.append(at)
            at += max(self.sizes[n][0] for n in column) + LAYER_GAP
        low = min(y[n] - self.sizes[n][1] / 2 for n in y)
        high = max(y[n] + self.sizes[n][1] / 2 for n in y)
        nodes = {n: (x[self.layer[n]], y[n] - low) for n in self.sizes}
        widths = [max(self.sizes[n][0] for n in column) for column in columns]
        ways = {edge: self.points(path, nodes, widths) for edge, path in paths.items()}
        own = {n: nodes[n] for n in nodes if self.sizes[n] != (0.0, 0.0)}
        return Layout(own, ways, at - LAYER_GAP, high - low)

    def points(
        self, path: Sequence[str], nodes: Mapping[str, Point], widths: Sequence[float]
    ) -> Sequence[Point]:
        """From the right end of the first node, straight through the layers between, to the left end of the last.

        Within a layer, around on the right.
        """
        first, *bends, last = path
        points = [(nodes[first][0] + self.sizes[first][0], nodes[first][1])]
        for bend in bends:
            bend_x, bend_y = nodes[bend]
            points += [(bend_x, bend_y), (bend_x + widths[self.layer[bend]], bend_y)]
        if self.layer[first] == self.layer[last]:
            around = nodes[first][0] + widths[self.layer[first]]
            end_x, end_y = nodes[last][0] + self.sizes[last][0], nodes[last][1]
            return [points[0], (around, points[0][1]), (around, end_y), (end_x, end_y)]
        return [*points, nodes[last]]

    def ordered(self) -> list[list[str]]:
        """The layers, each in an order that crosses few edges."""
        columns: list[list[str]] = [[] for _ in range(max(self.layer.values(), default=0) + 1)]
        for n in self.sizes:
            columns[self.layer[n]].append(n)
        best, fewest = [list(c) for c in columns], self.crossings(columns)
        for sweep in range(SWEEPS):
            forward = sweep % 2 == 0
            hung = self.left if forward else self.right
            for i in range(len(columns)) if forward else reversed(range(len(columns))):
                place = {n: j for column in columns for j, n in enumerate(column)}
                columns[i].sort(key=lambda n: mean([place[m] for m in hung.get(n, ())] or [place[n]]))
            if (count := self.crossings(columns)) < fewest:
                best, fewest = [list(c) for c in columns], count
        return best

    def crossings(self, columns: Sequence[Sequence[str]]) -> int:
        """How many pairs of edges cross between neighbouring layers."""
        total = 0
        for column, following in pairwise(columns):
            place = {n: i for i, n in enumerate(following)}
            ends = [sorted(place[m] for m in self.right.get(n, ())) for n in column]
            for i, these in enumerate(ends):
                total += sum(a > b for those in ends[i + 1 :] for a in these for b in those)
        return total

    def heights(self, columns: Sequence[Sequence[str]]) -> dict[str, float]:
        """How far down the middle of everything is: at the mean of its neighbours, if there is room."""
        y: dict[str, float] = {}
        for column in columns:
            y.update(zip(column, self.stacked(column, dict.fromkeys(column, 0.0)), strict=True))
        for sweep in range(SWEEPS):
            for column in columns if sweep % 2 else reversed(columns):
                wish = {
                    n: mean([y[m] for m in (*self.left.get(n, ()), *self.right.get(n, ()))] or [y[n]])
                    for n in column
                }
                y.update(zip(column, self.stacked(column, wish), strict=True))
        return y

    def stacked(self, column: Sequence[str], wish: Mapping[str, float]) -> list[float]:
        """The heights nearest to those wished for that keep the order and the gaps (pooling what would collide)."""
        offset = [0.0]
        for above, below in pairwise(column):
            gap = GAP if self.sizes[above][1] and self.sizes[below][1] else BEND_GAP
            offset.append(offset[-1] + (self.sizes[above][1] + self.sizes[below][1]) / 2 + gap)
        pools: list[tuple[float, int]] = []
        for n, down in zip(column, offset, strict=True):
            at, count = wish[n] - down, 1
            while pools and pools[-1][0] >= at:
                other, others = pools.pop()
                at, count = (at * count + other * others) / (count + others), count + others
            pools.append((at, count))
        flat = [at for at, count in pools for _ in range(count)]
        return [at + down for at, down in zip(flat, offset, strict=True)]

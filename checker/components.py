"""Strongly connected components, by Tarjan's algorithm without recursion.

Two vertices are in one component if each can be reached from the other.  R. Tarjan, "Depth-first search and linear
graph algorithms", SIAM Journal on Computing 1 (1972).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from typing import TypeVar

V = TypeVar("V", bound=Hashable)


def along(edges: Iterable[tuple[V, V]]) -> Callable[[V], Iterable[V]]:
    """What follows each vertex, of a graph that is given by its edges."""
    following: dict[V, list[V]] = {}
    for source, target in edges:
        following.setdefault(source, []).append(target)
    return lambda v: following.get(v, ())


def components(vertices: Collection[V], successors: Callable[[V], Iterable[V]]) -> Iterator[list[V]]:
    """The components of the graph restricted to `vertices`, each after those that it leads to."""
    inside = frozenset(vertices)
    order: dict[V, int] = {}
    lowest: dict[V, int] = {}
    path: list[V] = []
    on_path: set[V] = set()
    for root in vertices:
        if root in order:
            continue
        order[root] = lowest[root] = len(order)
        path.append(root)
        on_path.add(root)
        work = [(root, iter(successors(root)))]
        while work:
            v, rest = work[-1]
            for w in rest:
                if w not in inside:
                    continue
                if w not in order:
                    order[w] = lowest[w] = len(order)
                    path.append(w)
                    on_path.add(w)
                    work.append((w, iter(successors(w))))
                    break
                if w in on_path:
                    lowest[v] = min(lowest[v], order[w])
            else:
                work.pop()
                if work:
                    lowest[work[-1][0]] = min(lowest[work[-1][0]], lowest[v])
                if lowest[v] == order[v]:
                    component: list[V] = []
                    while v in on_path:
                        component.append(path.pop())
                        on_path.remove(component[-1])
                    yield component

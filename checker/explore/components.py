"""Strongly connected components, by Tarjan's algorithm without recursion.

Two vertices are in one component if each can be reached from the other.  R. Tarjan, "Depth-first search and linear
graph algorithms", SIAM Journal on Computing 1 (1972).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator


def components(vertices: Collection[int], successors: Callable[[int], Iterable[int]]) -> Iterator[list[int]]:
    """The components of the graph restricted to `vertices`, each after those that it leads to."""
    inside = frozenset(vertices)
    order: dict[int, int] = {}
    lowest: dict[int, int] = {}
    path: list[int] = []
    on_path: set[int] = set()
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
                    component: list[int] = []
                    while v in on_path:
                        component.append(path.pop())
                        on_path.remove(component[-1])
                    yield component

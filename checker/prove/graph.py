"""What is general about graphs: which nodes lead to one another.  It does not know what a node is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def components(nodes: Sequence[Node], edges: Iterable[tuple[Node, Node]]) -> list[list[Node]]:
    """The groups of nodes that lead to one another, each group after all those that it leads to.

    (Tarjan's algorithm; groups keep the order of `nodes` inside.)
    """
    following: dict[Node, list[Node]] = {n: [] for n in nodes}
    for source, target in edges:
        following[source].append(target)
    index: dict[Node, int] = {}
    lowest: dict[Node, int] = {}
    open_: list[Node] = []
    out: list[list[Node]] = []

    def visit(node: Node) -> None:
        index[node] = lowest[node] = len(index)
        open_.append(node)
        for n in following[node]:
            if n not in index:
                visit(n)
                lowest[node] = min(lowest[node], lowest[n])
            elif n in open_:
                lowest[node] = min(lowest[node], index[n])
        if lowest[node] == index[node]:
            group = {node}
            while (n := open_.pop()) != node:
                group.add(n)
            out.append([n for n in nodes if n in group])

    for node in nodes:
        if node not in index:
            visit(node)
    return out

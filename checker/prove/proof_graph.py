"""The proof as a graph: which conjunct rests on which, from what is to be safe down to what is assumed and required.

A node is known by the line of text where it stands, so what one level owes and another relies on is one node: the
`require` of an upper action is a hypothesis where the action keeps an invariant, and a goal where the lower level shows
that it may be taken.  A conjunct relies on itself as a rule, being kept by induction; that is not drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..refinement import Tower
from ..specification import brief, where
from .matrix import Cell, Matrix
from .obligation import axioms_of, orders_of

Kind = Literal["safety", "invariant", "require", "step", "axiom"]


@dataclass(frozen=True)
class GraphNode:
    """Something that is shown or assumed: what it is, on which floor, what it is called, where, and in a sentence."""

    kind: Kind
    level: str
    label: str
    place: str
    claim: str = ""


@dataclass(frozen=True)
class ProofGraph:
    """Nodes by identity, and for each edge, from what rests to what it rests on, the actions where that is so."""

    nodes: Mapping[str, GraphNode]
    edges: Mapping[tuple[str, str], tuple[str, ...]]


def proof_graph(matrix: Matrix) -> ProofGraph:
    """What rests on what, by the cores that the matrix has; what takes no part is not there, but for properties."""
    nodes = nodes_of(matrix.tower)
    edges: dict[tuple[str, str], dict[str, None]] = {}
    for cell in matrix.cells:
        o = cell.obligation
        goal = identity(o.level, o.place, o.conjunct, nodes)
        for name in rests_on(cell, nodes):
            if goal in nodes and name in nodes and goal != name:
                edges.setdefault((goal, name), {})[o.action] = None
    taking_part = {n for edge in edges for n in edge}
    shown = {
        n: node
        for n, node in nodes.items()
        if n in taking_part or (node.kind in ("safety", "invariant") and n == node.place)
    }
    return ProofGraph(shown, {edge: tuple(actions) for edge, actions in edges.items()})


def rests_on(cell: Cell, nodes: Mapping[str, GraphNode]) -> list[str]:
    """The identities of what a cell's proof uses."""
    o = cell.obligation
    if o.twin:
        return [identity(o.level, "", o.twin, nodes)]
    if cell.core is None:
        return []
    return [identity(o.level, h.place, h.name, nodes) for i in cell.core.used for h in (o.hypotheses[i],)]


def identity(level: str, place: str, name: str, nodes: Mapping[str, GraphNode]) -> str:
    """The node that is meant by a hypothesis or a goal of some level.

    Where a refinement speaks of the upper properties it means them as seen through the image, which is another claim
    than that the upper specification has them.
    """
    through = f"{level}: {place}"
    by_name = (n for n, node in nodes.items() if f"{node.level}.{node.label}" == name)
    return next((n for n in (through, place) if n in nodes), None) or next(by_name, name)


def nodes_of(tower: Tower) -> dict[str, GraphNode]:
    """Everything in a tower that can be shown or assumed, the top floor first."""
    out: dict[str, GraphNode] = {}
    for spec in reversed(tower.floors):
        for f in spec.properties:
            kind: Kind = "safety" if f in spec.safety else "invariant"
            out[where(f)] = GraphNode(kind, spec.name, f.__name__, where(f), brief(f))
        for action, step in spec.steps.items():
            for r in step.requires:
                place = str(r.place)
                out[place] = GraphNode("require", spec.name, r.place.text, place, f"required by {action}")
    for refinement in tower.refinements:
        for action, step_ in refinement.steps.items():
            label = f"{action} leads there"
            out[where(step_)] = GraphNode("step", refinement.name, label, where(step_), brief(step_))
        if not refinement.renames():
            for f in refinement.upper.invariants:
                label = f"{f.__name__} of the image"
                seen = GraphNode("invariant", refinement.name, label, where(f), brief(f))
                out[f"{refinement.name}: {where(f)}"] = seen
    base = tower.floors[0]
    for h in axioms_of(base):
        out[h.place] = GraphNode("axiom", base.name, h.name, h.place)
    for h in orders_of(s for spec in tower.floors for s in spec.sorts):
        out[h.name] = GraphNode("axiom", base.name, h.name, "")
    return out

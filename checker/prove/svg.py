"""A proof graph as a picture: one self-contained SVG, read from left to right, light or dark as the reader's screen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from .layout import Layout, Point, lay_out
from .matrix import Matrix
from .proof_graph import GraphNode, ProofGraph, proof_graph

CHARACTERS_MAX = 29
"""Where a long label is broken."""
CHARACTER_WIDTH, LINE_HEIGHT, PADDING = 6.65, 15.0, 8.0
MARGIN, LEGEND_HEIGHT = 24.0, 64.0
BULGE = 40.0
"""How far an edge between two nodes of one layer goes around."""
COLORS = 4
"""How many levels have a colour of their own."""

STYLE = """
.proof-graph { font: 11px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; background: var(--paper);
  --ink: #1c2430; --faint: #6b7686; --paper: #fff; --none: #eceef1;
  --l0: #e4ecfb; --l1: #e3f4e8; --l2: #fbeede; --l3: #f3e6f7 }
@media (prefers-color-scheme: dark) { .proof-graph {
  --ink: #e6e9ee; --faint: #98a2b3; --paper: #14181f; --none: #2b313b;
  --l0: #22345a; --l1: #1f4330; --l2: #513a1e; --l3: #43284d } }
.proof-graph text { fill: var(--ink) }
.proof-graph .small { fill: var(--faint) }
.proof-graph .title { font-weight: bold; font-size: 13px }
.proof-graph rect { stroke: var(--ink); stroke-width: 1 }
.proof-graph .safety rect { stroke-width: 2.6 }
.proof-graph .require rect { stroke-dasharray: 4 3 }
.proof-graph .axiom rect { fill: var(--none); stroke: var(--faint) }
.proof-graph .step text { font-style: italic }
.proof-graph .l0 { fill: var(--l0) } .proof-graph .l1 { fill: var(--l1) }
.proof-graph .l2 { fill: var(--l2) } .proof-graph .l3 { fill: var(--l3) }
.proof-graph path { fill: none; stroke: var(--faint); stroke-width: 1.1 }
.proof-graph path:hover { stroke: var(--ink); stroke-width: 2.4 }
.proof-graph marker path { fill: var(--faint); stroke: none }
"""


def picture(matrix: Matrix) -> str:
    """The proof graph of a matrix, as an SVG."""
    return draw(proof_graph(matrix), matrix.tower.name)


def draw(graph: ProofGraph, name: str) -> str:
    """A proof graph as an SVG."""
    lines = {n: textwrap.wrap(node.label, CHARACTERS_MAX) for n, node in graph.nodes.items()}
    sizes = {n: size(text) for n, text in lines.items()}
    layout = lay_out(sizes, tuple(graph.edges))
    levels = list(dict.fromkeys(node.level for node in graph.nodes.values() if node.kind != "axiom"))
    width = max(layout.width, 620.0) + 2 * MARGIN
    height = layout.height + 2 * MARGIN + LEGEND_HEIGHT
    parts = [
        f'<svg class="proof-graph" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="what the proof of {escape(name)} rests on">',
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z"/></marker></defs>',
        *legend(name, levels),
        f'<g transform="translate({MARGIN:.0f} {MARGIN + LEGEND_HEIGHT:.0f})">',
        *edges(graph, layout),
        *(box(node, lines[n], layout.nodes[n], sizes[n], levels) for n, node in graph.nodes.items()),
        "</g></svg>",
    ]
    return "\n".join(parts) + "\n"


def size(lines: Sequence[str]) -> Point:
    """How wide and how high a box is that holds these lines."""
    return max(map(len, lines)) * CHARACTER_WIDTH + 2 * PADDING, len(lines) * LINE_HEIGHT + PADDING


def edges(graph: ProofGraph, layout: Layout) -> Iterator[str]:
    """Every edge as a curve that leaves and arrives level."""
    for (source, target), actions in graph.edges.items():
        said = f"{graph.nodes[source].label} rests on {graph.nodes[target].label}: {', '.join(actions)}"
        yield (
            f'<path d="{curve(layout.edges[source, target])}" marker-end="url(#tip)">'
            f"<title>{escape(said)}</title></path>"
        )


def curve(points: Sequence[Point]) -> str:
    """A smooth line through points; level at each of them."""
    (x, y), *rest = points
    out = f"M{x:.1f} {y:.1f}"
    for to_x, to_y in rest:
        middle = (x + to_x) / 2 if to_x != x else x + BULGE
        out += f" C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
        x, y = to_x, to_y
    return out


def box(node: GraphNode, lines: Sequence[str], at: Point, of: Point, levels: Sequence[str]) -> str:
    """A node, with what it claims for who points at it."""
    (x, middle), (width, height) = at, of
    top = middle - height / 2
    rows = "".join(
        f'<text x="{x + PADDING:.1f}" y="{top + PADDING / 2 + LINE_HEIGHT * (i + 0.75):.1f}">{escape(line)}</text>'
        for i, line in enumerate(lines)
    )
    told = ": ".join(filter(None, (f"{node.level}, {node.kind}", node.claim, node.place)))
    round_ = height / 2 if node.kind == "axiom" else 4.0
    return (
        f'<g class="{node.kind}"><title>{escape(told)}</title><rect class="{color(node.level, levels)}" x="{x:.1f}" '
        f'y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{round_:.1f}"/>'
        f"{rows}</g>"
    )


def color(level: str, levels: Sequence[str]) -> str:
    """The class that colours a level."""
    return f"l{levels.index(level) % COLORS}" if level in levels else ""


def legend(name: str, levels: Sequence[str]) -> Iterator[str]:
    """What the picture is, and what its colours and borders mean."""
    yield f'<text class="title" x="{MARGIN:.0f}" y="26">What the proof of {escape(name)} rests on</text>'
    yield (
        f'<text class="small" x="{MARGIN:.0f}" y="44">An arrow leads from what is shown to what it needs; '
        "point at anything to read more.</text>"
    )
    x = MARGIN
    samples: Mapping[str, tuple[str, str]] = {
        **{level: ("invariant", color(level, levels)) for level in levels},
        "safety": ("safety", ""),
        "invariant": ("invariant", ""),
        "required by an action": ("require", ""),
        "assumed": ("axiom", ""),
    }
    for text, (kind, shade) in samples.items():
        fill = f'class="{shade}"' if shade else 'fill="none"'
        yield (
            f'<g class="{kind}"><rect {fill} x="{x:.0f}" y="56" width="18" height="13" rx="3"/></g>'
            f'<text class="small" x="{x + 24:.0f}" y="66">{escape(text)}</text>'
        )
        x += 24 + len(text) * CHARACTER_WIDTH + 22

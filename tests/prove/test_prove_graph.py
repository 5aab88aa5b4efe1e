"""The graph of a proof says what rests on what, and its drawing neither overlaps nor loses anything."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import hypothesis.strategies as st
import pytest
from hypothesis import given

from quorate.checker.prove.layout import Edge, Layout, Point, lay_out
from quorate.checker.prove.matrix import Matrix, with_cores
from quorate.checker.prove.proof import prove
from quorate.checker.prove.proof_graph import ProofGraph, proof_graph
from quorate.checker.prove.svg import curve, draw, picture
from quorate.refinement.tower import tower

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return with_cores([prove(tower("multipaxos"))])


@pytest.fixture(scope="module")
def graph(matrix: Matrix) -> ProofGraph:
    return proof_graph(matrix)


def named(graph: ProofGraph) -> set[tuple[str, str]]:
    """The edges by level and label."""
    name = {n: f"{node.level}.{node.label}" for n, node in graph.nodes.items()}
    return {(name[source], name[target]) for source, target in graph.edges}


def test_the_argument_can_be_followed_from_agreement_to_the_logs(graph: ProofGraph) -> None:
    argument = [
        "multipaxos.agreement",
        "voting.agreement",
        "voting.proposals_are_safe",
        "voting.fresh(now, q, s, b) or last(now, q, s, b, v)",
        "multipaxos.reports_are_full",
    ]
    assert set(itertools.pairwise(argument)) <= named(graph)
    assert ("voting.proposals_are_safe", "multipaxos.quorums_meet") in named(graph)


def test_a_require_of_an_upper_action_joins_the_floors(graph: ProofGraph) -> None:
    require = "voting.(a, b) not in now.left"
    assert ("voting.proposals_are_safe", require) in named(graph)
    assert (require, "multipaxos.(a, b) not in now.left") in named(graph)


def test_an_upper_invariant_seen_through_the_image_is_another_claim(graph: ProofGraph) -> None:
    """Consensus keeps agreement by its own require; what voting shows of it is shown without that."""
    image = "voting is consensus.agreement of the image"
    assert (image, "voting.agreement") in named(graph)
    assert ("consensus.not any((s, w) in now.chosen for w in Value)", image) in named(graph)
    assert (image, "consensus.agreement") not in named(graph)


def test_the_argument_does_not_go_in_circles(graph: ProofGraph) -> None:
    edges = set(graph.edges)
    while (further := {(a, d) for a, b in edges for c, d in edges if b == c} | edges) != edges:
        edges = further
    assert not [a for a, b in edges if a == b]


def test_every_edge_knows_the_actions_that_make_it(graph: ProofGraph) -> None:
    by_name = {
        (graph.nodes[a].label, graph.nodes[b].label): actions for (a, b), actions in graph.edges.items()
    }
    assert by_name["reports_are_latest", "logs_are_latest"] == ("promise",)
    assert by_name["reports_are_latest", "promises_leave"] == ("accept",)


def test_every_property_is_there_and_nothing_else_that_takes_no_part(
    graph: ProofGraph, matrix: Matrix
) -> None:
    taking_part = {n for edge in graph.edges for n in edge}
    lonely = {node.label for n, node in graph.nodes.items() if n not in taking_part}
    assert lonely == set()
    for spec in matrix.tower.floors:
        for f in spec.properties:
            assert any((n.level, n.label) == (spec.name, f.__name__) for n in graph.nodes.values())
    assert "(b,) not in now.prepared" not in {node.label for node in graph.nodes.values()}


def test_without_cores_only_twins_are_known() -> None:
    found = named(proof_graph(Matrix((prove(tower("multipaxos")),))))
    assert found >= {
        ("multipaxos.agreement", "voting.agreement"),
        ("voting is consensus.agreement of the image", "voting.agreement"),
    }
    assert {target.partition(".")[0] for _, target in found} == {"voting"}


# As a picture --------------------------------------------------------------------------------


def test_the_picture_is_well_formed_and_has_every_node_and_edge(graph: ProofGraph, matrix: Matrix) -> None:
    root = ElementTree.fromstring(picture(matrix))
    boxes = [g for g in root.iter(f"{SVG}g") if g.find(f"{SVG}title") is not None]
    assert len(boxes) == len(graph.nodes)
    arrows = [p for p in root.iter(f"{SVG}path") if p.get("marker-end")]
    assert len(arrows) == len(graph.edges)
    words = " ".join(text.text or "" for text in root.iter(f"{SVG}text"))
    for node in graph.nodes.values():
        assert all(word in words for word in node.label.split())


def test_the_picture_loads_nothing(matrix: Matrix) -> None:
    text = picture(matrix)
    assert text.count("http") == 1, "the name of SVG itself"
    assert "<script" not in text
    assert "@import" not in text
    assert "<image" not in text


def test_what_is_drawn_lies_inside(graph: ProofGraph) -> None:
    root = ElementTree.fromstring(draw(graph, "multipaxos"))
    _, _, width, height = (float(x) for x in root.attrib["viewBox"].split())
    for rect in root.iter(f"{SVG}rect"):
        assert 0 <= float(rect.attrib["x"]) <= width - float(rect.attrib["width"])
        assert 0 <= float(rect.attrib["y"]) <= height - float(rect.attrib["height"])


def test_a_proof_of_one_line_is_drawn_too() -> None:
    ElementTree.fromstring(picture(with_cores([prove(tower("consensus"))])))


def test_an_edge_within_a_layer_goes_around() -> None:
    assert curve([(0, 0), (30, 0), (30, 20), (10, 20)]).startswith(
        "M0.0 0.0 C15.0 0.0 15.0 0.0 30.0 0.0 C70.0 0.0 70.0 20.0"
    )


# Laid out ------------------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, Point], list[Edge]]:
    names = [f"n{i}" for i in range(draw(st.integers(1, 8)))]
    sizes = {n: (draw(st.floats(10, 200)), draw(st.floats(10, 60))) for n in names}
    pairs = st.tuples(st.sampled_from(names), st.sampled_from(names)).filter(lambda e: e[0] != e[1])
    return sizes, draw(st.lists(pairs, unique=True, max_size=14))


@given(graphs())
def test_no_two_boxes_overlap_and_all_lie_inside(graph: tuple[dict[str, Point], list[Edge]]) -> None:
    sizes, edges = graph
    layout = lay_out(sizes, edges)
    assert layout.nodes.keys() == sizes.keys()
    assert layout.edges.keys() == {*edges}
    for n, (x, y) in layout.nodes.items():
        assert -0.01 <= x <= layout.width - sizes[n][0] + 0.01
        assert y - sizes[n][1] / 2 >= -0.01
        assert y + sizes[n][1] / 2 <= layout.height + 0.01
    for n, m in itertools.combinations(sizes, 2):
        assert apart(n, m, sizes, layout), (n, m)


def apart(n: str, m: str, sizes: dict[str, Point], layout: Layout) -> bool:
    (nx, ny), (mx, my) = layout.nodes[n], layout.nodes[m]
    beside = nx + sizes[n][0] <= mx or mx + sizes[m][0] <= nx
    return beside or abs(ny - my) >= (sizes[n][1] + sizes[m][1]) / 2 - 0.01


@given(graphs())
def test_edges_lead_from_box_to_box_and_never_back(graph: tuple[dict[str, Point], list[Edge]]) -> None:
    sizes, edges = graph
    layout = lay_out(sizes, edges)
    for (source, target), points in layout.edges.items():
        x, y = layout.nodes[source]
        assert points[0] == (x + sizes[source][0], y)
        if layout.nodes[target][0] > x:
            assert points[-1] == layout.nodes[target]
            assert [p[0] for p in points] == sorted(p[0] for p in points)
        else:
            assert layout.nodes[target][0] == x, "only what leads to one another shares a layer"


def test_a_long_edge_keeps_clear_of_the_boxes_that_it_passes() -> None:
    sizes = dict.fromkeys("abcd", (50.0, 20.0))
    layout = lay_out(sizes, [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")])
    bends = layout.edges["a", "d"][1:-1]
    assert len(bends) == 4
    for name in "bc":
        x, y = layout.nodes[name]
        assert all(abs(bend_y - y) > 10 for bend_x, bend_y in bends if x <= bend_x <= x + 50)


def test_edges_that_need_not_cross_do_not() -> None:
    sizes = dict.fromkeys("abcdef", (50.0, 20.0))
    layout = lay_out(sizes, [("a", "f"), ("b", "e"), ("c", "d")])
    left = sorted("abc", key=lambda n: layout.nodes[n][1])
    right = sorted("def", key=lambda n: layout.nodes[n][1])
    assert list(zip(left, right, strict=True)) in [
        list(p) for p in itertools.permutations([("a", "f"), ("b", "e"), ("c", "d")])
    ]

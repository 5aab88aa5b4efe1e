"""Every edge of the specification's graph is driven down by real replicas, or is of a class that says why it is not."""

from __future__ import annotations

from collections import Counter

from quorate.checker.explore.graph import explored
from quorate.refinement.driving import classes
from quorate.refinement.driving import walk as walking
from quorate.spec import multipaxos
from quorate.spec.multipaxos import MultiPaxos

LEFT = "a ballot proposes that everyone who promised it has left"


def test_every_edge_of_a_cluster_of_three_is_driven_or_of_a_class(walked):
    """The counts are those of `quorate check`: 3,921 states and 9,442 pairs of different states."""
    found = walked((3, 2, 1, 2))
    assert found.deviation is None
    assert found.verdict == "covered"
    assert (found.states, found.pairs, found.levels) == (3921, 9442, 17)
    assert found.edges == {"prepare": 146, "promise": 2448, "propose": 1464, "accept": 5856}
    assert found.driven == {"prepare": 105, "promise": 2448, "propose": 918, "accept": 5856}
    assert found.classed == {classes.OPENED.name: 41, LEFT: 546}
    assert found.refused > 10_000


def test_the_edges_are_those_of_the_graph(walked, instance):
    graph, _ = explored(walking.Specification.of(walking.multipaxos), instance((2, 2, 1, 1)), properties=())
    found = walked((2, 2, 1, 1))
    assert found.verdict == "covered"
    assert found.states == len(graph.states)
    assert found.edges == Counter(graph.moves[move][0] for edges in graph.edges for move, _ in edges)


def test_a_walk_cut_short_is_unknown_and_never_all(instance):
    found = walking.walk(instance((2, 2, 1, 1)), seconds_max=0)
    assert found.verdict == "unknown"
    assert "time limit" in found.cut_short
    assert "not all" in next(found.summary())
    assert not any("covered" in line for line in found.summary())


def test_states_that_were_not_asked_for_leave_the_verdict_open(walked):
    found = walked((2, 2, 1, 1), [("prepare", (1,))])
    assert (found.verdict, found.states) == ("unknown", 2)
    assert "not asked for" in found.cut_short


def test_an_interrupted_walk_is_unknown_and_tells_what_it_has(instance):
    def interrupt(found):
        if found.states == 5:
            raise KeyboardInterrupt

    found = walking.walk(instance((2, 2, 1, 1)), watch=interrupt)
    assert (found.verdict, found.states) == ("unknown", 5)
    assert found.cut_short == "it was interrupted"


def test_an_edge_that_is_neither_driven_nor_of_a_class_deviates(walked, monkeypatch):
    """Without the class of what leaders do who have left, the first such edge is shown, with the way to it."""
    monkeypatch.setattr(classes, "LEADING", ())
    found = walked((3, 2, 1, 1))
    assert found.verdict == "deviates"
    assert "no class says why" in found.deviation.reason
    assert found.deviation.action[0] == "propose"
    assert len(found.deviation.way) == found.levels - 1


def test_a_class_that_has_an_edge_which_is_driven_is_refuted(walked, monkeypatch):
    everything = classes.EdgeClass("a leader never proposes", "It is shy.", lambda led: False)
    monkeypatch.setattr(classes, "LEADING", (everything,))
    found = walked((2, 1, 1, 1))
    assert found.verdict == "deviates"
    assert "of a class that never is: a leader never proposes" in found.deviation.reason


def test_no_edge_is_driven_where_nothing_is_attempted(walked, monkeypatch):
    """Coverage is not assumed: a script that knows no prepare covers none."""
    monkeypatch.setattr(walking.Script, "prepare", lambda self, stage, b: iter(()))
    found = walked((2, 1, 1, 1))
    assert found.verdict == "deviates"
    assert found.driven.total() == 0


def test_a_class_is_asked_of_an_edge_and_of_nothing_else(instance):
    """A proposal is of no class as long as somebody who promised the ballot has not left it."""
    q = frozenset({"a1", "a2"})
    propose = ("propose", (q, "s1", 1, "v1"))
    now = MultiPaxos(promised={("a1", 1), ("a2", 1)}, left={("a1", 1)})
    with instance((3, 2, 1, 1)).inhabited():
        assert classes.class_of(now, propose, multipaxos.propose(now, *propose[1])) is None
        left = now.but(left={("a1", 1), ("a2", 1)})
        gone = classes.class_of(left, propose, multipaxos.propose(left, *propose[1]))
    assert gone is not None
    assert gone.name == LEFT


def test_two_slots_are_driven_in_the_ways_of_a_leader(walked):
    """What is reported in both slots, or chosen in one, is proposed anew; every step aside is driven or of a class."""
    q = frozenset({"a1", "a2"})
    run = [
        ("prepare", (1,)),
        ("promise", ("a1", 1)),
        ("promise", ("a2", 1)),
        ("propose", (q, "s1", 1, "v1")),
        ("propose", (q, "s2", 1, "v1")),
        ("accept", ("a1", "s1", 1, "v1")),
        ("prepare", (2,)),
        ("promise", ("a1", 2)),
        ("accept", ("a2", "s1", 1, "v1")),
        ("accept", ("a2", "s2", 1, "v1")),
        ("promise", ("a2", 2)),
        ("propose", (q, "s2", 2, "v1")),
        ("accept", ("a1", "s2", 2, "v1")),
        ("accept", ("a2", "s2", 2, "v1")),
    ]
    found = walked((2, 2, 2, 1), run)
    assert found.deviation is None
    assert found.states == len(run) + 1
    assert found.classed.total() > 0

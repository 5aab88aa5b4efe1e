"""Whether a query is decidable is read off its terms, and who is to blame is named."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from quorate.checker.components import along, components
from quorate.checker.language import Many, Sort
from quorate.checker.prove.fragment import DENIED, fragment_of
from quorate.checker.prove.obligation import Hypothesis, Obligation
from quorate.checker.prove.proof import obligations
from quorate.checker.refinement import Tower
from quorate.checker.term import FALSE, All, And, Any, Formula, Implies, In, Not, Or, Var


class Node(Sort): ...


class Term(Sort, ordered=True): ...


class Group(Many[Node]): ...


n, m, t, u = Var("n", Node), Var("m", Node), Var("t", Term), Var("u", Term)


def asking(goal: Formula, *hypotheses: Formula) -> Obligation:
    named = tuple(Hypothesis(f"h{i}", h) for i, h in enumerate(hypotheses))
    return Obligation("level", "act", "goal", "here", goal, named)


def edges(goal: Formula, *hypotheses: Formula) -> set[tuple[str, str]]:
    return {(s.__name__, to.__name__) for s, to in fragment_of(asking(goal, *hypotheses)).edges}


def test_a_thing_for_every_thing_is_an_edge() -> None:
    assert edges(FALSE, All((n,), Any((t,), In("r", (n, t))))) == {("Node", "Term")}


def test_a_thing_before_everything_is_none() -> None:
    assert edges(FALSE, Any((t,), All((n,), In("r", (n, t))))) == set()


def test_only_what_is_spoken_of_counts() -> None:
    """The Skolem function has the variables for arguments on which the choice depends, not all that are in scope."""
    assert edges(FALSE, All((n, u), Or((In("p", (u,)), Any((t,), In("r", (n, t))))))) == {("Node", "Term")}


def test_a_choice_hands_down_what_it_depends_on() -> None:
    nested = All((n,), Any((t,), And((In("r", (n, t)), Any((m,), In("r", (m, t)))))))
    assert edges(FALSE, nested) == {("Node", "Term"), ("Node", "Node")}


def test_denying_swaps_the_quantifiers() -> None:
    said = All((n,), Any((t,), In("r", (n, t))))
    assert edges(said) == set()
    assert edges(FALSE, Not(said)) == set()
    assert edges(Not(said)) == edges(FALSE, said)
    assert edges(FALSE, Implies(said, FALSE)) == set()
    assert edges(FALSE, Implies(FALSE, said)) == {("Node", "Term")}
    assert edges(Any((n,), All((t,), In("r", (n, t))))) == {("Node", "Term")}


def test_a_sort_that_leads_to_itself_is_outside() -> None:
    above = All((t,), Any((u,), In("less", (t, u))))
    found = fragment_of(asking(FALSE, All((n,), In("p", (n,))), above))
    assert not found.decidable
    assert list(found.reasons()) == ["term to term by h1"]
    assert found.culprits() == ("h1",)


def test_a_cycle_that_two_make_together_names_both() -> None:
    there, back = All((n,), Any((t,), In("r", (n, t)))), All((t,), Any((n,), In("r", (n, t))))
    assert fragment_of(asking(FALSE, there)).decidable
    assert fragment_of(asking(FALSE, back)).decidable
    found = fragment_of(asking(FALSE, there, back))
    assert set(found.reasons()) == {"node to term by h0", "term to node by h1"}


def test_an_edge_beside_the_cycle_is_not_blamed() -> None:
    above, beside = All((t,), Any((u,), In("less", (t, u)))), All((t,), Any((n,), In("r", (n, t))))
    assert list(fragment_of(asking(FALSE, above, beside)).reasons()) == ["term to term by h0"]


def test_a_goal_is_blamed_for_its_denial() -> None:
    goal = Any((t,), All((u,), In("less", (t, u))))
    assert list(fragment_of(asking(goal)).reasons()) == [f"term to term by {DENIED}"]


def test_of_the_tower_it_is_the_full_reports_that_lead_out(multipaxos_tower: Tower) -> None:
    asked = [o for o in obligations(multipaxos_tower) if not o.skipped]
    outside = [o for o in asked if not fragment_of(o).decidable]
    assert {o.level for o in outside} == {"multipaxos", "multipaxos is voting"}
    assert all("reports_are_full" in fragment_of(o).culprits() for o in outside)
    without = obligations(multipaxos_tower.without("reports_are_full"))
    assert all(fragment_of(o).decidable for o in without if o.level == "multipaxos")


@given(st.integers(1, 7).flatmap(
    lambda size: st.tuples(st.just(size), st.sets(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))))
))  # fmt: skip
def test_components_are_what_leads_both_ways(graph: tuple[int, set[tuple[int, int]]]) -> None:
    size, arrows = graph
    reach = {(i, i) for i in range(size)} | arrows
    for k in range(size):
        reach |= {(i, j) for i in range(size) for j in range(size) if (i, k) in reach and (k, j) in reach}
    groups = list(components(range(size), along(arrows)))
    place = {n: i for i, group in enumerate(groups) for n in group}
    assert sorted(place) == list(range(size))
    for i in range(size):
        for j in range(size):
            assert (place[i] == place[j]) == ((i, j) in reach and (j, i) in reach)
            assert place[j] <= place[i] or (i, j) not in reach

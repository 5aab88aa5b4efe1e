"""A fair lasso is found if and only if there is one, in graphs small enough to look at every set of states."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.checker.components import components
from quorate.checker.explore.graph import Edge
from quorate.checker.explore.lasso import Fairness, Lasso, shortest_lasso

MOVES = range(3)
Edges = list[list[Edge]]


@st.composite
def graphs(draw: st.DrawFn) -> Edges:
    """Up to six states; an edge has a move, and leads elsewhere."""
    n = draw(st.integers(1, 6))
    pairs = [(v, w) for v in range(n) for w in range(n) if v != w]
    chosen = (
        draw(st.lists(st.tuples(st.sampled_from(pairs), st.sampled_from(MOVES)), min_size=n, max_size=16))
        if pairs
        else []
    )
    return [sorted({(move, w) for (v, w), move in chosen if v == i}) for i in range(n)]


subsets_of_moves = st.frozensets(st.sampled_from(MOVES))


def reaches(edges: Edges, inside: frozenset[int]) -> set[tuple[int, int]]:
    """Pairs of which the first leads to the second by one step or more, within."""
    out = {(v, w) for v in inside for _, w in edges[v] if w in inside}
    for k, i, j in itertools.product(sorted(inside), repeat=3):
        if (i, k) in out and (k, j) in out:
            out.add((i, j))
    return out


def fair(
    edges: Edges, states: frozenset[int], taken: set[int], weak: frozenset[int], strong: frozenset[int]
) -> bool:
    """Whether to see these states and take these moves again and again is fair: the definition, word for word."""

    def possible(move: int, v: int) -> bool:
        return any(m == move for m, _ in edges[v])

    for move in weak | strong:
        if move in taken:
            continue
        if all(possible(move, v) for v in states):
            return False
        if move in strong and any(possible(move, v) for v in states):
            return False
    return True


def exists(
    edges: Edges,
    weak: frozenset[int],
    strong: frozenset[int],
    starts: frozenset[int],
    allowed: frozenset[int],
) -> bool:
    """Tries every set of states for those that a run sees again and again."""
    everywhere = reaches(edges, allowed)
    reached = {v for v in allowed if any(s == v or (s, v) in everywhere for s in starts & allowed)}
    for k in range(1, len(reached) + 1):
        for some in map(frozenset, itertools.combinations(sorted(reached), k)):
            within = reaches(edges, some)
            if k > 1 and any((v, w) not in within for v in some for w in some):
                continue
            taken = {m for v in some for m, w in edges[v] if w in some}
            if fair(edges, some, taken, weak, strong):
                return True
    return False


def is_run(edges: Edges, lasso: Lasso) -> bool:
    at = lasso.start
    for move, to in (*lasso.way, *lasso.cycle):
        if (move, to) not in edges[at]:
            return False
        at = to
    return not lasso.cycle or at == end_of_way(lasso)


def end_of_way(lasso: Lasso) -> int:
    return lasso.way[-1][1] if lasso.way else lasso.start


@settings(max_examples=600, deadline=None)
@given(
    edges=graphs(),
    weak=subsets_of_moves,
    strong=subsets_of_moves,
    starts=st.frozensets(st.integers(0, 5), min_size=1, max_size=2),
    forbidden=st.frozensets(st.integers(0, 5), max_size=2),
)
def test_a_fair_lasso_is_found_if_and_only_if_there_is_one(
    edges: Edges,
    weak: frozenset[int],
    strong: frozenset[int],
    starts: frozenset[int],
    forbidden: frozenset[int],
) -> None:
    everything = frozenset(range(len(edges)))
    starts, allowed = starts & everything, everything - forbidden
    found = shortest_lasso(
        Fairness(edges, weak, strong), dict.fromkeys(sorted(starts), 0), allowed.__contains__
    )
    assert (found is not None) == exists(edges, weak, strong, starts, allowed)
    if found is not None:
        assert found.start in starts
        assert is_run(edges, found)
        again = frozenset({end_of_way(found), *(to for _, to in found.cycle)})
        assert {found.start, *(to for _, to in found.way)} | again <= allowed
        assert fair(edges, again, {move for move, _ in found.cycle}, weak, strong)


@settings(max_examples=300, deadline=None)
@given(edges=graphs(), left_out=st.frozensets(st.integers(0, 5), max_size=2))
def test_components_are_the_states_that_reach_each_other(edges: Edges, left_out: frozenset[int]) -> None:
    inside = frozenset(range(len(edges))) - left_out
    within = reaches(edges, inside)
    together = {frozenset({v, *(w for w in inside if {(v, w), (w, v)} <= within)}) for v in inside}
    found = list(components(sorted(inside), lambda v: (w for _, w in edges[v])))
    assert sorted(map(sorted, found)) == sorted(map(sorted, together))
    place = {v: i for i, part in enumerate(found) for v in part}
    assert all(place[w] <= place[v] for v in inside for _, w in edges[v] if w in inside)


def test_components_of_a_long_path_need_no_recursion() -> None:
    n = 50_000
    assert len(list(components(range(n), lambda v: range(v + 1, min(v + 2, n))))) == n


# Each rule by itself -----------------------------------------------------------------------

A, B, C = MOVES
NONE: frozenset[int] = frozenset()


def lasso(
    edges: Edges, weak: Sequence[int] = (), strong: Sequence[int] = (), allowed: Sequence[int] = range(9)
) -> Lasso | None:
    return shortest_lasso(
        Fairness(edges, frozenset(weak), frozenset(strong)), {0: 0}, set(allowed).__contains__
    )


def test_without_fairness_a_run_may_stop_where_it_is() -> None:
    assert lasso([[(A, 1)], []]) == Lasso(0, (), ())


def test_a_run_that_is_finished_stutters_for_ever() -> None:
    assert lasso([[(A, 1)], []], strong=[A, B, C]) == Lasso(0, ((A, 1),), ())


def test_what_stays_possible_for_ever_is_done() -> None:
    assert lasso([[(A, 1)], []], weak=[A], allowed=[0]) is None


def test_weak_fairness_asks_nothing_of_what_is_impossible_now_and_then() -> None:
    edges: Edges = [[(A, 1), (C, 2)], [(B, 0)], []]
    found = lasso(edges, weak=[A, B, C], allowed=[0, 1])
    assert found == Lasso(0, (), ((A, 1), (B, 0)))
    assert lasso(edges, weak=[A, B], strong=[C], allowed=[0, 1]) is None


def test_weak_fairness_is_served_by_passing_where_a_move_is_impossible() -> None:
    edges: Edges = [[(C, 1), (A, 2)], [(B, 0)], []]
    assert lasso(edges, weak=[A, B], allowed=[0, 1]) == Lasso(0, (), ((C, 1), (B, 0)))


def test_strong_fairness_lets_a_run_settle_where_nothing_is_asked() -> None:
    """From the cycle, in which C is possible now and then, a run may go on to one in which it never is."""
    edges: Edges = [[(A, 1), (C, 4)], [(B, 0), (A, 2)], [(A, 3)], [(B, 1)], []]
    found = lasso(edges, weak=[A, B], strong=[C], allowed=[0, 1, 2, 3])
    assert found == Lasso(0, ((A, 1),), ((A, 2), (A, 3), (B, 1)))


def test_a_leg_that_makes_something_possible_owes_it() -> None:
    """To serve B, the cycle passes where A is possible: strong fairness then asks for A, too."""
    edges: Edges = [[(C, 1)], [(C, 0), (C, 2)], [(A, 1), (B, 0)]]
    found = lasso(edges, strong=[A, B, C])
    assert found is not None
    again = frozenset({end_of_way(found), *(to for _, to in found.cycle)})
    assert fair(edges, again, {move for move, _ in found.cycle}, NONE, frozenset(MOVES))


def test_the_shorter_way_and_cycle_together_is_shown() -> None:
    edges: Edges = [[(A, 1), (A, 3)], [(A, 2)], [(A, 1)], [(B, 4)], []]
    assert lasso(edges, weak=[A]) == Lasso(0, ((A, 3),), ())
    assert lasso(edges, weak=[A, B]) == Lasso(0, ((A, 3), (B, 4)), ())
    assert lasso(edges, weak=[A, B], allowed=[0, 1, 2]) == Lasso(0, ((A, 1),), ((A, 2), (A, 1)))


def test_a_cycle_at_hand_is_shown_before_an_end_far_away() -> None:
    edges: Edges = [[(A, 1), (C, 2)], [(B, 0)], [(C, 3)], [(C, 4)], []]
    assert lasso(edges, weak=[A, B, C]) == Lasso(0, (), ((A, 1), (B, 0)))


@pytest.mark.parametrize(("far", "start"), [(0, 0), (5, 1)])
def test_a_start_is_as_far_as_it_is_from_the_beginning(far: int, start: int) -> None:
    """Of two places to stop, the one nearer to where the run began is shown."""
    found = shortest_lasso(Fairness([[], []], NONE, NONE), {0: far, 1: 3}, lambda v: True)
    assert found == Lasso(start, (), ())

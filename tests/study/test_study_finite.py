"""Over a finite universe a formula means what it means by the letter, and the smallest counterexample is smallest."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any as Anything

import pytest
import z3

from quorate.checker.evaluate import holds
from quorate.checker.instance import Instance
from quorate.checker.language import State, relations_of
from quorate.checker.prove.counterexample import Counterexample
from quorate.checker.prove.obligation import Hypothesis, Obligation
from quorate.checker.prove.proof import obligations
from quorate.checker.prove.solving import Z3, Outcome
from quorate.checker.refinement import Tower
from quorate.checker.specification import Specification
from quorate.checker.study.finite import choices
from quorate.checker.study.ground import Ground
from quorate.checker.study.sample import Sample
from quorate.checker.study.smallest import completed, fewest_rows, sizes_by_total, smallest
from quorate.checker.study.study import touched, without_axiom, without_invariant
from quorate.checker.study.unrolling import over
from quorate.checker.term import FALSE, All, Any, Implies, In, Less, Member, Or, Var
from quorate.refinement.tower import tower
from quorate.spec.sorts import Acceptor, Ballot, Quorum, Slot, Value

Failing = Callable[[str, str], tuple[Tower, list[Outcome]]]

SMALLEST: Mapping[tuple[str, str], Sequence[tuple[str, str, int, int]]] = {
    ("consensus", "agreement"): [("invariant", "agreement", 3, 2)],
    ("voting", "one_proposal"): [("propose", "proposals_are_safe", 7, 5), ("invariant", "agreement", 6, 4)],
    ("voting", "votes_follow_proposals"): [
        ("propose", "proposals_are_safe", 7, 3),
        ("invariant", "agreement", 6, 2),
        ("invariant", "validity", 5, 1),
    ],
    ("voting", "proposals_are_safe"): [("invariant", "agreement", 7, 4)],
    ("multipaxos", "promises_leave"): [
        ("accept", "reports_are_latest", 7, 5),
        ("accept", "reports_are_full", 6, 2),
        ("propose", "all((a, c) in now.left for a in q for c in Ballot if c < b)", 6, 1),
    ],
    ("multipaxos", "acceptances_leave"): [
        ("promise", "reports_are_latest", 6, 3),
        ("accept", "logs_are_latest", 6, 3),
    ],
    ("multipaxos", "logs_are_true"): [
        ("promise", "reports_are_true", 5, 2),
        ("promise", "reports_are_latest", 5, 2),
    ],
    ("multipaxos", "logs_are_latest"): [("promise", "reports_are_latest", 7, 5)],
    ("multipaxos", "logs_are_full"): [("promise", "reports_are_full", 6, 2)],
    ("multipaxos", "reports_are_true"): [
        ("accept", "reports_are_latest", 7, 2),
        ("propose", "fresh(now, q, s, b) or last(now, q, s, b, v)", 7, 5),
    ],
    ("multipaxos", "reports_are_latest"): [("propose", "fresh(now, q, s, b) or last(now, q, s, b, v)", 7, 6)],
    ("multipaxos", "reports_are_full"): [("propose", "fresh(now, q, s, b) or last(now, q, s, b, v)", 7, 4)],
}
"""Without an invariant of a floor: what fails, and how many members and rows its smallest counterexample has."""
ROWS_MAX = 6


def test_every_invariant_of_every_floor_is_here() -> None:
    floors = tower("multipaxos").floors
    assert set(SMALLEST) == {(spec.name, f.__name__) for spec in floors for f in spec.invariants}


@pytest.mark.parametrize(("level", "name"), SMALLEST)
def test_without_an_invariant_something_fails_in_a_state_that_fits_on_a_hand(
    level: str, name: str, failing: Failing
) -> None:
    less, outcomes = failing(level, name)
    found = []
    for outcome in outcomes:
        assert outcome.counterexample is not None
        members = sum(map(len, outcome.counterexample.instance.members.values()))
        search = smallest(outcome.obligation, less.floors[0].sorts, members)
        assert search.counterexample is not None
        assert search.counterexample.refuted() == ""
        size = sum(map(len, search.counterexample.instance.members.values()))
        assert search.excluded == size - 1
        rows = sum(map(len, search.counterexample.relations.values()))
        found.append((outcome.obligation.action, outcome.obligation.conjunct, size, rows))
    assert found == SMALLEST[level, name]


OTHER_DROPS = [
    (spec, f.__name__)
    for spec in ("flexible_voting", "flexible", "checkpoint")
    for f in tower(spec).floors[0].invariants
]


def test_six_rows_are_enough_to_see_what_any_invariant_is_for() -> None:
    assert all(min(rows for *_, rows in found) <= ROWS_MAX for found in SMALLEST.values())


@pytest.mark.parametrize(("level", "name"), OTHER_DROPS)
def test_six_rows_are_enough_for_the_invariants_of_an_overlay_too(level: str, name: str) -> None:
    whole = tower(level)
    less = without_invariant(whole, name)
    for o in touched(obligations(less), obligations(whole)):
        if Z3(seconds_max=300.0).discharge(o).result == "failed":
            found = smallest(o, less.floors[0].sorts, 9).counterexample
            if found is not None and sum(map(len, found.relations.values())) <= ROWS_MAX:
                return
    pytest.fail("no counterexample is so small")


@pytest.mark.parametrize(
    ("acceptor", "ballot", "slot", "value"),
    [(1, 3, 1, 2), (2, 3, 1, 2), (1, 4, 1, 2), (1, 3, 2, 2), (1, 3, 1, 3)],
)
def test_a_report_that_was_overtaken_takes_seven_rows_as_the_guide_says(
    acceptor: int, ballot: int, slot: int, value: int, failing: Failing
) -> None:
    _, (outcome,) = failing("multipaxos", "reports_are_latest")
    a, s, v, b, c = Var("a", Acceptor), Var("s", Slot), Var("v", Value), Var("b", Ballot), Var("c", Ballot)
    older = All((a, b, s, c, v), Implies(In("reported", (a, b, s, c, v)), Less(c, b)))
    known = (*outcome.obligation.hypotheses, Hypothesis("reports are older", older))
    sizes = {Acceptor: acceptor, Quorum: 1, Ballot: ballot, Slot: slot, Value: value}
    found = fewest_rows(replace(outcome.obligation, hypotheses=known), sizes)
    assert found is not None
    assert sum(map(len, found.relations.values())) == 7


def test_no_state_with_fewer_rows_is_a_counterexample(failing: Failing) -> None:
    """Every state with fewer rows is tried, by the text of the specification."""
    less, outcomes = failing("voting", "votes_follow_proposals")
    spec = less.floors[0]
    outcome = next(o for o in outcomes if o.obligation.action == "propose")
    found = smallest(outcome.obligation, spec.sorts, 7).counterexample
    assert found is not None
    count = sum(map(len, found.relations.values()))
    rows = [(n, r) for n, c in relations_of(spec.state).items() for r in found.instance.arguments(c)]
    after = next(f for f in spec.invariants if f.__name__ == "proposals_are_safe")
    broken = dict.fromkeys(range(count + 1), 0)
    with found.instance.inhabited():
        for n in broken:
            for some in itertools.combinations(rows, n):
                now = spec.state(**{name: {r for m, r in some if m == name} for name in found.before})
                if all(f(now) for f in spec.invariants):
                    broken[n] += any(not after(nxt) for nxt in _next(spec, "propose", now, found.instance))
    assert broken.pop(count) > 0
    assert set(broken.values()) == {0}


def _next(spec: Specification, action: str, now: State, instance: Instance) -> list[State]:
    from quorate.checker.language import Refused

    out = []
    for args in instance.arguments([x.sort for x in spec.steps[action].params]):
        try:
            out.append(spec.action(action)(now, *args))
        except Refused:
            continue
    return out


def test_an_obligation_that_holds_has_no_counterexample_of_any_size_tried() -> None:
    voting = tower("voting")
    o = next(o for o in obligations(voting) if (o.action, o.conjunct) == ("propose", "one_proposal"))
    search = smallest(o, voting.floors[0].sorts, 7)
    assert (search.counterexample, search.excluded) == (None, 7)
    sorts = (Acceptor, Quorum, Ballot, Slot, Value)
    assert search.sizes == len(list(sizes_by_total(sorts, sorts, 7))) == 1 + 5 + 15


def test_a_search_that_runs_out_of_time_says_how_far_it_came(failing: Failing) -> None:
    less, (outcome, *_) = failing("voting", "one_proposal")
    search = smallest(outcome.obligation, less.floors[0].sorts, 9, seconds_max=0.0)
    assert search.counterexample is None
    assert search.excluded < 7


def test_no_set_is_empty_in_what_is_shown() -> None:
    whole = tower("voting")
    asked = without_axiom(whole, obligations(whole), "quorums_meet")
    o = next(o for o in asked if (o.action, o.conjunct) == ("propose", "proposals_are_safe"))
    found = smallest(o, whole.floors[0].sorts, 9).counterexample
    assert found is not None
    quorums = found.instance.members[Quorum]
    assert all(quorums)
    assert not quorums[0] & quorums[1]


def test_sets_are_made_small_without_a_row_more() -> None:
    """Who is not in q has a row: the fewest rows are none, and then q holds everybody."""
    q, a, b = Var("q", Quorum), Var("a", Acceptor), Var("b", Ballot)
    outside = All((q, a), Or((Member(a, q), Any((b,), In("left", (a, b))))))
    o = Obligation("level", "invariant", "goal", "here", FALSE, (Hypothesis("outsiders have left", outside),))
    found = fewest_rows(o, {Acceptor: 3, Quorum: 1, Ballot: 1})
    assert found is not None
    assert found.relations == {"left": frozenset()}
    assert found.instance.members[Quorum] == (frozenset({"a1", "a2", "a3"}),)
    free = replace(o, hypotheses=())
    found = fewest_rows(free, {Acceptor: 3, Quorum: 1, Ballot: 1})
    assert found is not None
    assert [len(q) for q in found.instance.members[Quorum]] == [1]


def test_a_sort_that_is_not_spoken_of_has_a_member_all_the_same() -> None:
    o = Obligation("level", "invariant", "goal", "here", FALSE)
    bare = Counterexample(o, Instance({Slot: ("s1",)}), {}, {})
    whole = completed(bare, (Slot, Acceptor, Quorum, Ballot))
    assert whole.instance.members == {
        Slot: ("s1",),
        Acceptor: ("acceptor1",),
        Quorum: (frozenset({"acceptor1"}),),
        Ballot: (1,),
    }


# Sizes and choices ---------------------------------------------------------------------------


def test_every_size_comes_once_and_the_fewest_members_first() -> None:
    sorts = (Acceptor, Ballot, Slot)
    found = [tuple(s[x] for x in sorts) for _, s in sizes_by_total(sorts, {Acceptor, Ballot}, 6)]
    assert sorted(found) == [(a, b, 1) for a in range(1, 5) for b in range(1, 6 - a)]
    assert [sum(x) for x in found] == sorted(sum(x) for x in found)


def test_every_choice_is_one_of_those_made_under_other_names() -> None:
    params = [*(Var(name, Acceptor) for name in "abcd"), Var("x", Ballot)]
    sizes = {Acceptor: 3, Ballot: 2}
    made = {tuple(c.values()) for c in choices(params, sizes, {Acceptor})}
    every = set(itertools.product(*(range(sizes[x.sort]) for x in params)))
    renamed = {
        (*(names[i] for i in members), x)
        for *members, x in made
        for names in itertools.permutations(range(3))
    }
    assert renamed == every
    assert len(made) == 2 * (1 + 7 + 6), "partitions of four into at most three"


# Readings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_formula_means_the_same_over_atoms_as_by_the_letter(seed: int) -> None:
    """Every goal and hypothesis of the tower, in a random state of a random instance."""
    dice = random.Random(seed)
    whole = tower("multipaxos")
    spec = whole.floors[0]
    instance = Instance.of(spec, {"acceptor": dice.choice([2, 3]), "ballot": 2, "slot": 1, "value": 2})
    ground = over(instance)
    for o in obligations(whole):
        params = {x: dice.randrange(ground.sizes[x.sort]) for x in o.params}
        values = {x: instance.members[x.sort][e] for x, e in params.items()}
        state = {
            name: frozenset(r for r in instance.arguments(columns) if dice.random() < 0.3)
            for name, columns in o.vocabulary().items()
        }
        for t in o.formulas():
            said = _under(ground, ground.claim(t, params), state, instance, o.vocabulary())
            assert said == holds(t, state, values, instance.members), f"{o}: {t}"


def _under(
    ground: Ground,
    claim: z3.BoolRef,
    state: Mapping[str, Anything],
    instance: Instance,
    columns: Mapping[str, Anything],
) -> bool:
    """What a claim comes to in one state."""
    atoms = []
    for (name, row), atom in ground.rows.items():
        if name in columns:
            named = tuple(instance.members[s][e] for s, e in zip(columns[name], row, strict=True))
            atoms.append((atom, z3.BoolVal(named in state[name], ground.context)))
    return bool(z3.is_true(z3.simplify(z3.substitute(claim, *atoms))))


@pytest.mark.parametrize("level", ["consensus", "voting", "multipaxos"])
def test_asked_of_all_states_at_once_a_formula_is_refuted_just_if_the_text_refutes_it(level: str) -> None:
    """Of all reachable states, and of arbitrary ones, among which most properties fail."""
    spec = tower(level).floors[0]
    instance = Instance.of(spec, {} if level == "consensus" else {"acceptor": 3, "ballot": 2, "slot": 1})
    reachable = Sample.explored(spec, instance, 300)
    dice = random.Random(level)
    rows = {name: instance.arguments(columns) for name, columns in relations_of(spec.state).items()}
    few = tuple(
        spec.state(**{n: [r for r in all_ if dice.random() < 0.04] for n, all_ in rows.items()})
        for _ in range(60)
    )
    verdicts = set()
    for sample in (reachable, Sample(spec, instance, few, False)):
        for f in spec.properties:
            with instance.inhabited():
                refuted = not all(f(state) for state in sample.states)
            assert sample.refutes(spec.claims[f.__name__]) == refuted, f.__name__
            verdicts.add(refuted)
    assert verdicts == {False, True}


def test_members_are_taken_for_each_other_only_where_all_states_are_there() -> None:
    spec = tower("voting").floors[0]
    instance = Instance.of(spec, {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2})
    whole, part = Sample.explored(spec, instance, 100_000), Sample.explored(spec, instance, 50)
    assert (whole.complete, len(whole.states)) == (True, 608)
    assert whole.alike == {Acceptor, Value}
    assert not part.complete
    assert part.alike == frozenset()

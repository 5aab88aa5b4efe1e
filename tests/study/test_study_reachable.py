"""Whether a counterexample can happen is answered by the text, about that very state."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from quorate.checker.evaluate import Relations
from quorate.checker.explore.referee import replay
from quorate.checker.explore.result import Exploration, Limits
from quorate.checker.instance import Instance
from quorate.checker.language import State, relations_of
from quorate.checker.prove.counterexample import Counterexample
from quorate.checker.prove.proof import obligations
from quorate.checker.prove.solving import Outcome
from quorate.checker.refinement import Tower
from quorate.checker.study import reachable
from quorate.checker.study.again import objection
from quorate.checker.study.landmark import elsewhere
from quorate.checker.study.loose import Loose, said_order
from quorate.checker.study.reachable import reachability
from quorate.checker.study.sample import Sample
from quorate.checker.study.smallest import smallest
from quorate.checker.study.study import without_axiom
from quorate.checker.term import Field
from quorate.cli.specs import tower_of
from quorate.refinement.tower import tower
from quorate.spec.sorts import Acceptor, Ballot, Quorum, Slot, Value

Failing = Callable[[str, str], tuple[Tower, list[Outcome]]]
LIMITS = Limits(states_max=20_000)


def relations(state: State) -> Relations:
    return {name: getattr(state, name) for name in relations_of(type(state))}


def first_failure(asked: Tower, obligation: str, total_max: int = 9) -> Counterexample:
    """The smallest counterexample to one obligation of a tower."""
    o = next(o for o in obligations(asked) if str(o) == obligation)
    found = smallest(o, asked.floors[0].sorts, total_max).counterexample
    assert found is not None
    return found


# The description of a state ------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(2, 2, 1, 2), (3, 2, 1, 1)])
def test_a_description_fits_a_state_and_its_renamings_and_nothing_else(sizes: tuple[int, ...]) -> None:
    spec = tower("voting").floors[0]
    names = ("acceptor", "ballot", "slot", "value")
    instance = Instance.of(spec, dict(zip(names, sizes, strict=True)))
    states = Sample.explored(spec, instance, 1_000).states
    with instance.inhabited():
        for state in states[:: len(states) // 12]:
            described = elsewhere(spec, instance, relations(state))
            fitting = {other for other in states if not described(other)}
            assert fitting == renamings(state, instance) & set(states)


def renamings(state: State, instance: Instance) -> set[State]:
    """The states that differ from one only in what acceptors and values are called."""
    sorts = [s for s in instance.members if s.__name__ in ("Acceptor", "Value")]
    out = set()
    for each in itertools.product(*(itertools.permutations(instance.members[s]) for s in sorts)):
        names = {
            x: y
            for s, p in zip(sorts, each, strict=True)
            for x, y in zip(instance.members[s], p, strict=True)
        }
        rows = {
            name: {tuple(names.get(x, x) for x in row) for row in rows}
            for name, rows in relations(state).items()
        }
        out.add(type(state)(**rows))
    return out


def test_a_description_knows_which_sets_there_are() -> None:
    """With quorums that differ, acceptors are not alike, and a state is not one of its renamings."""
    spec = replace(tower("voting").floors[0], assumes=())
    instance = Instance(
        {
            Acceptor: ("a1", "a2"),
            Quorum: (frozenset({"a1"}),),
            Ballot: (1, 2),
            Slot: ("s1",),
            Value: ("v1",),
        }
    )
    with instance.inhabited():
        one, two = spec.state(left={("a1", 1)}), spec.state(left={("a2", 1)})
        described = elsewhere(spec, instance, relations(one))
        assert not described(one)
        assert described(two)


# The answer ----------------------------------------------------------------------------------


def test_what_is_dropped_from_a_true_proof_cannot_happen(failing: Failing) -> None:
    less, outcomes = failing("multipaxos", "promises_leave")
    for outcome in outcomes:
        found = smallest(outcome.obligation, less.floors[0].sorts, 9).counterexample
        assert found is not None
        answer = reachability(found, less, LIMITS)
        assert answer is not None
        assert (answer.answer, answer.run) == ("unreachable", None)
        assert answer.states in (25, 125)


def test_quorums_that_do_not_meet_come_to_the_very_state_that_is_shown() -> None:
    whole = tower("voting")
    asked = without_axiom(whole, obligations(whole), "quorums_meet")
    o = next(o for o in asked if (o.action, o.conjunct) == ("propose", "proposals_are_safe"))
    found = smallest(o, whole.floors[0].sorts, 9).counterexample
    assert found is not None
    answer = reachability(found, whole, LIMITS)
    assert answer is not None
    assert answer.answer == "reachable"
    assert answer.run is not None
    assert relations(answer.run.steps[-1].state) == found.before
    again = replay(
        whole.floors[0], found.instance, [(s.action, list(s.parameters.values())) for s in answer.run.steps]
    )
    assert again == list(answer.run.states())


def test_a_mutant_is_broken_by_a_run_though_not_from_that_state() -> None:
    spoiled = tower_of("multipaxos", "accept_below_promise")
    found = first_failure(spoiled, "multipaxos: accept: reports_are_full")
    answer = reachability(found, spoiled, LIMITS)
    assert answer is not None
    assert answer.answer == "elsewhere"
    assert answer.run is not None
    assert (answer.run.property, len(answer.run.steps)) == ("reports_are_full", 6)


def test_a_step_that_is_none_above_is_looked_for_too() -> None:
    spoiled = tower_of("multipaxos", "accept_unproposed")
    found = first_failure(spoiled, "multipaxos is voting: accept: (s, b, v) in now.proposed")
    answer = reachability(found, spoiled, LIMITS)
    assert answer is not None
    assert answer.answer == "reachable"
    assert answer.run is not None
    assert answer.run.steps == ()


def test_a_search_that_is_cut_short_decides_nothing(failing: Failing) -> None:
    less, (outcome, *_) = failing("multipaxos", "promises_leave")
    found = smallest(outcome.obligation, less.floors[0].sorts, 9).counterexample
    assert found is not None
    answer = reachability(found, less, Limits(states_max=10))
    assert answer is not None
    assert answer.answer == "undecided"
    assert "10 states" in answer.why


@pytest.mark.parametrize("cut", [0, 1])
def test_either_search_cut_short_leaves_it_undecided(
    cut: int, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first looks for the very state, the second for anything like it; here one of them stops early."""
    less, (outcome, *_) = failing("multipaxos", "promises_leave")
    found = smallest(outcome.obligation, less.floors[0].sorts, 9).counterexample
    assert found is not None
    whole_search, calls = reachable.search, itertools.count()

    def search(*args: object) -> Exploration:
        whole = whole_search(*args)  # type: ignore[arg-type]
        return replace(whole, verdict="unknown", cut_short="it was late") if next(calls) == cut else whole

    monkeypatch.setattr(reachable, "search", search)
    answer = reachability(found, less, LIMITS)
    assert answer is not None
    assert (answer.answer, answer.why) == ("undecided", "it was late")
    assert next(calls) == cut + 1


def test_machine_code_answers_as_the_text_does(failing: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    """With few states left to the text, the native explorer is asked the same."""
    less, (outcome, *_) = failing("multipaxos", "logs_are_latest")
    found = smallest(outcome.obligation, less.floors[0].sorts, 9).counterexample
    assert found is not None
    by_text = reachability(found, less, LIMITS)
    monkeypatch.setattr(reachable, "TEXT_STATES_MAX", 5)
    assert reachability(found, less, LIMITS) == by_text
    whole = tower("voting")
    asked = without_axiom(whole, obligations(whole), "ballot_order")
    o = next(o for o in asked if (o.action, o.conjunct) == ("invariant", "agreement"))
    loose = smallest(o, whole.floors[0].sorts, 9).counterexample
    assert loose is not None
    natively = reachability(loose, whole, LIMITS)
    assert natively is not None
    assert natively.answer == "reachable"


def test_of_the_initial_state_nobody_asks_whether_it_is_reachable(failing: Failing) -> None:
    less, (outcome, *_) = failing("voting", "one_proposal")
    found = smallest(outcome.obligation, less.floors[0].sorts, 9).counterexample
    assert found is not None
    at_first = replace(found, obligation=replace(found.obligation, action="init"))
    assert reachability(at_first, less, LIMITS) is None


# The text has the last word ------------------------------------------------------------------


def test_the_text_bears_out_every_counterexample_of_every_floor(failing: Failing) -> None:
    for level, name in (
        ("consensus", "agreement"),
        ("voting", "one_proposal"),
        ("multipaxos", "reports_are_true"),
    ):
        less, outcomes = failing(level, name)
        for outcome in outcomes:
            assert outcome.counterexample is not None
            assert objection(outcome.counterexample, less) == ""


def test_the_text_objects_to_what_is_no_counterexample(failing: Failing) -> None:
    less, outcomes = failing("multipaxos", "promises_leave")
    outcome = next(o for o in outcomes if o.obligation.conjunct == "reports_are_full")
    found = smallest(outcome.obligation, less.floors[0].sorts, 9).counterexample
    assert found is not None
    unproposed = replace(found, relations={**found.relations, "proposed": frozenset()})
    assert objection(unproposed, less) == "accept is refused in the state"
    untrue = replace(found, relations={**found.relations, "log": frozenset({("a1", "s1", 1, "v1")})})
    assert objection(untrue, less) == "logs_are_true is false of the state that the step starts from"
    still = replace(found, obligation=replace(found.obligation, after=found.obligation.before))
    assert objection(still, less) == "accept leads elsewhere"
    kept = replace(found, obligation=replace(found.obligation, conjunct="promises_leave"))
    assert objection(kept, less) == "multipaxos has no property promises_leave"
    kept = replace(found, obligation=replace(found.obligation, conjunct="logs_are_true"))
    assert objection(kept, less) == "logs_are_true is kept"
    nowhere = replace(found, obligation=replace(found.obligation, level="raft"))
    assert objection(nowhere, less) == "there is no floor raft"


def test_the_text_objects_to_a_step_that_is_one_above(failing: Failing) -> None:
    less, outcomes = failing("multipaxos", "promises_leave")
    outcome = next(o for o in outcomes if o.obligation.level == "multipaxos is voting")
    found = smallest(outcome.obligation, less.floors[0].sorts, 9).counterexample
    assert found is not None
    assert objection(found, less) == ""
    left = replace(found, relations={**found.relations, "left": frozenset({("a1", 1)})})
    assert objection(left, less) == "voting allows the step"


def test_the_text_objects_to_a_true_consequence(failing: Failing) -> None:
    less, outcomes = failing("voting", "votes_follow_proposals")
    outcome = next(
        o for o in outcomes if (o.obligation.action, o.obligation.conjunct) == ("invariant", "agreement")
    )
    found = smallest(outcome.obligation, less.floors[0].sorts, 9).counterexample
    assert found is not None
    fine = replace(found, relations={name: frozenset() for name in found.relations})
    assert objection(fine, less) == "agreement is true of the state"


def test_a_step_between_states_above_is_tried_above() -> None:
    """With a second value chosen, consensus has no such step; with the first, it has."""
    whole = tower("voting")
    o = next(o for o in obligations(whole) if o.level == "voting is consensus" and "not any" in o.conjunct)
    assert {r.name for r in o.before.values() if isinstance(r, Field)} == {"Consensus.chosen"}
    weaker = replace(o, hypotheses=tuple(h for h in o.hypotheses if not h.name.startswith("agreement")))
    found = smallest(weaker, whole.floors[0].sorts, 9).counterexample
    assert found is not None
    assert objection(found, whole) == ""
    before, after = "Consensus.chosen", "Consensus.chosen'"
    first = replace(
        found, relations={**found.relations, before: frozenset(), after: frozenset({("s1", "v1")})}
    )
    assert objection(first, whole) == "consensus allows the step"
    still = replace(found, relations={**found.relations, before: frozenset(), after: frozenset()})
    assert objection(still, whole) == "nothing changes above"


# Loose members -------------------------------------------------------------------------------


def test_loose_members_are_less_than_what_is_said_and_nothing_else() -> None:
    b1, b2 = Loose("b1", ["b2", "b1"]), Loose("b2", [])
    assert (b1 < b2, b2 < b1, b1 < b1, b2 < b2) == (True, False, True, False)
    assert (b1 > b2, b2 > b1) == (False, True)
    assert (b1 <= b2, b2 <= b1, b1 >= b2, b2 >= b1) == (True, False, False, True)
    assert list(said_order((b1, b2))) == ["b1 < b1", "b1 < b2"]
    assert list(said_order((1, 2))) == []


def test_without_an_order_the_counterexample_says_how_the_members_compare() -> None:
    whole = tower("voting")
    asked = without_axiom(whole, obligations(whole), "ballot_order")
    o = next(o for o in asked if (o.action, o.conjunct) == ("propose", "proposals_are_safe"))
    found = smallest(o, whole.floors[0].sorts, 9).counterexample
    assert found is not None
    assert all(isinstance(b, Loose) for b in found.instance.members[Ballot])
    assert objection(found, whole) == ""

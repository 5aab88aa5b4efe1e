"""An inductive invariant is found from safety alone, is one, and is told in words that can be pasted."""

from __future__ import annotations

import inspect
import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from quorate.checker.evaluate import holds
from quorate.checker.explore.result import Limits
from quorate.checker.instance import Instance
from quorate.checker.language import Refused, State, relations_of
from quorate.checker.prove.proof import prove
from quorate.checker.prove.solving import Z3, Solver
from quorate.checker.refinement import Tower
from quorate.checker.specification import Specification, load
from quorate.checker.study.early import refuted_early
from quorate.checker.study.grammar import Clause, Grammar, free_in
from quorate.checker.study.houdini import Houdini
from quorate.checker.study.sample import Sample
from quorate.checker.study.saying import invariant_text, said
from quorate.checker.study.strengthen import Effort, Known, Search, arbitrary_states, strengthen
from quorate.checker.term import All, And, Eq, In, Less, Not, Or, Var, put
from quorate.cli.main import Exit, run
from quorate.cli.specs import find
from quorate.spec import multipaxos
from quorate.spec.sorts import Ballot, Slot, Value

SpecOf = Callable[..., Specification]
QUICK = Effort(states_max=3_000, arbitrary=200)


@pytest.fixture(scope="module")
def voting_clauses() -> list[Clause]:
    return list(Grammar.of(find("voting")).clauses())


# The whole search ----------------------------------------------------------------------------


def test_why_voting_is_safe_is_found_from_its_safety_alone(tmp_path: Path) -> None:
    """What is found, put in place of every invariant that people wrote, is proved like theirs."""
    voting = find("voting")
    found = strengthen(voting, Z3(), QUICK)
    assert found.verdict == "proved", [str(o.obligation) for o in found.outcomes if o.result != "proved"]
    assert found.goals == tuple(f.__name__ for f in voting.safety)
    conjuncts = found.conjuncts[len(found.goals) :]
    assert len(conjuncts) == 3
    text = Path(voting.module.__file__ or "").read_text(encoding="utf-8")
    own = text.partition("@invariant")[0].replace("from ..checker", "from quorate.checker")
    made = [invariant_text(t, f"found_{i}", voting) for i, t in enumerate(conjuncts)]
    file = tmp_path / "voting_found.py"
    file.write_text(own.replace("from .sorts", "from quorate.spec.sorts") + "\n\n".join(made))
    again = load(file)
    assert len(again.invariants) == 3
    assert prove(Tower((again,))).verdict == "proved"


def test_a_property_that_stands_alone_needs_nothing(token: Specification) -> None:
    found = strengthen(token, Z3(), QUICK)
    assert (found.verdict, len(found.conjuncts)) == ("proved", 1)


def test_what_is_needed_is_found_and_no_more(spec_of: SpecOf) -> None:
    """`taken` counts what `holds` forgets: that whoever holds was taken, once, is what safety rests on."""
    relay = spec_of(RELAY, "relay")
    found = strengthen(relay, Z3(), QUICK)
    assert found.verdict == "proved"
    needed = found.conjuncts[1:]
    assert needed
    for i in range(len(needed)):
        rest = [*needed[:i], *needed[i + 1 :]]
        houdini = Houdini(relay, found.instance, [found.conjuncts[0], *rest])
        everything = range(len(rest) + 1)
        assert houdini.broken(everything, everything), f"{said(needed[i])} is not needed"


def test_a_false_goal_is_not_found(spec_of: SpecOf) -> None:
    relay = spec_of(RELAY.replace("    require(not any((o,) in now.taken for o in Process))\n", ""), "relay")
    found = strengthen(relay, Z3(), QUICK)
    assert (found.verdict, found.fallen, found.conjuncts) == ("not found", ("one_holder",), ())


def test_what_the_prover_does_not_know_is_not_called_proved(token: Specification, shrug: Solver) -> None:
    found = strengthen(token, shrug, QUICK)
    assert found.verdict == "unknown"
    assert found.outcomes


# Houdini -------------------------------------------------------------------------------------


def test_what_stands_is_the_largest_set_that_every_step_keeps(token: Specification) -> None:
    """Held to the text: every step from every state with all that stands; and each that fell cannot be put back."""
    instance = Instance.of(token, {"process": 3})
    first = _relations(token.init())
    every = (c.formula for c in Grammar.of(token).clauses())
    clauses = [t for t in every if holds(t, first, {}, instance.members)]
    rows = instance.arguments([token.sorts[0]])
    states = [token.state(holds=h, seen=s) for h in _subsets(rows) for s in _subsets(rows)]
    steps = [(now, nxt) for now in states for nxt in _successors(token, instance, now)]
    houdini = Houdini(token, instance, clauses)
    standing = houdini.standing()
    left = set(range(len(clauses)))
    true = {
        state: {i for i in left if holds(clauses[i], _relations(state), {}, instance.members)}
        for state in states
    }
    while broken := {i for now, nxt in steps if left <= true[now] for i in left - true[nxt]}:
        left -= broken
    assert set(standing) == left
    assert 0 < len(standing) < len(clauses)


def test_what_supports_a_goal_keeps_it_and_itself(token: Specification) -> None:
    instance = Instance.of(token, {"process": 3})
    goal = token.claims["one_holder"]
    houdini = Houdini(token, instance, [goal, *(c.formula for c in Grammar.of(token).clauses())])
    standing = houdini.standing()
    assert 0 in standing
    assert houdini.support([0], standing) == [0]


def _subsets(rows: list[tuple[object, ...]]) -> list[tuple[tuple[object, ...], ...]]:
    return [c for n in range(len(rows) + 1) for c in itertools.combinations(rows, n)]


def _successors(spec: Specification, instance: Instance, now: State) -> list[State]:
    out = []
    with instance.inhabited():
        for f in spec.actions:
            for args in instance.arguments([x.sort for x in spec.steps[f.__name__].params]):
                try:
                    out.append(f(now, *args))
                except Refused:
                    continue
    return out


def _relations(state: State) -> dict[str, frozenset[tuple[object, ...]]]:
    return {name: getattr(state, name) for name in relations_of(type(state))}


# Candidates ----------------------------------------------------------------------------------


def test_the_invariants_that_people_wrote_of_voting_are_among_the_candidates(
    voting_clauses: list[Clause],
) -> None:
    """Up to what they say: each is equivalent to some candidate in every one of many arbitrary states."""
    voting = find("voting")
    instance = Instance.of(voting, {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2})
    dice = random.Random(1)
    rows = {name: instance.arguments(c) for name, c in relations_of(voting.state).items()}
    states = [
        {n: frozenset(r for r in all_ if dice.random() < 0.15) for n, all_ in rows.items()} for _ in range(40)
    ]
    for f in voting.invariants:
        wanted = [holds(voting.claims[f.__name__], s, {}, instance.members) for s in states]
        assert {True, False} == set(wanted)
        assert any(
            wanted == [holds(c.formula, s, {}, instance.members) for s in states]
            for c in voting_clauses
            if {x.relation for x in c.given if isinstance(x, In)} <= {"proposed", "voted"} and c.given
        ), f.__name__


def test_no_two_candidates_give_the_same_rows_under_other_names() -> None:
    grammar = Grammar.of(find("voting"))
    for count in (1, 2):
        keys = [
            min(tuple(sorted(repr(put(t, names)) for t in rows)) for names in grammar.renamings)
            for rows in grammar.givens(count)
        ]
        assert len(keys) == len(set(keys))


def test_a_clause_that_follows_from_a_known_one_is_left_out() -> None:
    grammar = Grammar.of(find("voting"))
    (slot,), (b, c), (v, w) = (grammar.pool[sort] for sort in (Slot, Ballot, Value))
    here, there, other = (In("proposed", (slot, x, y)) for x, y in ((b, v), (b, w), (c, v)))
    known = Known(grammar)
    known.add(Clause(frozenset({here}), Not(there)))
    assert known.implies(Clause(frozenset({here, Less(b, c)}), Not(there)))
    assert known.implies(Clause(frozenset({here, there}), other)), "what is given never is"
    renamed = (In("proposed", (slot, c, w)), In("proposed", (slot, c, v)))
    assert known.implies(Clause(frozenset(renamed), other)), "under other names neither"
    assert not known.implies(Clause(frozenset({here, other}), there))
    assert not known.implies(Clause(frozenset({here}), other))


def test_a_candidate_has_no_free_variable(voting_clauses: list[Clause]) -> None:
    for clause in voting_clauses[::50]:
        t = clause.formula
        assert isinstance(t, All)
        assert set(free_in(t.body)) == set(t.vars)


def test_what_no_state_could_break_is_no_candidate(token: Specification) -> None:
    search = Search(token, Z3(), QUICK, token.safety, lambda _: None)
    samples = [Sample.explored(token, i, QUICK.states_max) for i in search.instances()]
    instance = samples[0].instance
    states = [_relations(s) for s in arbitrary_states(token, instance, QUICK.arbitrary)]
    true = search.true(samples)
    assert true
    for clause in true:
        assert not all(holds(clause.formula, s, {}, instance.members) for s in states), said(clause.formula)


def test_arbitrary_states_are_the_same_every_time() -> None:
    voting = find("voting")
    instance = Instance.of(voting)
    states = arbitrary_states(voting, instance, 30)
    assert states == arbitrary_states(voting, instance, 30)
    assert len(set(states)) > 25
    assert not any(_relations(states[0]).values())


# In words ------------------------------------------------------------------------------------


def test_what_is_said_means_what_was_meant(voting_clauses: list[Clause], tmp_path: Path) -> None:
    """Candidates printed, pasted into a specification, loaded and evaluated: the same in arbitrary states."""
    voting = find("voting")
    text = Path(voting.module.__file__ or "").read_text(encoding="utf-8").partition("@invariant")[0]
    text = text.replace("from ..checker", "from quorate.checker").replace(
        "from .sorts", "from quorate.spec.sorts"
    )
    clauses = voting_clauses[::90] + voting_clauses[-3000::300]
    made = [invariant_text(c.formula, f"clause_{i}", voting) for i, c in enumerate(clauses)]
    file = tmp_path / "voting_said.py"
    file.write_text(text + "\n\n".join(made))
    again = load(file)
    instance = Instance.of(voting, {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2})
    for state in map(_relations, arbitrary_states(voting, instance, 12)):
        for i, c in enumerate(clauses):
            meant = holds(c.formula, state, {}, instance.members)
            assert holds(again.claims[f"clause_{i}"], state, {}, instance.members) == meant, made[i]


def test_parts_that_would_be_misread_stand_in_brackets() -> None:
    b, c = Var("b", Ballot), Var("c", Ballot)
    less, more, same = Less(b, c), Less(c, b), Eq(b, c)
    both = All((b, c), And((Or((less, same)), more)))
    assert said(both) == "all((b < c or b == c) and c < b for b in Ballot for c in Ballot)"
    neither = All((b, c), Not(Or((less, more))))
    assert said(neither) == "all(not (b < c or c < b) for b in Ballot for c in Ballot)"


# Early ---------------------------------------------------------------------------------------


def test_a_false_invariant_is_refuted_by_a_shortest_run_before_any_solver(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Z3, "discharge", lambda self, o: pytest.fail("a solver was asked"))
    file = tmp_path / "greedy.py"
    header = "from quorate.checker.language import Set, Sort, State, action, implies, init, require, safety\n"
    file.write_text(header + RELAY.replace("    require((p,) in now.taken)\n", ""))
    assert run(["prove", str(file), "--json"]) == Exit.VIOLATED
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "refuted"
    assert [s["action"] for s in told["refuted_by"]["violation"]["steps"]] == ["hold", "hold"]
    assert run(["prove", str(file)]) == Exit.VIOLATED
    said = capsys.readouterr().out
    assert "one_holder is false for p=p1, o=p2" in said
    assert "greedy: refuted by a run, with process=2; no solver was asked" in said


def test_the_smallest_world_that_shows_a_false_conjunct_is_the_one_that_is_shown(tmp_path: Path) -> None:
    """It takes two quorums that share one acceptor; of two acceptors no two quorums do."""
    false = """

@invariant
def minds_are_made_up(now: MultiPaxos) -> bool:
    return all(
        implies((a, s, b, v) in now.accepted and (a, s, c, w) in now.accepted, v == w)
        for a in Acceptor for s in Slot for b in Ballot for c in Ballot for v in Value for w in Value
    )
"""
    file = tmp_path / "made_up.py"
    text = inspect.getsource(multipaxos).replace("from ..checker", "from quorate.checker")
    file.write_text(text.replace("from .sorts", "from quorate.spec.sorts") + false)
    found = refuted_early(find(str(file)), Limits(states_max=4_000))
    assert found is not None
    assert found.violation is not None
    assert found.violation.property == "minds_are_made_up"
    assert found.instance == {"ballot": 2, "acceptor": 3, "slot": 1, "value": 2}


def test_what_no_run_breaks_is_left_to_the_solver(token: Specification) -> None:
    assert refuted_early(token) is None
    assert refuted_early(find("voting")) is None


def test_the_search_is_told_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "consensus", "--strengthen", "--json"]) == Exit.HOLDS
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["goals"], told["conjuncts"]) == ("proved", ["agreement"], [])
    assert told["candidates"] >= told["true"] >= told["standing"]


RELAY = """
class Process(Sort): ...


class Relay(State):
    waits: Set[Process]
    taken: Set[Process]
    holds: Set[Process]


@init
def all_wait() -> Relay:
    return Relay()


@action
def take(now: Relay, p: Process) -> Relay:
    require(not any((o,) in now.taken for o in Process))
    return now.but(taken=now.taken | {(p,)})


@action
def hold(now: Relay, p: Process) -> Relay:
    require((p,) in now.taken)
    return now.but(holds=now.holds | {(p,)})


@safety
def one_holder(now: Relay) -> bool:
    return all(implies((p,) in now.holds and (o,) in now.holds, p == o) for p in Process for o in Process)
"""

"""The sparse reading says what the text says, on any state: the same refusals, and the same state afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from quorate.checker.evaluate import holds
from quorate.checker.language import Refused, allowed, inhabited
from quorate.checker.sparse import Machine, Undrivable, free
from quorate.checker.specification import sorts_of
from quorate.checker.term import All, And, Eq, Formula, Implies, In, Less, Member, Not, Or, Var
from quorate.checker.term import Any as Exists
from quorate.spec.sorts import Acceptor, Ballot, Quorum, Slot, Value

many = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(params=["members given", "members unknown"])
def is_given(request: pytest.FixtureRequest) -> bool:
    return request.param == "members given"


@many
@given(data=st.data())
def test_a_step_is_refused_for_the_same_requires_and_does_the_same(
    universe: Any, is_given: bool, fill: Any, data: st.DataObject
) -> None:
    spec = universe.spec
    machine = Machine(spec, universe.known if is_given else None)
    cuts = {name: machine.cut(name) for name in machine.store if machine.is_bounds(name)}
    members = universe.known if is_given else universe.all
    state = data.draw(universe.states(cuts))
    fill(machine, state, universe)
    assert machine.state(members) == state

    action = data.draw(st.sampled_from(spec.actions))
    args = data.draw(universe.args(sorts_of(action)))
    step = spec.steps[action.__name__]
    values = dict(zip(step.params, args, strict=True))
    refused = [r for r in step.requires if not holds(r.formula, state, values, members)]
    assert machine.refusals(action.__name__, *args) == refused

    with inhabited(members):
        now = spec.state(**state)
        try:
            after = action(now, *args)
        except Refused:
            assert machine.step(action.__name__, *args) is refused[0]
            assert machine.state(members) == state
        else:
            assert machine.step(action.__name__, *args) is None
            assert machine.state(members) == vars(after)


@many
@given(data=st.data())
def test_the_two_state_reading_is_the_judgement(universe: Any, fill: Any, data: st.DataObject) -> None:
    """`allowed` of two states, and a step that ends in the second, are the same claim."""
    spec = universe.spec
    machine = Machine(spec, universe.known)
    state = data.draw(universe.states())
    fill(machine, state, universe)
    action = data.draw(st.sampled_from(spec.actions))
    args = data.draw(universe.args(sorts_of(action)))
    with inhabited(universe.known):
        now = spec.state(**state)
        try:
            true_next = action(now, *args)
        except Refused:
            true_next = now
        other = spec.state(**data.draw(universe.states()))
        claims = {nxt: allowed(action, now, nxt, *args) for nxt in (true_next, now, other)}
    refused = machine.step(action.__name__, *args)
    for nxt, claim in claims.items():
        assert claim == (refused is None and machine.state() == vars(nxt))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_long_walk_stays_in_step(universe: Any, is_given: bool, data: st.DataObject) -> None:
    """Rows come and go in the same store, step after step."""
    spec = universe.spec
    members = universe.known if is_given else universe.all
    machine = Machine(spec, universe.known if is_given else None)
    with inhabited(members):
        now = spec.init()
        for _ in range(25):
            action = data.draw(st.sampled_from(spec.actions))
            args = data.draw(universe.args(sorts_of(action)))
            try:
                now = action(now, *args)
            except Refused:
                assert machine.step(action.__name__, *args) is not None
            else:
                assert machine.step(action.__name__, *args) is None
        assert machine.state(members) == vars(now)


# Formulas of every shape -------------------------------------------------------------------

SORTS = (Acceptor, Ballot, Slot, Value)
COLUMNS = {
    "proposed": (Slot, Ballot, Value),
    "voted": (Acceptor, Slot, Ballot, Value),
    "left": (Acceptor, Ballot),
}


@st.composite
def formulas(draw: st.DrawFn, scope: tuple[Var, ...], depth: int = 3) -> Formula:
    """A formula about a state of voting, whose free variables are in `scope`."""
    kind = draw(
        st.sampled_from(["atom"] * 2 + (["and", "or", "not", "implies", "any", "all"] if depth else []))
    )
    below = formulas(scope, depth - 1)
    match kind:
        case "and" | "or":
            parts = tuple(draw(st.lists(below, min_size=1, max_size=3)))
            return And(parts) if kind == "and" else Or(parts)
        case "not":
            return Not(draw(below))
        case "implies":
            return Implies(draw(below), draw(below))
        case "any" | "all":
            sorts = draw(st.lists(st.sampled_from(SORTS), min_size=1, max_size=2))
            bound = tuple(Var(f"x{depth}", sort) for sort in sorts)
            body = draw(formulas((*scope, *bound), depth - 1))
            return Exists(bound, body) if kind == "any" else All(bound, body)
    return draw(atoms(scope))


@st.composite
def atoms(draw: st.DrawFn, scope: tuple[Var, ...]) -> Formula:
    def one(sort: type) -> Var:
        return draw(st.sampled_from([x for x in scope if x.sort is sort]))

    match draw(st.sampled_from(["in", "in", "in", "eq", "less", "member"])):
        case "eq":
            sort = draw(st.sampled_from(SORTS))
            return Eq(one(sort), one(sort))
        case "less":
            return Less(one(Ballot), one(Ballot))
        case "member":
            return Member(one(Acceptor), one(Quorum))
    name = draw(st.sampled_from(list(COLUMNS)))
    return In(name, tuple(one(sort) for sort in COLUMNS[name]))


PARAMS = tuple(Var(sort.__name__.lower(), sort) for sort in (*SORTS, Quorum))


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(formula=formulas(PARAMS), data=st.data())
def test_a_question_has_the_same_answer(
    universes: Any, is_given: bool, fill: Any, formula: Formula, data: st.DataObject
) -> None:
    """And what can be answered without knowing a sort's members does not depend on those that nobody mentions."""
    universe = universes["voting"]
    machine = Machine(universe.spec, universe.known if is_given else None)
    members = (
        universe.known
        if is_given
        else universe.all
        | {sort: (*universe.all[sort], f"another {sort.__name__}") for sort in (Acceptor, Slot, Value)}
    )
    try:
        ask = machine.question(PARAMS, formula)
    except Undrivable:
        assert not is_given, "everything can be walked through here"
        assume(False)
    cuts = {name: machine.cut(name) for name in machine.store if machine.is_bounds(name)}
    state = data.draw(universe.states(cuts))
    fill(machine, state, universe)
    args = data.draw(universe.args([x.sort for x in PARAMS]))
    values = dict(zip(PARAMS, args, strict=True))
    assert ask(*args) == holds(formula, state, values, members)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(formula=formulas((*PARAMS, *(found := (Var("c", Ballot), Var("w", Value))))), data=st.data())
def test_a_query_finds_what_makes_it_true(
    universes: Any, is_given: bool, fill: Any, formula: Formula, data: st.DataObject
) -> None:
    universe, found = universes["voting"], [x for x in _free_of(formula) if x.name in "cw"]
    machine = Machine(universe.spec, universe.known if is_given else None)
    try:
        query = machine.query(PARAMS, found, found, formula)
    except Undrivable:
        assert not is_given
        assume(False)
    members = universe.known if is_given else universe.all
    state = data.draw(universe.states({n: machine.cut(n) for n in machine.store if machine.is_bounds(n)}))
    fill(machine, state, universe)
    args = data.draw(universe.args([x.sort for x in PARAMS]))
    values = dict(zip(PARAMS, args, strict=True))
    due = set()
    rows: list[tuple[Any, ...]] = [()]
    for x in found:
        rows = [(*row, member) for row in rows for member in members[x.sort]]
    for row in rows:
        if holds(formula, state, {**values, **dict(zip(found, row, strict=True))}, members):
            due.add(row)
    assert set(query(*args)) == due


def _free_of(formula: Formula) -> list[Var]:
    return sorted(free(formula), key=lambda x: x.name)

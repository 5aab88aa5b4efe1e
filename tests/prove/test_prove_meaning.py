"""Random formulas mean the same to the evaluator and to Z3, on universes that are written out in full."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any as Anything

import hypothesis.strategies as st
import z3
from hypothesis import given, settings

from quorate.checker.evaluate import Relations, holds, rows
from quorate.checker.language import Many, Set, Sort, State, item_of, relations_of
from quorate.checker.prove.precondition import said_of
from quorate.checker.prove.smt import Smt
from quorate.checker.term import (
    All,
    And,
    Any,
    Eq,
    Field,
    Formula,
    Implies,
    In,
    Less,
    Member,
    Minus,
    Not,
    Or,
    Relation,
    StateTerm,
    Those,
    Truth,
    Union,
    Var,
    member,
)
from quorate.checker.typecheck import TypeChecker


class Thing(Sort): ...


class Rank(Sort, ordered=True): ...


class Club(Many[Thing]): ...


class Small(State):
    marked: Set[Thing]
    ranked: Set[Thing, Rank]
    above: Set[Rank, Rank]


SORTS: tuple[type[Sort], ...] = (Thing, Rank, Club)
COLUMNS = relations_of(Small)
Scope = tuple[Var, ...]
Members = Mapping[type[Sort], tuple[Anything, ...]]


# Universes and states ------------------------------------------------------------------------


@st.composite
def universes(draw: st.DrawFn) -> Members:
    things = tuple(f"t{i}" for i in range(1, draw(st.integers(1, 3)) + 1))
    ranks = tuple(range(1, draw(st.integers(1, 3)) + 1))
    clubs = draw(st.lists(st.frozensets(st.sampled_from(things)), min_size=1, max_size=2, unique=True))
    return {Thing: things, Rank: ranks, Club: tuple(clubs)}


@st.composite
def states(draw: st.DrawFn, members: Members) -> Relations:
    def some_of(columns: tuple[type[Sort], ...]) -> frozenset[tuple[Anything, ...]]:
        full = list(itertools.product(*(members[s] for s in columns)))
        return frozenset(x for x in full if draw(st.booleans()))

    return {name: some_of(columns) for name, columns in COLUMNS.items()}


# Terms ---------------------------------------------------------------------------------------


@st.composite
def binders(draw: st.DrawFn) -> Scope:
    sorts = draw(st.lists(st.sampled_from(SORTS), min_size=1, max_size=2))
    return tuple(Var(f"{s.__name__[0].lower()}{i}", s) for i, s in enumerate(sorts))


def of_sort(sort: type[Sort], scope: Scope) -> st.SearchStrategy[Var]:
    return st.sampled_from([x for x in scope if x.sort is sort])


@st.composite
def row_of(draw: st.DrawFn, columns: tuple[type[Sort], ...], scope: Scope) -> Scope:
    return tuple(draw(of_sort(s, scope)) for s in columns)


@st.composite
def formulas(draw: st.DrawFn, scope: Scope, depth: int) -> Formula:
    kinds = ["truth", "eq", "less", "member", "in"]
    if depth > 0:
        kinds += ["in relation"] * 3 + ["not"] * 2 + ["and", "or", "implies", "all", "any"]
    inner = formulas(scope, depth - 1)
    match draw(st.sampled_from(kinds)):
        case "truth":
            return Truth(draw(st.booleans()))
        case "eq":
            x = draw(st.sampled_from([x for x in scope if x.sort is not Club]))
            return Eq(x, draw(of_sort(x.sort, scope)))
        case "less":
            return Less(draw(of_sort(Rank, scope)), draw(of_sort(Rank, scope)))
        case "member":
            return Member(draw(of_sort(Thing, scope)), draw(of_sort(Club, scope)))
        case "in":
            name = draw(st.sampled_from(sorted(COLUMNS)))
            return In(name, draw(row_of(COLUMNS[name], scope)))
        case "in relation":
            name = draw(st.sampled_from(sorted(COLUMNS)))
            relation = draw(relations(COLUMNS[name], scope, depth - 1))
            return member(draw(row_of(COLUMNS[name], scope)), relation)
        case "not":
            return Not(draw(inner))
        case "and":
            return And(tuple(draw(st.lists(inner, min_size=2, max_size=3))))
        case "or":
            return Or(tuple(draw(st.lists(inner, min_size=2, max_size=3))))
        case "implies":
            return Implies(draw(inner), draw(inner))
        case quantifier:
            bound = draw(binders())
            body = draw(formulas((*scope, *bound), depth - 1))
            return All(bound, body) if quantifier == "all" else Any(bound, body)


@st.composite
def relations(draw: st.DrawFn, columns: tuple[type[Sort], ...], scope: Scope, depth: int) -> Relation:
    same = [name for name, sorts in COLUMNS.items() if sorts == columns]
    kind = draw(
        st.sampled_from(["field", "those", "those"] + (["union", "minus", "minus"] if depth > 0 else []))
    )
    if kind == "field":
        return Field(draw(st.sampled_from(same)), columns)
    if kind == "those":
        bound = draw(st.just(()) | binders())
        inner = (*scope, *bound)
        return Those(bound, draw(row_of(columns, inner)), draw(formulas(inner, max(0, depth - 1))))
    left, right = (draw(relations(columns, scope, depth - 1)) for _ in range(2))
    return Union(left, right) if kind == "union" else Minus(left, right)


@st.composite
def closed_formulas(draw: st.DrawFn, depth: int = 3) -> Formula:
    """One variable of every sort is bound on the outside, all or any, so that there is always one to speak of."""
    scope = tuple(Var(s.__name__.lower(), s) for s in SORTS)
    body = draw(formulas(scope, depth))
    for x in reversed(scope):
        body = All((x,), body) if draw(st.booleans()) else Any((x,), body)
    return body


@st.composite
def state_terms(draw: st.DrawFn, scope: Scope) -> StateTerm:
    return StateTerm(Small, {n: draw(relations(columns, scope, 2)) for n, columns in COLUMNS.items()})


# What Z3 makes of them -----------------------------------------------------------------------


def written_out(smt: Smt, members: Members, state: Relations) -> z3.Solver:
    """A solver that knows the whole universe and the whole state, and nothing else."""
    solver = z3.Solver(ctx=smt.context)
    things: dict[type[Sort], dict[Anything, z3.ExprRef]] = {
        s: {m: smt.constant(Var("m", s)) for m in ms} for s, ms in members.items()
    }
    for sort, named in things.items():
        x = smt.constant(Var("x", sort))
        solver.add(z3.Distinct(*named.values()) if len(named) > 1 else z3.BoolVal(True, smt.context))
        solver.add(z3.ForAll([x], z3.Or([x == e for e in named.values()])))
        pairs = itertools.product(named.items(), repeat=2)
        if sort.ordered:
            solver.add(*(is_so(smt.less(sort)(d, e), m < n) for (m, d), (n, e) in pairs))
        if issubclass(sort, Many):
            both = itertools.product(things[item_of(sort)].items(), named.items())
            solver.add(*(is_so(smt.contains(sort)(a, q), m in ms) for (m, a), (ms, q) in both))
    for name, columns in COLUMNS.items():
        for row in itertools.product(*(things[s].items() for s in columns)):
            atom = smt.relation(name, columns)(*(e for _, e in row))
            solver.add(is_so(atom, tuple(m for m, _ in row) in state[name]))
    return solver


def is_so(atom: z3.BoolRef, true: bool) -> z3.BoolRef:
    return atom if true else z3.Not(atom)


def can_be(solver: z3.Solver, t: z3.BoolRef) -> bool:
    solver.push()
    solver.add(t)
    answer = solver.check()
    solver.pop()
    assert answer in (z3.sat, z3.unsat)
    return bool(answer == z3.sat)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_formula_means_the_same_to_the_evaluator_and_to_z3(data: st.DataObject) -> None:
    members = data.draw(universes())
    state = data.draw(states(members))
    t = data.draw(closed_formulas())
    TypeChecker(COLUMNS).formula(t)
    smt = Smt()
    solver = written_out(smt, members, state)
    said = smt.formula(t)
    true = holds(t, state, {}, members)
    assert can_be(solver, said) is true
    assert can_be(solver, z3.Not(said)) is not true


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_membership_in_a_relation_is_said_as_a_formula(data: st.DataObject) -> None:
    members = data.draw(universes())
    state = data.draw(states(members))
    name = data.draw(st.sampled_from(sorted(COLUMNS)))
    scope = tuple(Var(s.__name__.lower(), s) for s in SORTS)
    args = tuple(Var(f"y{i}", s) for i, s in enumerate(COLUMNS[name]))
    relation = data.draw(relations(COLUMNS[name], scope, 3))
    values = {x: data.draw(st.sampled_from(members[x.sort])) for x in (*scope, *args)}
    row = tuple(values[x] for x in args)
    assert holds(member(args, relation), state, values, members) is (
        row in rows(relation, state, values, members)
    )


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_holds_after_a_step_is_what_is_said_of_its_state_before(data: st.DataObject) -> None:
    members = data.draw(universes())
    state = data.draw(states(members))
    params = tuple(Var(s.__name__.lower(), s) for s in SORTS)
    after = data.draw(state_terms(params))
    t = data.draw(closed_formulas())
    values = {x: data.draw(st.sampled_from(members[x.sort])) for x in params}
    led_to = {name: rows(r, state, values, members) for name, r in after.relations.items()}
    assert holds(said_of(after, t), state, values, members) is holds(t, led_to, {}, members)

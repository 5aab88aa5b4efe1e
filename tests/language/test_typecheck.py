"""Terms that a reader or an engine made wrongly are refused; terms that the reader makes are not."""

from __future__ import annotations

from types import ModuleType

import pytest

from quorate.checker.language import Set, State, relations_of
from quorate.checker.specification import Specification
from quorate.checker.term import (
    FALSE,
    TRUE,
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
    Place,
    Relation,
    Require,
    StateTerm,
    Step,
    Those,
    Union,
    Var,
    canonical,
    conj,
    disj,
    empty,
    every,
    member,
    negation,
    put,
    some,
    start,
)
from quorate.checker.typecheck import IllTyped, TypeChecker
from quorate.spec import consensus, multipaxos, voting
from quorate.spec.sorts import Acceptor, Ballot, Quorum, Slot


class Box(State):
    left: Set[Acceptor, Ballot]
    opened: Set[Ballot]


a, e, b, c, s, q, r = (
    Var(name, sort)
    for name, sort in zip("aebcsqr", (Acceptor, Acceptor, Ballot, Ballot, Slot, Quorum, Quorum), strict=True)
)
RULES = TypeChecker(relations_of(Box), frozenset((a, e, b, c, s, q, r)))
x, y = Var("x", Acceptor), Var("y", Ballot)
LEFT, OPENED = Field("left", (Acceptor, Ballot)), Field("opened", (Ballot,))


@pytest.mark.parametrize("module", [consensus, voting, multipaxos])
def test_what_is_read_is_well_typed(module: ModuleType) -> None:
    spec = Specification.of(module)
    spec.read()
    rules = TypeChecker(relations_of(spec.state))
    for step in spec.steps.values():
        rules.step(step)
    for claim in (*spec.claims.values(), *spec.axioms.values()):
        rules.formula(claim)


WRONG: dict[str, tuple[Formula, str]] = {
    "a_free_variable": (Eq(x, a), "x : Acceptor is not in scope"),
    "a_free_variable_within": (Not(And((TRUE, Or((FALSE, Eq(a, x)))))), "x : Acceptor is not in scope"),
    "a_variable_that_has_left_its_scope": (
        And((All((x,), In("left", (x, b))), In("left", (x, b)))),
        "x : Acceptor is not in scope",
    ),
    "a_variable_bound_twice": (All((x,), Any((x,), TRUE)), "bound twice: x"),
    "a_variable_bound_twice_at_once": (Any((x, x), TRUE), "bound twice: x, x"),
    "two_sorts_compared": (Eq(a, b), "a and b are not compared"),
    "two_sets_compared": (Eq(q, r), "q and r are not compared"),
    "an_order_that_is_none": (Less(a, e), "Acceptor has no order"),
    "an_order_of_two_sorts": (Less(a, b), "a and b are not compared"),
    "a_member_of_no_set": (Member(a, b), "b : Ballot does not hold a : Acceptor"),
    "a_member_of_another_sort": (Member(b, q), "q : Quorum does not hold b : Ballot"),
    "an_unknown_relation": (In("lefts", (a, b)), "there is no relation lefts"),
    "swapped_columns": (
        In("left", (b, a)),
        r"left has columns \(Acceptor, Ballot\), not \(Ballot, Acceptor\)",
    ),
    "a_column_too_few": (In("left", (a,)), r"left has columns \(Acceptor, Ballot\), not \(Acceptor\)"),
    "a_premise": (Implies(Less(a, e), TRUE), "Acceptor has no order"),
    "a_conclusion": (Implies(TRUE, Less(a, e)), "Acceptor has no order"),
    "the_body_of_a_quantifier": (All((x,), Less(x, a)), "Acceptor has no order"),
}


@pytest.mark.parametrize(("wrong", "message"), WRONG.values(), ids=WRONG)
def test_a_broken_formula_is_ill_typed(wrong: Formula, message: str) -> None:
    with pytest.raises(IllTyped, match=message):
        RULES.formula(wrong)


BAD_RELATIONS: dict[str, tuple[Relation, str]] = {
    "an_unknown_field": (Field("lefts", (Acceptor,)), "there is no relation lefts"),
    "a_field_of_other_columns": (
        Field("left", (Ballot, Acceptor)),
        r"there is no relation left with columns",
    ),
    "a_union_of_other_columns": (
        Union(LEFT, OPENED),
        r"\(Acceptor, Ballot\) and \(Ballot\) do not go together",
    ),
    "a_difference_of_other_columns": (Minus(LEFT, Those((), (b, a), TRUE)), "do not go together"),
    "a_part_that_is_wrong": (Union(LEFT, Minus(LEFT, Field("no", (Acceptor, Ballot)))), "no relation no"),
    "a_row_out_of_scope": (Those((x,), (x, y), TRUE), "y : Ballot is not in scope"),
    "a_filter_that_is_wrong": (Those((x,), (x,), Less(x, a)), "Acceptor has no order"),
    "a_variable_bound_before": (Those((a,), (a,), TRUE), "bound twice: a"),
}


@pytest.mark.parametrize(("wrong", "message"), BAD_RELATIONS.values(), ids=BAD_RELATIONS)
def test_a_broken_relation_is_ill_typed(wrong: Relation, message: str) -> None:
    with pytest.raises(IllTyped, match=message):
        RULES.relation(wrong)


def test_a_broken_step_is_ill_typed() -> None:
    rules, now = TypeChecker(relations_of(Box)), start(Box)
    place = Place("box.py", 1, "")
    rules.step(Step((a, b), (Require(In("left", (a, b)), place),), now))
    with pytest.raises(IllTyped, match="a : Acceptor is not in scope"):
        rules.step(Step((b,), (Require(In("left", (a, b)), place),), now))
    with pytest.raises(IllTyped, match=r"opened has columns \(Ballot\), not \(Acceptor, Ballot\)"):
        rules.step(Step((), (), StateTerm(Box, {"left": LEFT, "opened": LEFT})))
    with pytest.raises(IllTyped, match="a : Acceptor is not in scope"):
        rules.step(Step((b,), (), StateTerm(Box, {"left": Those((), (a, b), TRUE), "opened": OPENED})))


# What is done with terms -------------------------------------------------------------------


def test_trivial_truths_are_left_out() -> None:
    claim = In("left", (a, b))
    assert (conj(), conj(TRUE, claim), conj(claim, FALSE)) == (TRUE, claim, FALSE)
    assert (disj(), disj(FALSE, claim), disj(claim, TRUE)) == (FALSE, claim, TRUE)
    assert conj(claim, conj(claim, claim)) == And((claim, claim, claim))
    assert disj(claim, disj(claim, claim)) == Or((claim, claim, claim))
    assert (negation(negation(claim)), negation(TRUE), negation(FALSE)) == (claim, FALSE, TRUE)
    assert (some((), claim), every((), claim)) == (claim, claim)


def test_a_column_that_is_a_bound_variable_needs_no_quantifier() -> None:
    below = Those((y,), (a, y), Less(y, b))
    assert member((e, c), below) == And((Eq(a, e), Less(c, b)))
    assert member((a, c), below) == Less(c, b)


def test_a_bound_variable_that_is_no_column_is_quantified_anew() -> None:
    found = member((e,), Those((x, y), (x,), In("left", (x, y))))
    assert isinstance(found, Any)
    assert found.vars[0] is not y
    assert found.body == In("left", (e, found.vars[0]))


def test_a_row_that_repeats_a_variable_asks_for_equal_columns() -> None:
    assert member((b, c), Those((y,), (y, y), TRUE)) == Eq(b, c)


def test_membership_follows_union_difference_and_emptiness() -> None:
    one = Those((), (a, b), TRUE)
    assert member((e, c), Union(LEFT, one)) == Or((In("left", (e, c)), And((Eq(a, e), Eq(b, c)))))
    assert member((a, b), Minus(LEFT, one)) == FALSE
    assert member((e, c), Minus(LEFT, LEFT)) == And((In("left", (e, c)), Not(In("left", (e, c)))))
    assert member((a, b), empty((Acceptor, Ballot))) == FALSE


def test_a_substitution_reaches_everything_and_captures_nothing() -> None:
    claim = All((x,), Implies(Member(x, q), Not(Or((In("left", (x, b)), Less(b, c), Eq(a, x))))))
    there = put(claim, {b: c, c: b, a: e, q: r})
    assert there == All((x,), Implies(Member(x, r), Not(Or((In("left", (x, c)), Less(c, b), Eq(e, x))))))


def test_formulas_are_the_same_up_to_the_names_of_bound_variables() -> None:
    def claim(one: Var, two: Var) -> Formula:
        return All((one,), Any((two,), And((In("left", (one, two)), Less(two, b)))))

    assert canonical(claim(x, y)) == canonical(claim(Var("z", Acceptor), Var("z", Ballot)))
    assert canonical(All((x,), Eq(x, a))) != canonical(All((x,), Eq(x, e)))
    assert canonical(All((x,), TRUE)) != canonical(Any((x,), TRUE))
    assert canonical(All((y,), TRUE)) != canonical(All((x,), TRUE))
    twice = (Var("u", Acceptor), Var("v", Acceptor))
    assert canonical(All(twice, Eq(*twice))) != canonical(All(twice, Eq(*reversed(twice))))

"""Expressions that a specification may not have: each marked where it stands, each with its rewrite."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Refuses = Callable[[str, str], None]

HEAD = (
    "def p(now: Box, a: Acceptor, e: Acceptor, b: Ballot, c: Ballot, s: Slot, t: Slot, "
    "q: Quorum, r: Quorum) -> bool:\n"
)

CLAIMS = {
    "truthiness": ("return «a» and (a, b) in now.left", "this is a thing, not a claim"),
    "truthiness_of_a_relation": ("return not «now.left»", "a thing, not a claim"),
    "truthiness_of_a_state": ("return implies(«now», True)", "a thing, not a claim"),
    "truthiness_of_a_row": ("return «(a, b)» or True", "a thing, not a claim"),
    "truthiness_of_a_predicate": ("return «joined» and True", "a thing, not a claim"),
    "a_relation_for_a_body": ("return all(«now.left» for x in Slot)", "a thing, not a claim"),
    "a_relation_for_a_filter": ("return all(True for x in Slot if «now.left»)", "a thing, not a claim"),
    "a_ternary": ("return «True if (b,) in now.opened else False»", "write (p and x) or (not p and y)"),
    "a_walrus": ("return («x := True») and x", "write name = ... on a line of its own"),
    "a_lambda": ("return («lambda: True»)()", "name it: def"),
    "a_list": ("return (a, b) in «[(a, b)]»", "a list has an order"),
    "a_list_comprehension": ("return (a, b) in «[(x, b) for x in Acceptor]»", "a list has an order"),
    "a_quantified_list": ("return «all([(x, b) in now.left for x in Acceptor])»", "a list has an order"),
    "a_dict": ("return (a, b) in «{a: b}»", "a state consists of relations"),
    "a_dict_comprehension": ("return a in «{x: b for x in Acceptor}»", "a state consists of relations"),
    "a_generator_by_itself": ("return b in «(x for x in Ballot)»", "write all(...), any(...)"),
    "a_number": ("return b < «3»", "no numbers or strings"),
    "a_string": ("return a == «'a1'»", "no numbers or strings"),
    "none": ("return a == «None»", "no numbers or strings"),
    "a_subscript": ("return «now.left[a]» == b", "relations are sets of rows"),
    "an_f_string": ("return a == «f'{a}'»", "a specification has no strings"),
    "a_star": ("return («*(a, b)», a) in now.left", "write every column"),
    "arithmetic": ("return b == «b + c»", "relations are joined with | and parted with -"),
    "a_sign": ("return b == «-b»", "not among the words of a specification"),
    "an_intersection": ("return (a, b) in «now.left & now.left»", "say an intersection with a filter"),
    "a_symmetric_difference": ("return (a, b) in «now.left ^ now.left»", "joined with | and parted with -"),
    "len": ("return «len(now.left)» == b", "does not count or pick"),
    "max": ("return «max(x for x in Ballot)» == b", "does not count or pick"),
    "min": ("return «min(Ballot)» == b", "does not count or pick"),
    "sum": ("return «sum(x for x in Ballot)» == b", "does not count or pick"),
    "next": ("return «next(iter(Ballot))» == b", "does not count or pick"),
    "sorted": ("return b in «sorted(Ballot)»", "does not count or pick"),
    "range": ("return all(True for x in «range(b)»)", "does not count or pick"),
    "print": ("return «print(a)»", "only predicates, all(...)"),
    "isinstance": ("return «isinstance(a, Acceptor)»", "only predicates, all(...)"),
    "a_call_of_a_thing": ("return «a(b)»", "only predicates, all(...)"),
    "a_call_of_a_state": ("return «now(b)»", "only predicates, all(...)"),
    "a_call_of_a_sort": ("return «Acceptor()» == a", "only predicates, all(...)"),
    "swapped_columns": (
        "return «(b, a)» in now.left",
        "columns are (Acceptor, Ballot), and this is (Ballot, Acceptor)",
    ),
    "a_column_too_few": (
        "return «(a,)» in now.left",
        "columns are (Acceptor, Ballot), and this is (Acceptor)",
    ),
    "no_column": ("return «()» in now.opened", "columns are (Ballot), and this is ()"),
    "one_column_without_the_comma": ("return «b» in now.opened", "write (b,) for one column"),
    "one_column_in_mere_parentheses": ("return («b») in now.opened", "write (b,) for one column"),
    "a_row_of_rows": ("return («(a, b)», b) in now.left", "a row holds variables"),
    "a_row_of_claims": ("return (a, «b < c») in now.left", "a row holds variables"),
    "less_on_an_unordered_sort": ("return «s < t»", "class Slot(Sort, ordered=True)"),
    "at_most_on_an_unordered_sort": ("return «s >= t»", "Slot has no order"),
    "equality_of_quorums": ("return «q == r»", "two of Quorum are not compared"),
    "inclusion_of_quorums": ("return «q <= r»", "two of Quorum are not compared"),
    "equality_of_relations": ("return «now.left == now.left»", "compare relations row by row"),
    "inclusion_of_relations": ("return «now.left <= now.left»", "compare relations row by row"),
    "equality_of_states": ("return «now == now»", "two members of one Sort are compared"),
    "equality_of_claims": ("return «(b < c) == True»", "claims are not compared"),
    "a_chain_that_compares_a_claim": ("return «((a, b) in now.left) != (b < c)»", "claims are not compared"),
    "comparison_of_two_sorts": ("return «a == b»", "a is of Acceptor and b of Ballot"),
    "is": ("return «a is e»", "write == or !="),
    "is_not": ("return «a is not e»", "write == or !="),
    "is_in_a_chain": ("return «b < c is b»", "write == or !="),
    "a_member_of_the_wrong_sort": ("return «b» in q", "q holds members of Acceptor"),
    "a_set_in_a_set": ("return «q» in r", "r holds members of Acceptor"),
    "membership_in_a_thing": ("return a in «e»", "e is one Acceptor, not a set"),
    "membership_in_a_sort": ("return a in «Acceptor»", "ask whether a row is in a relation"),
    "membership_in_a_claim": ("return (a, b) in («b < c»)", "ask whether a row is in a relation"),
    "a_display_of_members": ("return a in {«a», e}", "write (b,) for one column"),
    "a_display_of_two_kinds": (
        "return (a, b) in {(a, b), «(b, a)»}",
        "the relation's columns are (Acceptor, Ballot)",
    ),
    "a_misspelt_relation": (
        "return (a, b) in «now.lefts»",
        "Box has no relation lefts; it has left, opened, filled",
    ),
    "a_method_of_a_relation": ("return «now.left.issubset»(now.left)", "relations are joined with |"),
    "an_attribute_of_a_thing": ("return «a.left»", "only a state has relations"),
    "an_attribute_of_a_state_that_Python_has": (
        "return «now.__class__» == a",
        "Box has no relation __class__",
    ),
    "a_tuple_target": ("return all(True for «(x, y)» in now.left)", "one variable a `for`"),
    "a_comprehension_over_a_relation": ("return all(True for x in «now.left»)", "a `for` goes over a Sort"),
    "a_comprehension_over_a_thing": ("return all(True for x in «a»)", "a `for` goes over a Sort"),
    "a_comprehension_over_a_display": ("return all(True for x in «{(a,)}»)", "a `for` goes over a Sort"),
    "a_comprehension_over_Sort_itself": ("return all(True for x in «Sort»)", "a `for` goes over a Sort"),
    "a_comprehension_over_Many_itself": ("return all(True for x in «Many»)", "a `for` goes over a Sort"),
    "an_asynchronous_comprehension": ("return all(True async for «x» in Ballot)", "one variable a `for`"),
    "all_of_nothing": ("return «all()»", "write all(... for x in Sort)"),
    "any_of_a_claim": ("return «any(True)»", "write any(... for x in Sort)"),
    "any_of_a_set": ("return «any({(x,) for x in Ballot})»", "write any(... for x in Sort)"),
    "implies_of_one": ("return «implies(True)»", "implies(premise, conclusion)"),
    "implies_by_name": ("return «implies(True, conclusion=True)»", "implies(premise, conclusion)"),
    "too_few_arguments": ("return «joined(now, a)»", "joined takes 3 arguments, 2 are given"),
    "too_many_arguments": ("return «joined(now, a, b, c)»", "joined takes 3 arguments, 4 are given"),
    "arguments_in_the_wrong_order": ("return joined(now, «b», a)", "joined wants a of Acceptor here"),
    "a_relation_for_an_argument": ("return joined(«now.left», a, b)", "joined wants now of Box here"),
    "a_keyword_argument": ("return «joined(now, a, b=b)»", "arguments are given by position"),
    "an_argument_with_a_star": ("return joined(now, «*(a, b)»)", "write every column"),
    "an_action_for_a_predicate": ("return «open_one(now, b)»", "an action is not a predicate"),
    "an_unknown_name": ("return «joint»(now, a, b)", "joint is not defined"),
}


@pytest.mark.parametrize(("body", "remedy"), CLAIMS.values(), ids=CLAIMS)
def test_an_expression_outside_the_subset_is_refused(refuses: Refuses, body: str, remedy: str) -> None:
    refuses(f"{HEAD}    {body}\n", remedy)


RELATIONS = {
    "a_step_to_an_unknown_relation": ("now.but(«lefts=now.left»)", "Box has no relation lefts"),
    "a_step_by_position": ("now.but(«now.left»)", "name the relation: now.but(left=...)"),
    "a_step_by_double_star": ("now.but(**«now»)", "name every relation"),
    "a_state_by_position": ("Box(«now.left»)", "name the relation: Box(left=...)"),
    "a_state_with_an_unknown_relation": ("Box(«lefts=now.left»)", "Box has no relation lefts"),
    "a_claim_for_a_relation": ("now.but(left=«(a, b) in now.left»)", "a relation was expected"),
    "a_thing_for_a_relation": ("now.but(left=«a»)", "a relation was expected"),
    "a_state_for_a_relation": ("now.but(left=«now»)", "a relation was expected"),
    "a_relation_of_other_columns": (
        "now.but(left=«now.opened»)",
        "columns are (Acceptor, Ballot), and this is (Ballot)",
    ),
    "a_row_of_other_columns": ("now.but(left=now.left | «{(b, a)}»)", "and this is (Ballot, Acceptor)"),
    "a_row_without_its_comma": ("now.but(opened=now.opened | {«b»})", "write (b,) for one column"),
    "rows_of_things": ("now.but(opened={«c» for c in Ballot})", "write (b,) for one column"),
    "a_set_joined_with_other_columns": ("now.but(left=set() - now.left | «now.opened»)", "columns are"),
    "an_update_by_method": ("now.but(left=«now.left.union»({(a, b)}))", "relations are joined with |"),
    "a_dict_for_an_empty_set": ("now.but(left=«{}»)", "a state consists of relations"),
    "a_set_of_something": ("now.but(left=«set({(a, b)})»)", "the empty relation `set()` stands where"),
    "a_frozenset": ("now.but(left=«frozenset(now.left)»)", "the empty relation `set()`"),
    "but_of_a_thing": ("«a.but»(left=now.left)", "only a state has relations"),
}


@pytest.mark.parametrize(("then", "remedy"), RELATIONS.values(), ids=RELATIONS)
def test_a_step_outside_the_subset_is_refused(refuses: Refuses, then: str, remedy: str) -> None:
    refuses(f"@action\ndef p(now: Box, a: Acceptor, b: Ballot) -> Box:\n    return {then}\n", remedy)


def test_recursion_is_refused(refuses: Refuses) -> None:
    refuses("def p(now: Box, a: Acceptor) -> bool:\n    return «p(now, a)»\n", "p calls itself")


def test_mutual_recursion_is_refused(refuses: Refuses) -> None:
    refuses(
        "def p(now: Box) -> bool:\n    return other(now)\n\n\ndef other(now: Box) -> bool:\n    return not «p(now)»\n",
        "p calls itself; a predicate must unfold to an end",
    )


def test_what_is_wrong_in_a_helper_is_shown_in_the_helper(refuses: Refuses) -> None:
    refuses(
        "def helper(now: Box, a: Acceptor) -> bool:\n    return not «a»\n\n\n"
        "def p(now: Box, a: Acceptor) -> bool:\n    return helper(now, a)\n",
        "a thing, not a claim",
    )


def test_the_value_of_an_unused_name_is_read_all_the_same(refuses: Refuses) -> None:
    refuses("def p(now: Box, a: Acceptor) -> bool:\n    unused = «a.x»\n    return True\n", "only a state")


def test_a_filter_that_speaks_of_what_a_later_for_binds_is_refused(refuses: Refuses) -> None:
    refuses(
        "def p(now: Box) -> bool:\n    return all(True for a in Acceptor if (a, «b») in now.left for b in Ballot)\n",
        "b is not defined",
    )


def test_a_parenthesis_on_its_own_line_is_marked_to_the_end_of_the_first(refuses: Refuses) -> None:
    refuses(
        "def p(now: Box, a: Acceptor) -> bool:\n"
        "    return joined(\n        now,\n        «[\n            a\n        ]»,\n    )\n",
        "a list has an order",
    )

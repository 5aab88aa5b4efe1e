"""Statements, parameters and whole functions that a specification may not have: each marked, each with its rewrite."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from quorate.checker.reading import read_predicate
from quorate.checker.source import Unreadable
from quorate.checker.term import start

Refuses = Callable[[str, str], None]

PREDICATE = "def p(now: Box, a: Acceptor, b: Ballot) -> bool:\n"
ACTION = "@action\ndef p(now: Box, a: Acceptor, b: Ballot) -> Box:\n"

STATEMENTS = {
    "an_if": ("    «if (a, b) in now.left:\n        return True»\n    return False\n", "write implies(p, q)"),
    "a_for": ("    «for c in Ballot:\n        pass»\n    return True\n", "write all(... for x in Sort)"),
    "a_while": ("    «while True:\n        pass»\n    return True\n", "quantify with all(...) or any(...)"),
    "an_augmented_assignment": ("    x = now.left\n    «x |= {(a, b)}»\n    return True\n", "now.but(left="),
    "an_annotated_assignment": ("    «x: bool = True»\n    return x\n", "write name = ... without"),
    "an_assert": (
        "    «assert (a, b) in now.left»\n    return True\n",
        "an enabling condition is require(...)",
    ),
    "an_inner_def": ("    «def f() -> bool:\n        return True»\n    return f()\n", "beside this function"),
    "an_inner_class": ("    «class X: ...»\n    return True\n", "a function is a docstring"),
    "a_try": (
        "    «try:\n        pass\n    finally:\n        pass»\n    return True\n",
        "raises nothing but",
    ),
    "a_with": ("    «with open('x'):\n        pass»\n    return True\n", "a specification is docstring"),
    "a_match": (
        "    «match a:\n        case _:\n            pass»\n    return True\n",
        "write implies(p, q)",
    ),
    "a_raise": ("    «raise ValueError»\n", "raises nothing but through require"),
    "a_pass": ("    «pass»\n    return True\n", "a function is a docstring"),
    "a_del": ("    «del a»\n    return True\n", "a function is a docstring"),
    "a_global": ("    «global x»\n    return True\n", "a function is a docstring"),
    "an_import": ("    «import os»\n    return True\n", "at the top of the file"),
    "a_yield": ("    «yield a»\n    return True\n", "a predicate is true or false"),
    "a_second_docstring": ('    """One."""\n    «"""Two."""»\n    return True\n', "numbers or strings"),
    "an_ellipsis": ("    «...»\n", "a specification has no numbers"),
    "an_expression_without_effect": ("    «(a, b) in now.left»\n    return True\n", "this has no effect"),
    "a_tuple_target": ("    «x, y = a, b»\n    return True\n", "a function is a docstring, name = ..."),
    "two_targets": ("    «x = y = (a, b) in now.left»\n    return True\n", "a function is a docstring"),
    "an_attribute_target": ("    «now.left = {(a, b)}»\n    return True\n", "a function is a docstring"),
    "code_after_return": ("    return True\n    «return False»\n", "nothing can follow `return`"),
    "a_return_of_nothing": ("    «return»\n", "say what is returned"),
    "a_require_in_a_predicate": (
        "    «require((a, b) in now.left)»\n    return True\n",
        "belongs in an @action",
    ),
}


@pytest.mark.parametrize(("body", "remedy"), STATEMENTS.values(), ids=STATEMENTS)
def test_a_statement_outside_the_subset_is_refused(refuses: Refuses, body: str, remedy: str) -> None:
    refuses(PREDICATE + body, remedy)


WHOLES = {
    "no_return": (f"«{PREDICATE}»    x = (a, b) in now.left\n", "nothing is returned"),
    "a_thing_for_a_claim": ("«def p(now: Box, a: Acceptor) -> Acceptor:\n»    return a\n", "return a claim"),
    "a_claim_for_a_state": (
        "@action\n«def p(now: Box) -> bool:\n»    return True\n",
        "returns the state that follows",
    ),
    "a_claim_for_an_initial_state": (
        "@init\n«def p() -> bool:\n»    return True\n",
        "this must return a state",
    ),
    "an_axiom_of_a_state": (
        "@axiom\n«def p(now: Box) -> bool:\n»    return True\n",
        "its parameters must be (none)",
    ),
    "an_initial_state_with_parameters": (
        "@init\n«def p(b: Ballot) -> Box:\n»    return Box()\n",
        "must be (none)",
    ),
    "an_action_without_a_state": ("@action\n«def p(b: Ballot) -> Box:\n»    return Box()\n", "(Box, Ballot)"),
    "an_action_with_the_state_last": (
        "@action\n«def p(b: Ballot, now: Box) -> Box:\n»    return now\n",
        "its parameters must be (Box, Ballot), in this order",
    ),
    "an_action_of_two_states": (
        "@action\n«def p(now: Box, x: Box) -> Box:\n»    return x\n",
        "must be (Box)",
    ),
    "a_step_to_another_state": (
        "class Other(State):\n    opened: Set[Ballot]\n\n\n"
        "@action\n«def p(now: Box) -> Other:\n»    return Other(opened=now.opened)\n",
        "an action of Box leads to one, not to a Other",
    ),
    "an_initial_state_of_another_kind": (
        "class Other(State):\n    opened: Set[Ballot]\n\n\n@init\n«def p() -> Box:\n»    return Other()\n",
        "this returns a Other, and says Box",
    ),
    "a_default": (
        "«def p(now: Box, a: Acceptor = None) -> bool:\n»    return True\n",
        "parameters are plain",
    ),
    "a_star": ("«def p(now: Box, *a: Acceptor) -> bool:\n»    return True\n", "no defaults, no *, no /"),
    "a_slash": ("«def p(now: Box, a: Acceptor, /) -> bool:\n»    return True\n", "no defaults, no *, no /"),
    "a_keyword_only": ("«def p(now: Box, *, a: Acceptor) -> bool:\n»    return True\n", "no defaults, no *"),
    "any_keywords": ("«def p(now: Box, **a: Acceptor) -> bool:\n»    return True\n", "no defaults, no *"),
    "no_annotation": ("def p(now: Box, «a») -> bool:\n    return True\n", "say of what Sort or State a is"),
    "an_annotation_of_another_kind": (
        "def p(now: Box, «a: int») -> bool:\n    return True\n",
        "of what Sort",
    ),
    "an_annotation_as_Sort_itself": (
        "def p(now: Box, «a: Sort») -> bool:\n    return True\n",
        "of what Sort",
    ),
    "an_annotation_as_State_itself": (
        "def p(«now: State») -> bool:\n    return True\n",
        "of what Sort or State",
    ),
    "an_annotation_as_a_bare_Many": (
        "def p(now: Box, «q: Many[Acceptor]») -> bool:\n    return True\n",
        "of what Sort or State q is",
    ),
    "an_annotation_that_is_no_name": (
        "«def p(now: Box, a: 'Aceptor') -> bool:\n»    return True\n",
        "an annotation says nothing: name 'Aceptor' is not defined",
    ),
    "a_require_of_nothing": (f"{ACTION}    «require()»\n    return now\n", "takes one claim"),
    "a_require_of_two": (f"{ACTION}    «require(True, True)»\n    return now\n", "a require for each"),
    "a_require_within": (f"{ACTION}    x = «require(True)»\n    return now\n", "on a line of its own"),
    "a_require_in_an_initial_state": (
        "@init\ndef p() -> Box:\n    «require(True)»\n    return Box()\n",
        "in an @action",
    ),
    "a_require_of_a_thing": (f"{ACTION}    require(«a»)\n    return now\n", "a thing, not a claim"),
    "a_require_in_a_helper_of_an_action": (
        f"def h(now: Box) -> bool:\n    «require(True)»\n    return True\n\n\n"
        f"{ACTION}    require(h(now))\n    return now\n",
        "belongs in an @action",
    ),
}


@pytest.mark.parametrize(("text", "remedy"), WHOLES.values(), ids=WHOLES)
def test_a_function_of_another_shape_is_refused(refuses: Refuses, text: str, remedy: str) -> None:
    refuses(text.replace("\n»", "»\n"), remedy)


def test_a_mark_counts_characters_not_bytes(refuses: Refuses) -> None:
    refuses(
        "def p(now: Box, à: Acceptor, ñ: Ballot) -> bool:\n    return (à, ñ) in now.left and «à»\n", "a thing"
    )


def test_a_multi_line_require_is_named_by_its_first_line_and_its_whole_text(
    read_p: Callable[[str], Any], header: str
) -> None:
    step = read_p(f"{ACTION}    require(\n        (a, b)\n        not in now.left\n    )\n    return now\n")
    (require,) = step.requires
    assert require.place.line == header.count("\n") + 3
    assert require.place.text == "(a, b) not in now.left"


def test_requires_keep_the_order_of_the_text(read_p: Callable[[str], Any]) -> None:
    step = read_p(
        f"{ACTION}    require((a, b) in now.left)\n    x = joined(now, a, b)\n    require((b,) in now.opened)\n"
        "    require(x)\n    return now\n"
    )
    assert [r.place.text for r in step.requires] == ["(a, b) in now.left", "(b,) in now.opened", "x"]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("p = lambda now: True\n", "no lambda and no `async def`"),
        ("async def p(now: Box) -> bool:\n    return True\n", "no lambda and no `async def`"),
        ("p = joined.__call__\n", "a predicate is a `def`"),
        ("p = len\n", "a predicate is a `def`"),
        (
            "def twice(f):\n    def g(now: Box) -> bool:\n        return f(now)\n    return g\n\n\n"
            "@twice\ndef p(now: Box) -> bool:\n    return True\n",
            "it uses names of a function around it",
        ),
        (
            "def plain(f):\n"
            "    f.__code__ = joined.__code__.replace(co_name='p', co_firstlineno=f.__code__.co_firstlineno)\n"
            "    return f\n\n\n@plain\ndef p(now: Box, a: Acceptor, b: Ballot) -> bool:\n    return True\n",
            "p as loaded is not the text on disk",
        ),
    ],
)
def test_what_is_no_plain_def_is_refused(
    write_module: Callable[[str], ModuleType], header: str, text: str, remedy: str
) -> None:
    module = write_module(header + text)
    with pytest.raises(Unreadable, match="cannot be read as a predicate") as caught:
        read_predicate(module.p, start(module.Box))
    assert remedy in str(caught.value)

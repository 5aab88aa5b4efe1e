"""Names: none ever has two meanings in one function, and each means what it means when the function runs."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from quorate.checker import language
from quorate.checker.reading import parameters, read_predicate
from quorate.checker.source import Unreadable
from quorate.checker.term import All, In, Not, Truth, start

Refuses = Callable[[str, str], None]
Write = Callable[[str], ModuleType]

SHADOWS = {
    "a_local_a_parameter": "def p(now: Box, a: Acceptor) -> bool:\n    «a = True»\n    return a\n",
    "a_local_a_local": "def p(now: Box) -> bool:\n    x = True\n    «x = False»\n    return x\n",
    "a_local_the_state": "@action\ndef p(now: Box) -> Box:\n    «now = now.but()»\n    return now\n",
    "a_local_a_function": "def p(now: Box) -> bool:\n    «joined = True»\n    return joined\n",
    "a_local_a_sort": "def p(now: Box) -> bool:\n    «Ballot = True»\n    return Ballot\n",
    "a_local_all": "def p(now: Box) -> bool:\n    «all = True»\n    return all\n",
    "a_local_require": "def p(now: Box) -> bool:\n    «require = True»\n    return require\n",
    "a_bound_variable_a_parameter": "def p(now: Box, a: Acceptor) -> bool:\n    return all(True for «a» in Acceptor)\n",
    "a_bound_variable_a_bound_one": (
        "def p(now: Box) -> bool:\n    return all(any(True for «a» in Acceptor) for a in Acceptor)\n"
    ),
    "a_bound_variable_one_beside_it": (
        "def p(now: Box) -> bool:\n    return all((b, ) in now.opened for b in Ballot for «b» in Ballot)\n"
    ),
    "a_bound_variable_a_local": "def p(now: Box) -> bool:\n    x = True\n    return all(x for «x» in Slot)\n",
    "a_bound_variable_a_sort": "def p(now: Box) -> bool:\n    return all(True for «Slot» in Slot)\n",
    "a_bound_variable_any": "def p(now: Box) -> bool:\n    return all(True for «any» in Slot)\n",
    "a_parameter_a_function": "def p(now: Box, «joined: Acceptor») -> bool:\n    return True\n",
    "a_parameter_a_sort": "def p(now: Box, «Slot: Slot») -> bool:\n    return True\n",
    "a_parameter_set": "def p(now: Box, «set: Quorum») -> bool:\n    return True\n",
    "a_local_a_function_that_was_called_before": (
        "def p(now: Box, a: Acceptor, b: Ballot) -> bool:\n    x = joined(now, a, b)\n    «joined = x»\n    return x\n"
    ),
}


@pytest.mark.parametrize("text", SHADOWS.values(), ids=SHADOWS)
def test_no_name_shadows_another(refuses: Refuses, text: str) -> None:
    refuses(text, "already has a meaning here; name it anew")


GLOBALS = {
    "a_truth": ("LIMIT = True\n", "«LIMIT»"),
    "a_set": ("SOME = frozenset()\n", "b in «SOME»"),
    "a_number": ("LIMIT = 3\n", "b < «LIMIT»"),
}


@pytest.mark.parametrize(("before", "claim"), GLOBALS.values(), ids=GLOBALS)
def test_a_global_is_no_constant(refuses: Refuses, before: str, claim: str) -> None:
    refuses(f"{before}def p(now: Box, b: Ballot) -> bool:\n    return {claim}\n", "is a Python value")


def test_a_constant_of_another_module_is_refused(refuses: Refuses) -> None:
    refuses(
        "import math\n\n\ndef p(now: Box, b: Ballot) -> bool:\n    return b < «math.pi»\n",
        "math.pi is a Python value",
    )


def test_a_module_s_own_all_is_not_the_quantifier(refuses: Refuses) -> None:
    refuses(
        "def all(now: Box) -> bool:\n    return True\n\n\n"
        "def p(now: Box) -> bool:\n    return all«((b,) in now.opened for b in Ballot)»\n",
        "write all(...), any(...) or {...} around it",
    )


def test_a_module_s_own_implies_is_read_for_what_it_is(read_p: Callable[[str], Any]) -> None:
    found = read_p(
        "def implies(now: Box, b: Ballot) -> bool:\n    return (b,) not in now.opened\n\n\n"
        "def p(now: Box, b: Ballot) -> bool:\n    return implies(now, b)\n"
    )
    assert isinstance(found, Not)


def test_a_module_s_own_require_requires_nothing(refuses: Refuses) -> None:
    refuses(
        "def require(condition: bool) -> None:\n    pass\n\n\n"
        "@action\ndef p(now: Box, b: Ballot) -> Box:\n    «require((b,) in now.opened)»\n    return now\n",
        "this has no effect",
    )


def test_words_may_have_other_names(read_p: Callable[[str], Any]) -> None:
    found = read_p(
        "from quorate.checker import language as words\n"
        "every, when = all, words.implies\n"
        "Actor = Acceptor\n\n\n"
        "def p(now: Box, b: Ballot) -> bool:\n    return every(when(True, (a, b) in now.left) for a in Actor)\n"
    )
    assert isinstance(found, All)
    assert found.vars[0].sort.__name__ == "Acceptor"


def test_a_name_rebound_later_means_what_it_means_when_it_runs(write_module: Write, header: str) -> None:
    module = write_module(
        header + "def p(now: Box, b: Ballot) -> bool:\n    return chosen(now, b)\n\n\n"
        "def chosen(now: Box, b: Ballot) -> bool:\n    return True\n\n\n"
        "def other(now: Box, b: Ballot) -> bool:\n    return (b,) in now.opened\n\n\n"
        "chosen = other\n"
    )
    found = read_predicate(module.p, start(module.Box), *parameters(module.p))
    assert isinstance(found, In)
    assert module.p(module.Box(opened={(1,)}), 1)
    assert not module.p(module.Box(), 1)


def test_a_definition_chosen_by_a_condition_is_the_one_that_runs(write_module: Write, header: str) -> None:
    module = write_module(
        header + "if True:\n    def p(now: Box) -> bool:\n        return True\n"
        "else:\n    def p(now: Box) -> bool:\n        return False\n"
    )
    assert read_predicate(module.p, start(module.Box)) == Truth(module.p(module.Box()))


def test_annotations_may_be_text(write_module: Write, header: str) -> None:
    module = write_module(
        header.replace('ballots."""\n', 'ballots."""\nfrom __future__ import annotations\n')
        + "def p(now: Box, q: 'Quorum', b: Ballot) -> bool:\n    return all((a, b) in now.left for a in q)\n"
    )
    assert [x.sort.__name__ for x in parameters(module.p)] == ["Quorum", "Ballot"]
    assert language.relations_of(module.Box)["filled"] == (module.Slot, module.Ballot)


def test_a_helper_of_another_module_is_read_from_its_own_file(write_module: Write, header: str) -> None:
    upper = write_module(header)
    lower = write_module(
        f"import {upper.__name__} as box\nfrom {upper.__name__} import Acceptor, Ballot, Box\n\n\n"
        "def p(now: Box, a: Acceptor, b: Ballot) -> bool:\n    return box.joined(now, a, b)\n"
    )
    assert isinstance(read_predicate(lower.p, start(upper.Box), *parameters(lower.p)), In)


def test_a_state_of_the_same_name_in_another_module_is_another_state(
    write_module: Write, header: str
) -> None:
    one, other = write_module(header), write_module(header + "def p(now: Box) -> bool:\n    return True\n")
    with pytest.raises(Unreadable, match=r"its parameters must be \(Box\), in this order"):
        read_predicate(other.p, start(one.Box))


def test_a_text_edited_after_its_import_is_refused(write_module: Write, header: str) -> None:
    text = header + "def p(now: Box, a: Acceptor, b: Ballot) -> bool:\n    return (a, b) in now.left\n"
    module = write_module(text)
    assert module.__file__ is not None
    read_predicate(module.p, start(module.Box), *parameters(module.p))
    with open(module.__file__, "w", encoding="utf-8") as file:
        file.write(text.replace("return (a, b) in", "return (a, b) not in"))
    with pytest.raises(Unreadable, match="p as loaded is not the text on disk: it was edited"):
        read_predicate(module.p, start(module.Box))


@pytest.mark.parametrize("edit", ["# a comment\n{}", "{}\n\ndef later() -> None: ...\n"])
def test_an_edit_elsewhere_is_refused_only_if_it_moves_the_text(
    write_module: Write, header: str, edit: str
) -> None:
    text = header + "def p(now: Box) -> bool:\n    return True\n"
    module = write_module(text)
    assert module.__file__ is not None
    with open(module.__file__, "w", encoding="utf-8") as file:
        file.write(edit.format(text))
    if edit.startswith("#"):
        with pytest.raises(Unreadable, match="not the text on disk"):
            read_predicate(module.p, start(module.Box))
    else:
        assert read_predicate(module.p, start(module.Box)) == Truth(True)


@pytest.mark.parametrize("text", ["def p(\n", ""])
def test_a_text_that_became_nothing_is_refused(write_module: Write, header: str, text: str) -> None:
    module = write_module(header + "def p(now: Box) -> bool:\n    return True\n")
    assert module.__file__ is not None
    with open(module.__file__, "w", encoding="utf-8") as file:
        file.write(text)
    with pytest.raises(Unreadable, match=r"no longer Python \(line 1|not the text on disk"):
        read_predicate(module.p, start(module.Box))


def test_code_that_has_run_often_is_still_its_text(write_module: Write, header: str) -> None:
    """CPython rewrites the instructions of what runs often."""
    module = write_module(
        header + "def p(now: Box, a: Acceptor, b: Ballot) -> bool:\n"
        "    return all(joined(now, a, c) for c in Ballot if c < b) and (a, b) in now.left\n"
    )
    with language.inhabited({module.Ballot: (1, 2, 3)}):
        for _ in range(1000):
            module.p(module.Box(left={("a1", 1), ("a1", 2)}), "a1", 2)
    read_predicate(module.p, start(module.Box), *parameters(module.p))

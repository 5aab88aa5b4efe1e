"""An obligation as text says what the terms say, to any solver, and nothing that would change without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import z3

from quorate.checker.prove.obligation import Hypothesis, Obligation
from quorate.checker.prove.proof import obligations, prove
from quorate.checker.prove.smt import Smt
from quorate.checker.prove.smtlib import Query, script
from quorate.checker.prove.solving import Z3
from quorate.checker.refinement import Tower
from quorate.checker.specification import Specification
from quorate.checker.term import Not, Place


def asserted(obligation: Obligation) -> list[str]:
    """What Z3 understood of the text."""
    solver = Z3().query(obligation, Smt())
    return [formula.sexpr() for formula in solver.assertions()]


def said(obligation: Obligation) -> list[str]:
    """What Z3 is told by calling it."""
    smt = Smt()
    formulas = [*(h.formula for h in obligation.hypotheses), Not(obligation.goal)]
    return [smt.formula(f).sexpr() for f in formulas]


def test_the_text_says_what_the_terms_say(multipaxos_tower: Tower) -> None:
    for o in obligations(multipaxos_tower):
        if not o.skipped:
            assert asserted(o) == said(o), str(o)


def test_a_saved_query_is_unsatisfiable_as_it_stands(multipaxos_tower: Tower) -> None:
    for o in obligations(multipaxos_tower):
        if not o.skipped:
            solver = z3.Solver(ctx=z3.Context())
            solver.from_string(script(o))
            assert solver.check() == z3.unsat


def test_a_saved_query_says_what_each_assertion_is(multipaxos_tower: Tower) -> None:
    o = next(o for o in obligations(multipaxos_tower) if o.conjunct == "proposals_are_safe" and not o.skipped)
    lines = script(o).splitlines()
    assert lines[0] == f"; {o}  ({o.place})"
    for h in o.hypotheses:
        comment = f"; {h.name}  ({h.place})" if h.place else f"; {h.name}"
        assert lines[lines.index(comment) + 1].startswith("(assert ")
    assert lines[-3] == f"; the goal is false  ({o.place})"
    assert lines[-2].startswith("(assert (not ")


def test_a_line_that_moves_leaves_the_text_as_it_is(multipaxos_tower: Tower) -> None:
    def moved(o: Obligation) -> Obligation:
        hypotheses = tuple(replace(h, place=str(Place("elsewhere.py", 1, ""))) for h in o.hypotheses)
        return replace(o, place="elsewhere.py:2", hypotheses=hypotheses)

    for o in obligations(multipaxos_tower):
        assert Query.of(moved(o)).text == Query.of(o).text


def test_no_two_obligations_share_a_text(multipaxos_tower: Tower) -> None:
    """But for initial states: where all is empty, different invariants may say the same."""
    asked = (o for o in obligations(multipaxos_tower) if not o.skipped and o.action != "init")
    texts = [Query.of(o).text for o in asked]
    assert len(set(texts)) == len(texts)


def test_one_hypothesis_less_is_another_text(multipaxos_tower: Tower) -> None:
    for o in obligations(multipaxos_tower):
        fewer = replace(o, hypotheses=o.hypotheses[1:])
        assert not o.hypotheses or Query.of(fewer).text != Query.of(o).text


def test_constants_are_the_parameters_and_nothing_else(multipaxos_tower: Tower) -> None:
    for o in obligations(multipaxos_tower):
        constants = [line for line in Query.of(o).declarations if line.startswith("(declare-const")]
        assert len(constants) <= len(o.params), str(o)


def test_a_hypothesis_may_be_called_anything() -> None:
    from quorate.checker.term import FALSE

    o = Obligation("level", "a", "goal", "here", FALSE, (Hypothesis("require(x | {(a,)}\n)", FALSE),))
    solver = z3.Solver(ctx=z3.Context())
    solver.from_string(script(o))
    assert solver.check() == z3.unsat


def test_words_of_smtlib_and_letters_of_any_language_are_names_like_others(
    module_of: Callable[[str], ModuleType],
) -> None:
    """The counterexample is read back, so the names in the text are those that are asked of the model."""
    proof = prove(Tower((Specification.of(module_of(HOSTILE), "hostile"),)))
    assert [o.result for o in proof.outcomes] == ["proved", "failed"]
    (failed,) = proof.objections()
    assert failed.counterexample is not None
    assert failed.counterexample.after["select"]


HOSTILE = """
from ..checker.language import Set, Sort, State, action, init, invariant


class Größe(Sort, ordered=True): ...


class Bool(State):
    select: Set[Größe, Größe]
    let: Set[Größe]


@init
def distinct() -> Bool:
    return Bool()


@action
def store(now: Bool, let: Größe, ß: Größe) -> Bool:
    return now.but(select=now.select | {(let, ß)}, let=now.let - {(ß,)})


@invariant
def ite(now: Bool) -> bool:
    return not any((let, ß) in now.select and let < ß for let in Größe for ß in Größe)
"""

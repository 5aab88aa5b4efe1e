"""Several runs together say what their worst says, and everything that was found out stands in its cell."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from quorate.checker.prove.asking import Means
from quorate.checker.prove.cores import Core
from quorate.checker.prove.matrix import Cell, Matrix, with_cores
from quorate.checker.prove.obligation import Hypothesis, Obligation
from quorate.checker.prove.proof import Proof, prove
from quorate.checker.prove.report import foundation, outside_sentence, said, show
from quorate.checker.prove.second import Cvc5
from quorate.checker.prove.solving import Z3, Outcome, Result
from quorate.checker.refinement import Tower
from quorate.checker.term import TRUE
from quorate.refinement.tower import tower

O = Obligation("consensus", "act", "goal", "here", TRUE, (Hypothesis("one", TRUE), Hypothesis("two", TRUE)))  # noqa: E741


def run(solver: str, *results: Result, seconds: float = 0.01, cached: bool = False) -> Proof:
    outcomes = tuple(Outcome(O, r, seconds, "why", cached=cached) for r in results)
    return Proof(tower("consensus"), solver, outcomes, 1.0)


@pytest.fixture(scope="module")
def full() -> Matrix:
    """Multi-Paxos by two provers and two seeds each, with cores."""
    solvers = [Z3(0), Z3(1), Cvc5(0), Cvc5(1)]
    return with_cores([prove(tower("multipaxos"), s) for s in solvers], Means(jobs=2))


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        (["proved", "proved"], "proved"),
        (["proved", "unknown"], "unknown"),
        (["unknown", "failed"], "refuted"),
        (["proved", "failed"], "refuted"),
    ],
)
def test_runs_together_are_as_good_as_their_worst(verdicts: list[Result], together: str) -> None:
    runs = tuple(run(f"z3 1, seed {i}", r) for i, r in enumerate(verdicts))
    for order in (runs, runs[::-1]):
        assert Matrix(order).verdict == together
        assert (together == "proved") == (list(Matrix(order).objections()) == [])


def test_a_counterexample_settles_it_even_if_another_run_does_not_know() -> None:
    cell = Cell(O, (Outcome(O, "unknown", 0.0, "tired"), Outcome(O, "failed", 0.0)))
    assert (cell.result, cell.reason) == ("failed", "")


def test_seeds_of_one_prover_share_a_column(full: Matrix) -> None:
    z3, cvc5 = full.provers
    assert z3.startswith("z3 ")
    assert cvc5.startswith("cvc5 ")
    assert all(len(full.of_prover(cell, z3)) == len(full.of_prover(cell, cvc5)) == 2 for cell in full.cells)


def test_a_cell_shows_the_shortest_and_the_longest_time() -> None:
    runs = (run("z3 1, seed 0", "proved", seconds=0.03), run("z3 1, seed 1", "proved", seconds=0.01))
    matrix = Matrix(runs)
    assert said(matrix, matrix.cells[0], "z3 1").plain == "10 ms to 30 ms"


def test_a_cell_says_cached_only_if_every_run_of_it_was() -> None:
    fresh, known = run("z3 1, seed 0", "proved"), run("z3 1, seed 1", "proved", cached=True)
    both, one = Matrix((known, known)), Matrix((fresh, known))
    assert said(both, both.cells[0], "z3 1").plain == "cached"
    assert said(both, both.cells[0], "z3 1", recalled="").plain == "10 ms"
    assert said(one, one.cells[0], "z3 1").plain == "10 ms"


def test_a_cell_says_what_its_prover_does_not_know() -> None:
    matrix = Matrix((run("z3 1, seed 0", "proved"), run("cvc5 1, seed 0", "unknown")))
    assert said(matrix, matrix.cells[0], "z3 1").plain == "10 ms"
    assert said(matrix, matrix.cells[0], "cvc5 1").plain == "UNKNOWN"


def test_json_has_everything_that_is_known(full: Matrix) -> None:
    told = json.loads(json.dumps(full.to_json()))
    assert told.keys() == {"spec", "verdict", "seconds", "solver", "runs", "obligations"}
    assert [r["verdict"] for r in told["runs"]] == ["proved"] * 4
    keys = {"level", "action", "conjunct", "claim", "place", "result", "seconds", "cached", "reason"}
    keys |= {"counterexample", "decidable", "cycles", "rests_on", "vacuous", "runs"}
    for o in told["obligations"]:
        assert o.keys() == keys
        assert len(o["runs"]) == 4
        assert (o["result"] == "skipped") == (o["decidable"] is None) == (o["rests_on"] is None)
        assert (o["decidable"] is False) == bool(o["cycles"])
    (cell,) = (
        o for o in told["obligations"] if (o["action"], o["conjunct"]) == ("promise", "reports_are_full")
    )
    assert cell["rests_on"] == ["logs_are_full", "reports_are_full"]
    assert cell["vacuous"] is False
    assert cell["cycles"] == ["ballot to ballot by reports_are_full"]


def test_without_cores_nothing_is_said_of_them() -> None:
    matrix = Matrix((prove(tower("consensus")),))
    assert {o["rests_on"] for o in matrix.to_json()["obligations"]} == {None}


def test_what_is_undecidable_by_its_form_may_be_decidable_by_what_it_needs(full: Matrix) -> None:
    cells = {(c.obligation.action, c.obligation.conjunct): c for c in full.cells if c.outside}
    spared = cells["accept", "logs_are_true"]
    assert spared.core_fragment is not None
    assert spared.core_fragment.decidable
    needing = cells["promise", "reports_are_full"]
    assert needing.core_fragment is not None
    assert not needing.core_fragment.decidable


def test_it_is_counted_what_lies_outside_and_who_leads_there(full: Matrix) -> None:
    asked, outside = (sum(c.result != "skipped" for c in full.cells), sum(c.outside for c in full.cells))
    sentence = outside_sentence(full)
    assert sentence.startswith(
        f"{asked - outside} of {asked} queries lie in the decidable fragment; {outside} lead from a sort back to it, "
    )
    assert f"reports_are_full ({outside})" in sentence
    assert "of these do with the hypotheses alone that they need" in sentence
    assert outside_sentence(Matrix((prove(tower("voting")),))) == ""


def test_only_what_is_proved_has_a_core(says: Callable[..., Z3]) -> None:
    matrix = with_cores([prove(tower("consensus"), says("unknown"))])
    assert matrix.cores == {}


def test_cores_are_told_as_they_come() -> None:
    seen: list[tuple[str, int, int]] = []
    with_cores([prove(tower("consensus"))], watch=lambda o, done, total: seen.append((o.action, done, total)))
    assert seen == [("init", 1, 2), ("choose", 2, 2)]


@pytest.mark.parametrize(
    ("core", "words"),
    [
        (Core((0, 1)), "one, two"),
        (Core((1,), unsure=(1,)), "two?"),
        (Core(()), "nothing"),
        (Core((0,), vacuous=True), "nothing that happens: one contradict one another"),
        (None, "what could not be found out"),
    ],
)
def test_what_a_proof_rests_on_is_said_in_words(core: Core | None, words: str) -> None:
    assert foundation(Cell(O, (Outcome(O, "proved", 0.0),), core)) == words


def screen(matrix: Matrix, terminal: bool) -> str:
    out = io.StringIO()
    show(
        matrix, Console(file=out, force_terminal=terminal, width=200, color_system=None, legacy_windows=False)
    )
    return out.getvalue()


def test_on_the_screen_each_prover_has_its_line_and_its_column(full: Matrix) -> None:
    text = screen(full, terminal=True)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    at = next(i for i, row in enumerate(rows) if row[:1] == ["promise"])
    assert [rows[at][1], rows[at + 1][1]] == list(full.provers)
    assert all(cell.endswith("*") for cell in (rows[at][2], rows[at + 1][2])), "outside the fragment"
    headings = next(line for line in text.splitlines() if "to show" in line and "where" in line)
    assert all(prover in headings for prover in full.provers)
    assert "* outside the decidable fragment" in text
    assert "multipaxos: what each proof rests on" in text


def test_elsewhere_each_core_is_a_line(full: Matrix) -> None:
    lines = screen(full, terminal=False).splitlines()
    assert "multipaxos: promise: reports_are_full rests on logs_are_full, reports_are_full" in lines
    assert sum(" rests on " in line for line in lines) == sum(c.result == "proved" for c in full.cells)
    assert lines[-1].endswith(f"{full.runs[-1].solver})")


def test_a_run_that_recalled_something_says_so() -> None:
    proof = run("z3 1, seed 0", "proved", cached=True)
    assert ", 1 cached; " in screen(Matrix((proof,)), terminal=False)
    assert "cached" not in screen(
        Matrix((replace(proof, outcomes=run("z3 1", "proved").outcomes),)), terminal=False
    )


def test_levels_are_told_from_refinements(multipaxos_tower: Tower, full: Matrix) -> None:
    floors = [level for level in full.levels() if full.is_floor(level)]
    assert floors == [spec.name for spec in reversed(multipaxos_tower.floors)]

"""cvc5 proves what Z3 proves, and where it does not know it does not say that it does."""

from __future__ import annotations

import sys

import pytest

from quorate.checker.mutation import find_mutant, mutate
from quorate.checker.prove import second
from quorate.checker.prove.obligation import Hypothesis, Obligation
from quorate.checker.prove.proof import prove
from quorate.checker.prove.second import Cvc5, SolverMissing
from quorate.checker.prove.solving import Z3, Outcome
from quorate.checker.refinement import Tower
from quorate.checker.specification import Specification
from quorate.checker.term import FALSE
from quorate.refinement.tower import FLOORS, tower

ABSURD = Obligation("level", "act", "goal", "here", FALSE, (Hypothesis("absurd", FALSE),))
WRONG = Obligation("level", "act", "goal", "here", FALSE)


@pytest.mark.parametrize("seed", range(2))
def test_the_tower_is_proved_by_another_solver(multipaxos_tower: Tower, seed: int) -> None:
    proof = prove(multipaxos_tower, Cvc5(seed))
    assert [str(o.obligation) for o in proof.objections()] == []
    assert proof.verdict == "proved"
    assert proof.solver.startswith("cvc5 ")
    assert proof.solver.endswith(f", seed {seed}")


@pytest.mark.parametrize(
    ("name", "mutant"), [("voting", "vote_unproposed"), ("multipaxos", "accept_raises_no_promise")]
)
def test_a_mutant_fails_where_it_fails_for_z3(name: str, mutant: str) -> None:
    base = Specification.of(FLOORS[name].specification)
    broken = tower(name, mutate(base, find_mutant(base, mutant)))
    theirs, ours = ({str(o.obligation) for o in prove(broken, s).objections()} for s in (Cvc5(), Z3()))
    assert theirs == ours


def test_a_refutation_has_a_counterexample() -> None:
    outcome = Cvc5().discharge(WRONG)
    assert outcome.result == "failed"
    assert outcome.counterexample is not None
    assert outcome.counterexample.refuted() == ""


@pytest.mark.parametrize(
    ("said", "reason"), [("proved", "has a proof"), ("unknown", "does not know (tired)")]
)
def test_two_solvers_that_disagree_leave_it_open(
    monkeypatch: pytest.MonkeyPatch, said: str, reason: str
) -> None:
    monkeypatch.setattr(Z3, "discharge", lambda self, o: Outcome(o, said, 0.0, "tired"))  # type: ignore[arg-type]
    outcome = Cvc5().discharge(WRONG)
    assert (outcome.result, outcome.reason) == ("unknown", f"cvc5 has a model where z3 {reason}")


def test_a_proof_needs_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def unasked(self: Z3, o: Obligation) -> Outcome:
        raise AssertionError("Z3 was asked")

    monkeypatch.setattr(Z3, "discharge", unasked)
    assert Cvc5().discharge(ABSURD).result == "proved"


def test_an_incomplete_search_does_not_know(multipaxos_tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without instances of ground terms it is incomplete here, and says so."""
    monkeypatch.setattr(second, "STRATEGIES", ("e-matching",))
    proof = prove(tower("voting"), Cvc5())
    assert proof.verdict == "unknown"
    assert {o.reason for o in proof.objections()} == {"e-matching: incomplete"}


def test_where_it_is_not_installed_that_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cvc5", None)
    with pytest.raises(SolverMissing, match=r"pip install 'quorate\[cvc5\]'") as caught:
        Cvc5()
    assert "\n" not in str(caught.value)

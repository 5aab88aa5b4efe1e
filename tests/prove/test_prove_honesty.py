"""What is not known is never taken for proved, whatever the reason."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType

import pytest

from quorate.checker.prove.interrupt import interrupted, interruptible
from quorate.checker.prove.obligation import Hypothesis, Obligation
from quorate.checker.prove.proof import NothingToProve, Proof, obligations, prove
from quorate.checker.prove.solving import Z3, Outcome
from quorate.checker.refinement import Tower
from quorate.checker.specification import Specification
from quorate.checker.term import FALSE, TRUE, And, In, Not, Or, Var
from quorate.refinement.tower import tower
from quorate.spec.sorts import Acceptor, Quorum


def test_a_proof_is_not_known_when_the_solver_does_not_know(says: Callable[..., Z3]) -> None:
    proof = prove(tower("voting"), says("unknown", "out of breath"))
    assert proof.verdict == "unknown"
    assert {o.reason for o in proof.objections()} == {"out of breath"}


def test_a_solver_that_runs_out_of_time_does_not_know() -> None:
    """Twelve pigeons do not fit into eleven holes, which takes a solver of this kind longer than anybody waits."""
    pigeons = [Var(f"p{i}", Acceptor) for i in range(12)]
    holes = [Var(f"h{i}", Acceptor) for i in range(11)]
    sits = {(p, h): In("sits", (p, h)) for p in pigeons for h in holes}
    somewhere = And(tuple(Or(tuple(sits[p, h] for h in holes)) for p in pigeons))
    alone = And(
        tuple(
            Not(And((sits[p, h], sits[q, h]))) for h in holes for p, q in itertools.combinations(pigeons, 2)
        )
    )
    told = (Hypothesis("somewhere", somewhere), Hypothesis("alone", alone))
    o = Obligation("level", "act", "goal", "here", FALSE, told, params=(*pigeons, *holes))
    outcome = Z3(seconds_max=0.001).discharge(o)
    assert (outcome.result, outcome.reason, outcome.counterexample) == ("unknown", "timeout", None)


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        (["proved", "skipped"], "proved"),
        (["proved", "unknown"], "unknown"),
        (["proved", "failed"], "refuted"),
        (["unknown", "failed"], "refuted"),
        ([], "unknown"),
    ],
)
def test_a_verdict_is_as_good_as_its_worst_part(results: list[str], verdict: str) -> None:
    o = Obligation("level", "init", "goal", "here", TRUE)
    outcomes = tuple(Outcome(o, result, 0.0) for result in results)  # type: ignore[arg-type]
    assert Proof(tower("consensus"), "none", outcomes, 0.0).verdict == verdict


def test_a_refutation_whose_counterexample_fails_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    from quorate.checker.prove.counterexample import Counterexample

    monkeypatch.setattr(Counterexample, "refuted", lambda self: "it does not hold water")
    outcome = Z3().discharge(Obligation("level", "init", "goal", "here", FALSE))
    assert (outcome.result, outcome.counterexample) == ("unknown", None)
    assert "it does not hold water" in outcome.reason


def test_a_parameter_of_which_nothing_is_said_has_a_name_too() -> None:
    """Fewer hypotheses than all may not mention its sort; the model then has no member of it."""
    o = Obligation("made", "act", "goal", "made.py:1", FALSE, params=(Var("a", Acceptor), Var("q", Quorum)))
    found = Z3().discharge(o).counterexample
    assert found is not None
    assert found.parameters["a"] == "a1"
    assert found.parameters["q"] in found.instance.members[Quorum]


def test_a_goal_is_proved_from_its_hypotheses_alone() -> None:
    o = Obligation("level", "init", "goal", "here", FALSE)
    assert Z3().discharge(o).result == "failed"
    told = Obligation("level", "init", "goal", "here", FALSE, (Hypothesis("absurd", FALSE),))
    assert Z3().discharge(told).result == "proved"


def test_axioms_that_contradict_one_another_are_refused(module_of: Callable[[str], ModuleType]) -> None:
    with pytest.raises(NothingToProve, match=r"contradicts itself.*no_node, two_nodes"):
        prove(Tower((Specification.of(module_of(ABSURD), "absurd"),)))


def test_a_specification_that_claims_nothing_is_refused(module_of: Callable[[str], ModuleType]) -> None:
    text = ABSURD.partition("@invariant")[0]
    with pytest.raises(NothingToProve, match="claims nothing") as caught:
        prove(Tower((Specification.of(module_of(text), "mute"),)))
    assert "\n" not in str(caught.value)


def test_an_interrupted_proof_keeps_what_it_has_and_is_not_known() -> None:
    class Impatient:
        name = "impatient"
        asked = 0

        def discharge(self, obligation: Obligation) -> Outcome:
            self.asked += 1
            if self.asked > 4:
                raise KeyboardInterrupt
            return Z3().discharge(obligation)

    proof = prove(tower("voting"), Impatient())
    assert proof.verdict == "unknown"
    assert len(proof.outcomes) == len(obligations(tower("voting")))
    assert proof.count("proved") == 3, "one question went to the axioms"
    assert {o.reason for o in proof.objections()} == {"interrupted"}


HARD = """
import sys, z3
from quorate.checker.prove.smt import ask
context = z3.Context()
solver = z3.Solver(ctx=context)
solver.set(timeout=120_000)
S = z3.DeclareSort("S", context)
f = z3.Function("f", S, S, S)
a, b, x, y, z = z3.Consts("a b x y z", S)
solver.add(z3.ForAll([x, y, z], f(f(x, y), z) == f(x, f(y, z))), z3.ForAll([x], f(f(x, x), x) == x))
solver.add(z3.ForAll([x], z3.Exists([y], z3.And(y != x, f(y, x) != f(x, y)))), f(a, b) != f(b, a))
print("asking", flush=True)
try:
    print(ask(solver))
except KeyboardInterrupt:
    print("interrupted")
"""


HARD_FOR_CVC5 = """
from quorate.checker.prove.second import Cvc5
print("asking", flush=True)
try:
    print(Cvc5(seconds_max=1200)._answer('''
        (declare-sort S 0) (declare-fun f (S S) S) (declare-const a S) (declare-const b S)
        (assert (forall ((x S) (y S) (z S)) (= (f (f x y) z) (f x (f y z)))))
        (assert (forall ((x S)) (= (f (f x x) x) x)))
        (assert (forall ((x S)) (exists ((y S)) (and (not (= x y)) (not (= (f y x) (f x y)))))))
        (assert (not (= (f a b) (f b a))))
    ''', "enum-inst"))
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("program", [HARD, HARD_FOR_CVC5])
def test_ctrl_c_reaches_a_solver_at_work(program: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "asking\n"
        time.sleep(0.3)
        os.kill(child.pid, signal.SIGINT)
        out, _ = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    assert out == "interrupted\n"


class Deaf:
    """A solver in which Ctrl-C comes and is lost."""

    name = "deaf"

    def __init__(self, at: int) -> None:
        self.left = at

    def discharge(self, obligation: Obligation) -> Outcome:
        self.left -= 1
        if not self.left:
            with suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        return Z3().discharge(obligation) if self.left else Outcome(obligation, "proved", 0.0)


def test_a_proof_ends_where_ctrl_c_was_lost() -> None:
    with interruptible():
        proof = prove(tower("voting"), Deaf(5))
        again = prove(tower("voting"))
    assert proof.verdict == "unknown"
    assert proof.count("proved") == 4, "one question went to the axioms"
    assert {o.reason for o in proof.objections()} == {"interrupted"}
    assert again.count("proved") == 0, "nothing more is asked, of whomever"


def test_what_has_nothing_to_prove_is_no_less_known_when_ctrl_c_comes() -> None:
    with interruptible():
        stopped = prove(tower("multipaxos"), Deaf(2))
    nothing = sum(bool(o.skipped) for o in obligations(tower("multipaxos")))
    assert stopped.count("skipped") == nothing > 0


def test_ctrl_c_while_an_object_is_let_go_of_is_remembered_and_nothing_is_said_of_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Fragile:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    said = sys.unraisablehook
    with interruptible():
        Fragile()
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            Z3().discharge(Obligation("level", "init", "goal", "here", FALSE))
    assert not interrupted()
    assert (signal.getsignal(signal.SIGINT), sys.unraisablehook) == (signal.default_int_handler, said)
    assert Z3().discharge(Obligation("level", "init", "goal", "here", FALSE)).result == "failed"
    assert capfd.readouterr().err == ""


ABSURD = """
from ..checker.language import Set, Sort, State, action, axiom, init, invariant


class Node(Sort): ...


class Nodes(State):
    seen: Set[Node]


@axiom
def no_node() -> bool:
    return all(n != n for n in Node)


@axiom
def two_nodes() -> bool:
    return any(n != m for n in Node for m in Node)


assumes = [no_node, two_nodes]


@init
def none() -> Nodes:
    return Nodes()


@action
def see(now: Nodes, n: Node) -> Nodes:
    return now.but(seen=now.seen | {(n,)})


@invariant
def nothing_is_seen(now: Nodes) -> bool:
    return not any((n,) in now.seen for n in Node)
"""

"""What is taken away is taken away from the right obligations, and what the solver does not know is not passed over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from quorate.checker.explore.result import Limits
from quorate.checker.prove.obligation import Obligation
from quorate.checker.prove.proof import Proof, obligations
from quorate.checker.prove.solving import Z3, Outcome, Solver
from quorate.checker.refinement import Tower
from quorate.checker.study.report import study_json, study_lines, table
from quorate.checker.study.study import (
    BadStudy,
    Bounds,
    Examiner,
    settled,
    touched,
    without_axiom,
    without_invariant,
)
from quorate.cli.main import Exit, run
from quorate.cli.specs import tower_of
from quorate.refinement.tower import tower
from quorate.spec import voting_mutants

Failing = Callable[[str, str], tuple[Tower, list[Outcome]]]
QUICK = Bounds(members_max=7, search_seconds_max=None, explorer=Limits(states_max=20_000))


# What is asked -------------------------------------------------------------------------------


def test_only_what_rests_on_an_invariant_is_asked_again() -> None:
    whole = tower("multipaxos")
    asked = touched(obligations(without_invariant(whole, "logs_are_full")), obligations(whole))
    assert asked
    assert {o.level.split(" is ")[0] for o in asked} == {"multipaxos"}
    assert all("logs_are_full" not in {h.name for h in o.hypotheses} for o in asked)
    assert all(o.conjunct != "logs_are_full" for o in asked)
    assert not touched(obligations(whole), obligations(whole))


def test_without_an_axiom_nothing_may_rely_on_it() -> None:
    whole = tower("voting")
    by_name, by_words = (
        without_axiom(whole, obligations(whole), n) for n in ("ballot_order", "order of Ballot")
    )
    assert [names_of(o) for o in by_name] == [names_of(o) for o in by_words]
    for name in ("quorums_meet", "ballot_order"):
        left = without_axiom(whole, obligations(whole), name)
        assert [str(o) for o in left] == [str(o) for o in obligations(whole)]
        assert all(name not in {h.name for h in o.hypotheses} for o in left)
        pairs = zip(left, obligations(whole), strict=True)
        assert all(len(o.hypotheses) == len(p.hypotheses) - 1 for o, p in pairs if p.hypotheses)


def names_of(o: Obligation) -> list[str]:
    return [h.name for h in o.hypotheses]


@pytest.mark.parametrize(
    ("take", "words"),
    [
        (lambda: without_invariant(tower("voting"), "agree"), ["no invariant agree", "one_proposal"]),
        (
            lambda: without_axiom(tower("voting"), (), "one_proposal"),
            ["no one_proposal", "quorums_meet, ballot_order"],
        ),
    ],
)
def test_what_is_not_there_cannot_be_taken_away(take: Callable[[], object], words: list[str]) -> None:
    with pytest.raises(BadStudy) as caught:
        take()
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words)


# What comes of it ----------------------------------------------------------------------------


def test_a_study_shows_the_failure_and_counts_the_rest() -> None:
    study = Examiner(bounds=QUICK).drop(tower("multipaxos"), "logs_are_true")
    assert study.verdict == "refuted"
    finding, other = study.findings
    assert str(finding.outcome.obligation) == "multipaxos: promise: reports_are_true"
    assert str(other.outcome.obligation) == "multipaxos: promise: reports_are_latest"
    assert (finding.rows, finding.excluded, finding.smallest) == (2, 4, True)
    assert finding.reachability is not None
    assert finding.reachability.answer == "unreachable"
    asked = [o for o in obligations(study.tower) if not o.skipped]
    assert len(study.outcomes) + study.untouched == len(asked)
    lines = list(study_lines(study))
    assert "    log       (a1, s1, 1, v1)" in lines
    assert "  promise(a=a1, b=1)" in lines
    assert any(
        line.startswith("  Can it happen?  Not in this universe: of all its 5 states") for line in lines
    )
    assert lines[-1].startswith("multipaxos without logs_are_true: 2 of ")


def test_the_table_has_a_line_for_each_failure() -> None:
    studies = [Examiner(bounds=QUICK).drop(tower("consensus"), "agreement")]
    assert list(table(studies)) == [
        "without    fails                            members  rows  given  can it happen?",
        "agreement  consensus: invariant: agreement  3        2     2      no, 3 states",
    ]


@pytest.mark.parametrize("mutant", [m.name for m in voting_mutants.MUTANTS])
def test_every_mutant_of_voting_is_refuted_by_a_state_that_the_text_bears_out(mutant: str) -> None:
    """Some mutants are broken in larger universes only, so none need be reachable in the smallest."""
    study = Examiner(bounds=QUICK).mutant(tower_of("voting", mutant), mutant)
    assert study.verdict == "refuted"
    assert study.findings
    for finding in study.findings:
        assert finding.outcome.counterexample is not None
        assert finding.outcome.counterexample.refuted() == ""


def test_what_the_text_does_not_bear_out_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    from quorate.checker.study import study as module

    monkeypatch.setattr(module, "objection", lambda found, tower: "accept is refused in the state")
    study = Examiner(bounds=QUICK).drop(tower("consensus"), "agreement")
    assert study.verdict == "unknown"
    assert study.findings == ()
    assert "does not bear out" in study.outcomes[0].reason


# Unknown -------------------------------------------------------------------------------------


def test_what_the_solver_does_not_know_is_found_in_a_small_universe(shrug: Solver) -> None:
    study = Examiner(shrug, QUICK).drop(tower("voting"), "votes_follow_proposals")
    assert study.verdict == "refuted"
    failed = {o.obligation.conjunct for o in study.outcomes if o.result == "failed"}
    assert {"proposals_are_safe", "agreement"} <= failed
    unknown = [o for o in study.outcomes if o.result == "unknown"]
    assert unknown
    for o in unknown:
        assert o.reason.startswith("out of breath; no counterexample with up to 7 members in all")


def test_small_universes_are_looked_through_before_a_solver_has_all_its_time() -> None:
    asked: list[tuple[str, float]] = []

    class Dull(Z3):
        def discharge(self, obligation: Obligation) -> Outcome:
            asked.append((str(obligation), self.seconds_max))
            return Outcome(obligation, "unknown", 0.0, "out of breath")

    study = Examiner(Dull(seconds_max=30.0), QUICK).drop(tower("voting"), "votes_follow_proposals")
    assert study.verdict == "refuted"
    for outcome in study.outcomes:
        times = [seconds for name, seconds in asked if name == str(outcome.obligation)]
        assert times == ([3.0] if outcome.result == "failed" else [3.0, 30.0])
    assert any("no counterexample with up to 7 members" in o.reason for o in study.outcomes)


def test_small_universes_without_a_counterexample_prove_nothing(shrug: Solver) -> None:
    whole = tower("consensus")
    outcomes = tuple(shrug.discharge(o) for o in obligations(whole))
    proof = settled(Proof(whole, "shrug", outcomes, 0.0), QUICK)
    assert proof.verdict == "unknown"
    assert all("no counterexample with up to 7 members" in o.reason for o in proof.outcomes)


def test_what_was_interrupted_is_not_searched_for() -> None:
    whole = tower("consensus")
    outcome = Outcome(obligations(whole)[0], "unknown", 0.0, "interrupted")
    assert Examiner(bounds=QUICK).settle(whole, outcome) is outcome
    proved = Z3().discharge(obligations(whole)[0])
    assert Examiner(bounds=QUICK).settle(whole, proved) is proved


# The command ---------------------------------------------------------------------------------


def test_dropping_an_invariant_exits_as_refuted(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "consensus", "--drop", "agreement", "--json"]) == Exit.VIOLATED
    told = json.loads(capsys.readouterr().out)
    assert (told["spec"], told["without"], told["verdict"]) == ("consensus", "agreement", "refuted")
    (finding,) = told["findings"]
    assert finding["rows"] == 2
    assert finding["reachability"]["answer"] == "unreachable"
    (failed,) = [o for o in told["obligations"] if o["result"] == "failed"]
    assert failed["counterexample"]["state"] == {"chosen": [["s1", "v1"], ["s1", "v2"]]}


def test_a_run_is_told_as_data_too() -> None:
    whole = tower("voting")
    told = study_json(Examiner(bounds=Bounds(9, None, QUICK.explorer)).drop_axiom(whole, "ballot_order"))
    runs = [f["reachability"]["run"] for f in told["findings"] if f["reachability"]["answer"] == "reachable"]
    assert runs
    assert all(r["steps"][0]["action"] in ("propose", "leave") for r in runs)
    assert json.loads(json.dumps(told)) == told


def test_all_drops_hold_if_every_invariant_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "consensus", "--all-drops"]) == Exit.HOLDS
    assert capsys.readouterr().out.splitlines()[-1].startswith("agreement  consensus: invariant: agreement")


def test_what_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "--drop", "nothing"]) == Exit.BAD_INPUT
    said = capsys.readouterr().err
    assert said.startswith("quorate: multipaxos has no invariant nothing; it has promises_leave")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--bmc", "2", "--drop", "agreement"], "--drop and --bmc: ask for one at a time"),
        (["--drop", "agreement", "--seeds", "2"], "are of a whole proof"),
        (["--strengthen", "--all-drops"], "--all-drops and --strengthen: ask for one at a time"),
        (["-n", "value=3"], "-n is for --bmc and --k-induction"),
        (["--drop", "agreement", "-n", "value=3"], "-n is for --bmc and --k-induction"),
    ],
)
def test_no_option_is_passed_over_in_silence(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prove", "consensus", *options]) == Exit.BAD_INPUT
    assert words in capsys.readouterr().err


def test_a_superfluous_invariant_is_called_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "spare.py"
    file.write_text(SPARE)
    assert run(["prove", str(file), "--all-drops"]) == Exit.VIOLATED
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["grows", "true"]
    assert all("nothing: it is not needed" in line for line in lines[1:])


@pytest.mark.parametrize("option", [["--bmc", "1"], ["--k-induction", "1"], ["--all-drops"]])
def test_nothing_is_proved_of_a_specification_that_claims_nothing(
    option: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mute.py"
    file.write_text(SPARE.partition("@invariant")[0])
    assert run(["prove", str(file), *option]) == Exit.BAD_INPUT
    assert "mute claims nothing" in capsys.readouterr().err


def test_without_an_invariant_none_is_said_to_be_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "safe.py"
    file.write_text(SPARE.replace("invariant", "safety"))
    assert run(["prove", str(file), "--all-drops"]) == Exit.BAD_INPUT
    assert "safe has no invariant to leave out" in capsys.readouterr().err


SPARE = """
from quorate.checker.language import Set, Sort, State, action, init, invariant


class Node(Sort): ...


class Nodes(State):
    up: Set[Node]


@init
def none() -> Nodes:
    return Nodes()


@action
def start(now: Nodes, n: Node) -> Nodes:
    return now.but(up=now.up | {(n,)})


@invariant
def grows(now: Nodes) -> bool:
    return all((n,) in now.up or (n,) not in now.up for n in Node)


@invariant
def true(now: Nodes) -> bool:
    return all((n,) not in now.up or (n,) in now.up for n in Node)
"""

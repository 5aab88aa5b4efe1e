"""What a proof looks like: on a terminal, elsewhere, and as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from rich.console import Console

from quorate.checker.mutation import find_mutant, mutate
from quorate.checker.prove.counterexample import Counterexample
from quorate.checker.prove.counterexample_text import counterexample_lines
from quorate.checker.prove.matrix import Matrix
from quorate.checker.prove.proof import Proof, prove
from quorate.checker.prove.report import line, show, summary, watching
from quorate.checker.prove.solving import Z3
from quorate.checker.specification import Specification
from quorate.refinement.tower import FLOORS, tower


def console(terminal: bool, width: int = 120) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    to = Console(file=out, force_terminal=terminal, width=width, color_system=None, legacy_windows=False)
    return to, out


@pytest.fixture(scope="module")
def voting_proof() -> Proof:
    return prove(tower("voting"))


@pytest.fixture(scope="module")
def refuted() -> Proof:
    base = Specification.of(FLOORS["voting"].specification)
    return prove(tower("voting", mutate(base, find_mutant(base, "vote_unproposed"))))


def test_the_matrix_has_actions_down_and_conjuncts_across(voting_proof: Proof) -> None:
    to, out = console(terminal=True)
    show(Matrix((voting_proof,)), to)
    rows = [[cell.strip() for cell in text.split("│")[1:-1]] for text in out.getvalue().splitlines()]
    cells = [o.obligation for o in voting_proof.outcomes if o.obligation.level == "voting"]
    conjuncts = dict.fromkeys(o.conjunct for o in cells)
    by_action = {row[0]: row[1:] for row in rows if len(row) == 1 + len(conjuncts)}
    assert list(by_action) == ["init", "leave", "propose", "vote", "invariant"]
    assert by_action["leave"][:2] == ["·", "·"]
    assert all(cell.endswith(("ms", " s")) for cell in by_action["init"][:3])
    assert by_action["invariant"][:3] == ["", "", ""]


def test_a_refinement_is_listed_with_its_places(voting_proof: Proof) -> None:
    to, out = console(terminal=True)
    show(Matrix((voting_proof,)), to)
    require = next(r for r in tower("consensus").floors[0].steps["choose"].requires)
    (found,) = [text for text in out.getvalue().splitlines() if require.place.text in text]
    assert str(require.place) in found


def test_a_table_that_is_too_wide_is_lines_and_nothing_is_cut(voting_proof: Proof) -> None:
    to, out = console(terminal=True, width=40)
    show(Matrix((voting_proof,)), to)
    said = out.getvalue()
    assert "…" not in said
    assert "propose: votes_follow_proposals" in said
    assert "·  leave: one_proposal" in said


def test_elsewhere_every_obligation_is_a_plain_line(voting_proof: Proof) -> None:
    to, out = console(terminal=False)
    with watching(to) as watch:
        proof = prove(tower("consensus"), watch=watch)
    assert out.getvalue().splitlines() == [line(o) for o in proof.outcomes]
    first = voting_proof.outcomes[0]
    assert line(first).startswith("proved ")
    assert line(first).endswith(f"consensus: init: agreement ({first.obligation.place})")


def test_elsewhere_there_is_no_table(voting_proof: Proof) -> None:
    to, out = console(terminal=False)
    show(Matrix((voting_proof,)), to)
    assert out.getvalue() == summary(voting_proof) + "\n"


def test_watching_a_terminal_leaves_nothing_behind() -> None:
    to, out = console(terminal=True)
    with watching(to) as watch:
        prove(tower("consensus"), watch=watch)
    assert "consensus: choose" not in out.getvalue().rpartition("\r")[2]


def test_the_summary_says_what_was_proved_and_with_what(voting_proof: Proof, refuted: Proof) -> None:
    asked = sum(o.result != "skipped" for o in voting_proof.outcomes)
    assert summary(voting_proof).startswith(
        f"voting: proved, for any number of everything ({asked} of {asked} obligations"
    )
    assert voting_proof.solver in summary(voting_proof)
    assert summary(refuted).startswith("voting: refuted: 1 failed (")


def test_what_is_not_known_is_named(says: Callable[..., Z3]) -> None:
    to, out = console(terminal=False)
    show(Matrix((prove(tower("consensus"), says("unknown", "timeout")),)), to)
    first, *_, last = out.getvalue().splitlines()
    assert first.startswith("consensus: init: agreement: not known (timeout)")
    assert last.startswith("consensus: not known: 2 undecided")


def test_json_has_the_documented_keys(refuted: Proof) -> None:
    out = json.loads(json.dumps(refuted.to_json()))
    assert out["verdict"] == "refuted"
    assert out["spec"] == "voting"
    assert out["seconds"] > 0
    keys = {
        "level",
        "action",
        "conjunct",
        "claim",
        "place",
        "result",
        "seconds",
        "cached",
        "reason",
        "counterexample",
    }
    assert all(o.keys() == keys for o in out["obligations"])
    (failed,) = [o for o in out["obligations"] if o["result"] == "failed"]
    assert (failed["level"], failed["action"], failed["conjunct"]) == (
        "voting",
        "vote",
        "votes_follow_proposals",
    )
    assert failed["counterexample"]["parameters"].keys() == {"a", "s", "b", "v"}
    assert failed["counterexample"]["added"]["voted"] == [
        [failed["counterexample"]["parameters"][x] for x in "asbv"]
    ]


def found(proof: Proof) -> Counterexample:
    (outcome,) = proof.objections()
    assert outcome.counterexample is not None
    return outcome.counterexample


def test_a_counterexample_reads_as_a_story(refuted: Proof) -> None:
    assert list(counterexample_lines(found(refuted))) == [
        "voting: after vote, votes_follow_proposals need not hold",
        f"  votes_follow_proposals: {found(refuted).obligation.claim}",
        "  where acceptor is a1, ballot is 1, slot is s1, value is v1, quorum is {a1}",
        "  in a state with",
        "    nothing in it",
        "  vote(a=a1, s=s1, b=1, v=v1)",
        "    + voted (a1, s1, 1, v1)",
        f"  {found(refuted).obligation.place}: votes_follow_proposals is false for a=a1, s=s1, b=1, v=v1",
    ]

"""What all nodes have truncated the judge forgets, and judges no worse for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from quorate.checker.specification import Specification
from quorate.refinement.conformance import Conformance
from quorate.refinement.divergence import Rule
from quorate.refinement.judge import Judge
from quorate.spec import multipaxos
from quorate.traces.build import message
from quorate.traces.merge import merge

GOLDEN = Path(__file__).parent / "golden"

SLOT_COLUMN = {
    "proposed": 0,
    "accepted": 1,
    "log": 1,
    "reported": 2,
    "covered": 2,
    "checkpoints": 1,
    "snapshots": 0,
}


def rows(judge: Judge, upto: int) -> int:
    """How many rows speak of slots up to this one."""
    return sum(
        row[column] <= upto
        for relation, column in SLOT_COLUMN.items()
        for row in judge.ledger.machine.rows(relation)
    )


def test_nothing_that_the_judge_asks_goes_through_all_rows() -> None:
    """A line costs what it touches: a loop over a whole relation, at every slot of a checkpoint, took hours once."""
    printed = "\n".join(Judge().ledger.machine._printer.done)
    functions = re.split(r"\n(?=def )", printed)
    assert len(functions) > 20
    loops = [text.partition("(")[0] for text in functions if re.search(r"in rows_\w+(\.items\(\))?:", text)]
    assert not loops


def judged(file: Path) -> Judge:
    conformance = Conformance()
    for step in merge(file):
        assert conformance.check(step) is None
    return conformance.judge


@pytest.fixture
def truncated(story: type):
    """Three nodes that have truncated slots 1 and 2, and a message of before that comes late; who leads is a."""
    run = story()
    ballot = run.elect("a", 1, "ab")
    late = run.round(ballot, (1, "x"), (2, "y"), quorum="ab")
    answer = run.accept("c", late)
    beat = run.beat(ballot, 2)
    for name in "bc":
        run.learn(name, beat, (1, "x"), (2, "y"))
    for name in "abc":
        run.checkpoint(name, 2)
        run.truncate(name, 2)
    return run, ballot, late, answer


def test_what_all_nodes_have_truncated_is_forgotten() -> None:
    judge = judged(GOLDEN / "everybody_truncates.ndjson")
    assert judge.ledger.forgotten == 2
    assert rows(judge, 2) == 0
    assert rows(judge, 4) > 0


def test_nothing_is_forgotten_that_one_node_still_has(story: type, tmp_path: Path) -> None:
    run = story()
    ballot = run.elect("a", 1, "ab")
    run.round(ballot, (1, "x"), quorum="ab")
    for name in "a":
        run.checkpoint(name, 1)
        run.truncate(name, 1)
    run.end()
    files = run.script.save(tmp_path)
    judge = judged(tmp_path)
    assert files
    assert judge.ledger.forgotten == 0
    assert rows(judge, 1) > 0


def test_a_late_acceptance_of_a_forgotten_slot_may_happen(truncated, judge_lines: Callable) -> None:
    run, _, late, _ = truncated
    run.accept("b", late)
    run.end()
    assert judge_lines(run.lines).verdict == "conforms"


def test_a_late_acceptance_of_a_forgotten_slot_is_held_to_the_promise(
    truncated, judge_lines: Callable
) -> None:
    run, _, late, _ = truncated
    run.elect("b", 2, "bc")
    run.accept("b", late)
    found = judge_lines(run.lines).divergence
    assert (found.node, found.event) == ("b", "accept")
    assert "(a, b) not in now.left" in found.conjunct


def test_an_acceptance_of_its_own_below_the_truncation_diverges(truncated, judge_lines: Callable) -> None:
    run, _, late, _ = truncated
    run.accept("a", late)
    found = judge_lines(run.lines).divergence
    assert (found.node, found.event) == ("a", "accept")
    assert Rule.TRUNCATED.value in found.conjunct


@pytest.mark.parametrize("what", ["accept", "accepted", "learn", "promise"])
def test_what_a_node_says_of_slots_that_it_truncated_is_unverified(
    truncated, judge_lines: Callable, what: str
) -> None:
    """It may be so or not: never does it pass for true."""
    run, ballot, late, answer = truncated
    if what == "accept":
        run.resend("a", late)
    elif what == "accepted":
        run.resend("c", answer)
    elif what == "learn":
        said = message("learn", "c", entries=[(1, "another")])
        run.actors["a"].pen.write("ignore", reason="asked", send=[said])
    else:
        said = message("promise", "a", ballot=ballot, accepted=[(1, (1, "a"), "x")], low=0)
        run.actors["b"].pen.write("resend", send=[said])
    run.end()
    result = judge_lines(run.lines)
    assert result.divergence is None, str(result.divergence)
    assert (result.verdict, result.unverified) == ("unverified", 1 if what in ("learn", "promise") else 2)


def test_a_commit_of_what_was_truncated_is_unverified(truncated, judge_lines: Callable) -> None:
    run, ballot, _, _ = truncated
    run.actors["a"].pen.write("commit", ballot=ballot, quorum=["a", "b"], entries=[(1, "another")])
    run.end()
    result = judge_lines(run.lines)
    assert (result.verdict, result.unverified) == ("unverified", 1)


def test_memory_is_that_of_what_is_not_truncated(story: type, tmp_path: Path) -> None:
    run = story()
    ballot = run.elect("a", 1, "abc")
    most = 0
    for slot in range(1, 121):
        asked = run.round(ballot, (slot, f"v{slot}"), quorum="ab", commit=slot - 1)
        run.accept("c", asked)
        if slot % 10 == 0:
            beat = run.beat(ballot, slot)
            for name in "bc":
                run.learn(name, beat, *((s, f"v{s}") for s in range(slot - 9, slot + 1)))
            for name in "abc":
                run.checkpoint(name, slot)
                run.truncate(name, slot)
    run.end()
    run.script.save(tmp_path)
    conformance = Conformance()
    for step in merge(tmp_path):
        assert conformance.check(step) is None
        most = max(most, rows(conformance.judge, 1000))
    assert conformance.finish().verdict == "conforms"
    assert most < 20 * 10


def test_a_specification_without_checkpoints_judges_traces_without_them(
    story: type, judge_lines: Callable
) -> None:
    run = story()
    run.round(run.elect("a", 1, "ab"), (1, "x"), quorum="ab")
    run.end()
    assert judge_lines(run.lines, spec=Specification.of(multipaxos)).verdict == "conforms"


def test_a_checkpoint_is_none_where_the_specification_knows_none(story: type, judge_lines: Callable) -> None:
    run = story()
    run.round(run.elect("a", 1, "ab"), (1, "x"), quorum="ab")
    run.checkpoint("a", 1)
    run.end()
    found = judge_lines(run.lines, spec=Specification.of(multipaxos)).divergence
    assert found.event == "checkpoint"
    assert "multipaxos has no checkpoint" in found.reason


def test_a_promise_tells_that_its_checkpoint_is_chosen(story: type, judge_lines: Callable) -> None:
    """c hears of slots 1 and 2 by b's promise alone, and comes back with a checkpoint that covers them."""
    run = story()
    ballot = run.elect("a", 1, "ab")
    run.round(ballot, (1, "x"), (2, "y"), quorum="ab")
    run.learn("b", run.beat(ballot, 2), (1, "x"), (2, "y"))
    run.checkpoint("b", 2)
    asked = run.prepare("c", 2)
    run.ignore("c", run.promise("b", asked), "behind a checkpoint")
    run.actors["c"].low = 2
    run.restart("c", stop=True)
    run.end()
    assert judge_lines(run.lines).verdict == "conforms", str(judge_lines(run.lines).divergence)

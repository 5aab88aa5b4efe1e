"""Gaps: whatever a power loss takes from the end of a boot, a correct run is never called divergent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quorate.cli.main import Exit, run
from quorate.refinement.divergence import Rule

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.ndjson"))


def boots(lines: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return sorted({(line["node"], line["boot"]) for line in lines})


@pytest.mark.parametrize("file", GOLDEN, ids=[file.stem for file in GOLDEN])
def test_a_tail_that_is_lost_is_no_divergence(file: Path, judge_lines: Callable) -> None:
    """Every boot is cut off behind every one of its lines; what others received of the rest counts as unverified."""
    lines = [json.loads(text) for text in file.read_text(encoding="utf-8").splitlines()]
    for boot in boots(lines):
        own = [line for line in lines if (line["node"], line["boot"]) == boot]
        for kept in range(1, len(own)):
            lost = own[kept:]
            rest = [line for line in lines if not any(line is one for one in lost)]
            sent = [one["id"] for line in lost for one in line.get("send", ())]
            doubtful = sum("recv" in line and line["recv"]["id"] in sent for line in rest)
            result = judge_lines(rest)
            assert result.divergence is None, f"{boot} cut behind {kept}: {result.divergence}"
            assert result.unverified >= doubtful
            assert (result.verdict == "unverified") == (result.unverified > 0)


def test_a_trace_that_breaks_off_in_a_line_is_told_and_judged_as_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is of several nodes; what breaks off is the `stop` of the last."""
    file = tmp_path / "all.ndjson"
    whole = GOLDEN[0].read_bytes()
    file.write_bytes(whole[:-9])
    assert run(["conform", str(file)]) == Exit.HOLDS
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("conforms: ")
    assert said[1].startswith(f"{file}:{len(whole.splitlines())}: the trace of node")
    assert said[1].endswith("breaks off in a torn line")
    assert run(["conform", "--json", str(file)]) == Exit.HOLDS
    assert json.loads(capsys.readouterr().out)["torn"] == said[1:]


def test_a_value_that_two_gaps_would_have_chosen_is_chosen_once(story: type, judge_lines: Callable) -> None:
    """The trace of a, who led, is lost; its index says that slot 1 is chosen, but not what."""
    run = story()
    ballot = run.elect("a", 1, "abc")
    asked = run.propose(ballot, (1, "x"))
    beat = run.beat(ballot, 1)
    run.learn("b", beat, (1, "x"))
    run.learn("c", beat, (1, "other"))
    run.end("bc")
    lines = [line for line in run.lines if line["node"] != "a" or line["event"] in ("start", "prepare")]
    assert asked["kind"] == "accept"
    result = judge_lines(lines)
    assert (result.verdict, result.divergence.node, result.divergence.event) == ("diverges", "c", "commit")


def test_a_gap_does_not_excuse_a_second_proposal(story: type, judge_lines: Callable) -> None:
    """b and c received different proposals of one ballot and slot: whatever is lost, one of them was never made."""
    run = story()
    ballot = run.elect("a", 1, "abc")
    run.accept("b", run.propose(ballot, (1, "x")))
    run.accept("c", run.propose(ballot, (1, "y")))
    run.end("bc")
    lines = [line for line in run.lines if line["node"] != "a" or line["event"] in ("start", "prepare")]
    result = judge_lines(lines)
    assert result.verdict == "diverges"
    assert result.divergence.conjunct.endswith(Rule.GAP.value)


@pytest.mark.parametrize("kept", [2, 3])
def test_an_acceptance_told_late_does_not_undo_a_later_one(
    story: type, judge_lines: Callable, kept: int
) -> None:
    """b's first boot is lost but for some lines; it comes back having accepted in a higher ballot, and then the old
    answer arrives."""
    run = story()
    old = run.elect("a", 1, "abc")
    first = run.propose(old, (1, "x"))
    run.accept("a", first)
    answer = run.accept("b", first)
    new = run.elect("c", 2, "bc")
    second = run.propose(new, (1, "x"))
    run.accept("b", second)
    run.restart("b")
    run.commit(first, "ab", [answer])
    third = run.prepare("a", 3)
    run.promise("b", third)
    run.end()
    lines = list(run.lines)
    b_lines = [line for line in lines if line["node"] == "b" and line["boot"] == 1]
    cut = [line for line in lines if not any(line is one for one in b_lines[kept:])]
    result = judge_lines(cut)
    assert result.verdict == "unverified", str(result.divergence)


@pytest.mark.parametrize("proposer", ["stops", "is killed", "is killed, comes back and stops"])
def test_what_is_recovered_without_a_proposal_is_unverified_only_if_its_proposer_has_a_gap(
    story: type, judge_lines: Callable, proposer: str
) -> None:
    run = story()
    ballot = run.elect("a", 1, "abc")
    run.actors["b"].log[1] = (ballot, "x")
    run.restart("b")
    if proposer == "is killed, comes back and stops":
        run.restart("a")
    run.end("bc" if proposer == "is killed" else "abc")
    result = judge_lines(run.lines)
    if proposer == "stops":
        assert (result.verdict, result.divergence.event) == ("diverges", "start")
        assert result.divergence.conjunct.endswith("(s, b, v) in now.proposed")
    else:
        assert (result.verdict, result.unverified) == ("unverified", 1)


def test_a_gap_does_not_excuse_what_its_ballot_proposed_otherwise(story: type, judge_lines: Callable) -> None:
    """b comes back with x, and only then, in the order of the files, is y proposed."""
    run = story()
    ballot = run.elect("a", 1, "abc")
    run.actors["b"].log[1] = (ballot, "x")
    run.restart("b")
    run.propose(ballot, (1, "y"))
    run.end("bc")
    result = judge_lines(run.lines)
    assert (result.verdict, result.divergence.node, result.divergence.event) == ("diverges", "b", "start")


def test_a_trace_may_begin_in_the_middle_of_a_life(story: type, judge_lines: Callable) -> None:
    """The first boots have no trace: what was promised, accepted and chosen in them is taken on trust."""
    run = story()
    run.round(run.elect("a", 1, "abc"), (1, "x"), (2, "y"), quorum="ab")
    for name, low in (("a", 1), ("b", 0), ("c", 0)):
        run.actors[name].low = low
        run.restart(name)
    run.round(run.elect("b", 2, "bc"), (1, "x"), (2, "y"), quorum="bc")
    run.end()
    result = judge_lines([line for line in run.lines if line["boot"] == 2])
    # a's checkpoint, the ballot that was promised, and a proposal for each of two slots
    assert (result.verdict, result.unverified) == ("unverified", 4), str(result.divergence)


def test_a_promise_that_only_the_disk_remembers_needs_its_ballot_opened(
    story: type, judge_lines: Callable
) -> None:
    run = story()
    run.actors["b"].promised = (4, "c")
    run.restart("b")
    run.end()
    result = judge_lines(run.lines)
    assert (result.verdict, result.divergence.event, result.divergence.action) == (
        "diverges", "start", 'promise(a = "b", b = [4,"c"])',
    )  # fmt: skip
    assert result.divergence.conjunct.endswith("(b,) in now.prepared")


def test_a_promise_that_only_the_disk_remembers_may_be_asked_for_later_in_the_file(
    story: type, judge_lines: Callable
) -> None:
    run = story()
    run.actors["b"].promised = (4, "c")
    run.restart("b")
    run.prepare("c", 4)
    run.end()
    assert judge_lines(run.lines).verdict == "conforms"

"""The page of a proof shows what fails when something is left out, each failure with its counterexample."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from quorate.checker.explore.result import Limits
from quorate.checker.prove.html import page
from quorate.checker.prove.matrix import Matrix
from quorate.checker.prove.proof import prove
from quorate.checker.study.page import studies_section
from quorate.checker.study.report import finding_lines
from quorate.checker.study.study import Bounds, Examiner, Study
from quorate.cli.main import Exit, run
from quorate.refinement.tower import tower

QUICK = Bounds(members_max=7, search_seconds_max=None, explorer=Limits(states_max=20_000))


@pytest.fixture(scope="module")
def studies() -> list[Study]:
    examiner = Examiner(bounds=QUICK)
    return [examiner.drop(tower("voting"), name) for name in ("votes_follow_proposals", "agreement")]


def test_every_failure_has_a_row_and_its_counterexample_with_whether_it_can_happen(
    studies: list[Study],
) -> None:
    text = unescape("".join(studies_section(studies)))
    for finding in (f for study in studies for f in study.findings):
        assert f"<td>{finding.outcome.obligation}</td>" in text
        *_, last = finding_lines(finding)
        assert last.lstrip().startswith("Can it happen?")
        assert "\n".join(finding_lines(finding)) in text
    assert text.count("<details") == sum(len(study.findings) for study in studies) == 5


def test_of_each_study_the_counterexample_with_the_fewest_rows_is_open(studies: list[Study]) -> None:
    text = "".join(studies_section(studies))
    assert re.findall(r"<details open class=\"failed\"><summary>(.*?) <b>", text) == [
        "voting: invariant: validity",
        "consensus: invariant: agreement",
    ]


def test_the_table_leads_to_what_it_names(studies: list[Study]) -> None:
    text = page(Matrix((prove(tower("consensus")),)), studies_section(studies))
    links, ids = set(re.findall(r'href="#(\w+)"', text)), set(re.findall(r'id="(\w+)"', text))
    assert {"w0", "w1"} <= links <= ids


def test_nothing_studied_adds_nothing() -> None:
    matrix = Matrix((prove(tower("consensus")),))
    assert page(matrix, studies_section([])) == page(matrix)


def test_a_page_is_written_of_what_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "proof.html"
    assert run(["prove", "consensus", "--all-drops", "--html", str(file)]) == Exit.HOLDS
    assert capsys.readouterr().out.splitlines()[-1].startswith("agreement  consensus: invariant: agreement")
    text = file.read_text()
    assert "What fails when something is left out" in text
    assert "consensus without agreement: 1 of " in text
    assert "Every obligation" in text


def test_with_a_page_of_a_study_nothing_else_of_a_whole_proof_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--html", str(tmp_path / "proof.html")]
    for refused in (["--drop", "agreement", "--cores"], ["--bmc", "1"], ["--all-drops", "--seeds", "2"]):
        assert run(["prove", "consensus", *refused, *options]) == Exit.BAD_INPUT
        assert "are of a whole proof" in capsys.readouterr().err
    assert not (tmp_path / "proof.html").exists()

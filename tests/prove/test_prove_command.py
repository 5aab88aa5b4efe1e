"""`quorate prove` as a person and as a program use it: provers, seeds, cache, cores, files."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import z3

from quorate.checker.prove import asking
from quorate.checker.prove.obligation import Obligation
from quorate.checker.prove.proof import obligations
from quorate.checker.prove.solving import Z3, Outcome
from quorate.cli import proving
from quorate.cli.main import Exit, run
from quorate.refinement.tower import tower

ASKED = sum(not o.skipped for o in obligations(tower("voting")))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = Exit.HOLDS) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["prove", *arguments, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_second_run_is_recalled_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "voting"]) == Exit.HOLDS
    first = capsys.readouterr().out
    assert run(["prove", "voting"]) == Exit.HOLDS
    second = capsys.readouterr().out
    assert "cached" not in first
    assert f", {ASKED} cached; " in second.splitlines()[-1]
    assert sum(line.startswith("proved     cached ") for line in second.splitlines()) == ASKED


def test_without_the_cache_nothing_is_recalled_or_kept(
    capsys: pytest.CaptureFixture[str], cache: Path
) -> None:
    for _ in range(2):
        assert told(capsys, "voting", "--no-cache")["runs"][0]["cached"] == 0
    assert not cache.exists()


def test_every_seed_is_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "voting", "--seeds", "3", "--jobs", "2")
    assert [r["solver"].rpartition(" ")[2] for r in found["runs"]] == ["0", "1", "2"]
    assert all(len(o["runs"]) == 3 for o in found["obligations"])
    assert told(capsys, "voting", "--seeds", "4")["runs"][3]["cached"] == 0, "each seed asks for itself"


def test_two_provers_are_asked_each_for_itself(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "voting", "--prover", "z3", "--prover", "cvc5", "--jobs", "0")
    assert [r["solver"].partition(" ")[0] for r in found["runs"]] == ["z3", "cvc5"]
    assert [r["verdict"] for r in found["runs"]] == ["proved", "proved"]


def test_a_prover_that_is_not_installed_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cvc5", None)
    assert run(["prove", "--prover", "cvc5"]) == Exit.BAD_INPUT
    assert "pip install 'quorate[cvc5]'" in capsys.readouterr().err


def lose_ctrl_c(*_: object) -> None:
    with suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--seeds", "2"],
        ["--all-drops"],
        ["--bmc", "3"],
        ["--k-induction", "2"],
    ],
)
def test_after_ctrl_c_what_was_done_is_shown_and_the_rest_is_unknown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    asked, discharge = itertools.count(1), Z3.discharge

    def lost(self: Z3, obligation: Obligation) -> Outcome:
        if next(asked) == 5:
            lose_ctrl_c()
        return discharge(self, obligation)

    monkeypatch.setattr(Z3, "discharge", lost)
    assert run(["prove", "voting", "--no-cache", *arguments]) == Exit.UNKNOWN
    out = capsys.readouterr().out
    assert "interrupted" in out or "not known: " in out
    assert next(asked) < ASKED, "most was not asked any more"


def test_what_is_proved_stays_proved_when_ctrl_c_comes_while_cores_are_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "core_of", lose_ctrl_c)
    found = told(capsys, "consensus", "--no-cache", "--cores", code=Exit.INTERRUPTED)
    assert (found["verdict"], {o["rests_on"] and 0 for o in found["obligations"]}) == ("proved", {None})


def test_cores_are_found_if_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert {o["rests_on"] for o in told(capsys, "consensus")["obligations"]} == {None}
    assert all(o["rests_on"] is not None for o in told(capsys, "consensus", "--cores")["obligations"])


def test_the_page_and_the_graph_are_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    html, svg = tmp_path / "proof.html", tmp_path / "proof.svg"
    assert run(["prove", "voting", "--html", str(html), "--graph", str(svg)]) == Exit.HOLDS
    assert "proposals_are_safe" in html.read_text()
    ElementTree.parse(svg)


def test_the_page_of_a_mutant_has_its_counterexample(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    html = tmp_path / "proof.html"
    mutant = ["voting", "--mutant", "vote_unproposed"]
    assert run(["prove", *mutant, "--html", str(html)]) == Exit.VIOLATED
    shown = html.read_text()
    assert "after vote, votes_follow_proposals need not hold" in shown
    assert "in a state with\n    nothing in it\n" in shown, "the smallest there is"


def test_saved_queries_answer_as_they_should(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "queries"
    assert run(["prove", "voting", "--save-queries", str(folder)]) == Exit.HOLDS
    assert f"{ASKED} queries saved in {folder}" in capsys.readouterr().err
    files = sorted(folder.iterdir())
    assert len(files) == ASKED
    assert files[0].name == "001-consensus-init-agreement.smt2"
    for file in files:
        solver = z3.Solver(ctx=z3.Context())
        solver.from_file(str(file))
        assert solver.check() == z3.unsat


def test_json_stays_alone_on_standard_output_whatever_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = told(
        capsys, "consensus", "--save-queries", str(tmp_path / "q"), "--html", str(tmp_path / "p.html")
    )
    assert found["verdict"] == "proved"


@pytest.mark.parametrize(("option", "name"), [("--html", "file"), ("--graph", "file.svg")])
def test_a_file_that_cannot_be_written_is_one_line_before_anything_is_proved(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str, name: str
) -> None:
    path = tmp_path / "nowhere" / name
    assert run(["prove", "consensus", option, str(path)]) == Exit.BAD_INPUT
    out, err = capsys.readouterr()
    assert (out, err) == (
        "",
        f"quorate: {path}: there is no folder {path.parent}; make it, or name another place\n",
    )


def test_a_graph_is_called_what_it_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "proof.png"
    assert run(["prove", "consensus", "--graph", str(path)]) == Exit.BAD_INPUT
    assert "the graph is drawn as SVG; call it" in capsys.readouterr().err
    assert not path.exists()


def test_queries_cannot_be_saved_in_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert run(["prove", "consensus", "--save-queries", str(tmp_path / "file" / "q")]) == Exit.BAD_INPUT
    assert "cannot be written: Not a directory" in capsys.readouterr().err


def test_files_are_of_a_whole_proof(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["--drop", "one_proposal", "--graph", str(tmp_path / "p.svg")]
    assert run(["prove", "voting", *arguments]) == Exit.BAD_INPUT
    assert "leave the study away" in capsys.readouterr().err


class Unsure:
    """Z3, but that one conjunct of one action is beyond it."""

    def __init__(self, seed: int, seconds_max: float) -> None:
        self.z3 = Z3(seed, seconds_max)
        self.name = "unsure"

    def discharge(self, obligation: Obligation) -> Outcome:
        outcome = self.z3.discharge(obligation)
        beyond = (obligation.action, obligation.conjunct) == ("propose", "proposals_are_safe")
        return replace(outcome, result="unknown", reason="timeout") if beyond else outcome


def test_what_is_not_known_is_exit_code_3_named_and_asked_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(proving.PROVERS, "z3", Unsure)
    assert run(["prove", "voting"]) == Exit.UNKNOWN
    said = capsys.readouterr().out
    assert "voting: propose: proposals_are_safe: not known (timeout; no counterexample" in said
    assert "neither proved nor refuted" in said
    assert "not known: 1 undecided" in said.splitlines()[-1]
    assert "cached" not in said
    assert run(["prove", "voting"]) == Exit.UNKNOWN
    assert f"{ASKED - 1} cached" in capsys.readouterr().out


def test_a_cache_that_cannot_be_kept_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "file")}
    command = [sys.executable, "-m", "quorate", "prove", "consensus"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

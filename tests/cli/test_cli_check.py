"""`quorate check` and `quorate export` as a person and as a program use them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from quorate.cli.main import Exit, run

SMALL = ["-n", "acceptor=3", "-n", "ballot=2", "-n", "slot=1", "-n", "value=2"]
FENCING = Path(__file__).resolve().parents[2] / "docs" / "examples" / "fencing.py"


def test_check_prints_the_states_and_the_depth(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", *SMALL]) == Exit.HOLDS
    said = capsys.readouterr().out
    assert "3,921 states" in said
    assert "depth 17" in said
    assert "agreement" in said


def test_json_is_one_object_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", *SMALL, "--no-symmetry", "--json"]) == Exit.HOLDS
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "holds"
    assert (told["distinct"], told["edges"], told["depth"]) == (3921, 9442, 17)
    assert told["violation"] is None
    assert told["seconds"] >= 0


def test_a_violation_is_shown_with_its_shortest_way_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["check", *SMALL, "--mutant", "accept_unproposed"]) == Exit.VIOLATED
    said = capsys.readouterr().out
    assert "violated: validity" in said
    assert "2 steps" in said
    assert "+ accepted (a1 s1" in said


def test_a_violation_in_json_names_actions_and_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", *SMALL, "--mutant", "accept_unproposed", "--json"]) == Exit.VIOLATED
    violation = json.loads(capsys.readouterr().out)["violation"]
    assert violation["property"] == "validity"
    assert len(violation["steps"]) == 2
    assert {s["action"] for s in violation["steps"]} == {"accept"}
    assert set(violation["steps"][0]["parameters"]) == {"a", "s", "b", "v"}


@pytest.mark.parametrize("limit", [["--max-states", "100"], ["--max-depth", "3"], ["--timeout", "0"]])
def test_a_search_cut_short_is_unknown_and_never_holds(
    limit: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", *SMALL, *limit]) == Exit.UNKNOWN
    said = capsys.readouterr().out
    assert "unknown" in said
    assert "holds in every state" not in said


def test_a_specification_of_the_users_own_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(FENCING), "-n", "token=3"]) == Exit.HOLDS
    assert "125 states, depth 7" in capsys.readouterr().out


def test_the_refinement_is_checked_on_every_step_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", *SMALL, "--refinement"]) == Exit.HOLDS
    assert "multipaxos is voting" in capsys.readouterr().out
    assert run(["check", *SMALL, "--refinement", "--mutant", "accept_unproposed"]) == Exit.VIOLATED
    assert "accept is a step that voting does not allow" in capsys.readouterr().out


@pytest.mark.parametrize("engine", ["native", "referee"])
def test_both_engines_tell_the_same(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", *SMALL, "--engine", engine, "--json"]) == Exit.HOLDS
    told = json.loads(capsys.readouterr().out)
    assert (told["engine"], told["distinct"], told["edges"], told["depth"]) == (engine, 3921, 9442, 17)


def test_a_deadlock_is_a_violation_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "consensus", "--deadlock"]) == Exit.VIOLATED
    assert "violated: deadlock" in capsys.readouterr().out


def test_the_mutants_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--list-mutants"]) == Exit.HOLDS
    said = capsys.readouterr().out
    assert "leader_ignores_reports" in said
    assert len(said.splitlines()) >= 13


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "-n", "acceptor=0"], ["acceptor=0", "at least one"]),
        (["check", "-n", "acceptors=3"], ["acceptors", "it has"]),
        (["check", "-n", "acceptor"], ["acceptor=3"]),
        (["check", "-n", "acceptor=\N{SUPERSCRIPT TWO}"], ["is not a size"]),
        (["check", "-n", "acceptor=" + 5000 * "9"], ["is not a size"]),
        (
            ["check", "-n", "ballot=200", "-n", "slot=200", "-n", "value=200"],
            ["24,000,000 ways to choose of Quorum"],
        ),
        (["check", "--workers", "1000000"], ["--workers", "1<=x<=256"]),
        (["check", "-n", "acceptor=3", "-n", "acceptor=4"], ["was given as 3"]),
        (["check", "-n", "quorum=7"], ["quorum=7"]),
        (["check", "-n", "quorum=1"], ["Any two quorums have a member in common"]),
        (["check", "multipaxo"], ["multipaxo", "no such specification"]),
        (["check", "no/such/file.py"], ["no/such/file.py", "no such file"]),
        (["check", "--mutant", "nobody"], ["nobody", "leader_ignores_reports"]),
        (["chek"], ["No such command"]),
        (["export"], ["--tla"]),
        (["check", "consensus", "--refinement"], ["refines nothing"]),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == Exit.BAD_INPUT
    said = capsys.readouterr()
    assert not said.out
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err


def test_a_specification_outside_the_subset_is_refused_by_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad_spec.py"
    file.write_text(FENCING.read_text().replace("require((t, c) in now.granted)", "require(now.granted)"))
    assert run(["check", str(file)]) == Exit.BAD_INPUT
    said = capsys.readouterr().err
    assert "bad_spec.py:" in said
    assert "^^^" in said
    assert "a thing, not a claim" in said


def test_a_file_that_is_no_specification_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "empty_spec.py"
    file.write_text("x = 1\n")
    assert run(["check", str(file)]) == Exit.BAD_INPUT
    assert "@init" in capsys.readouterr().err


def test_export_writes_a_module_and_a_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", "--tla", *SMALL, "-o", str(tmp_path / "models")]) == Exit.HOLDS
    module = (tmp_path / "models" / "multipaxos.tla").read_text()
    assert module.startswith("---- MODULE multipaxos ----")
    assert "Acceptor = {a1, a2, a3}" in (tmp_path / "models" / "multipaxos.cfg").read_text()
    assert "multipaxos.tla" in capsys.readouterr().out


def test_the_command_answers_in_its_own_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quorate", "check", "consensus", "--json"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["distinct"] == 9

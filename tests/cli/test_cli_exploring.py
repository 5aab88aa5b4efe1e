"""`quorate check` beyond exploring every state: random walks, liveness, and files for other tools."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

from quorate.cli.main import Exit, run

Capture = pytest.CaptureFixture[str]

TWO = ["-n", "acceptor=3", "-n", "ballot=2", "-n", "slot=1", "-n", "value=1"]
ONE = ["-n", "acceptor=3", "-n", "ballot=1", "-n", "slot=1", "-n", "value=1"]
LIVELOCK = ["check", *TWO, "--liveness", "--unfair", "propose"]
ROOT = Path(__file__).resolve().parents[2]
DUEL = str(ROOT / "docs" / "examples" / "duel.py")


def test_liveness_holds_and_says_of_what(capsys: Capture) -> None:
    assert run(["check", *ONE, "--liveness"]) == Exit.HOLDS
    said = capsys.readouterr().out
    assert "41 states" in said
    assert "a_leader_that_is_not_preempted_chooses, a_duel_has_a_winner, every_slot_is_decided" in said


def test_the_livelock_is_shown_as_a_run_that_stops(capsys: Capture) -> None:
    assert run(LIVELOCK) == Exit.VIOLATED
    said = capsys.readouterr().out
    assert "violated: a_duel_has_a_winner  (multipaxos.py:" in said
    assert "  A run may be this, 6 steps:" in said
    assert said.endswith("     and nothing happens any more\n")


def test_the_duel_is_shown_as_a_run_that_goes_round(capsys: Capture) -> None:
    assert run(["check", DUEL, "--liveness"]) == Exit.VIOLATED
    said = capsys.readouterr().out
    assert "     from here on, again and again:\n  2  prepare(m=l1)" in said
    assert "nothing happens any more" not in said


@pytest.mark.parametrize(
    "command", [LIVELOCK, ["check", "docs/examples/duel.py", "--liveness"]], ids=["livelock", "duel"]
)
def test_the_documentation_shows_what_is_printed(
    command: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    document = (ROOT / "docs" / "LANGUAGE.md").read_text().splitlines()
    begin = document.index(f"    $ quorate {' '.join(command)}") + 1
    shown = [
        line.strip() for line in itertools.takewhile(lambda line: line[:4].strip() == "", document[begin:])
    ]
    assert run(command) == Exit.VIOLATED
    printed = [re.sub(r"py:\d+", "py:...", line.strip()) for line in capsys.readouterr().out.splitlines()]
    assert len(shown) > 5
    assert [line for line in shown if line not in (*printed, "...")] == []


def test_parameters_of_a_property_are_named(capsys: Capture) -> None:
    assert run(["check", *ONE, "--liveness", "--unfair", "accept"]) == Exit.VIOLATED
    assert "violated: a_leader_that_is_not_preempted_chooses(s=s1, b=1)  (" in capsys.readouterr().out


def test_a_lasso_in_json_says_where_it_returns_to(capsys: Capture) -> None:
    assert run([*LIVELOCK, "--json"]) == Exit.VIOLATED
    violation = json.loads(capsys.readouterr().out)["violation"]
    assert (violation["loop"], len(violation["steps"]), violation["parameters"]) == (6, 6, {})
    assert run(["check", *ONE, "--mutant", "accept_unproposed", "--json"]) == Exit.VIOLATED
    assert "loop" not in json.loads(capsys.readouterr().out)["violation"]


def test_a_counterexample_goes_to_the_file_asked_for(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "livelock.itf.json"
    assert run([*LIVELOCK, "--itf", str(file)]) == Exit.VIOLATED
    trace = json.loads(file.read_text())
    assert (len(trace["states"]), trace["loop"]) == (7, 6)
    assert "A run may be this" in capsys.readouterr().out


def test_where_nothing_is_violated_no_file_is_written(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "none.itf.json"
    assert run(["check", *ONE, "--itf", str(file)]) == Exit.HOLDS
    assert not file.exists()
    assert "nothing is violated" in capsys.readouterr().err


def test_a_counterexample_of_the_native_engine_is_written_too(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "native.itf.json"
    command = ["check", *TWO, "--mutant", "accept_unproposed", "--engine", "native", "--itf", str(file)]
    assert run(command) == Exit.VIOLATED
    assert json.loads(file.read_text())["states"][1]["#meta"]["action"] == "accept"
    capsys.readouterr()


def test_walks_are_unknown_and_repeatable(capsys: Capture) -> None:
    command = ["check", *TWO, "--simulate", "20", "--seed", "7", "--json"]
    assert run(command) == Exit.UNKNOWN
    first = json.loads(capsys.readouterr().out)
    assert run(command) == Exit.UNKNOWN
    second = json.loads(capsys.readouterr().out)
    assert (first["walks"], first["seed"], first["verdict"]) == (20, 7, "unknown")
    times = {"seconds": 0, "compile_seconds": 0}
    assert {**first, **times} == {**second, **times}


def test_walks_find_a_mutant(capsys: Capture) -> None:
    command = ["check", *TWO, "-n", "ballot=2", "--mutant", "accept_unproposed", "--simulate", "20"]
    assert run(command) == Exit.VIOLATED
    assert "not the shortest" in capsys.readouterr().out


def test_a_dump_is_the_graph_and_nothing_else(capsys: Capture) -> None:
    assert run(["check", *ONE, "--dump", "json"]) == Exit.HOLDS
    graph = json.loads(capsys.readouterr().out)
    assert (len(graph["states"]), graph["whole"]) == (41, True)
    assert run(["check", *ONE, "--dump", "dot"]) == Exit.HOLDS
    assert capsys.readouterr().out.endswith("}\n")
    assert run(["check", *ONE, "--dump", "itf"]) == Exit.HOLDS
    assert all(json.loads(line)["states"] for line in capsys.readouterr().out.splitlines())


def test_a_part_of_a_graph_is_called_one(capsys: Capture) -> None:
    assert run(["check", *TWO, "--dump", "json", "--max-depth", "3"]) == Exit.UNKNOWN
    out, err = capsys.readouterr()
    assert json.loads(out)["whole"] is False
    assert "this is a part of the graph: the depth limit of 3 levels was reached\n" in err


def test_a_picture_and_runs_of_a_part_of_a_graph_say_so(capsys: Capture) -> None:
    assert run(["check", *TWO, "--dump", "dot", "--max-depth", "3"]) == Exit.UNKNOWN
    assert (
        '  label="a part of the graph: the depth limit of 3 levels was reached";' in capsys.readouterr().out
    )
    assert run(["check", *TWO, "--dump", "itf", "--max-depth", "3"]) == Exit.UNKNOWN
    assert "which are not all: the depth limit of 3 levels" in capsys.readouterr().out
    assert run(["check", *ONE, "--dump", "dot"]) == Exit.HOLDS
    out, err = capsys.readouterr()
    assert "a part of the graph" not in out + err


def test_a_mutant_is_dumped_to_the_end(capsys: Capture) -> None:
    assert run(["check", *ONE, "--mutant", "accept_unproposed", "--dump", "json"]) == Exit.HOLDS
    assert json.loads(capsys.readouterr().out)["whole"] is True


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--dump", "dot", "-n", "acceptor=3"], "more than 5,000 states"),
        (["--liveness", "--dump", "dot"], "--liveness and --dump are two ways to look; choose one"),
        (["--simulate", "3", "--liveness"], "--simulate and --liveness are two ways"),
        (["--simulate", "0"], "0 is not in the range x>=1"),
        (["--unfair", "accept"], "--unfair is said of --liveness"),
        (["--liveness", "--unfair", "elect"], "multipaxos has no action elect; it has prepare, promise"),
        (["--liveness", "--engine", "native"], "leave --engine away"),
        (["--simulate", "3", "--memory", "1G"], "--memory is for exploring every state"),
        (["--engine", "referee", "--checkpoint", "x"], "leave --checkpoint away"),
        (["--refinement", "--resume", "x"], "leave --resume away"),
        (["--symmetry", "acceptor", "--no-symmetry"], "choose one"),
        (["--memory", "much"], "write for example 8G or 500M"),
        (["--memory", "1"], "less than a search begins with; give at least "),
        (["--liveness", "--refinement"], "--liveness and --refinement are two questions"),
        (["--dump", "dot", "--deadlock"], "--dump and --deadlock are two questions"),
        (["--dump", "json", "--json"], "choose one"),
        (["--dump", "itf", "--itf", "x"], "choose one"),
        (["--dump", "svg"], "'svg' is not one of"),
    ],
)
def test_what_does_not_go_together_is_refused(options: list[str], says: str, capsys: Capture) -> None:
    assert run(["check", *options]) == Exit.BAD_INPUT
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""


def test_a_specification_without_liveness_is_told_so(capsys: Capture) -> None:
    assert run(["check", "consensus", "--liveness"]) == Exit.BAD_INPUT
    assert (
        capsys.readouterr().err
        == "quorate: consensus has no @liveness property, so there is nothing to check\n"
    )


def test_a_file_that_cannot_be_written_is_named(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "x.itf.json"
    assert run([*LIVELOCK, "--itf", str(file)]) == Exit.BAD_INPUT
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)  # before the search
    assert said.err.startswith(f"quorate: {file}: there is no folder {file.parent}; ")


def test_a_violation_is_told_though_its_file_cannot_be_written(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quorate.cli.check.check_file", lambda _: None)
    assert run([*LIVELOCK, "--itf", "/dev/full"]) == Exit.BAD_INPUT
    said = capsys.readouterr()
    assert "violated" in said.out
    assert said.err == "quorate: /dev/full: cannot be written: No space left on device; name another place\n"


@pytest.mark.parametrize("seed", ["-1", "x"])
def test_a_seed_that_is_none_is_refused(seed: str, capsys: Capture) -> None:
    assert run(["check", *ONE, "--simulate", "3", "--seed", seed]) == Exit.BAD_INPUT
    assert capsys.readouterr().err.count("\n") == 1

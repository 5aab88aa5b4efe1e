"""`quorate drive` as a person and as a program use it."""

from __future__ import annotations

import json

import pytest

from quorate.cli.main import Exit, run
from quorate.impl.core.acceptor import Acceptor
from quorate.refinement.driving.classes import CLASSES

TINY = ["-n", "acceptor=2", "-n", "ballot=1", "-n", "slot=1", "-n", "value=1"]


def test_what_is_covered_is_said_with_its_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drive", *TINY]) == Exit.HOLDS
    said = capsys.readouterr().out
    assert said.startswith("covered: all 10 edges")
    assert "10 of 10 edges driven" in said


def test_json_is_one_object_in_which_every_edge_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["-n", "acceptor=2", "-n", "ballot=2", "-n", "slot=1", "-n", "value=1"]
    assert run(["drive", *sizes, "--json"]) == Exit.HOLDS
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "covered"
    assert told["deviation"] is None
    assert set(told["classes"]) == {c.name for c in CLASSES}
    never = sum(c["edges"] for c in told["classes"].values())
    assert never > 0
    assert sum(told["driven"].values()) + never == sum(told["edges"].values())


def test_a_walk_cut_short_says_not_all_and_exits_with_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drive", *TINY, "--seconds", "0"]) == Exit.UNKNOWN
    said = capsys.readouterr().out
    assert said.startswith("unknown, not all")
    assert "covered" not in said


def test_a_deviation_is_shown_with_the_way_to_it_and_exits_with_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Acceptor, "_report", lambda self, above: ())
    sizes = ["-n", "acceptor=2", "-n", "ballot=2", "-n", "slot=1", "-n", "value=1"]
    assert run(["drive", *sizes]) == Exit.VIOLATED
    said = capsys.readouterr().out
    assert said.startswith("deviates at promise(")
    assert "1. prepare(1)" in said
    assert "expected: reported(" in said
    assert run(["drive", *sizes, "--json"]) == Exit.VIOLATED
    told = json.loads(capsys.readouterr().out)["deviation"]
    assert told["action"]["action"] == "promise"
    assert told["way"][0]["action"] == "prepare"
    assert told["cast"].startswith("ballot 1 is a")


def test_fewer_acceptors_than_ballots_are_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drive", "-n", "acceptor=1", "-n", "ballot=2"]) == Exit.BAD_INPUT
    said = capsys.readouterr().err
    assert said.startswith("quorate: ballot=2: ")
    assert said.count("\n") == 1

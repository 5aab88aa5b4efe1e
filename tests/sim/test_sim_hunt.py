"""The hunt: it finds a planted bug, makes the run small and replays it, and is clean where nothing is wrong."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from quorate.cli.main import Exit, run
from quorate.hunt import find
from quorate.hunt.campaign import Campaign
from quorate.hunt.find import DRAWING, PLAN, STORY, TRACES, written
from quorate.hunt.mutation import mutated
from quorate.hunt.shrinking import shrink, size
from quorate.hunt.trial import Bench
from quorate.impl.core import replica
from quorate.impl.sim.plan import Caller, Crashes, Plan, PowerFails, Timing, read
from quorate.impl.sim.swarm import draw
from quorate.traces import Recorder


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaders begin as if nobody had accepted anything."""
    monkeypatch.setattr(replica, "reconciled", lambda promises, committed: {})


def test_a_clean_hunt_says_how_much_it_saw(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hunt", "--runs", "6", "--jobs", "2", "--json"]) == Exit.HOLDS
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "clean"
    assert told["runs"] >= 6
    assert told["lines"] > 0
    assert told["failure"] is None
    assert run(["hunt", "--runs", "3", "--jobs", "1"]) == Exit.HOLDS
    said = capsys.readouterr().out
    assert said.startswith("clean: no run fails, of ")
    assert "were never seen" in said


@pytest.mark.usefixtures("forgetful")
def test_a_planted_bug_is_found_made_small_and_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "found"
    assert run(["hunt", "--runs", "200", "--jobs", "2", "--keep", str(folder), "--json"]) == Exit.VIOLATED
    told = json.loads(capsys.readouterr().out)["failure"]
    large, small = told["seed"], read(folder / PLAN)
    assert told["smallest"]["complaints"], "the smallest still fails"
    assert len(small.faults) <= 3
    assert sum(caller.commands for caller in small.callers) <= 30
    assert isinstance(large, int)
    assert {path.name for path in folder.iterdir()} == {PLAN, STORY, TRACES, DRAWING}
    ElementTree.parse(folder / DRAWING)
    assert run(["hunt", "--plan", str(folder / PLAN), "--json"]) == Exit.VIOLATED
    again = json.loads(capsys.readouterr().out)
    assert again == told["smallest"], "a replay is the same to the last line"


@pytest.mark.usefixtures("forgetful")
def test_what_is_made_small_still_breaks_the_same_rule() -> None:
    bench = Bench()
    trial = next(held for held in map(bench.hold, map(draw, range(1000))) if held.failed)
    smaller = list(shrink(trial.plan, lambda plan: trial.rule in rules(bench, plan), 150))
    assert smaller
    sizes = [size(plan) for plan in (trial.plan, *smaller)]
    assert sizes == sorted(sizes, reverse=True)
    assert trial.rule in rules(bench, smaller[-1])


def rules(bench: Bench, plan: Plan) -> set[str]:
    return {complaint.rule for complaint in bench.hold(plan).complaints}


def test_shrinking_tries_nothing_that_no_node_would_run() -> None:
    tried: list[Plan] = []
    timing = Timing(heartbeat_ms=600, election_ms_min=700, election_ms_max=1400)
    list(shrink(Plan(seed=1, timing=timing), lambda plan: bool(tried.append(plan)), 1000))
    assert tried
    assert all(plan.refusal is None for plan in tried)


def test_shrinking_leaves_what_is_needed() -> None:
    """Against a predicate that is known: the one crash of node 1, and a client with at least four commands."""
    plan = draw(11)
    needed = Crashes(at=5, node=1, boundary=7)
    callers = (Caller(session=True, commands=40, think=0), *plan.callers)
    large = Plan(seed=1, nodes=5, faults=(PowerFails(at=1), needed, *plan.faults), callers=callers, keys=4)

    def fails(tried: Plan) -> bool:
        return needed in tried.faults and any(caller.commands >= 4 for caller in tried.callers)

    *_, smallest = shrink(large, fails, 10_000)
    assert smallest.faults == (needed,)
    assert [caller.commands for caller in smallest.callers] == [4]
    assert (smallest.nodes, smallest.keys) == (1, 1)
    assert list(shrink(large, fails, 0)) == []


def test_a_run_is_the_same_by_seed_and_by_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hunt", "--seed", "12", "--keep", str(tmp_path / "kept"), "--json"]) == Exit.HOLDS
    by_seed = capsys.readouterr().out
    assert run(["hunt", "--plan", str(tmp_path / "kept" / PLAN), "--json"]) == Exit.HOLDS
    assert capsys.readouterr().out == by_seed


def test_variants_differ_and_are_drawn_alike_from_the_same_chance() -> None:
    from random import Random

    plan = next(plan for plan in map(draw, itertools.count()) if plan.net.delay_max > 50_000)
    variants = [mutated(plan, Random(number)) for number in range(20)]
    assert variants == [mutated(plan, Random(number)) for number in range(20)]
    assert len({variant.seed for variant in variants}) == 20
    assert not any(variant.refusal for variant in variants), (
        "nodes that are too hasty for their network find no leader"
    )
    assert all(variant.faults == tuple(sorted(variant.faults, key=lambda f: f.at)) for variant in variants)


def test_a_campaign_varies_what_led_somewhere_new() -> None:
    with Campaign(0, 1, variants=1.0) as campaign:
        seeds = [trial.plan.seed for trial, _ in zip(campaign, range(12), strict=False)]
    assert max(seeds) > 12, "the first seeds are drawn, what follows are variants of them"


def test_a_hunt_that_fails_itself_names_the_plan_that_it_fails_with(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Bench, plan: Plan) -> None:
        raise IndexError

    monkeypatch.setattr(Bench, "hold", fails)
    with Campaign(4710, 1) as campaign, pytest.raises(IndexError) as failure:
        next(iter(campaign))
    assert '"seed":471' in failure.value.__notes__[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--plan", "no/such/plan.json"], "cannot be read"),
        (["--seed", "1", "--plan", "x"], "leave one out"),
        (["--runs", "0"], "--runs"),
        (["--seed", "1", "--runs", "2"], "--runs/--rounds: is for many runs; leave it out with --seed"),
        (["--seed", "1", "--minutes", "2"], "--minutes: is for many runs"),
        (["--seed", "1", "--no-shrink"], "--no-shrink: is for many runs"),
        (["--plan", "x", "--first", "2"], "--first: is for many runs; leave it out with --plan"),
        (["--plan", "x", "--jobs", "2"], "--jobs: is for many runs"),
    ],
)
def test_what_cannot_be_hunted_is_refused_in_a_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["hunt", *arguments]) == Exit.BAD_INPUT
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


@pytest.mark.parametrize("arguments", [["--runs", "1"], ["--seed", "1"], ["--real", "--rounds", "1"]])
def test_a_folder_that_cannot_be_written_is_told_before_the_hunt(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    assert run(["hunt", *arguments, "--keep", str(tmp_path / "file" / "below")]) == Exit.BAD_INPUT
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "is no folder; name another place" in said.err


@pytest.mark.usefixtures("forgetful")
def test_a_failure_for_which_there_is_no_room_is_told_with_its_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(find, "written", full)
    folder = tmp_path / "found"
    arguments = ["hunt", "--runs", "200", "--jobs", "2", "--no-shrink", "--keep", str(folder)]
    assert run(arguments) == Exit.VIOLATED
    said = capsys.readouterr()
    assert said.out.startswith("a run fails, of ")
    line = next(line for line in said.err.splitlines() if line.startswith("quorate: "))
    assert "cannot be written: No space left on device" in line
    (tmp_path / PLAN).write_text(line.partition("the plan that fails is ")[2])
    assert Bench().hold(read(tmp_path / PLAN)).failed


def test_what_is_kept_is_in_utf_8_whatever_the_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    write_text = Path.write_text

    def watched(self: Path, text: str, encoding: str | None = None) -> int:
        seen.append(encoding)
        return write_text(self, text, encoding)

    monkeypatch.setattr(Path, "write_text", watched)
    written(Plan(seed=1, callers=(Caller(session=True, commands=3, think=1000),)), tmp_path, Bench())
    assert seen == ["utf-8", "utf-8"]


def test_a_hunt_that_is_told_to_end_leaves_no_process(tmp_path: Path) -> None:
    """Also where Ctrl-C is ignored, as in the background of a script."""
    with subprocess.Popen(
        [sys.executable, "-m", "quorate", "hunt", "--jobs", "2"],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        start_new_session=True,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("hunting: ")
        process.terminate()
        try:
            out, err = process.communicate(
                timeout=60
            )  # which ends when the last process that could write has
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == Exit.HOLDS, err
    assert out.startswith("clean: ")
    assert "Traceback" not in err


def test_a_trace_that_nobody_can_read_is_a_failure_and_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorder that counts a line twice."""
    write = Recorder.write_whole

    def counts_twice(self: Recorder, step: Any) -> None:
        self.seq += step.event == "lead"
        write(self, step)

    monkeypatch.setattr(Recorder, "write_whole", counts_twice)
    bench, plan = Bench(), Plan(seed=1, callers=(Caller(session=True, commands=3, think=1000),))
    trial = bench.hold(plan)
    assert trial.rule == "trace: unreadable"
    assert "/dev/shm" not in trial.complaints[0].sentence
    assert written(plan, tmp_path, bench).rule == trial.rule
    assert "trace: unreadable" in (tmp_path / STORY).read_text()
    assert not (tmp_path / DRAWING).exists()

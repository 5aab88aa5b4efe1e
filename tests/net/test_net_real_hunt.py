"""Real faults on real processes: a plan follows from its seed, a round is judged, and what is wrong is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quorate.cli import hunting_real
from quorate.cli.main import Exit, run
from quorate.hunt.real import disks as disks_module
from quorate.hunt.real import judging as judging_module
from quorate.hunt.real import round as round_module
from quorate.hunt.real.disks import Disks
from quorate.hunt.real.judging import Ending, judged
from quorate.hunt.real.report import Tally, told
from quorate.hunt.real.round import HISTORY, PLAN, STORY, TRACES, Round, hold
from quorate.hunt.real.schedule import (
    LEADER,
    Caller,
    Cuts,
    DiskFills,
    Fault,
    Kills,
    Pauses,
    Plan,
    Slows,
    Stops,
    Transfers,
    draw,
    encode,
    read,
)
from quorate.impl.kv.replies import OK
from quorate.impl.sim.history import History
from quorate.impl.sim.plan import encode as encode_simulated
from quorate.impl.sim.swarm import draw as draw_simulated
from quorate.impl.sim.world import Complaint
from quorate.traces.events import Apply

CALLERS = (
    Caller(session=True, node=0, think_ms=10, patience_ms=5000),
    Caller(session=True, node=0, think_ms=10, patience_ms=500),
    *(Caller(session=False, node=node, think_ms=10, patience_ms=2000) for node in range(3)),
)
SHORT = Plan(
    seed=1,
    ends_ms=5000,
    checkpoint_entries=50,
    segment_bytes=1 << 15,
    callers=CALLERS,
    faults=(
        Slows(at_ms=0, source=0, to=1, lasts_ms=3000, delay_ms=20, bytes_per_s=0),
        Kills(at_ms=0, nodes=(0,), down_ms=300),
        Transfers(at_ms=1500, node=1),
        Pauses(at_ms=2000, node=1, lasts_ms=800),
        Cuts(at_ms=3000, sources=(2,), lasts_ms=800, both=True, silent=False),
        Cuts(at_ms=4000, sources=(LEADER,), lasts_ms=800, both=False, silent=True),
        Stops(at_ms=4200, node=0, down_ms=200),
    ),
)


# Plans -----------------------------------------------------------------------------------


def test_a_plan_is_a_function_of_its_seed_and_can_be_kept(tmp_path: Path) -> None:
    assert draw(7) == draw(7)
    assert len({encode(draw(seed)) for seed in range(50)}) == 50
    file = tmp_path / PLAN
    for seed in range(50):
        file.write_bytes(encode(draw(seed)))
        assert read(file) == draw(seed)


def test_a_plan_for_other_nodes_differs_and_says_so() -> None:
    assert {draw(seed).nodes for seed in range(50)} == {3, 5}
    for nodes in (3, 5):
        for plan in (draw(seed, nodes) for seed in range(50)):
            assert plan.nodes == nodes
            assert all(caller.node < nodes for caller in plan.callers)


def test_plans_have_some_kinds_of_faults_and_not_others_and_none_is_without() -> None:
    kinds = [Counter(type(fault) for fault in draw(seed).faults) for seed in range(200)]
    assert all(kinds)
    for kind in (Kills, Stops, Pauses, Cuts, Slows, DiskFills, Transfers):
        have = sum(kind in one for one in kinds)
        assert 40 < have < 160, kind


def test_faults_come_in_order_before_the_end_and_name_nodes_that_there_are() -> None:
    for plan in map(draw, range(200)):
        times = [fault.at_ms for fault in plan.faults]
        assert times == sorted(times)
        assert times[-1] < plan.ends_ms
        for fault in plan.faults:
            assert all(number == LEADER or 0 <= number < plan.nodes for number in named(fault))
            if isinstance(fault, Cuts):
                assert len(fault.sources) <= plan.nodes // 2


def named(fault: Fault) -> list[int]:
    if isinstance(fault, Kills):
        return list(fault.nodes)
    if isinstance(fault, Cuts):
        return list(fault.sources)
    if isinstance(fault, Slows):
        assert fault.source != fault.to
        return [fault.source, fault.to]
    return [fault.node]


# Rounds ----------------------------------------------------------------------------------


Kept = tuple[Round, Path, History, Ending]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A short round with a few faults, as it was judged, and what it was judged by."""
    folder = tmp_path_factory.mktemp("round")
    seen: dict[str, object] = {}

    def judging(traces: object, history: History, ending: Ending, *rest: object) -> object:
        seen.update(history=history, ending=ending)
        return judged(traces, history, ending, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(round_module, "judged", judging)
        held = hold(SHORT, folder, always=True)
    return held, folder, seen["history"], seen["ending"]  # type: ignore[return-value]


def keys() -> list[bytes]:
    return [b"%b%d" % (kind, number) for kind in (b"k", b"n") for number in range(SHORT.keys)]


def traces_of(folder: Path) -> list[Path]:
    return sorted((folder / TRACES).glob("*.ndjson"))


def test_a_short_round_breaks_no_rule_and_was_judged(kept: Kept) -> None:
    """A trace may end early where a write takes too long; that is a doubt, and never clean."""
    held, folder, history, ending = kept
    assert held.complaints == ()
    assert held.verdict == ("undecided" if held.doubts else "clean")
    assert held.lines > 0
    assert held.slots > 0
    assert 0 < held.answered <= held.operations == len(history)
    assert {"kill", "slow"} <= set(held.faults)
    assert held.events["start"] > SHORT.nodes, "somebody was started again"
    assert held.events["apply"] > 0
    assert set(ending.states) == set(SHORT.names)
    assert 0 < ending.slot <= held.slots
    assert read(folder / PLAN) == SHORT
    lines = (folder / HISTORY).read_text().splitlines()
    assert len(lines) == held.operations
    assert {"client", "command", "called", "returned", "reply"} == set(json.loads(lines[0]))


def test_what_was_kept_can_be_judged_again(kept: Kept) -> None:
    held, folder, history, ending = kept
    again = judged(traces_of(folder), history, ending, keys())
    assert again.complaints == []
    assert (again.lines, again.slots, again.events) == (held.lines, held.slots, held.events)


def test_a_line_that_is_missing_from_a_trace_is_not_overlooked(kept: Kept, tmp_path: Path) -> None:
    _, folder, history, ending = kept
    for name in ("accept", "apply"):
        doctored = [tmp_path / name / path.name for path in traces_of(folder)]
        (tmp_path / name).mkdir()
        dropped = False
        for path, to in zip(traces_of(folder), doctored, strict=True):
            lines = path.read_bytes().splitlines(keepends=True)
            for at, line in enumerate(lines):
                if not dropped and b'"event":"%b"' % name.encode() in line:
                    del lines[at]
                    dropped = True
                    break
            to.write_bytes(b"".join(lines))
        assert dropped
        verdict = judged(doctored, history, ending, keys())
        assert [each.rule for each in verdict.complaints] == ["trace: unreadable"]


def test_an_acceptance_that_nobody_proposed_diverges(kept: Kept, tmp_path: Path) -> None:
    _, folder, history, ending = kept
    doctored = []
    altered = False
    for path in traces_of(folder):
        lines = path.read_bytes().splitlines(keepends=True)
        for at, line in enumerate(lines):
            told = json.loads(line)
            if not altered and told["event"] == "accept" and told.get("entries") and told.get("recv"):
                told["entries"][0][-1] = "AAAA"
                told["recv"]["entries"][0][-1] = "AAAA"
                lines[at] = json.dumps(told, separators=(",", ":")).encode() + b"\n"
                altered = True
        doctored.append(tmp_path / path.name)
        doctored[-1].write_bytes(b"".join(lines))
    assert altered
    rules = [each.rule for each in judged(doctored, history, ending, keys()).complaints]
    assert any(rule.startswith("trace: ") for rule in rules)


def test_an_answer_that_no_order_explains_is_told(kept: Kept) -> None:
    _, folder, history, ending = kept
    told = next(one for one in history if one.command[-2:-1] == [b"INCR"] and isinstance(one.reply, int))
    before = told.reply
    told.reply = before + 1_000_000
    try:
        verdict = judged(traces_of(folder), history, ending, keys())
    finally:
        told.reply = before
    assert [each.rule for each in verdict.complaints] == ["history: not linearizable"]


def test_a_write_that_was_answered_and_is_in_no_log_is_told(kept: Kept) -> None:
    _, folder, history, ending = kept
    doctored = History()
    for one in history:
        if one.returned is None:
            doctored.begin(one.client, one.command, one.called)
        else:
            doctored.end(doctored.begin(one.client, one.command, one.called), one.reply, one.returned)
    doctored.end(doctored.begin("liar", [b"SET", b"k0", b"never"], 1), OK, 2)
    verdict = judged(traces_of(folder), doctored, ending, keys())
    assert [each.rule for each in verdict.complaints] == ["history: not linearizable"]


def test_a_node_with_another_state_is_told(kept: Kept) -> None:
    _, folder, history, ending = kept
    odd = {**ending.states, "c": [*ending.states["c"][:-1], [b"odd", 1]]}
    verdict = judged(traces_of(folder), history, Ending(ending.slot, odd), keys())
    assert [each.rule for each in verdict.complaints] == ["state: different"]
    assert "key n7" in verdict.complaints[0].sentence


def test_nodes_that_agree_on_what_the_log_does_not_say_are_told(kept: Kept) -> None:
    _, folder, history, ending = kept
    wrong = {node: [*state[:-1], [b"odd", 1]] for node, state in ending.states.items()}
    verdict = judged(traces_of(folder), history, Ending(ending.slot, wrong), keys())
    rules = [each.rule for each in verdict.complaints]
    assert rules == ["state: different"]


def test_what_was_not_judged_is_a_doubt(kept: Kept) -> None:
    _, folder, history, _ = kept
    not_compared = "the nodes' state machines were not compared"
    assert judged(traces_of(folder), history, None, keys()).doubts == [not_compared]
    nothing_asked = judged(traces_of(folder), History(), None, keys()).doubts
    assert nothing_asked[1:] == [not_compared]
    assert "undecided" in nothing_asked[0]


def test_a_log_that_the_traces_do_not_have_whole_is_no_witness(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order is looked for then, in vain where there is none."""
    _, folder, _, ending = kept
    whole = judging_module.read

    def gapped(*files: Path) -> Iterator[object]:
        return (
            one for one in whole(*files) if not (isinstance(one.line, Apply) and one.line.entries[0][0] == 1)
        )

    monkeypatch.setattr(judging_module, "read", gapped)
    few = History()
    few.end(few.begin("one", [b"INCR", b"n0"], 1), 1, 2)
    assert judged(traces_of(folder), few, ending, keys()).complaints == []
    few.end(few.begin("one", [b"INCR", b"n0"], 3), 1, 4)
    rules = [each.rule for each in judged(traces_of(folder), few, ending, keys()).complaints]
    assert rules == ["history: not linearizable"]


FORGETFUL = """
from quorate.impl.storage.log import DurableLog
DurableLog.commit = lambda log, records: None
"""


def test_nodes_that_keep_nothing_on_disk_are_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in real processes: each reads this before it begins, and says that it wrote what it did not write. To lead
    they have promised, and what they promised is gone when all were killed."""
    (tmp_path / "sitecustomize.py").write_text(FORGETFUL)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    plan = Plan(seed=1, ends_ms=3000, callers=CALLERS, faults=(Kills(at_ms=0, nodes=(0, 1, 2), down_ms=0),))
    held = hold(plan, tmp_path / "kept")
    assert held.faults == {"kill": 3}
    assert held.verdict == "fails"
    assert any(each.rule.startswith("trace: ") for each in held.complaints)
    assert "trace: unreadable" not in {each.rule for each in held.complaints}
    assert traces_of(tmp_path / "kept")
    assert (tmp_path / "kept" / STORY).read_text().startswith(held.complaints[0].rule)


# Disks -----------------------------------------------------------------------------------


def mounted_below(folder: Path) -> bool:
    return str(folder) in Path("/proc/mounts").read_text(encoding="utf-8")


def test_a_disk_fills_has_room_again_and_is_gone_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Disks(tmp_path, "ab") as disks:
        if disks.why_not:
            pytest.skip(disks.why_not)
        disks.data("a").mkdir()
        with (disks.data("a") / "log").open("wb", buffering=0) as file:
            file.write(bytes(4096))
            disks.fill("a")
            assert disks.is_full("a")
            assert not disks.is_full("b")
            with pytest.raises(OSError, match="No space"):
                file.write(bytes(8192))
            disks.clear("a")
            assert not disks.is_full("a")
            file.write(bytes(8192))
        assert mounted_below(tmp_path)
        raise KeyError
    assert not mounted_below(tmp_path)


def test_without_root_disks_are_not_filled_and_the_report_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disks_module.os, "geteuid", lambda: 1000)
    used = []

    async def nothing(happening: object) -> None:
        used.append(happening._disks)  # type: ignore[attr-defined]

    monkeypatch.setattr(round_module._Happening, "run", nothing)
    plan = Plan(seed=3, faults=(DiskFills(at_ms=0, node=0, lasts_ms=1),))
    held = hold(plan, tmp_path / "kept")
    assert used == [None]
    assert held.not_tried == ("disks that fill: only root can mount a small file system",)
    tally = Tally()
    tally.add(held)
    assert "not tried, in 1 of the rounds: disks that fill: only root" in told(tally, held, tmp_path / "kept")


def test_a_round_that_left_no_trace_is_not_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_: object) -> None: ...

    monkeypatch.setattr(round_module._Happening, "run", nothing)
    held = hold(Plan(seed=3), tmp_path / "kept")
    assert held.verdict == "fails"
    assert "no trace" in (tmp_path / "kept" / STORY).read_text()


# The command line ------------------------------------------------------------------------


def pretended(plan: Plan, complaints: tuple[Complaint, ...] = (), doubts: tuple[str, ...] = ()) -> Round:
    return Round(plan, complaints, doubts, 1.0, 10, 2, 5, 4, Counter(kill=1), Counter(accept=10), ())


WRONG = (Complaint("state: different", "key k1 is 1 and 2 at a and at b"),)


@pytest.mark.parametrize(
    ("arguments", "outcomes", "code", "rounds", "verdict"),
    [
        (["--rounds", "3"], [(), (), ()], Exit.HOLDS, 3, "clean"),
        (["--seed", "5"], [()], Exit.HOLDS, 1, "clean"),
        (["--rounds", "3"], [(), "doubt", ()], Exit.UNKNOWN, 3, "undecided"),
        (["--rounds", "3"], ["doubt", WRONG], Exit.VIOLATED, 2, "fails"),
        (["--rounds", "3"], [(), KeyboardInterrupt], Exit.INTERRUPTED, 1, "clean"),
        ([], [(), KeyboardInterrupt], Exit.HOLDS, 1, "clean"),
        ([], ["doubt", KeyboardInterrupt], Exit.UNKNOWN, 1, "undecided"),
        ([], [KeyboardInterrupt], Exit.INTERRUPTED, 0, "undecided"),
    ],
)
def test_the_exit_code_says_what_came_of_it(
    arguments: list[str],
    outcomes: list[object],
    code: Exit,
    rounds: int,
    verdict: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    waiting = list(outcomes)

    def held(plan: Plan, keep: Path, **_: object) -> Round:
        outcome = waiting.pop(0)
        if outcome is KeyboardInterrupt:
            raise KeyboardInterrupt
        return pretended(plan, doubts=("it is so",)) if outcome == "doubt" else pretended(plan, outcome)  # type: ignore[arg-type]

    monkeypatch.setattr(hunting_real, "hold", held)
    assert run(["hunt", "--real", *arguments, "--json"]) == code
    said = json.loads(capsys.readouterr().out)
    assert (said["rounds"], said["verdict"]) == (rounds, verdict)
    waiting[:] = outcomes
    assert run(["hunt", "--real", *arguments]) == code
    text = capsys.readouterr().out
    if verdict == "fails":
        assert "key k1 is 1 and 2" in text
        assert "again: quorate hunt --real --seed 1 --nodes" in text
    assert ("clean: no round fails" in text) == (verdict == "clean")


def test_seeds_follow_one_another_and_each_round_has_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[tuple[int, Path, bool]] = []

    def hold_it(plan: Plan, keep: Path, *, always: bool, **_: object) -> Round:
        held.append((plan.seed, keep, always))
        return pretended(plan)

    monkeypatch.setattr(hunting_real, "hold", hold_it)
    run(["hunt", "--real", "--seed", "5", "--rounds", "2", "--keep", "found"])
    run(["hunt", "--real", "--seed", "9", "--keep", "found"])
    run(["hunt", "--real", "--seed", "9"])
    assert held == [
        (5, Path("found/hunt-real-5"), False),
        (6, Path("found/hunt-real-6"), False),
        (9, Path("found"), True),
        (9, Path("hunt-real-9"), False),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--real", "--jobs", "2"], "--jobs: is for simulated runs"),
        (["--real", "--no-shrink"], "--no-shrink: is for simulated runs"),
        (["--nodes", "3"], "give it with --real"),
        (["--real", "--nodes", "4"], "--nodes"),
        (["--real", "--plan", "no/such/plan.json"], "cannot be read"),
        (["--real", "--seed", "1", "--plan", "x"], "leave one out"),
        (["--real", "--seed", "1", "--first", "2"], "--first: is the seed to begin with, as --seed is"),
        (["--real", "--plan", "x", "--nodes", "3"], "--nodes: is for rounds that are drawn"),
        (["--real", "--plan", "x", "--rounds", "3"], "--runs/--rounds: is for rounds that are drawn"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["hunt", *arguments]) == Exit.BAD_INPUT
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_a_simulated_plan_is_no_plan_for_real_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / PLAN
    file.write_bytes(encode_simulated(draw_simulated(1)))
    assert run(["hunt", "--real", "--plan", str(file)]) == Exit.BAD_INPUT
    assert "is no plan for real processes" in capsys.readouterr().err


@contextmanager
def hunting(tmp_path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, whose temporary files are below `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "quorate", "hunt", "--real", *arguments],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pid in nodes_below(tmp_path):
            os.kill(pid, signal.SIGKILL)


def nodes_below(folder: Path) -> list[int]:
    """The processes of nodes whose settings are below a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.startswith(bytes(folder)) and word.endswith(b".toml") for word in words):
            found.append(int(process.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_every_process_and_every_mount(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / PLAN
    faults = (DiskFills(at_ms=0, node=0, lasts_ms=600_000), Pauses(at_ms=0, node=1, lasts_ms=600_000))
    file.write_bytes(encode(Plan(seed=1, ends_ms=600_000, callers=CALLERS, faults=faults)))
    with hunting(tmp_path, "--plan", str(file)) as process:
        deadline_s = time.monotonic() + 120
        while len(nodes_below(tmp_path)) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        process.send_signal(number)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == Exit.INTERRUPTED, said
        assert "nothing was judged" in said
        assert "Traceback" not in said
        assert nodes_below(tmp_path) == []
        assert not mounted_below(tmp_path)
        assert list(tmp_path.iterdir()) == [file], "its temporary files are gone"

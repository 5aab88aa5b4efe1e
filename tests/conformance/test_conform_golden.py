"""Golden traces: correct runs, told as stories, that must conform whatever order their lines are read in.

Each story writes the trace in golden/ that bears its name; QUORATE_REWRITE=1 writes them anew.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quorate.refinement.conformance import Conformance, conform
from quorate.traces import Place, decode_line
from quorate.traces.build import Script
from quorate.traces.merge import Step, merge

GOLDEN = Path(__file__).parent / "golden"


def a_normal_run(tell):
    """One leader, three commands, nothing lost; the commit index reaches the followers on the next accept."""
    run = tell()
    ballot = run.elect("a", 1, "ab")
    first = run.round(ballot, (1, "x"), quorum="ab")
    run.accept("c", first)
    second = run.round(ballot, (2, "y"), (3, "z"), quorum="abc", commit=1)
    for name in "bc":
        run.learn(name, second, (1, "x"))
        run.learn(name, run.beat(ballot, 3), (2, "y"), (3, "z"))
    run.end()
    return run


def a_takeover(tell):
    """The leader dies with a value accepted by one acceptor only; the next leader must propose it again."""
    run = tell()
    ballot = run.elect("a", 1, "ab")
    run.round(ballot, (1, "x"), quorum="ab")
    lost = run.propose(ballot, (2, "y"))
    run.accept("b", lost)
    ballot = run.elect("c", 2, "bc")
    run.round(ballot, (1, "x"), (2, "y"), quorum="bc")
    run.round(ballot, (3, "z"), quorum="bc", commit=2)
    run.learn("b", run.beat(ballot, 3), (1, "x"), (2, "y"), (3, "z"))
    run.end()
    return run


def the_highest_report(tell):
    """Two values are reported in a slot: the one of the higher ballot may be chosen, and must be proposed."""
    run = tell("abcde")
    one = run.elect("a", 1, "abc")
    run.accept("a", run.propose(one, (1, "x")))
    two = run.elect("b", 2, "bcd")
    proposed = run.propose(two, (1, "y"))
    for name in "bd":
        run.accept(name, proposed)
    three = run.elect("e", 3, "abe")
    run.round(three, (1, "y"), quorum="ace")
    run.end()
    return run


def a_gap_filled(tell):
    """Slot 2 was never accepted by anyone whom the new leader hears: it becomes a no-op before anything new."""
    run = tell()
    ballot = run.elect("a", 1, "ab")
    run.round(ballot, (1, "x"), quorum="ab")
    run.propose(ballot, (2, "lost"))
    run.accept("b", run.propose(ballot, (3, "z")))
    ballot = run.elect("b", 2, "bc")
    run.round(ballot, (1, "x"), (2, "noop"), (3, "z"), quorum="bc")
    run.round(ballot, (4, "new"), quorum="bc", commit=3)
    run.end()
    return run


def a_deposed_leader(tell):
    """An old leader comes back and can do no harm: it is refused, and learns what it missed."""
    run = tell()
    old = run.elect("a", 1, "ab")
    run.round(old, (1, "x"), quorum="ab")
    new = run.elect("b", 2, "bc")
    run.round(new, (1, "x"), (2, "y"), quorum="bc")
    late = run.propose(old, (2, "z"), commit=1)
    run.accept("a", late)
    for name in "bc":
        run.ignore("a", run.nack(name, late), "a higher ballot is promised")
    beat = run.beat(new, 2)
    run.learn("c", beat, (1, "x"), (2, "y"))
    run.ignore("a", beat, "behind")
    told = run.actors["b"].pen.write(
        "ignore", reason="asked", send=[{"to": ["a"], "kind": "learn", "entries": [(2, "y")]}]
    )[0]
    run.learn("a", told, (2, "y"))
    run.end()
    return run


def a_restart(tell):
    """An acceptor and then the leader crash and come back with all that they had promised, accepted and opened."""
    run = tell()
    ballot = run.elect("a", 1, "abc")
    run.round(ballot, (1, "x"), quorum="ab")
    run.restart("b")
    again = run.round(ballot, (2, "y"), quorum="ab", commit=1)
    run.accept("c", again)
    run.restart("a")
    ballot = run.elect("a", 2, "ac")
    run.round(ballot, (1, "x"), (2, "y"), quorum="ac")
    beat = run.beat(ballot, 2)
    run.ignore("b", beat, "behind")
    run.end()
    return run


def messages_lost_and_doubled(tell):
    """Nothing that the network does to whole messages is a divergence."""
    run = tell()
    asked = run.prepare("a", 1)
    mine, theirs = run.promise("a", asked), run.promise("b", asked)
    again = run.resend("b", theirs, asked)
    run.lead("a", (1, "a"), "ab", [again])
    run.ignore("a", theirs, "counted before")
    assert mine["kind"] == "promise"
    accept = run.propose((1, "a"), (1, "x"))
    run.accept("a", accept)
    repeated = run.resend("a", accept)
    answer = run.accept("b", repeated)
    run.resend("b", answer, accept)
    run.commit(accept, "ab", [answer])
    run.ignore("a", answer, "chosen already")
    run.promise("c", asked)
    run.accept("c", accept)
    run.end()
    return run


def flexible_quorums(tell):
    """Four nodes: three promise, two accept."""
    run = tell("abcd", phase1=3, phase2=2)
    ballot = run.elect("a", 1, "abc")
    run.round(ballot, (1, "x"), quorum="ad")
    ballot = run.elect("b", 2, "bcd")
    run.round(ballot, (1, "x"), quorum="bc")
    run.end()
    return run


def ahead_of_its_trace(tell):
    """A power loss took the line of an acceptance, and not the acceptance."""
    run = tell()
    ballot = run.elect("a", 1, "abc")
    first = run.propose(ballot, (1, "x"))
    run.actors["b"].log[1] = (ballot, "x")
    run.restart("b")
    run.accept("a", first)
    run.commit(first, "ac", [run.accept("c", first)])
    run.end()
    return run


def a_checkpoint(tell):
    """b truncates its log below a checkpoint: it recovers, reports and applies only what is above."""
    run = tell()
    ballot = run.elect("a", 1, "ab")
    both = run.round(ballot, (1, "x"), (2, "y"), quorum="ab")
    run.accept("c", both)
    beat = run.beat(ballot, 2)
    for name in "bc":
        run.learn(name, beat, (1, "x"), (2, "y"))
    run.actors["b"].low = 1
    run.restart("b")
    ballot = run.elect("c", 2, "bc")
    run.round(ballot, (3, "z"), quorum="bc", commit=2)
    run.learn("b", run.beat(ballot, 3), (2, "y"), (3, "z"))
    run.end()
    return run


def everybody_truncates(tell):
    """All take a checkpoint at 2, and truncate; a late copy of what was proposed there does no harm."""
    run = tell()
    ballot = run.elect("a", 1, "ab")
    late = run.round(ballot, (1, "x"), (2, "y"), quorum="ab")
    run.accept("c", late)
    beat = run.beat(ballot, 2)
    for name in "bc":
        run.learn(name, beat, (1, "x"), (2, "y"))
    for name in "abc":
        run.checkpoint(name, 2)
        run.truncate(name, 2)
    run.accept("b", late)
    run.round(ballot, (3, "z"), quorum="ab", commit=2)
    run.restart("c")
    ballot = run.elect("b", 2, "bc")
    run.round(ballot, (3, "z"), (4, "new"), quorum="bc", commit=2)
    run.learn("c", run.beat(ballot, 4), (3, "z"), (4, "new"))
    run.checkpoint("c", 4)
    run.end()
    return run


def a_snapshot(tell):
    """c missed everything; what it missed is truncated, so it gets b's checkpoint, and then leads."""
    run = tell()
    ballot = run.elect("a", 1, "ab")
    run.round(ballot, (1, "x"), (2, "y"), quorum="ab")
    beat = run.beat(ballot, 2)
    run.learn("b", beat, (1, "x"), (2, "y"))
    for name in "ab":
        run.checkpoint(name, 2)
        run.truncate(name, 2)
    run.ignore("c", beat, "behind")
    run.install("c", run.offer("b", "c"))
    run.truncate("c", 2)
    ballot = run.elect("c", 2, "bc")
    asked = run.round(ballot, (3, "z"), quorum="bc", commit=2)
    run.checkpoint("c", 3)
    run.accept("a", asked)
    run.learn("a", run.beat(ballot, 3), (3, "z"))
    run.end()
    return run


STORIES = [
    everybody_truncates,
    a_snapshot,
    a_normal_run,
    a_takeover,
    the_highest_report,
    a_gap_filled,
    a_deposed_leader,
    a_restart,
    messages_lost_and_doubled,
    flexible_quorums,
    ahead_of_its_trace,
    a_checkpoint,
]
NAMES = [tell.__name__ for tell in STORIES]


@pytest.mark.parametrize("tell", STORIES, ids=NAMES)
def test_a_golden_trace_is_what_its_story_writes(tell: Callable, story: type) -> None:
    text = Script().text(tell(story).lines)
    file = GOLDEN / f"{tell.__name__}.ndjson"
    if os.environ.get("QUORATE_REWRITE"):
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_trace_conforms(name: str) -> None:
    result = conform(GOLDEN / f"{name}.ndjson")
    assert result.divergence is None, str(result.divergence)
    assert result.json() == {
        "verdict": "conforms",
        "lines": len((GOLDEN / f"{name}.ndjson").read_text().splitlines()),
        "unverified": 0,
        "divergence": None,
        "torn": [],
    }


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_a_golden_trace_conforms_in_every_causal_order(name: str, seed: int) -> None:
    conformance = Conformance()
    for step in shuffled(GOLDEN / f"{name}.ndjson", random.Random(seed)):
        conformance.check(step)
    result = conformance.finish()
    assert result.verdict == "conforms", str(result.divergence)


def shuffled(file: Path, chance: random.Random) -> list[Step]:
    """The lines of a trace in a random causal order: a node's own, and no message before it is sent."""
    steps = list(merge(file))
    waiting = {node: [s for s in steps if s.line.node == node] for node in {s.line.node for s in steps}}
    out, sent = list[Step](), set[tuple[str, int, int]]()
    while any(waiting.values()):
        ready = sorted(
            node
            for node, rest in waiting.items()
            if rest and (rest[0].line.recv is None or tuple(rest[0].line.recv.id) in sent)
        )
        step = waiting[chance.choice(ready)].pop(0)
        sent |= {tuple(one.id) for one in step.line.send}
        out.append(step)
    return out


def test_a_shuffled_trace_is_another_order_of_the_same_lines() -> None:
    file = GOLDEN / "a_normal_run.ndjson"
    orders = {tuple(s.place for s in shuffled(file, random.Random(seed))) for seed in range(20)}
    assert len(orders) == 20
    assert {frozenset(order) for order in orders} == {frozenset(s.place for s in merge(file))}


def test_a_commit_may_be_said_again(story: type, judge_lines: Callable) -> None:
    """The leader counts a third answer, and says once more what it knew; it need not have kept who told it."""
    run = story()
    asked = run.round(run.elect("a", 1, "ab"), (1, "x"), quorum="ab")
    answer = run.accept("c", asked)
    run.actors["a"].pen.write(
        "commit", recv=answer, ballot=(1, "a"), quorum=["a", "b", "c"], entries=[(1, "x")]
    )
    run.end()
    assert judge_lines(run.lines).verdict == "conforms"


def test_a_quorum_may_be_named_anew(story: type, judge_lines: Callable) -> None:
    """A leader that hears a third promise may rest its later proposals on all three."""
    run = story()
    asked = run.prepare("a", 1)
    promises = {name: run.promise(name, asked) for name in "abc"}
    run.lead("a", (1, "a"), "ab", [promises["b"]])
    run.round((1, "a"), (1, "x"), quorum="ab")
    run.lead("a", (1, "a"), "abc", [promises["c"]])
    run.round((1, "a"), (2, "y"), quorum="ab", commit=1)
    run.end()
    assert judge_lines(run.lines).verdict == "conforms"


def test_a_torn_tail_makes_a_trace_unverified(story: type, judge_lines: Callable) -> None:
    """b's last line, its acceptance, is torn; that a received the answer is taken on trust, and counted."""
    run = story()
    ballot = run.elect("a", 1, "abc")
    run.round(ballot, (1, "x"), quorum="ab")
    torn = next(line for line in run.lines if line["node"] == "b" and line["event"] == "accept")
    run.lines.remove(torn)
    run.end("ac")
    text = Script().text([torn])
    result = judge_lines(run.lines, torn=text[: len(text) // 2])
    assert (result.verdict, result.unverified) == ("unverified", 1), str(result.divergence)


def test_what_a_gap_hides_may_not_contradict_what_is_known(story: type, judge_lines: Callable) -> None:
    """As before, but the leader counts an acceptance of a slot for which its ballot proposed nothing."""
    run = story()
    ballot = run.elect("a", 1, "abc")
    asked = run.round(ballot, (1, "x"), quorum="ab")
    torn = next(line for line in run.lines if line["node"] == "b" and line["event"] == "accept")
    commit = next(line for line in run.lines if line["event"] == "commit")
    commit["entries"] = [(2, "x")]
    run.lines.remove(torn)
    run.end("ac")
    text = Script().text([torn])
    assert asked["ballot"] == ballot
    result = judge_lines(run.lines, torn=text[: len(text) // 2])
    assert result.verdict == "diverges"
    assert result.divergence.event == "commit"


@pytest.mark.parametrize(("names", "every"), [("abc", 0), ("abcde", 0), ("abc", 3), ("abcde", 3)])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**16))
def test_runs_of_the_implementation_conform(names: str, every: int, seed: int, core_cluster: type) -> None:
    """Random runs with crashes, losses and repetitions; what a kill may hide is unverified at most.

    With a checkpoint every so many slots: lagging nodes then get snapshots, and the judge forgets what all truncated.
    """
    cluster = core_cluster(names, seed, checkpoint_entries=every).start()
    cluster.wander(250)
    conformance = Conformance()
    for step in in_order(cluster):
        conformance.check(step)
    result = conformance.finish()
    assert result.divergence is None, str(result.divergence)
    assert result.lines == sum(len(lines) for node in cluster.nodes.values() for lines in node.lines.values())


def in_order(cluster) -> list[Step]:
    """The lines of a cluster in memory, merged without going through files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, node in cluster.nodes.items():
            Path(folder, f"{name}.ndjson").write_text(node.trace(), encoding="utf-8")
        return list(merge(folder))


def test_a_line_says_where_it_stands() -> None:
    file = GOLDEN / "a_normal_run.ndjson"
    for step in merge(file):
        assert step.place == Place(str(file), step.place.number)
        assert decode_line(step.raw) == step.line

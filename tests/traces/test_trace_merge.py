"""One causal order of all lines, without clocks, whatever the files; and a mark on all that it cannot justify."""

from __future__ import annotations

import gzip
import itertools
import random
import tempfile
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.traces import Doubt, Mark, Step, merge
from quorate.traces.build import Fields, Pen, Script, message

Put = Callable[[str, Iterable[str]], Path]


def said(number: int = 0, *to: str) -> Fields:
    return message("learn", *(to or ("b",)), entries=[(number + 1, "x")])


def start(*nodes: str) -> tuple[Script, list[Pen]]:
    script = Script(*nodes)
    return script, [script.boot(node) for node in nodes]


def stop(*pens: Pen) -> None:
    for pen in pens:
        pen.write("stop")


def identities(steps: Iterable[Step]) -> list[tuple[str, int, int]]:
    return [(step.line.node, step.line.boot, step.line.seq) for step in steps]


def marks(steps: Iterable[Step]) -> list[tuple[tuple[str, int, int], Doubt]]:
    return [(identities([step])[0], step.mark.doubt) for step in steps if step.mark is not None]


def only_mark(*files: Path, window: int = 100) -> Mark:
    (mark,) = [step.mark for step in merge(*files, window=window) if step.mark is not None]
    return mark


def assert_causal(steps: list[Step]) -> None:
    """Program order per node, and every receive that is not doubted after its send."""
    last: dict[str, tuple[int, int]] = {}
    sent = set()
    for step in steps:
        line = step.line
        assert last.get(line.node, (-1, 0)) < (line.boot, line.seq)
        last[line.node] = (line.boot, line.seq)
        assert line.recv is None or step.mark is not None or line.recv.id in sent
        sent |= {one.id for one in line.send}


def test_the_example_is_merged_the_same_from_its_files_in_any_order(
    one_command: Script, tmp_path: Path
) -> None:
    files = one_command.save(tmp_path)
    orders = [list(merge(*order)) for order in itertools.permutations(files)]
    assert len(orders[0]) == len(one_command.lines)
    assert_causal(orders[0])
    for order in orders:
        assert identities(order) == identities(orders[0])
        assert marks(order) == []
    assert merge(*files).nodes == ["a", "b", "c"]


def test_a_merge_can_be_repeated(one_command: Script, tmp_path: Path) -> None:
    merged = merge(*one_command.save(tmp_path))
    assert identities(merged) == identities(merged)


def test_every_step_keeps_its_place_and_its_text(one_command: Script, tmp_path: Path) -> None:
    for step in merge(*one_command.save(tmp_path)):
        text = Path(step.place.file).read_bytes()
        assert text.splitlines(keepends=True)[step.place.number - 1] == step.raw
        assert text[step.offset :].startswith(step.raw)


class Network:
    """A run in which anything may happen to a message, and to a node: `lines` stand in an order that did happen."""

    def __init__(self, seed: int, steps: int) -> None:
        self.random = random.Random(seed)
        self.script, self.pens = start("a", "b", "c")
        self.letters: list[Fields] = []
        for _ in range(steps):
            self.step(self.random.randrange(3))
        stop(*self.pens)

    def step(self, index: int) -> None:
        if self.random.random() < 0.03:
            self.pens[index].write("stop")
            self.pens[index] = self.script.boot(self.script.nodes[index])
        pen = self.pens[index]
        letter = self.random.choice(self.letters) if self.letters and self.random.random() < 0.6 else None
        sent = [said(self.random.randrange(9), *"abc") for _ in range(self.random.choice((0, 0, 1, 1, 2)))]
        self.letters += pen.write("apply", entries=[], recv=letter, send=sent)
        if len(self.letters) > 8:  # the rest is lost, or late
            del self.letters[self.random.randrange(8)]

    def save(self, folder: Path, way: str) -> list[Path]:
        if way == "a file for each boot":
            files = self.script.save(folder)
            self.random.shuffle(files)
            return files
        file = folder / "all.ndjson"
        lines = list(self.script.lines)
        if way != "in one file as it happened":  # any order that keeps each node's own
            queues = {node: [line for line in lines if line["node"] == node] for node in "abc"}
            lines = []
            while left := [node for node in "abc" if queues[node]]:
                node = left[0] if way == "in one file, node after node" else self.random.choice(left)
                lines.append(queues[node].pop(0))
        file.write_text(self.script.text(lines))
        return [file]


WAYS = [
    "a file for each boot",
    "in one file as it happened",
    "in one file, node after node",
    "in one file, shuffled",
]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 80))
def test_any_run_is_merged_causally_and_alike_however_it_is_split(seed: int, steps: int) -> None:
    network, merged = Network(seed, steps), []
    for way in WAYS:
        with tempfile.TemporaryDirectory() as folder:
            merged.append(list(merge(*network.save(Path(folder), way))))
    for one in merged:
        assert len(one) == len(network.script.lines)
        assert_causal(one)
        assert marks(one) == []
        assert identities(one) == identities(merged[0])


# What a receive may rest on


def test_a_lost_message_needs_no_line_and_a_message_may_come_twice(tmp_path: Path) -> None:
    script, (a, b) = start("a", "b")
    lost, doubled = a.write("apply", entries=[], send=[said(0), said(1)])
    assert lost != doubled
    for _ in range(3):
        b.write("apply", entries=[], recv=doubled)
    stop(a, b)
    assert marks(merge(*script.save(tmp_path))) == []


def test_a_node_may_receive_what_it_sent_itself(tmp_path: Path) -> None:
    script, (a,) = start("a")
    (own,) = a.write("apply", entries=[], send=[said(0, "a")])
    a.write("apply", entries=[], recv=own)
    assert marks(merge(*script.save(tmp_path))) == []


def test_a_message_of_a_later_boot_is_waited_for(tmp_path: Path) -> None:
    script, (a, b) = start("a", "b")
    a.write("apply", entries=[], send=[said(0)])
    a = script.boot("a")
    (letter,) = a.write("apply", entries=[], send=[said(1)])
    b.write("apply", entries=[], recv=letter)
    stop(a, b)
    steps = list(merge(*script.save(tmp_path)))
    assert marks(steps) == []
    assert_causal(steps)


def received_from_nowhere(identity: list[object], *, ends_with_stop: bool) -> Script:
    script, (a, b) = start("a", "b")
    a.write("apply", entries=[], send=[said(0)])
    if ends_with_stop:
        a.write("stop")
    b.write("apply", entries=[], recv={**said(1), "id": identity})
    stop(b)
    return script


@pytest.mark.parametrize(
    ("identity", "ends_with_stop", "doubt", "text"),
    [
        (["a", 1, 2], True, Doubt.NOBODY, 'nobody sent ["a",1,2]'),
        (["a", 1, 2], False, Doubt.GAP, "the trace of boot 1 has no `stop` after"),
        (["a", 7, 1], True, Doubt.GAP, "there is no trace of boot 7"),
        (["x", 1, 1], False, Doubt.NOBODY, 'nobody sent ["x",1,1]'),
        (["b", 1, 9], True, Doubt.EARLY, "is received before 'b' can have sent it"),
    ],
)
def test_what_nobody_is_seen_to_send_is_marked(
    tmp_path: Path, identity: list[object], ends_with_stop: bool, doubt: Doubt, text: str
) -> None:
    script = received_from_nowhere(identity, ends_with_stop=ends_with_stop)
    mark = only_mark(*script.save(tmp_path))
    assert mark.doubt is doubt
    assert text in mark.text
    assert mark.is_unverified == (doubt is Doubt.GAP)
    assert mark.sent_at is None


def test_a_torn_tail_covers_what_may_have_stood_there_even_after_a_stop(tmp_path: Path) -> None:
    a, b = received_from_nowhere(["a", 1, 2], ends_with_stop=True).save(tmp_path)
    a.write_bytes(a.read_bytes() + b'{"v":1,"node":"a","boot":1,')
    mark = only_mark(a, b)
    assert mark.doubt is Doubt.GAP
    assert mark.text.endswith(f"the trace of boot 1 breaks off in a torn line after {a}:3")
    assert [str(gap) for gap in merge(a, b).gaps] == [
        f"{a}:4: the trace of node 'a', boot 1, breaks off in a torn line"
    ]


def test_a_cut_tail_does_not_excuse_what_the_next_boot_never_sent(tmp_path: Path) -> None:
    script, (a, b) = start("a", "b")
    a = script.boot("a")
    b.write("apply", entries=[], recv={**said(0), "id": ["a", 1, 1]})
    b.write("apply", entries=[], recv={**said(0), "id": ["a", 2, 1]})
    stop(a, b)
    assert marks(merge(*script.save(tmp_path))) == [(("b", 1, 2), Doubt.GAP), (("b", 1, 3), Doubt.NOBODY)]


KINDS: dict[str, dict[str, Any]] = {
    "prepare": {"ballot": [3, "a"]},
    "promise": {"ballot": [3, "a"], "accepted": [[1, [2, "b"], "x"]], "low": 0},
    "accept": {"ballot": [3, "a"], "entries": [[1, "x"], [2, "y"]], "commit": 0},
    "accepted": {"ballot": [3, "a"], "slots": [1, 2]},
    "nack": {"ballot": [3, "a"], "promised": [4, "b"]},
    "heartbeat": {"ballot": [3, "a"], "commit": 4},
    "learn": {"entries": [[1, "x"]]},
    "snapshot": {"slot": 4},
}
ALTERED: list[tuple[str, dict[str, Any], str]] = [
    ("prepare", {"ballot": [4, "a"]}, "`ballot[0]` was 3, and is received as 4"),
    ("promise", {"ballot": [3, "b"]}, '`ballot[1]` was "a", and is received as "b"'),
    ("promise", {"low": 1}, "`low` was 0, and is received as 1"),
    ("promise", {"accepted": []}, "`accepted` had 1 elements, and is received with 0"),
    ("promise", {"accepted": [[1, [1, "b"], "x"]]}, "`accepted[0][1][0]` was 2, and is received as 1"),
    ("accept", {"entries": [[1, "x"], [2, "z"]]}, '`entries[1][1]` was "y", and is received as "z"'),
    ("accept", {"entries": [[2, "y"], [1, "x"]]}, "`entries[0][0]` was 1, and is received as 2"),
    ("accept", {"commit": None}, "`commit` was 0, and is received as null"),
    ("accepted", {"slots": [1, 3]}, "`slots[1]` was 2, and is received as 3"),
    ("nack", {"promised": [4, "c"]}, '`promised[1]` was "b", and is received as "c"'),
    ("heartbeat", {"commit": 5}, "`commit` was 4, and is received as 5"),
    ("learn", {"entries": [[1, "x"], [2, "x"]]}, "`entries` had 1 elements, and is received with 2"),
    ("snapshot", {"slot": 5}, "`slot` was 4, and is received as 5"),
    ("heartbeat", {"kind": "accept", "entries": []}, "its kind was 'heartbeat', and is received as 'accept'"),
    ("prepare", {"kind": "other"}, "its kind was 'prepare', and is received as 'other'"),
]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(("kind", "change", "text"), ALTERED)
def test_an_altered_message_is_marked_with_what_differs(
    tmp_path: Path, kind: str, change: dict[str, Any], text: str, zipped: bool
) -> None:
    script, (a, b) = start("a", "b")
    a.write("apply", entries=[], send=[said(0)])
    _, letter = a.write("apply", entries=[], send=[said(1), message(kind, "b", **KINDS[kind])])
    b.write("apply", entries=[], recv=letter)
    b.write("apply", entries=[], recv={**letter, **change})
    stop(a, b)
    files = script.save(tmp_path)
    if zipped:
        for file in files:
            file.write_bytes(gzip.compress(file.read_bytes()))
    mark = only_mark(*files)
    assert mark.doubt is Doubt.ALTERED
    assert not mark.is_unverified
    assert mark.text == f'["a",1,3] was sent with another content: {text} (sent at {files[0]}:3)'
    assert mark.sent_at == (str(files[0]), 3)


def test_only_the_fields_of_the_format_must_arrive_as_they_were_sent(tmp_path: Path) -> None:
    script, (a, b) = start("a", "b")
    opaque, known = a.write("apply", entries=[], send=[message("other", "b", ask=1), {**said(0), "hops": 1}])
    b.write("apply", entries=[], recv={**opaque, "ask": 2})
    b.write("apply", entries=[], recv={**known, "hops": 2, "delay_ms": 4})
    script.lines[-1]["recv"]["to"] = ["x"]  # type: ignore[index]
    assert marks(merge(*script.save(tmp_path))) == []


def test_beyond_the_window_a_message_is_known_to_be_sent_but_not_compared(tmp_path: Path) -> None:
    script, (a, b) = start("a", "b")
    letters = a.write("apply", entries=[], send=[said(number) for number in range(4)])
    a.write("stop")
    a = script.boot("a")
    letters += a.write("apply", entries=[], send=[said(4)])
    b.write("apply", entries=[], recv=letters[4])
    for letter in letters:
        b.write("apply", entries=[], recv={**letter, "entries": [[99, "altered"]]})
    stop(a, b)
    files = script.save(tmp_path)
    for window in range(1, 7):
        forgotten = max(0, 5 - window)
        doubts = [doubt for _, doubt in marks(merge(*files, window=window))]
        assert doubts == [Doubt.FORGOTTEN] * forgotten + [Doubt.ALTERED] * (5 - forgotten)
    mark = next(step.mark for step in merge(*files, window=2) if step.mark is not None)
    assert mark.text == '["a",1,1] was sent more than 2 messages of its sender ago'
    assert mark.is_unverified
    with pytest.raises(ValueError, match="window"):
        merge(*files, window=0)


# Circles


def circle(*others: tuple[str, str]) -> Script:
    """b and c each receive what the other sends later; each of `others` (x, y) waits for y's first message."""
    nodes = sorted({"b", "c", *(name for pair in others for name in pair)})
    script, pens = start(*nodes)
    pen = dict(zip(nodes, pens, strict=True))
    for receiver, sender in (("b", "c"), ("c", "b"), *others):
        pen[receiver].write("apply", entries=[], recv={**said(0), "id": [sender, 1, 1]})
        pen[receiver].write("apply", entries=[], send=[said(0)])
    stop(*pens)
    return script


@pytest.mark.parametrize("others", [(), (("a", "c"),), (("a", "c"), ("d", "a"))])
def test_a_circle_is_broken_at_one_node_of_it_and_nowhere_else(tmp_path: Path, others: Any) -> None:
    files = circle(*others).save(tmp_path)
    for order in itertools.permutations(files):
        steps = list(merge(*order))
        assert len(steps) == 4 * len(files)
        assert marks(steps) == [(("b", 1, 2), Doubt.EARLY)]
        assert_causal(steps)
    mark = only_mark(*files)
    waiting = next(file for file in files if file.name == "c-1.ndjson")
    assert mark.text == f"[\"c\",1,1] is received before 'c' can have sent it (it waits for {waiting}:2)"


def test_a_line_that_receives_what_it_sends_is_marked(tmp_path: Path) -> None:
    script, (a,) = start("a")
    a.write("apply", entries=[], recv={**said(0), "id": ["a", 1, 1]}, send=[said(0)])
    assert marks(merge(*script.save(tmp_path))) == [(("a", 1, 2), Doubt.EARLY)]


def test_a_boot_that_receives_what_its_next_boot_sends_is_marked(tmp_path: Path) -> None:
    script, (a, b) = start("a", "b")
    a.write("apply", entries=[], recv={**said(0), "id": ["a", 2, 1]})
    a.write("stop")
    a = script.boot("a")
    (letter,) = a.write("apply", entries=[], send=[said(0)])
    b.write("apply", entries=[], recv=letter)
    assert marks(merge(*script.save(tmp_path))) == [(("a", 1, 2), Doubt.EARLY)]


# Bounds


def write_steady(folder: Path, slots: int) -> None:
    """A leader's steady state, as text: in every slot one message out to two nodes, and two back."""
    start = '"event":"start","nodes":["a","b","c"],"promised":null,"accepted":[],"low":0,"ballot_used":null'
    lines: dict[str, list[str]] = {node: [] for node in "abc"}

    def add(node: str, rest: str) -> None:
        lines[node].append(f'{{"v":1,"node":"{node}","boot":1,"seq":{len(lines[node]) + 1},{rest}}}\n')

    for node in "abc":
        add(node, start)
    for slot in range(1, slots + 1):
        act = f'"ballot":[1,"a"],"entries":[[{slot},"x"]]'
        accept = f'{{"id":["a",1,{slot}],"to":["b","c"],"kind":"accept",{act}}}'
        add("a", f'"event":"propose",{act},"send":[{accept}]')
        for node in "bc":
            done = (
                f'{{"id":["{node}",1,{slot}],"to":["a"],"kind":"accepted","ballot":[1,"a"],"slots":[{slot}]}}'
            )
            add(node, f'"event":"accept",{act},"recv":{accept},"send":[{done}]')
            add("a", f'"event":"ignore","reason":"counted","recv":{done}')
    for node in "abc":
        add(node, '"event":"stop"')
        (folder / f"{node}.ndjson").write_text("".join(lines[node]))


def test_what_was_sent_is_soon_received(tmp_path: Path) -> None:
    """Consumers come before producers: one message in flight is all that a steady state needs to remember."""
    write_steady(tmp_path, 50)
    assert marks(merge(tmp_path, window=1)) == []


def test_lines_that_send_nothing_hold_nobody_up(tmp_path: Path) -> None:
    """b does much on its own between what it receives; a, who could go on, waits until it has."""
    script, (a, b) = start("a", "b")
    for number in range(20):
        (letter,) = a.write("apply", entries=[], send=[said(number)])
        b.write("apply", entries=[], recv=letter)
        for _ in range(3):
            b.write("apply", entries=[])
    stop(a, b)
    assert marks(merge(*script.save(tmp_path), window=1)) == []


def test_nobody_runs_ahead_of_those_who_wait_for_another(tmp_path: Path) -> None:
    """a could send all that it has at once; but b, to whom it goes, waits for c, so c comes first."""
    script, (a, b, c) = start("a", "b", "c")
    from_a = [letter for number in range(40) for letter in a.write("apply", entries=[], send=[said(number)])]
    from_c = [letter for number in range(40) for letter in c.write("apply", entries=[], send=[said(number)])]
    b.write("apply", entries=[], recv=from_c[-1])
    for letter in from_a:
        b.write("apply", entries=[], recv=letter)
    stop(a, b, c)
    assert marks(merge(*script.save(tmp_path), window=4)) == []


def test_memory_is_bounded_by_the_window_not_by_the_length(tmp_path: Path) -> None:
    peaks = []
    for slots in (1_000, 8_000):
        folder = tmp_path / str(slots)
        folder.mkdir()
        write_steady(folder, slots)
        tracemalloc.start()
        count = sum(1 for _ in merge(folder, window=64))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == 5 * slots + 6
    assert peaks[1] < peaks[0] + 50_000  # bytes, where the longer trace has 7 MB more

"""Stories: correct runs told act by act, which write the golden traces; and the tools to doctor what they wrote.

A `Story` plays every node by the book, so that a test says only who does what and which messages arrive.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from quorate.checker.specification import Specification
from quorate.refinement.conformance import Result, conform
from quorate.traces.build import Pen, Script, message

Ballot = tuple[int, str]
Entry = tuple[int, str]
Fields = dict[str, Any]


@dataclass
class Actor:
    """A node by the book: its pen, and what is on its disk."""

    name: str
    pen: Pen
    promised: Ballot | None = None
    log: dict[int, tuple[Ballot, str]] = field(default_factory=dict)
    used: Ballot | None = None
    low: int = 0

    def report(self) -> list[tuple[int, Ballot, str]]:
        return [(s, *self.log[s]) for s in sorted(self.log) if s > self.low]


class Story:
    """A run in the making: each act writes a line and gives the message that it sent, if it sent one."""

    def __init__(self, names: str = "abc", **sizes: int) -> None:
        self.names = names
        self.script = Script(*names, **sizes)
        self.actors = {name: Actor(name, self.script.boot(name)) for name in names}

    @property
    def lines(self) -> list[Fields]:
        return self.script.lines

    def others(self, name: str) -> str:
        return self.names.replace(name, "")

    # Phase 1 -----------------------------------------------------------------------------

    def prepare(self, name: str, number: int) -> Fields:
        actor, ballot = self.actors[name], (number, name)
        actor.used = ballot
        (sent,) = actor.pen.write(
            "prepare", ballot=ballot, send=[message("prepare", *self.others(name), ballot=ballot)]
        )
        return sent

    def promise(self, name: str, asked: Fields) -> Fields:
        actor, ballot = self.actors[name], tuple(asked["ballot"])
        actor.promised = ballot
        mine = ballot[1] == name
        said = message("promise", ballot[1], ballot=ballot, accepted=actor.report(), low=actor.low)
        (sent,) = actor.pen.write("promise", recv=None if mine else asked, ballot=ballot, send=[said])
        return sent

    def lead(self, name: str, ballot: Ballot, quorum: str, received: Iterable[Fields]) -> None:
        *counted, last = received
        for promise in counted:
            self.ignore(name, promise, "counted")
        self.actors[name].pen.write("lead", recv=last, ballot=ballot, quorum=list(quorum))

    def elect(self, name: str, number: int, quorum: str) -> Ballot:
        """A whole Phase 1, of which nothing is lost."""
        asked = self.prepare(name, number)
        promises = [self.promise(other, asked) for other in quorum]
        self.lead(
            name, (number, name), quorum, [p for p, q in zip(promises, quorum, strict=True) if q != name]
        )
        return (number, name)

    # Phase 2 -----------------------------------------------------------------------------

    def propose(self, ballot: Ballot, *entries: Entry, commit: int = 0) -> Fields:
        name = ballot[1]
        said = message("accept", *self.others(name), ballot=ballot, entries=list(entries), commit=commit)
        (sent,) = self.actors[name].pen.write("propose", ballot=ballot, entries=list(entries), send=[said])
        return sent

    def accept(self, name: str, asked: Fields) -> Fields:
        actor, ballot = self.actors[name], tuple(asked["ballot"])
        actor.promised = ballot
        for slot, value in asked["entries"]:
            actor.log[slot] = (ballot, value)
        mine = ballot[1] == name
        said = message("accepted", ballot[1], ballot=ballot, slots=[slot for slot, _ in asked["entries"]])
        (sent,) = actor.pen.write(
            "accept", recv=None if mine else asked, ballot=ballot, entries=asked["entries"], send=[said]
        )
        return sent

    def commit(self, asked: Fields, quorum: str, received: Iterable[Fields]) -> None:
        """The leader counts these answers, and applies."""
        *counted, last = received
        name = asked["ballot"][1]
        for answer in counted:
            self.ignore(name, answer, "counted")
        pen, entries = self.actors[name].pen, asked["entries"]
        pen.write("commit", recv=last, ballot=asked["ballot"], quorum=list(quorum), entries=entries)
        pen.write("apply", entries=entries)

    def round(self, ballot: Ballot, *entries: Entry, quorum: str, commit: int = 0) -> Fields:
        """A whole Phase 2, of which nothing is lost; the `accept` that was sent."""
        asked = self.propose(ballot, *entries, commit=commit)
        answers = [self.accept(name, asked) for name in quorum]
        self.commit(asked, quorum, [x for x, q in zip(answers, quorum, strict=True) if q != ballot[1]])
        return asked

    # The rest ----------------------------------------------------------------------------

    def beat(self, ballot: Ballot, commit: int) -> Fields:
        name = ballot[1]
        said = message("heartbeat", *self.others(name), ballot=ballot, commit=commit)
        (sent,) = self.actors[name].pen.write("ignore", reason="idle", send=[said])
        return sent

    def learn(self, name: str, told: Fields, *entries: Entry) -> None:
        pen = self.actors[name].pen
        pen.write("commit", recv=told, entries=list(entries), learned=True)
        pen.write("apply", entries=list(entries))

    def ignore(self, name: str, received: Fields, reason: str) -> None:
        self.actors[name].pen.write("ignore", recv=received, reason=reason)

    def nack(self, name: str, refused: Fields) -> Fields:
        actor = self.actors[name]
        said = message("nack", refused["ballot"][1], ballot=refused["ballot"], promised=actor.promised)
        (sent,) = actor.pen.write("nack", recv=refused, reason="left that ballot", send=[said])
        return sent

    def resend(self, name: str, sent: Fields, received: Fields | None = None) -> Fields:
        again = {key: value for key, value in sent.items() if key != "id"}
        (out,) = self.actors[name].pen.write("resend", recv=received, send=[again])
        return out

    def restart(self, name: str, stop: bool = False) -> None:
        actor = self.actors[name]
        if stop:
            actor.pen.write("stop")
        actor.pen = self.script.boot(
            name, promised=actor.promised, accepted=actor.report(), low=actor.low, ballot_used=actor.used
        )

    # Checkpoints -------------------------------------------------------------------------

    def checkpoint(self, name: str, slot: int) -> None:
        self.actors[name].low = slot
        self.actors[name].pen.write("checkpoint", slot=slot)

    def truncate(self, name: str, slot: int) -> None:
        self.actors[name].pen.write("truncate", slot=slot)

    def offer(self, name: str, to: str) -> Fields:
        said = message("snapshot", to, slot=self.actors[name].low)
        (sent,) = self.actors[name].pen.write("ignore", reason="asked for what is truncated", send=[said])
        return sent

    def install(self, name: str, received: Fields) -> None:
        self.actors[name].low = received["slot"]
        self.actors[name].pen.write("snapshot", recv=received, slot=received["slot"])

    def end(self, names: str | None = None) -> None:
        for name in self.names if names is None else names:
            self.actors[name].pen.write("stop")


# Doctoring ---------------------------------------------------------------------------------


class Doctor:
    """A copy of a trace, to be changed in one place; `where` is the line on which that must come to light."""

    def __init__(self, lines: Iterable[Fields]) -> None:
        self.lines: list[Fields] = copy.deepcopy(list(lines))

    def find(self, node: str, event: str, nth: int = 1, **fields: object) -> Fields:
        """The nth line of this node with this event and these fields."""
        found = [
            line
            for line in self.lines
            if line["node"] == node
            and line["event"] == event
            and all(plain(line.get(name)) == plain(value) for name, value in fields.items())
        ]
        return found[nth - 1]

    def number(self, line: Fields) -> int:
        """Its number in the file, from 1."""
        return next(i for i, other in enumerate(self.lines, 1) if other is line)

    def drop(self, *dropped: Fields) -> None:
        """Take lines away so that nothing shows: the lines and messages that remain are numbered anew."""
        self.lines = [line for line in self.lines if not any(line is one for one in dropped)]
        self.renumber()

    def insert(self, after: Fields, event: str, **fields: object) -> Fields:
        """A line more, of the same node, behind this one."""
        new = {"v": 1, "node": after["node"], "boot": after["boot"], "seq": 0, "event": event, **fields}
        self.lines.insert(self.number(after), new)
        self.renumber()
        return new

    def move(self, line: Fields, after: Fields) -> None:
        self.lines = [other for other in self.lines if other is not line]
        self.lines.insert(self.number(after), line)
        self.renumber()

    def renumber(self) -> None:
        """Number lines and messages without gaps again; who received a message that is gone still names it."""
        seqs: dict[tuple[str, int], int] = {}
        sends: dict[tuple[str, int], int] = {}
        ids: dict[tuple[object, ...], list[object]] = {}
        for line in self.lines:
            boot = (line["node"], line["boot"])
            line["seq"] = seqs[boot] = seqs.get(boot, 0) + 1
            for sent in line.get("send", ()):
                sends[boot] = sends.get(boot, 0) + 1
                old, sent["id"] = tuple(sent.get("id", ())), [*boot, sends[boot]]
                ids[old] = sent["id"]
        for line in self.lines:
            if "recv" in line:
                node, boot, k = line["recv"]["id"]
                line["recv"]["id"] = ids.get((node, boot, k), [node, boot, k + 1000])

    def to_all(self, sent: Fields, **changes: object) -> None:
        """Change a message where it was sent and wherever it was received."""
        for line in self.lines:
            for one in (*line.get("send", ()), line.get("recv")):
                if one is not None and one["id"] == sent["id"]:
                    one.update(copy.deepcopy(changes))


def plain(value: object) -> object:
    """Tuples as the lists that they are in JSON."""
    return [plain(x) for x in value] if isinstance(value, list | tuple) else value


# Fixtures ----------------------------------------------------------------------------------


@pytest.fixture
def story() -> type[Story]:
    return Story


@pytest.fixture
def doctor() -> type[Doctor]:
    return Doctor


@pytest.fixture
def judge_lines(tmp_path: Path) -> Callable[..., Result]:
    """Writes lines to one file, in this order, and judges them."""

    def judged(lines: Iterable[Fields], torn: str = "", spec: Specification | None = None) -> Result:
        file = tmp_path / "trace.ndjson"
        file.write_text(Script().text(lines) + torn, encoding="utf-8")
        return conform(file, spec=spec)

    return judged


@pytest.fixture(scope="session")
def core_cluster() -> Any:
    """The cluster in memory with which the core is tested: here it is where real traces come from."""
    return _module(Path(__file__).parents[1] / "core" / "conftest.py").Cluster


@pytest.fixture(scope="session")
def doctored_traces() -> dict[str, list[Fields]]:
    """The lines of every doctored trace, by name."""
    cases = _module(Path(__file__).parent / "test_conform_doctored.py").CASES
    patients: dict[str, list[Fields]] = {}
    for name, (golden, edit) in cases.items():
        text = (Path(__file__).parent / "golden" / f"{golden}.ndjson").read_text(encoding="utf-8")
        patient = Doctor([json.loads(line) for line in text.splitlines()])
        edit(patient)
        patients[name] = patient.lines
    return patients


def _module(path: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}_of_tests", path)
    assert found is not None, path
    assert found.loader is not None, path
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module

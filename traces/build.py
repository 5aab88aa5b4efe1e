"""Writes small traces by hand, readably: for tests, examples and doctored traces.

    script = Script("a", "b", "c")
    a, b, c = (script.boot(node) for node in script.nodes)
    (asked,) = a.write("prepare", ballot=(1, "a"), send=[message("prepare", "b", "c", ballot=(1, "a"))])
    (reply,) = b.write("promise", ballot=(1, "a"), recv=asked,
                       send=[message("promise", "a", ballot=(1, "a"), accepted=[], low=0)])
    files = script.save(folder)

Numbers lines and messages, and passes on as `recv` what was sent. Does *not* know whether what is written makes
sense: `script.lines` are plain dicts, to be changed at will.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from .events import VERSION
from .files import PathLike

Fields = dict[str, object]


def message(kind: str, *to: str, **fields: object) -> Fields:
    """A message of this kind to these nodes, for the `send` of a line, which gives it its id."""
    return {"to": list(to), "kind": kind, **fields}


class Script:
    """A trace in the making, of a cluster with these nodes. `phase1` and `phase2` are quorum sizes, if given."""

    def __init__(self, *nodes: str, phase1: int | None = None, phase2: int | None = None) -> None:
        self.nodes = nodes
        self.lines: list[Fields] = []
        """Every line so far, in the order of writing, as the JSON object that it will be."""
        sizes = {"phase1": phase1, "phase2": phase2}
        self._cluster = {"nodes": nodes, **{name: size for name, size in sizes.items() if size is not None}}
        self._boots: defaultdict[str, int] = defaultdict(int)

    def boot(
        self,
        node: str,
        *,
        promised: tuple[int, str] | None = None,
        accepted: Sequence[tuple[int, tuple[int, str], str]] = (),
        low: int = 0,
        ballot_used: tuple[int, str] | None = None,
    ) -> Pen:
        """Write the `start` of the node's next boot, with what it recovered, and give the pen for the rest."""
        self._boots[node] += 1
        pen = Pen(self, node, self._boots[node])
        recovered = {"promised": promised, "accepted": accepted, "low": low, "ballot_used": ballot_used}
        pen.put("start", {**self._cluster, **recovered})
        return pen

    def text(self, lines: Iterable[Fields] | None = None) -> str:
        """These lines (all, if none are named) as NDJSON."""
        chosen = self.lines if lines is None else lines
        return "".join(msgspec.json.encode(line).decode() + "\n" for line in chosen)

    def save(self, folder: PathLike) -> list[Path]:
        """Write every boot to a file of its own, NODE-BOOT.ndjson; the files, in the order of their first lines."""
        files: dict[Path, list[Fields]] = {}
        for line in self.lines:
            files.setdefault(Path(folder, f"{line['node']}-{line['boot']}.ndjson"), []).append(line)
        for file, lines in files.items():
            file.write_text(self.text(lines), encoding="utf-8")
        return list(files)


class Pen:
    """What one boot of one node writes its lines with."""

    def __init__(self, script: Script, node: str, boot: int) -> None:
        self.node = node
        self.boot = boot
        self._script = script
        self._seq = 0
        self._sent = 0

    def write(
        self, event: str, *, recv: Fields | None = None, send: Iterable[Fields] = (), **fields: object
    ) -> list[Fields]:
        """Write the next line; the messages that it sent, with their ids, for others to receive."""
        return self.put(event, fields, recv, send)

    def put(
        self,
        event: str,
        fields: Mapping[str, object],
        recv: Fields | None = None,
        send: Iterable[Fields] = (),
    ) -> list[Fields]:
        """As `write`, with the event's own fields in a mapping."""
        self._seq += 1
        line: Fields = {"v": VERSION, "node": self.node, "boot": self.boot, "seq": self._seq, "event": event}
        line.update(copy.deepcopy(dict(fields)))
        if recv is not None:
            line["recv"] = {name: copy.deepcopy(value) for name, value in recv.items() if name != "to"}
        if sent := [self._numbered(one) for one in send]:
            line["send"] = sent
        self._script.lines.append(line)
        return list(sent)

    def _numbered(self, fields: Fields) -> Fields:
        self._sent += 1
        return {"id": [self.node, self.boot, self._sent], **copy.deepcopy(fields)}

"""Reads a trace: files to validated lines, each with its place, in the order in which they stand.

`read` is for looking at a trace as it was written; `merge` is for its causal order. `survey` is the first look
that the merge takes: whose each line is, and no more, so that it knows where every boot lies before it begins.

Memory is one line, and a few words for every boot of a node.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ..decoding import UNREADABLE
from ..quoting import quoted
from .errors import BadTrace
from .events import AnyLine, Start
from .files import PathLike, Place, RawLine, Source, sources
from .schema import decode_line
from .strands import Gap, Strand, Strands, count_sends


class Located(msgspec.Struct, gc=False):
    """A line and where it stands; `raw` is its text, with whatever fields the format does not know."""

    line: AnyLine
    place: Place
    raw: bytes

    @property
    def extra(self) -> dict[str, object]:
        """The line's own fields that the format does not know."""
        fields: dict[str, object] = msgspec.json.decode(self.raw)
        known = {*self.line.__struct_fields__, "event"}
        return {name: value for name, value in fields.items() if name not in known}


class Reading:
    """The lines of some files, one file after the other; iterate over it.

    `gaps` are the boots found to break off in a torn line, complete when the iteration is.
    """

    def __init__(self, files: tuple[PathLike, ...]) -> None:
        self._sources = sources(files)
        self._strands = Strands()

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return tuple(self._strands.gaps)

    def __iter__(self) -> Iterator[Located]:
        self._strands = strands = Strands()
        for source in self._sources:
            for raw in _present(source):
                try:
                    line = decode_line(raw.text, source.name, raw.number)
                except BadTrace as error:
                    strands.tolerate(source, raw, error)
                    continue
                strand = strands.admit(source, raw, line)
                place = Place(source.name, raw.number)
                strand.sent = count_sends(line.node, line.boot, line.send, strand.sent, place)
                yield Located(line, place, raw.text)


def read(*files: PathLike) -> Reading:
    """The lines of these files as they stand, validated.

    A file is a path (gzipped or not), a folder of traces, or `-` for standard input. Raises `BadTrace`, here or
    while iterating, for whatever the format does not allow; a torn line at the end of a boot is a gap instead.
    """
    return Reading(files)


class Survey:
    """Where every boot of every node lies in these files, and what is missing.

    Raises `BadTrace` for whatever is wrong with the order and the numbering of lines, for malformed lines, and
    for a member of the cluster that has no trace. What each line says is validated when it is read in full.
    """

    def __init__(self, files: tuple[PathLike, ...]) -> None:
        self._strands = Strands()
        self._members: dict[str, Place] = {}
        """Every node that a `start` names as a member, and where it first does."""
        for source in sources(files):
            self._take(source)
        self._refuse_absent()

    @property
    def nodes(self) -> list[str]:
        """Every node that has a trace, in the order of their names."""
        return sorted(self._strands.found)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The boots that break off in a torn line, in the order of node and boot."""
        return tuple(sorted(self._strands.gaps))

    def boots(self, node: str) -> list[Strand]:
        """The boots of a node, in their order."""
        return [strand for _, strand in sorted(self._strands.found[node].items())]

    def _take(self, source: Source) -> None:
        decode = _head.decode
        admit = self._strands.admit
        for raw in _present(source):
            try:
                head = decode(raw.text)
            except UNREADABLE:
                self._look_again(source, raw)
                continue
            admit(source, raw, head)
            if head.event == "start":
                self._enrol(decode_line(raw.text, source.name, raw.number), Place(source.name, raw.number))

    def _look_again(self, source: Source, raw: RawLine) -> None:
        """Word the fault of a line that not even its head could be read of, or tolerate it."""
        try:
            decode_line(raw.text, source.name, raw.number)
        except BadTrace as error:
            self._strands.tolerate(source, raw, error)

    def _enrol(self, line: AnyLine, place: Place) -> None:
        if isinstance(line, Start):
            for node in line.nodes:
                self._members.setdefault(node, place)

    def _refuse_absent(self) -> None:
        for node, place in sorted(self._members.items()):
            if node not in self._strands.found:
                reason = f"node {quoted(node)} is a member, and no file holds a line of it"
                raise BadTrace(place.file, place.number, reason, "give the traces of all nodes")


class _Head(msgspec.Struct, gc=False):
    """Whose a line is: all that the survey reads of it."""

    node: str
    boot: int
    seq: int
    event: str


_head = msgspec.json.Decoder(_Head)


def head_of(raw: bytes) -> tuple[str, int] | None:
    """The node and the boot of a line, or None of what is no line."""
    try:
        head = _head.decode(raw)
    except UNREADABLE:
        return None
    return head.node, head.boot


def _present(source: Source) -> Iterator[RawLine]:
    """The lines of a source that must have some."""
    is_empty = True
    for raw in source.lines():
        is_empty = is_empty and raw.text.isspace()
        yield raw
    if is_empty:
        advice = "give the trace that the node wrote; leave the file out if the boot wrote nothing"
        raise BadTrace(source.name, None, "the file is empty", advice)

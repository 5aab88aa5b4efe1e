"""A boot of a node in a trace is a strand: its lines, numbered without a gap, all in one file.

`Strands` admits line after line and refuses what no node could have written: a number skipped or repeated, a
boot that shrinks, a boot in two files, a torn line with lines of its boot behind it.

Knows `node`, `boot` and `seq`, and that message ids count; not what a line means, nor any order between nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..quoting import quoted, shown
from .errors import BadTrace
from .files import Place, RawLine, Source
from .messages import Message, MessageId
from .schema import is_torn, named_in


class Stepped(Protocol):
    """What `Strands` reads of a line."""

    @property
    def node(self) -> str: ...
    @property
    def boot(self) -> int: ...
    @property
    def seq(self) -> int: ...
    @property
    def event(self) -> str: ...


class Gap(NamedTuple):
    """Lines that are known to be missing: the trace of this boot breaks off at this place."""

    node: str
    boot: int
    place: Place

    def __str__(self) -> str:
        return f"{self.place}: the trace of node {quoted(self.node)}, boot {self.boot}, breaks off in a torn line"


@dataclass(slots=True)
class Strand:
    """One boot of one node: where its lines lie, and how it ends.

    `seq` is that of its last line, which is how many lines it has; `sent` is how many messages were counted by
    `count_sends`. `stopped` says that it ended in an orderly `stop`, so that nothing is missing behind it.
    """

    source: Source
    node: str
    boot: int
    offset: int
    first: int
    last: int
    seq: int = 0
    sent: int = 0
    stopped: bool = False

    @property
    def is_alone(self) -> bool:
        """Whether no line of another strand lies between its first line and its last."""
        return self.last - self.first + 1 == self.seq

    @property
    def end(self) -> Place:
        """Where its last line stands."""
        return Place(self.source.name, self.last)


class Strands:
    """The strands met so far, over any number of files, each read from its beginning."""

    def __init__(self) -> None:
        self.found: dict[str, dict[int, Strand]] = {}
        """The strands of each node, by boot."""
        self.gaps: list[Gap] = []
        self._source: Source | None = None
        self._current: dict[str, Strand] = {}
        """The strand to which each node's last line in this file belongs."""
        self._latest: Strand | None = None
        self._torn: dict[tuple[str, int], BadTrace] = {}
        """The boots that ended in a torn line, each with what is wrong if a line of that boot follows after all."""

    def admit(self, source: Source, raw: RawLine, line: Stepped) -> Strand:
        """Count this line to its strand. Raises `BadTrace` when it cannot stand here."""
        if source is not self._source:
            self._source, self._latest = source, None
            self._current.clear()
        strand = self._current.get(line.node)
        if strand is None or strand.boot != line.boot:
            strand = self._opened(source, raw, line, strand)
        if self._torn and (line.node, line.boot) in self._torn:
            raise self._torn[line.node, line.boot]
        if line.seq != strand.seq + 1:
            raise _misnumbered(source, raw, line, strand.seq)
        strand.seq = line.seq
        strand.last = raw.number
        strand.stopped = line.event == "stop"
        self._latest = strand
        return strand

    def tolerate(self, source: Source, raw: RawLine, error: BadTrace) -> None:
        """Take a line that is none: a blank one is nothing; a torn one is the end of a boot and a known gap.

        Raises `error`, which is what was wrong with the line, when it is neither.
        """
        if raw.text.isspace():
            return
        if not is_torn(raw.text):
            raise error
        boot = named_in(raw.text) or self._latest_boot(source)
        if boot is None or boot in self._torn:
            raise error
        self._torn[boot] = error
        node, number = boot
        self.gaps.append(Gap(node, number, Place(source.name, raw.number)))

    def _latest_boot(self, source: Source) -> tuple[str, int] | None:
        """The boot of the last line that this file held, if it held one."""
        if source is not self._source or self._latest is None:
            return None
        return self._latest.node, self._latest.boot

    def _opened(self, source: Source, raw: RawLine, line: Stepped, before: Strand | None) -> Strand:
        """A new strand for this line; `before` is the one that the node has had in this file so far."""
        if before is not None and line.boot < before.boot:
            reason = f"boot {line.boot} of node {quoted(line.node)} after its boot {before.boot}"
            advice = "boots grow, and the lines of one stand together; give each boot a file of its own"
            raise BadTrace(source.name, raw.number, reason, advice)
        boots = self.found.setdefault(line.node, {})
        if (twin := boots.get(line.boot)) is not None:
            reason = (
                f"node {quoted(line.node)}, boot {line.boot}, is in {twin.source.name}:{twin.first} already"
            )
            raise BadTrace(source.name, raw.number, reason, "give each boot's trace once, in one file")
        strand = Strand(source, line.node, line.boot, raw.offset, raw.number, raw.number)
        boots[line.boot] = self._current[line.node] = strand
        return strand


def count_sends(node: str, boot: int, send: Sequence[Message], sent: int, place: Place) -> int:
    """How many messages the boot has sent after these, if it was `sent` before.

    Raises `BadTrace` unless their ids are the next ones: [node, boot, sent + 1] and so on.
    """
    for position, message in enumerate(send):
        sent += 1
        if message.id != (node, boot, sent):
            due = MessageId(node, boot, sent)
            reason = f"field `send[{position}].id`: {message.id} where {due} is due"
            advice = "a node numbers all that it sends in a boot 1, 2, 3 ... in the order of sending"
            raise BadTrace(place.file, place.number, reason, advice)
    return sent


def _misnumbered(source: Source, raw: RawLine, line: Stepped, seq: int) -> BadTrace:
    reason = (
        f"field `seq`: {shown(line.seq)} where {seq + 1} is due (node {quoted(line.node)}, boot {line.boot})"
    )
    advice = "lines are missing, doubled or out of order; give the whole trace of the boot, as it was written"
    return BadTrace(source.name, raw.number, reason, advice)

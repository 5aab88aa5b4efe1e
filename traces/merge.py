"""Puts the lines of all nodes into one causal order, without clocks.

The order is a linear extension of two facts: a node's lines come in its program order (boot, then seq), and a
line that received a message comes after the line that sent it. Every such extension is as good as any other;
this one is a function of the trace alone, whatever the order of the files.

It is linear in the length of the trace: a node whose next line must wait sits with the message it waits for
until that is sent. (Nodes that share a file are each read from it separately.) Memory is one line a node and a
window of what was sent (`sent`). To keep that window short, lines that consume come before lines that produce,
and a node that another waits for produces before one that none waits for.

Knows no Paxos. It marks what a trace cannot justify, and leaves the verdict to whoever reads the marks.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator

import msgspec

from ..quoting import quoted
from .errors import BadTrace
from .files import PathLike, Place, RawLine
from .messages import AnyMessage, MessageId, difference
from .reader import Located, Survey, head_of
from .schema import decode_line
from .sent import Fate, Kept, Sent
from .strands import Gap, Strand, count_sends

WINDOW = 1 << 18
"""How many of a node's latest messages are remembered by what they held: 6 MiB a node when full."""


class Doubt(enum.Enum):
    """Why a received message is not justified by the trace."""

    GAP = "gap"
    """Nobody is seen to send it, but the trace has a gap where that may have stood."""
    FORGOTTEN = "forgotten"
    """It was sent, too many messages ago to compare what it held."""
    NOBODY = "nobody"
    """Nobody sent it, and the sender's trace is whole."""
    ALTERED = "altered"
    """It was sent with another content."""
    EARLY = "early"
    """It was received before it was sent: in a circle of messages, each waits for the next."""


class Mark(msgspec.Struct, frozen=True):
    """A received message that the trace does not justify: why, in words, and where it was sent if it was."""

    doubt: Doubt
    text: str
    sent_at: Place | None = None

    @property
    def is_unverified(self) -> bool:
        """Whether it may be true: the fact is to be taken and counted. Otherwise the trace contradicts itself."""
        return self.doubt in (Doubt.GAP, Doubt.FORGOTTEN)


class Step(Located, gc=False):
    """A line in its causal place; `mark` says what is doubtful about the message that it received, if anything."""

    offset: int
    """Where the line begins in its file's text, in bytes."""
    mark: Mark | None = None


class Merged:
    """The lines of a trace in causal order; iterate over it, as often as you like.

    `nodes` are all that have a trace; `gaps` are the boots that break off in a torn line.
    """

    def __init__(self, files: tuple[PathLike, ...], window: int) -> None:
        self._survey = Survey(files)
        self._window = window
        self.nodes = self._survey.nodes
        self.gaps: tuple[Gap, ...] = self._survey.gaps

    def __iter__(self) -> Iterator[Step]:
        return _Merge(self._survey, self._window).steps()


def merge(*files: PathLike, window: int = WINDOW) -> Merged:
    """The lines of all these files in one causal order.

    Files are as for `read`, in any order: together the traces of all nodes. Raises `BadTrace`, at once for what
    the survey of the files finds, and while iterating for what single lines hold. `window` bounds the memory: a
    message received after its sender sent that many more is marked as forgotten, not compared.
    """
    if window < 1:
        raise ValueError("window must be at least 1")
    return Merged(files, window)


class _Merge:
    """One pass over the trace. A node is in exactly one place: `_consumers`, `_producers`, `_waiting`, or done."""

    def __init__(self, survey: Survey, window: int) -> None:
        self._survey = survey
        self._window = window
        torn = {(gap.node, gap.boot) for gap in survey.gaps}
        self._sent = {
            node: Sent(survey.boots(node), [boot for name, boot in torn if name == node], window)
            for node in survey.nodes
        }
        self._lines = {node: _program_order(survey.boots(node)) for node in survey.nodes}
        self._heads: dict[str, Step] = {}
        self._consumers: deque[str] = deque()
        self._producers: deque[str] = deque()
        self._waiting: dict[str, dict[MessageId, list[str]]] = {node: {} for node in survey.nodes}
        """Who waits for which message of each node."""

    def steps(self) -> Iterator[Step]:
        """Every line, in causal order."""
        for node in self._survey.nodes:
            self._advance(node, None)
        while True:
            if self._consumers:
                node = self._consumers.popleft()
            elif self._producers:
                node = self._next_producer()
            elif self._heads:
                self._break_a_circle()
                continue
            else:
                return
            step = self._heads[node]
            if step.mark is None and step.line.recv is not None:
                step.mark = self._doubted(step.line.recv)
            yield step
            self._note_sends(step)
            self._advance(node, step)

    def _advance(self, node: str, before: Step | None) -> None:
        """Fetch the node's next line; `before` is the one that was its head."""
        step = next(self._lines[node], None)
        if before is not None and (step is None or step.line.boot != before.line.boot):
            self._close(node, before.line.boot)
        if step is None:
            del self._heads[node]
            return
        if before is None or before.line.boot != step.line.boot:
            self._sent[node].open(step.line.boot)
        self._heads[node] = step
        self._place(node, step)

    def _place(self, node: str, step: Step) -> None:
        """Queue the node by what its next line needs."""
        received = step.line.recv
        if received is None:
            (self._producers if step.line.send else self._consumers).append(node)
        elif step.mark is None and self._fate(received.id) is Fate.PENDING:
            self._waiting[received.id.sender].setdefault(received.id, []).append(node)
        else:
            self._consumers.append(node)

    def _fate(self, identity: MessageId) -> Fate:
        sent = self._sent.get(identity.sender)
        return Fate.NEVER if sent is None else sent.fate(identity.boot, identity.k)

    def _note_sends(self, step: Step) -> None:
        """Remember what the line sent, and let those go on who waited for it."""
        line = step.line
        sent, waiting = self._sent[line.node], self._waiting[line.node]
        for message in line.send:
            sent.add(line.boot, message, step.place.number, step.offset)
            if waiting and message.id in waiting:
                self._consumers.extend(waiting.pop(message.id))

    def _close(self, node: str, boot: int) -> None:
        """The boot sends no more: whoever still waits for it looks again, and finds out that it waits in vain."""
        self._sent[node].close(boot)
        waiting, self._waiting[node] = self._waiting[node], {}
        for waiters in waiting.values():
            for waiter in waiters:
                self._place(waiter, self._heads[waiter])

    def _next_producer(self) -> str:
        """A node for which somebody waits, or else the one that has not produced for longest."""
        for position, node in enumerate(self._producers):
            if self._waiting[node]:
                del self._producers[position]
                return node
        return self._producers.popleft()

    def _break_a_circle(self) -> None:
        """Everybody waits: let the first node, by name, of a circle of waiting nodes go on, marked."""
        node, seen = min(self._heads), list[str]()
        while node not in seen:
            seen.append(node)
            node = self._awaited(node).sender
        circle = seen[seen.index(node) :]
        node = min(circle)
        awaited = self._awaited(node)
        others = ", ".join(str(self._heads[other].place) for other in circle if other != node)
        text = f"{awaited} is received before {quoted(awaited.sender)} can have sent it"
        self._heads[node].mark = Mark(Doubt.EARLY, text + (f" (it waits for {others})" if others else ""))
        for waiter in self._waiting[awaited.sender].pop(awaited):
            self._place(waiter, self._heads[waiter])

    def _awaited(self, node: str) -> MessageId:
        received = self._heads[node].line.recv
        assert received is not None, "only a line that receives can wait"
        return received.id

    def _doubted(self, received: AnyMessage) -> Mark | None:
        """What is doubtful about a message that need not be waited for."""
        sender, boot, k = received.id
        fate = self._fate(received.id)
        if fate is Fate.NEVER:
            return Mark(Doubt.NOBODY, f"nobody sent {received.id}")
        sent = self._sent[sender]
        if fate is Fate.LOST:
            return Mark(Doubt.GAP, f"{received.id} is not seen to be sent: {sent.end(boot)}")
        kept = sent.kept(boot, k)
        if kept is None:
            text = f"{received.id} was sent more than {self._window} messages of its sender ago"
            return Mark(Doubt.FORGOTTEN, text)
        if hash(received.content) == kept.content_hash:
            return None
        text = f"{received.id} was sent with another content: {_alteration(kept, received)}"
        return Mark(Doubt.ALTERED, text, kept.place)


def _program_order(strands: list[Strand]) -> Iterator[Step]:
    """The lines of one node, validated; one boot after the other, of which one file at a time is open."""
    for strand in strands:
        seq = sent = 0
        for raw in _texts(strand):
            line = decode_line(raw.text, strand.source.name, raw.number)
            seq += 1
            if (line.node, line.boot, line.seq) != (strand.node, strand.boot, seq):
                raise _changed(strand, raw.number)
            place = Place(strand.source.name, raw.number)
            sent = count_sends(line.node, line.boot, line.send, sent, place)
            yield Step(line, place, raw.text, raw.offset)
        if seq != strand.seq:
            raise _changed(strand, strand.last)


def _texts(strand: Strand) -> Iterator[RawLine]:
    """The lines of a strand as text, skipping those of others that lie between them."""
    is_alone = strand.is_alone
    for raw in strand.source.lines(strand.first, strand.offset):
        if raw.number > strand.last:
            return
        if is_alone or head_of(raw.text) == (strand.node, strand.boot):
            yield raw


def _changed(strand: Strand, number: int) -> BadTrace:
    advice = "merge a trace that nobody rewrites or cuts meanwhile"
    return BadTrace(strand.source.name, number, "the file changed while it was read", advice)


def _alteration(kept: Kept, received: AnyMessage) -> str:
    """What differs between a message and the one that was sent, which is read again to tell."""
    raw = next(kept.source.lines(kept.number, kept.offset))
    line = decode_line(raw.text, kept.source.name, kept.number)
    sent = next(message for message in line.send if message.id == received.id)
    return difference(sent, received) + f" (sent at {kept.place})"

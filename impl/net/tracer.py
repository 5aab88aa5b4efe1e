"""The node's trace: every line goes to the recorder, and if the recorder cannot keep up the trace ends, not the node.

A line that has a message to another node is in the file before that leaves; one that has none may come a tick later.

A value that is large stands in every line that speaks of it, several times a node. So a trace has a digest of it
(BLAKE2b, 128 bits), unless a person wants values whole; all nodes must do the same, for a message must be received as
it was sent.

It does not know what a line means, nor where messages go. A trace that ended early says so in its last line, and has no
`stop`: what the node did afterwards is unverified, and the checker calls it that.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from ...traces import Recorder, TraceError
from ..core.effects import Line
from ..core.messages import Value
from ..core.traced import Row, as_traced

FLUSH_S_MAX: Final = 1.0
"""A single write of lines that takes longer holds up the node: the trace ends."""

WHOLE_BYTES_MAX: Final = 48
"""A value of so few bytes is hardly longer than its digest."""

DIGEST_BYTES: Final = 16

DIGESTS_MAX: Final = 256
"""Digests that are kept: a value is spoken of in several lines within a moment."""

log = logging.getLogger("quorate.trace")


class Tracer:
    """Writes lines to a recorder until that fails."""

    def __init__(self, recorder: Recorder, *, whole: bool = False) -> None:
        self._recorder: Recorder | None = recorder
        self._show = None if whole else self._shown
        self._digests: dict[int, tuple[Value, str]] = {}
        """By what tells values of this process apart without reading them; each is kept, so that no other gets its
        place."""
        self._rows: tuple[Row, ...] = ()
        self._rows_shown: list[Row] = []
        self._alone = (recorder.node,)
        self._lines: list[Line] = []
        """What was not handed to the kernel yet. All of it is put into words at once: one line after the other takes a
        fraction of what it takes between other things."""
        self._presses = False
        """Does one of them have a message to another node?"""

    @property
    def is_on(self) -> bool:
        """Is what the node does still being recorded?"""
        return self._recorder is not None

    def write(self, line: Line) -> None:
        """Keep a line for `flush`."""
        if self._recorder is not None:
            self._lines.append(line)
            for sent in line.send:
                if sent.to != self._alone:
                    self._presses = True

    def _format(self, recorder: Recorder) -> None:
        """Give the recorder what waits."""
        lines, self._lines = self._lines, []
        for line in lines:
            recorder.write_whole(as_traced(line, self._show))

    def _shown(self, rows: tuple[Row, ...]) -> Sequence[Row]:
        """Rows with their values as the trace has them; the same rows stand in several lines within a moment."""
        if rows is not self._rows:
            self._rows = rows
            self._rows_shown = [(*row[:-1], self._named(row[-1])) for row in rows]
        return self._rows_shown

    def _named(self, value: Value) -> Value | str:
        """A short value as it is; the digest of a longer one."""
        if len(value) <= WHOLE_BYTES_MAX:
            return value
        known = self._digests.get(id(value))
        if known is None:
            if len(self._digests) >= DIGESTS_MAX:
                self._digests.clear()
            digest = f"blake2b:{blake2b(value, digest_size=DIGEST_BYTES).hexdigest()}"
            known = self._digests[id(value)] = value, digest
        return known[1]

    def flush(self, *, all_lines: bool = False) -> None:
        """Hand all lines to the kernel if one of them has a message to another node, which may leave then, whatever
        came of it. Without such a line they wait: a write costs more than a line. Where something else rests on them,
        and now and then where nothing does, ask for `all_lines`."""
        if not self._lines or self._recorder is None or not (self._presses or all_lines):
            return
        self._presses = False
        self._format(self._recorder)
        began = time.monotonic()
        try:
            self._recorder.flush()
        except TraceError as error:
            self._give_up(str(error))
            return
        took_s = time.monotonic() - began
        if took_s > FLUSH_S_MAX:
            self._give_up(f"a write took {took_s:.1f} s")

    def close(self) -> None:
        """End the file."""
        if self._recorder is not None:
            try:
                self._format(self._recorder)
                self._recorder.close()
            except TraceError as error:
                self._give_up(str(error))

    def _give_up(self, reason: str) -> None:
        recorder, self._recorder = self._recorder, None
        assert recorder is not None
        log.error("the trace ends here, the node goes on: %s", reason)
        try:
            recorder.write("ignore", {"reason": f"the trace ends here, the node goes on: {reason}"})
            recorder.close()
        except TraceError:
            log.error("%s: even the line that says so could not be written", recorder.path)

"""The node's trace: every line goes to the recorder, and if the recorder cannot keep up the trace ends, not the node.

It does not know what a line means, nor where messages go. A trace that ended early says so in its last line, and has no
`stop`: what the node did afterwards is unverified, and the checker calls it that.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from ...traces import Recorder, TraceError
from ..core.effects import Line

FLUSH_S_MAX: Final = 1.0
"""A single write of lines that takes longer holds up the node: the trace ends."""

log = logging.getLogger("quorate.trace")


class Tracer:
    """Writes lines to a recorder until that fails."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder: Recorder | None = recorder
        self._dirty = False

    @property
    def is_on(self) -> bool:
        """Is what the node does still being recorded?"""
        return self._recorder is not None

    def write(self, line: Line) -> None:
        """Keep a line for the next `flush`."""
        if self._recorder is not None:
            self._dirty = True
            self._recorder.write(line.event, line.fields(), recv=line.received(), send=line.sent())

    def flush(self) -> None:
        """Hand the lines to the kernel; their messages may leave then, whatever came of it."""
        if not self._dirty or self._recorder is None:
            return
        self._dirty = False
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

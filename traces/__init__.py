"""The trace format: what a run of Multi-Paxos writes down, so that anyone can check it against the specification.

`Recorder` writes a trace; `read` and `merge` read it back, as `Line`s. Bad input is a `BadTrace`, whose text is
one line for a person. The format itself, for implementations in any language: docs/trace-format.md.

Knows nothing of specifications, checkers or the implementation.
"""

from __future__ import annotations

from .errors import BadTrace, CannotRecord, TraceError
from .events import Line
from .messages import NOOP, Ballot, MessageId
from .recorder import Recorder

__all__ = ["NOOP", "Ballot", "BadTrace", "CannotRecord", "Line", "MessageId", "Recorder", "TraceError"]

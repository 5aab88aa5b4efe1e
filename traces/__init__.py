"""The trace format: what a run of Multi-Paxos writes down, so that anyone can check it.

`Recorder` writes a trace; `read` gives its `Line`s back as they stand, `merge` in one causal order. Bad input is
a `BadTrace`, whose text is one line for a person. The events are in `traces.events`, the messages that they
receive and send in `traces.messages`; `traces.build` writes small traces by hand. The format itself, for
implementations in any language: docs/trace-format.md.

Knows nothing of specifications, checkers or the implementation.
"""

from __future__ import annotations

from .errors import BadTrace, CannotRecord, TraceError
from .events import Line
from .files import Place
from .merge import Doubt, Mark, Merged, Step, merge
from .messages import NOOP, Ballot, MessageId
from .reader import Located, read
from .recorder import Recorder
from .schema import decode_line, encode_line
from .strands import Gap

__all__ = [
    "NOOP",
    "BadTrace",
    "Ballot",
    "CannotRecord",
    "Doubt",
    "Gap",
    "Line",
    "Located",
    "Mark",
    "Merged",
    "MessageId",
    "Place",
    "Recorder",
    "Step",
    "TraceError",
    "decode_line",
    "encode_line",
    "merge",
    "read",
]

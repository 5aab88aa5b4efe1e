"""How a node's log looks: lines for people, or one JSON object a line for machines.

It does not know what is logged.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Literal

import msgspec

Style = Literal["text", "json"]


class Structured(logging.Formatter):
    """One JSON object a record: when, how grave, where, what, and the node."""

    def __init__(self, node: str) -> None:
        super().__init__()
        self._node = node

    def format(self, record: logging.LogRecord) -> str:
        facts = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "node": self._node,
            "message": record.getMessage(),
        }
        if record.exc_info is not None:
            facts["trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(facts).decode()


def begin_logging(style: Style, node: str) -> None:
    """Log to standard error from here on."""
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s")
    handler.setFormatter(Structured(node) if style == "json" else plain)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)

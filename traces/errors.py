"""The errors of this package, each of which prints as the one line that a person needs.

Knows nothing of the format itself: whoever finds the fault words it.
"""

from __future__ import annotations


class TraceError(Exception):
    """Base of every error that this package raises on purpose; `str()` is one line: what, where, what to do."""


class BadTrace(TraceError):
    """A trace cannot be read as version 1 of the format: bad input, never a verdict.

    Attributes: `file` as the caller named it; `line` and `column`, counted from 1 (the column in characters),
    or None where no line or column is to blame; `reason`, what is wrong; `advice`, what to do about it.
    """

    def __init__(
        self, file: str, line: int | None, reason: str, advice: str, *, column: int | None = None
    ) -> None:
        self.file = file
        self.line = line
        self.column = column
        self.reason = reason
        self.advice = advice
        where = ":".join(str(part) for part in (file, line, column) if part is not None)
        super().__init__(f"{where}: {reason}; {advice}")


class CannotRecord(TraceError):
    """A trace cannot be written: the folder, the disk or the file refuses, or the boot was recorded before."""

    def __init__(self, file: str, reason: str, advice: str) -> None:
        self.file = file
        self.reason = reason
        self.advice = advice
        super().__init__(f"{file}: {reason}; {advice}")

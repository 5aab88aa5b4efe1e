"""How an error line shows what somebody gave: on one line, and no longer than a person reads."""

from __future__ import annotations

from typing import Final

LENGTH_MAX: Final = 60


def quoted(text: str) -> str:
    """A text in quotes, with whatever is not printable escaped."""
    return repr(shortened(text))


def shown(value: object) -> str:
    """A value as Python writes it."""
    return quoted(value) if isinstance(value, str) else shortened(repr(value))


def shortened(text: str, length_max: int = LENGTH_MAX) -> str:
    """A text without its middle, if it is long."""
    half = (length_max - 3) // 2
    return text if len(text) <= length_max else f"{text[:half]}...{text[-half:]}"

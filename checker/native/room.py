"""How much memory this process has, and how much it may have."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path

SHORT = 0.75
"""Memory is called short when more than this part of what is allowed is in use."""
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """What memory this process has now; where the system does not say, the most that it ever had."""
    if _STATM.exists():
        return int(_STATM.read_text(encoding="utf-8").split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


@dataclass(frozen=True)
class Room:
    """What memory may be used; all that there is if `bytes_max` is None."""

    bytes_max: int | None = None

    def has(self, more: int) -> bool:
        """Whether so many bytes more are allowed."""
        return self.bytes_max is None or resident_bytes() + more <= self.bytes_max

    def short(self) -> bool:
        """Whether it is time to put on disk what can be put there."""
        return self.bytes_max is not None and resident_bytes() > SHORT * self.bytes_max

    def __str__(self) -> str:
        return f"{mebibytes(self.bytes_max or 0)} are allowed"

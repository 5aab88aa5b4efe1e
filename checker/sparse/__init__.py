"""The sparse reading of a specification: for states with millions of rows, over sorts that nobody can list.

`Machine` takes steps; `explain` says why one is refused.  How: terms become plans (`planner`), plans become Python
(`emit`), rows stand in tries and bounds (`store`).
"""

from __future__ import annotations

from .compiling import Undrivable
from .machine import Machine

__all__ = ["Machine", "Undrivable"]

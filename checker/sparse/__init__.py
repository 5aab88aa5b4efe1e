"""The sparse reading of a specification: for states with millions of rows, over sorts that nobody can list.

`Machine` takes steps; `Explainer` says why one is refused.  How: terms become plans (`planner`), plans become Python
(`emit`), rows stand in tries and bounds (`store`).
"""

from __future__ import annotations

from .compiling import Undrivable
from .explain import Explainer
from .machine import Machine
from .planner import free

__all__ = ["Explainer", "Machine", "Undrivable", "free"]

"""Mutants: small, named edits of a specification's text, each of which some engine must object to.

A mutant is what keeps the engines honest.  It is reviewed as text, beside the specification it spoils, and loaded
as a module of its own (`checker.mutation`), so the original is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One edit of a specification's text, and what must come of it.

    `text` occurs exactly once in the specification and is replaced by `by`.  Explored in an instance of the sizes
    `explorer`, the first property to break is `breaks`, after `steps` steps at the least.  `prover` names an
    obligation, as (action, conjunct), that can no longer be proved.
    """

    name: str
    why: str
    text: str
    by: str
    breaks: str
    steps: int
    explorer: Mapping[str, int]
    prover: tuple[str, str]

"""The tower: which specification is proved through which, from Multi-Paxos up to consensus.

A floor names the text that it is, and the refinement by which it stands under the next floor.  A reader of this
table knows what `quorate prove multipaxos` proves; everything else follows from the modules named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from ..checker.refinement import Refinement, Tower
from ..checker.specification import Specification
from ..spec import checkpoint, consensus, flexible, flexible_voting, multipaxos, voting
from . import (
    checkpoint_is_voting,
    flexible_is_flexible_voting,
    flexible_voting_is_consensus,
    multipaxos_is_voting,
    voting_is_consensus,
)


@dataclass(frozen=True)
class Floor:
    """A specification, the floor above it, and the module that says how it is the one above; the top has neither."""

    specification: ModuleType
    above: str | None = None
    refinement: ModuleType | None = None


FLOORS: Mapping[str, Floor] = {
    "consensus": Floor(consensus),
    "voting": Floor(voting, "consensus", voting_is_consensus),
    "multipaxos": Floor(multipaxos, "voting", multipaxos_is_voting),
    "checkpoint": Floor(checkpoint, "voting", checkpoint_is_voting),
    "flexible_voting": Floor(flexible_voting, "consensus", flexible_voting_is_consensus),
    "flexible": Floor(flexible, "flexible_voting", flexible_is_flexible_voting),
}


def tower(name: str, instead: Specification | None = None) -> Tower:
    """The tower that stands on a floor; with `instead`, an edited copy of that floor, in its place.

    Raises `KeyError` for a name that is no floor, and `BadRefinement` if the edited copy does not fit under the next.
    """
    floor = FLOORS[name]
    base = instead or Specification.of(floor.specification)
    if floor.above is None or floor.refinement is None:
        return Tower((base,))
    upper = tower(floor.above)
    refinement = Refinement.of(floor.refinement, base, upper.floors[0])
    return Tower((base, *upper.floors), (refinement, *upper.refinements))

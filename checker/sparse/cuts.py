"""Which relations are kept as bounds: those that only ever grow by "every c below b".

`{(a, c) for c in Ballot if c < b}` has a row for each ballot below b, and nobody can list the ballots of a trace.  But
if a relation starts empty, and every action either leaves it alone or joins such a set to it, then for each key (the
columns that are not cut) it holds exactly the rows below the greatest b that it was ever joined with: one bound says
it all, and membership compares.  Whether that is so is read off the terms of the specification; nothing is declared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from ..language import Sort
from ..specification import Specification
from ..term import FALSE, Field, Less, Minus, Relation, Those, Union, Var


@dataclass(frozen=True)
class Raise:
    """`{(a, c) for c in Sort if c < b}`: everything below `bound`, in the column `cut`, is joined to the relation."""

    row: tuple[Var, ...]
    cut: int
    bound: Var

    @property
    def key(self) -> tuple[Var, ...]:
        """The row without the column that is cut."""
        return self.row[: self.cut] + self.row[self.cut + 1 :]


def cuts_of(spec: Specification, given: Collection[type[Sort]]) -> Mapping[str, int]:
    """The relations of a specification that can be kept as bounds, each with the column that is cut.

    A sort whose members are given needs no bounds: its rows can be listed.
    """
    out: dict[str, int] = {}
    for name in spec.now.relations:
        terms = [step.then[name] for step in spec.steps.values()]
        found = {r.cut for t in terms for r in raises(name, t) or ()}
        starts_empty = not _ever(spec.first[name])
        only_raised = all(_keeps(name, t) and raises(name, t) is not None for t in terms)
        if len(found) == 1 and starts_empty and only_raised:
            (cut,) = found
            if _sort(spec, name, cut) not in given:
                out[name] = cut
    return out


def raises(name: str, relation: Relation) -> Sequence[Raise] | None:
    """What a step joins to the relation of this name, if it does nothing to it but raise bounds; else None."""
    match relation:
        case Field(field, _):
            return () if field == name else None
        case Union(left, right):
            first, second = raises(name, left), raises(name, right)
            return None if first is None or second is None else (*first, *second)
        case Minus():
            return None
        case Those((c,), row, Less(below, bound)) if c is below and row.count(c) == 1 and bound is not c:
            return (Raise(row, row.index(c), bound),)
        case Those():
            return () if not _ever(relation) else None
    assert_never(relation)


def _keeps(name: str, relation: Relation) -> bool:
    """Whether a step's relation holds at least what it held."""
    match relation:
        case Field(field, _):
            return field == name
        case Union(left, right):
            return _keeps(name, left) or _keeps(name, right)
    return False


def _ever(relation: Relation) -> bool:
    """Whether a relation may have a row at all."""
    match relation:
        case Those(_, _, where):
            return where != FALSE
        case Union(left, right):
            return _ever(left) or _ever(right)
        case Minus(left, _):
            return _ever(left)
    return True


def _sort(spec: Specification, name: str, column: int) -> type[Sort]:
    relation = spec.now[name]
    assert isinstance(relation, Field), "the state as it is says each relation by its name"
    return relation.sorts[column]

"""The smallest counterexample to an obligation: the fewest members, then the fewest rows.

Universes are tried in the order of how many members they have in all, so the first that has a counterexample is a
smallest one, and the others were excluded for good.  In it the solver is asked for fewer rows until there are none, so
that nothing in the state that is shown could be left out.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from ..instance import Instance
from ..language import Many, Sort, item_of
from ..prove.counterexample import Counterexample
from ..prove.obligation import Obligation
from .compiling import Sizes, sorts_in
from .finite import FiniteQuery, choices, loose_in


@dataclass(frozen=True)
class Search:
    """What a search through finite universes came to.

    `excluded` is the largest number N such that no universe with N members in all, or fewer, has a counterexample;
    `sizes` counts the universes that were tried.
    """

    counterexample: Counterexample | None
    excluded: int
    sizes: int


def smallest(
    obligation: Obligation, sorts: Sequence[type[Sort]], total_max: int, seconds_max: float | None = None
) -> Search:
    """Searches the universes with at most `total_max` members in all; sorts that do not matter have one member.

    What is found has been evaluated again by the letter of the terms.  Runs until the time is over or all are tried.
    """
    started, tried, excluded = time.perf_counter(), 0, 0
    mentioned = frozenset((*sorts_in(obligation.formulas()), *(x.sort for x in obligation.params)))
    for total, sizes in sizes_by_total(sorts, mentioned, total_max):
        if seconds_max is not None and time.perf_counter() - started > seconds_max:
            return Search(None, excluded, tried)
        tried, excluded = tried + 1, total - 1
        if found := fewest_rows(obligation, sizes):
            return Search(found, excluded, tried)
    return Search(None, total_max, tried)


def sizes_by_total(
    sorts: Sequence[type[Sort]], varied: Collection[type[Sort]], total_max: int
) -> Iterator[tuple[int, Sizes]]:
    """Every way to give each sort at least one member, and those not varied no more; the fewest in all come first."""
    vary = [s for s in sorts if s in varied]
    fixed = {s: 1 for s in sorts if s not in varied}
    for total in range(len(sorts), total_max + 1):
        for sizes in compositions(total - len(fixed), len(vary)):
            yield total, {**fixed, **dict(zip(vary, sizes, strict=True))}


def compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """The ways to write a total as a sum of so many positive numbers."""
    if parts <= 1:
        if (total > 0) == (parts == 1):
            yield (total,) * parts
        return
    for first in range(1, total - parts + 2):
        yield from ((first, *rest) for rest in compositions(total - first, parts - 1))


def fewest_rows(obligation: Obligation, sizes: Sizes) -> Counterexample | None:
    """A counterexample in a universe of these sizes, with as few rows as there can be; None if there is none."""
    found: list[Counterexample] = []
    alike = {s for s in sizes if not s.ordered} | loose_in(obligation, sizes)
    for params in choices(obligation.params, sizes, alike):
        query = FiniteQuery(obligation, sizes, params)
        if (model := query.fewest()) is not None:
            found.append(query.read(model))
    return min(found, key=lambda c: sum(map(len, c.relations.values())), default=None)


def completed(found: Counterexample, sorts: Sequence[type[Sort]]) -> Counterexample:
    """A counterexample with one member for each sort of which it does not speak, so that the text can run over them."""
    members = dict(found.instance.members)
    for sort in sorts:
        if sort not in members:
            if issubclass(sort, Many):
                members[sort] = (frozenset(members[item_of(sort)]),)
            else:
                members[sort] = (1 if sort.ordered else f"{sort.__name__.lower()}1",)
    return replace(found, instance=Instance(members))

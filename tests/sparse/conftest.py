"""Random states and arguments of a specification, small enough for `evaluate` to say what is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import strategies as st

from quorate.checker.language import Many, Sort, item_of, relations_of
from quorate.checker.specification import Specification
from quorate.spec import consensus, multipaxos, voting

BELOW = 0
"""An ordered sort has no least member where none are given, so the right answer is asked for with one more below."""


class Universe:
    """A specification, and a few members of every sort of which states and arguments are made."""

    def __init__(self, module: Any, sizes: Mapping[str, int]) -> None:
        self.spec = Specification.of(module)
        plain = [s for s in self.spec.sorts if not issubclass(s, Many)]
        self.known: dict[type[Sort], tuple[Any, ...]] = {
            s: tuple(range(1, sizes.get(s.__name__, 2) + 1))
            if s.ordered
            else tuple(f"{s.__name__[0].lower()}{i}" for i in range(sizes.get(s.__name__, 2)))
            for s in plain
        }
        for s in self.spec.sorts:
            if issubclass(s, Many):
                items = self.known[item_of(s)]
                self.known[s] = tuple(frozenset(items) - {left_out} for left_out in items)
        self.all = {s: (BELOW, *m) if s.ordered else m for s, m in self.known.items()}
        """What `evaluate` quantifies over, where the machine knows no members."""

    def args(self, sorts: Sequence[type[Sort]]) -> st.SearchStrategy[tuple[Any, ...]]:
        return st.tuples(*(st.sampled_from(self.known[s]) for s in sorts))

    def states(self, cuts: Mapping[str, int] | None = None) -> st.SearchStrategy[dict[str, frozenset[Any]]]:
        """Any state at all, but that relations kept as bounds hold what is below some bound."""
        relations = relations_of(self.spec.state)
        return st.fixed_dictionaries(
            {
                name: self._below(sorts, cuts[name])
                if name in (cuts or {})
                else st.frozensets(self.args(sorts), max_size=9)
                for name, sorts in relations.items()
            }
        )

    def _below(self, sorts: Sequence[type[Sort]], cut: int) -> st.SearchStrategy[frozenset[Any]]:
        def filled(tops: frozenset[Any]) -> frozenset[Any]:
            return frozenset(
                (*top[:cut], x, *top[cut + 1 :]) for top in tops for x in self.all[sorts[cut]] if x < top[cut]
            )

        return st.frozensets(self.args(sorts), max_size=4).map(filled)


def _fill(machine: Any, state: Mapping[str, frozenset[Any]], universe: Universe) -> None:
    for name, rows in state.items():
        if not machine.is_bounds(name):
            for row in rows:
                machine.put(name, row)
            continue
        cut = machine.cut(name)
        for row in rows:  # everything up to this row is there: put in what is below the next member
            above = [x for x in universe.all[relations_of(universe.spec.state)[name][cut]] if x > row[cut]]
            machine.put(name, (*row[:cut], min(above), *row[cut + 1 :]))


UNIVERSES = {
    "consensus": Universe(consensus, {"Slot": 2, "Value": 3}),
    "voting": Universe(voting, {"Acceptor": 3, "Ballot": 3, "Slot": 2}),
    "multipaxos": Universe(multipaxos, {"Acceptor": 3, "Ballot": 3, "Slot": 2}),
}


@pytest.fixture(params=list(UNIVERSES))
def universe(request: pytest.FixtureRequest) -> Universe:
    return UNIVERSES[request.param]


@pytest.fixture(scope="session")
def universes() -> Mapping[str, Universe]:
    return UNIVERSES


@pytest.fixture(scope="session")
def fill() -> Any:
    """Puts a state into an empty machine."""
    return _fill

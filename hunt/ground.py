"""How much of a small instance's explored graph runs have walked over: the measure of a hunt that does not flatter it.

A run is seen slot by slot. As long as no more than two ballots were opened and two values proposed in a slot, what
happened there is a walk through the graph of three acceptors, two ballots, one slot and two values, from edge to edge;
who is who does not matter, so edges are counted up to renaming acceptors and values. Of runs with other quorums than
majorities of three nothing is seen, nor what follows a first checkpoint.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

from ..checker.explore.graph import explored
from ..checker.instance import Instance
from ..checker.language import State, relations_of
from ..checker.specification import Specification
from ..refinement.mapping import Action
from ..spec import multipaxos
from ..spec.sorts import Acceptor, Ballot, Quorum, Slot, Value

NODES: Final = 3
SIZES: Final = {"acceptor": NODES, "ballot": 2, "slot": 1, "value": 2}

Renaming: TypeAlias = Mapping[Any, Any]


class Ground:
    """The explored graph, its edges by action, and which of them are one but for names."""

    def __init__(self) -> None:
        spec = Specification.of(multipaxos)
        instance = Instance.of(spec, SIZES)
        self._graph, found = explored(spec, instance)
        assert found.verdict == "holds", "the specification holds"
        self._acceptors = instance.members[Acceptor]
        self._ballots = instance.members[Ballot]
        self._values = instance.members[Value]
        self._quorums = instance.members[Quorum]
        self._slots = instance.members[Slot]
        self._to = {
            (source, *self._graph.moves[move]): target
            for source, edges in enumerate(self._graph.edges)
            for move, target in edges
        }
        columns = relations_of(spec.state)
        renamings = list(self._renamings())
        numbers: dict[str, int] = {}
        self._orbit = [
            numbers.setdefault(str(_least(state, columns, renamings)), len(numbers))
            for state in self._graph.states
        ]
        self.edges: Final = frozenset(
            self._key(source, target) for source, edges in enumerate(self._graph.edges) for _, target in edges
        )
        """Every edge, as `walked` gives them."""

    def walked(self, actions: Iterable[Action]) -> set[int]:
        """The edges that a run's actions walk over. A run of three nodes with majorities."""
        prefix, names, ballots = self._prefix(actions)
        called: dict[Any, Any] = dict(zip(sorted(names), self._acceptors, strict=False))
        called |= zip(sorted(ballots), self._ballots, strict=False)
        fresh, at, values = 0, dict[int, int](), dict[int, dict[Any, Any]]()
        seen: set[int] = set()
        for name, args in prefix:
            if name in ("prepare", "promise"):
                step = (name, tuple(called[each] for each in args))
                fresh = self._walk(fresh, step, seen)
                for slot, place in at.items():
                    at[slot] = self._walk(place, step, seen)
                continue
            slot = args[1]
            place = at.get(slot, fresh)
            if place < 0:
                continue
            known = values.setdefault(slot, {})
            if args[3] not in known:
                if len(known) == len(self._values):
                    at[slot] = -1  # a third value: this walk ends
                    continue
                known[args[3]] = self._values[len(known)]
            at[slot] = self._walk_in_slot(place, name, args, called, known[args[3]], seen)
        return seen

    def _prefix(self, actions: Iterable[Action]) -> tuple[list[Action], set[str], set[Any]]:
        """The actions before a third ballot or a checkpoint, the acceptors and ballots in them."""
        prefix: list[Action] = []
        names: set[str] = set()
        ballots: set[Any] = set()
        for name, args in actions:
            if name not in ("prepare", "promise", "propose", "accept"):
                break
            ballot = args[2] if name in ("propose", "accept") else args[-1]
            if ballot not in ballots and len(ballots) == len(self._ballots):
                break
            ballots.add(ballot)
            if name in ("promise", "accept"):
                names.add(args[0])
            prefix.append((name, args))
        return prefix, names, ballots

    def _walk_in_slot(
        self, place: int, name: str, args: Sequence[Any], called: Renaming, value: Any, seen: set[int]
    ) -> int:
        (slot,) = self._slots
        if name == "accept":
            return self._walk(place, (name, (called[args[0]], slot, called[args[2]], value)), seen)
        quorum = frozenset(called[each] for each in args[0])
        for smaller in self._quorums:  # the instance has the smallest quorums only
            step = (name, (smaller, slot, called[args[2]], value))
            if smaller <= quorum and (place, *step) in self._to:
                return self._walk(place, step, seen)
        return place

    def _walk(self, place: int, step: Action, seen: set[int]) -> int:
        """One step; a step that changes nothing is no edge."""
        if place < 0:
            return place
        target = self._to.get((place, *step), place)
        if target != place:
            seen.add(self._key(place, target))
        return target

    def _key(self, source: int, target: int) -> int:
        """An edge, up to names: by the orbits that it leads from and to."""
        return self._orbit[source] * len(self._graph.states) + self._orbit[target]

    def _renamings(self) -> Iterator[Renaming]:
        for acceptors in itertools.permutations(self._acceptors):
            for values in itertools.permutations(self._values):
                yield {
                    **dict(zip(self._acceptors, acceptors, strict=True)),
                    **dict(zip(self._values, values, strict=True)),
                }


@cache
def the_ground() -> Ground:
    """The ground, explored once in a process: some seconds."""
    return Ground()


def _least(state: State, columns: Iterable[str], renamings: Iterable[Renaming]) -> Any:
    """The least of what a state may be called: the same for states that differ in names only."""
    rows = [getattr(state, name) for name in columns]
    return min(
        [sorted([str(renaming.get(each, each)) for each in row] for row in found) for found in rows]
        for renaming in renamings
    )

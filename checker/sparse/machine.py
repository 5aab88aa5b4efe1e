"""A specification made to run on states of any size: a step costs what it touches.

This is the reading of a specification for traces: slots and ballots come as they are met, nobody lists them, and
states have millions of rows.  It agrees with running the text itself, and says which `require` refuses.

It knows no particular specification, and no traces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from ..language import Sort, relations_of
from ..specification import Specification
from ..term import Formula, In, Require, Var
from .compiling import (
    Undrivable,
    namespace,
    plan_step,
    planner_of,
    print_query,
    print_question,
    print_step,
    store_of,
)
from .emit import Printer
from .planner import NotDriven
from .store import Bounds, Pattern, Row

Members: TypeAlias = Mapping[type[Sort], Sequence[Any]]


class Machine:
    """A state of a specification, in which steps can be taken.

    `members` gives those of sorts that are known beforehand; no other sort is ever walked through.  `ways` says by
    which columns the rows of a relation are found, where that should not be all that the specification asks for:
    fewer ways take less memory, and what no way leads to is filtered.

    Raises `Undrivable` when the specification asks what only a walk through a sort could answer.
    """

    def __init__(
        self,
        spec: Specification,
        members: Members | None = None,
        ways: Mapping[str, Iterable[Sequence[int]]] | None = None,
    ) -> None:
        self.spec = spec
        self.members = dict(members or {})
        self._planner = planner_of(spec, self.members)
        self.plans = {n: plan_step(self._planner, spec.action(n), step) for n, step in spec.steps.items()}
        patterns: dict[str, set[Pattern]] = {}
        for plan in self.plans.values():
            for each in plan.looks():
                patterns.setdefault(each.relation, set()).add(each.pattern)
        for name, columns in (ways or {}).items():
            patterns[name] = set(map(frozenset, columns))
        self.store = store_of(spec, self._planner, patterns)
        self._printer = Printer(self.store)
        for name in self.store:
            self._printer.writers(name)
        for name, plan in self.plans.items():
            print_step(self._printer, name, plan)
        self._names = namespace(self.store, self.members)
        self._define()
        self._steps: dict[str, Callable[..., int | None]] = {n: self._names[f"step_{n}"] for n in self.plans}
        self._effects: dict[str, Callable[..., None]] = {n: self._names[f"then_{n}"] for n in self.plans}
        self._count = 0
        self._membership = {name: self._member(name) for name in self.store}

    def clear(self) -> None:
        """Back to where it began: no relation has a row."""
        for stored in self.store.values():
            for rows in (stored.below,) if isinstance(stored, Bounds) else [trie.root for trie in stored]:
                rows.clear()

    @property
    def source(self) -> str:
        """The Python that the specification was compiled to."""
        return "\n".join(self._printer.done)

    def _define(self, since: int = 0) -> None:
        """Compile what was printed from this line on."""
        exec(compile("\n".join(self._printer.done[since:]), f"<{self.spec.name}>", "exec"), self._names)

    # Steps -------------------------------------------------------------------------------

    def step(self, action: str, *args: Any) -> Require | None:
        """Take a step.  Returns the first `require` that is false, and then the state is as before; None if none is."""
        refused = self._steps[action](*args)
        return None if refused is None else self.spec.steps[action].requires[refused]

    def refusals(self, action: str, *args: Any) -> list[Require]:
        """Every `require` of a step that is false in this state."""
        requires = self.spec.steps[action].requires
        return [r for i, r in enumerate(requires) if not self._names[f"require{i}_{action}"](*args)]

    def take(self, action: str, *args: Any) -> None:
        """What a step does, whether or not it may be taken."""
        self._effects[action](*args)

    # Rows --------------------------------------------------------------------------------

    def has(self, relation: str, row: Row) -> bool:
        """Whether a relation has a row."""
        return self._membership[relation](*row)

    def put(self, relation: str, row: Row) -> None:
        """Let a relation have a row; one that is kept as bounds, every row below it."""
        stored = self.store[relation]
        if isinstance(stored, Bounds):
            key, top = stored.key(row), stored.bound(row)
            if top is None or top < row[stored.cut]:
                stored.below[key] = row[stored.cut]
        else:
            self._names[f"put_{relation}"](*row)

    def drop(self, relation: str, row: Row) -> None:
        """Let a relation have this row no more; one that is kept as bounds forgets nothing."""
        self._names[f"drop_{relation}"](*row)

    def bound(self, relation: str, row: Sequence[Any]) -> Any | None:
        """Below what a relation kept as bounds has every row of this key, or None; the cut column is not read."""
        stored = self.store[relation]
        assert isinstance(stored, Bounds), f"{relation} is not kept as bounds"
        return stored.bound(row)

    def cut(self, relation: str) -> int:
        """The column in which a relation kept as bounds is cut."""
        stored = self.store[relation]
        assert isinstance(stored, Bounds), f"{relation} is not kept as bounds"
        return stored.cut

    def is_bounds(self, relation: str) -> bool:
        """Whether a relation is kept as bounds."""
        return isinstance(self.store[relation], Bounds)

    def rows(self, relation: str, members: Members | None = None) -> Iterator[Row]:
        """Every row of a relation; for one kept as bounds, those with the given members of the sort that is cut."""
        stored = self.store[relation]
        if isinstance(stored, Bounds):
            sort = relations_of(self.spec.state)[relation][stored.cut]
            yield from stored.rows((members or self.members)[sort])
        else:
            yield from stored[0].rows()

    def state(self, members: Members | None = None) -> Mapping[str, frozenset[Row]]:
        """The whole state, as `evaluate` has it."""
        return {name: frozenset(self.rows(name, members)) for name in self.store}

    # Questions ---------------------------------------------------------------------------

    def question(self, params: Sequence[Var], formula: Formula) -> Callable[..., bool]:
        """A function of the parameters that tells whether a formula holds.  Raises `Undrivable`."""
        test = self._driven(lambda: self._planner.test(formula, frozenset(params)))
        return self._defined(lambda name: print_question(self._printer, name, params, test))

    def query(
        self, params: Sequence[Var], found: Sequence[Var], variables: Sequence[Var], formula: Formula
    ) -> Callable[..., Iterator[Row]]:
        """A function of the parameters that finds the values of `found` for which some values of `variables` make a
        formula true.  Raises `Undrivable`.
        """
        searches = self._driven(lambda: self._planner.searches(variables, formula, frozenset(params), found))
        return self._defined(lambda name: print_query(self._printer, name, params, searches))

    def lookup(self, relation: str, columns: Sequence[int]) -> Callable[..., Iterator[Row]]:
        """A function of the values of these columns that finds the rows which have them."""
        row = self._row(relation)
        given = [row[i] for i in columns]
        return self.query(given, row, [x for x in row if x not in given], In(relation, tuple(row)))

    def _member(self, relation: str) -> Callable[..., bool]:
        row = self._row(relation)
        return self.question(row, In(relation, tuple(row)))

    def _row(self, relation: str) -> list[Var]:
        """A new variable for each column."""
        return [Var(f"x{i}", sort) for i, sort in enumerate(relations_of(self.spec.state)[relation])]

    def _defined(self, printed: Callable[[str], None]) -> Callable[..., Any]:
        since = len(self._printer.done)
        self._count += 1
        name = f"asked{self._count}_"
        printed(name)
        self._define(since)
        return self._names[name]  # type: ignore[no-any-return]

    def _driven(self, plan: Callable[[], Any]) -> Any:
        try:
            return plan()
        except NotDriven as why:
            raise Undrivable(str(why)) from why

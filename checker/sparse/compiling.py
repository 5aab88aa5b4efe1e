"""From a specification to Python: the plans of its steps, the tries that they need, and the text.

What cannot be planned is refused here, by the place in the specification's text where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..language import Sort, relations_of
from ..specification import Function, Specification, where
from ..term import Relation, Step, Var
from .cuts import Raise, cuts_of, raises
from .delta import Rows, delta, is_single
from .emit import Printer
from .plan import Each, Search, Test, looks, patterns
from .planner import NotDriven, Planner
from .store import Bounds, Pattern, Several, Store, between, bounds_name, members_name, trie_name, tries_for


class Undrivable(Exception):
    """A specification asks what only a walk through a sort could answer; the message is one line: where, and what."""


@dataclass(frozen=True)
class Change:
    """What a step does to one relation: bounds that are raised, or rows that go and rows that come."""

    relation: str
    raised: tuple[Raise, ...] = ()
    gone: tuple[tuple[Rows, Search], ...] = ()
    come: tuple[tuple[Rows, Search], ...] = ()


@dataclass(frozen=True)
class StepPlan:
    """A step, planned: a test for each `require`, and a change for each relation that is not what it was."""

    params: tuple[Var, ...]
    requires: tuple[Test, ...]
    changes: tuple[Change, ...]

    def looks(self) -> Iterator[Each]:
        """Every look into a relation that the step makes."""
        for test in self.requires:
            yield from looks(test)
        for change in self.changes:
            for _, search in (*change.gone, *change.come):
                yield from patterns(search.moves)


def planner_of(spec: Specification, given: Collection[type[Sort]]) -> Planner:
    """The planner for a specification, when the members of some sorts are given."""
    return Planner(frozenset(given), cuts_of(spec, given))


def plan_step(planner: Planner, action: Function, step: Step) -> StepPlan:
    """The plan of an action that was read as this step.  Raises `Undrivable`, which names the place."""
    name, bound = action.__name__, frozenset(step.params)
    requires = list[Test]()
    for r in step.requires:
        try:
            requires.append(planner.test(r.formula, bound))
        except NotDriven as why:
            raise Undrivable(f"{r.place}: in {name}, `{r.place.text}`: {why}") from why
    changes = list[Change]()
    for relation, then in step.changed().items():
        try:
            changes.append(_plan_change(planner, relation, then, bound))
        except NotDriven as why:
            raise Undrivable(f"{where(action)}: in {name}, what becomes of {relation}: {why}") from why
    return StepPlan(step.params, tuple(requires), tuple(changes))


def _plan_change(planner: Planner, name: str, then: Relation, bound: frozenset[Var]) -> Change:
    if name in planner.cuts:
        return Change(name, raised=tuple(raises(name, then) or ()))
    what = delta(name, then)

    def found(rows: Sequence[Rows]) -> tuple[tuple[Rows, Search], ...]:
        return tuple(
            (r, search) for r in rows for search in planner.searches(r.variables, r.where, bound, r.row)
        )

    return Change(name, gone=found(what.gone), come=found(what.come))


def store_of(spec: Specification, planner: Planner, patterns: Mapping[str, Iterable[Pattern]]) -> Store:
    """An empty store for a specification's state, with a way for each of these patterns."""
    return {
        name: Bounds(planner.cuts[name], len(sorts))
        if name in planner.cuts
        else tries_for(len(sorts), patterns.get(name, ()))
        for name, sorts in relations_of(spec.state).items()
    }


# Text --------------------------------------------------------------------------------------


def print_step(printer: Printer, name: str, plan: StepPlan) -> None:
    """Functions for a step: `requireN_NAME` for each require, `then_NAME` for the effect, `step_NAME` for all."""
    params = [printer.name(x) for x in plan.params]
    args = ", ".join(params)
    for i, test in enumerate(plan.requires):
        with printer.function(f"require{i}_{name}", params):
            printer.line(f"return {printer.test(test)}")
    with printer.function(f"then_{name}", params):
        _print_effect(printer, plan.changes)
    with printer.function(f"step_{name}", params):
        for i, test in enumerate(plan.requires):
            with printer.block(f"if not ({printer.test(test)}):"):
                printer.line(f"return {i}")
        printer.line(f"then_{name}({args})")
        printer.line("return None")


def _print_effect(printer: Printer, changes: Sequence[Change]) -> None:
    """First everything that reads the state before, then everything that changes it."""
    writes: list[Callable[[], None]] = []
    for change in changes:
        writes += [partial(_print_raise, printer, change.relation, raised) for raised in change.raised]
        for verb, found in (("drop", change.gone), ("put", change.come)):
            for rows, search in found:
                writes.append(_print_rows(printer, f"{verb}_{change.relation}", rows, search))
    for write in writes:
        write()
    if not writes:
        printer.line("pass")


def _print_rows(printer: Printer, writer: str, rows: Rows, search: Search) -> Callable[[], None]:
    """Print what finds rows; return what prints the writing of them."""
    row = ", ".join(printer.name(x) for x in search.found)
    if is_single(rows):
        return lambda: printer.line(f"{writer}({row})")
    found = printer.fresh("found")
    printer.line(f"{found} = []")
    printer.walk(search.moves, lambda: printer.line(f"{found}.append(({row},))"))

    def write() -> None:
        with printer.block(f"for row in {found}:"):
            printer.line(f"{writer}(*row)")

    return write


def _print_raise(printer: Printer, relation: str, raised: Raise) -> None:
    names = [printer.name(x) for x in raised.key]
    key = names[0] if len(names) == 1 else f"({', '.join(names)})"
    below, bound, old = bounds_name(relation), printer.name(raised.bound), printer.fresh("old")
    with printer.block(f"if ({old} := {below}.get({key})) is None or {old} < {bound}:"):
        printer.line(f"{below}[{key}] = {bound}")


def namespace(store: Store, members: Mapping[type[Sort], Sequence[Any]]) -> dict[str, Any]:
    """The names that printed plans use."""
    out: dict[str, Any] = {"Several": Several, "between": between, "nothing": {}}
    out |= {members_name(sort): tuple(known) for sort, known in members.items()}
    for name, stored in store.items():
        if isinstance(stored, Bounds):
            out[bounds_name(name)] = stored.below
        else:
            out |= {trie_name(name, i): trie.root for i, trie in enumerate(stored)}
    return out


def print_question(printer: Printer, name: str, params: Sequence[Var], test: Test) -> None:
    """A function that answers whether a formula holds."""
    with printer.function(name, [printer.name(x) for x in params]):
        printer.line(f"return {printer.test(test)}")


def print_query(printer: Printer, name: str, params: Sequence[Var], searches: Sequence[Search]) -> None:
    """A generator of what searches find."""
    with printer.function(name, [printer.name(x) for x in params]):
        for search in searches:
            row = "".join(f"{printer.name(x)}, " for x in search.found)
            printer.walk(search.moves, partial(printer.line, f"yield ({row})"))
        printer.line("return")
        printer.line("yield")

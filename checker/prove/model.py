"""A solver's model, made small and read back as a counterexample.

Small matters more than fast here: a person reads it.  Wishes are put to the solver one by one (no set is empty, this
sort has one element only, or two) and those that it cannot grant are given up.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any as Anything

import z3

from ..evaluate import Rows
from ..instance import Instance, initials
from ..language import Many, Sort, item_of
from ..term import All, Any, Field, Formula, Member, Var
from .counterexample import Counterexample
from .obligation import Obligation
from .smt import Smt, ask

WISH_STEPS_MAX = 1_000_000
"""How long the solver may think about one wish, in its own deterministic unit: some tenths of a second."""


# Small ---------------------------------------------------------------------------------------


def small_model(solver: z3.Solver, smt: Smt) -> z3.ModelRef:
    """A model of what the solver holds, which it has just found satisfiable, with no sort much larger than need be."""
    solver.set(rlimit=WISH_STEPS_MAX)
    model = solver.model()
    for wish in no_set_is_empty(smt.sorts):
        model = granted(solver, smt.formula(wish)) or model
    for sort in sorted(smt.sorts, key=lambda s: (not s.ordered, issubclass(s, Many))):
        for size in range(1, len(universe(smt, model, sort))):
            if smaller := granted(solver, at_most(size, sort, smt)):
                model = smaller
                break
    return model


def granted(solver: z3.Solver, wish: z3.BoolRef) -> z3.ModelRef | None:
    """A model in which the wish is true as well; None, and the wish withdrawn, if the solver finds none."""
    solver.push()
    solver.add(wish)
    if ask(solver) == z3.sat:
        return solver.model()
    solver.pop()
    return None


def no_set_is_empty(sorts: Iterable[type[Sort]]) -> Iterator[Formula]:
    """That the sets of every sort of sets have members."""
    for sort in sorts:
        if issubclass(sort, Many):
            q, a = Var("q", sort), Var("a", item_of(sort))
            yield All((q,), Any((a,), Member(a, q)))


def at_most(size: int, sort: type[Sort], smt: Smt) -> z3.BoolRef:
    """That a sort has no more members than this."""
    x = Var("x", sort)
    names = [smt.constant(Var(f"only{i}", sort)) for i in range(size)]
    return z3.ForAll([smt.constant(x)], z3.Or([smt.constant(x) == name for name in names]))


def universe(smt: Smt, model: z3.ModelRef, sort: type[Sort]) -> Sequence[z3.ExprRef]:
    """The elements of a sort; one, where the model does not care."""
    known = model.get_universe(smt.sort(sort))
    if not known:
        return [model.eval(smt.constant(Var("any", sort)), model_completion=True)]
    return [e for i in range(len(known)) if isinstance(e := known[i], z3.ExprRef)]


# Read back -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelReader:
    """A finite model of an obligation's hypotheses and of its goal's negation."""

    smt: Smt
    model: z3.ModelRef
    obligation: Obligation

    def read(self) -> Counterexample:
        """The counterexample that the model is."""
        fields = {r.name: r.sorts for r in self.obligation.before.values() if isinstance(r, Field)}
        vocabulary = {**fields, **self.obligation.vocabulary()}
        params = (x.sort for x in self.obligation.params)
        sorts = dict.fromkeys((*self.smt.sorts, *itertools.chain(*vocabulary.values()), *params))
        sorts.update(dict.fromkeys(item_of(s) for s in sorts if issubclass(s, Many)))
        names = self.names(tuple(sorts))
        return Counterexample(
            self.obligation,
            Instance({s: tuple(dict.fromkeys(named.values())) for s, named in names.items()}),
            {name: self.rows(name, columns, names) for name, columns in vocabulary.items()},
            {x: names[x.sort][self.eval(self.smt.constant(x))] for x in self.obligation.params},
        )

    def names(self, sorts: Sequence[type[Sort]]) -> Mapping[type[Sort], Mapping[z3.ExprRef, Anything]]:
        """What every element is called, as an instance would call it: `a1`, `2`, a set of these."""
        plain = [s for s in sorts if not issubclass(s, Many)]
        letters = initials(plain)
        named: dict[type[Sort], Mapping[z3.ExprRef, Anything]] = {}
        for sort in plain:
            elements = self.in_order(sort)
            named[sort] = {e: i if sort.ordered else f"{letters[sort]}{i}" for i, e in enumerate(elements, 1)}
        for sort in (s for s in sorts if issubclass(s, Many)):
            contains, items = self.smt.contains(sort), named[item_of(sort)]
            named[sort] = {
                q: frozenset(name for a, name in items.items() if self.true(contains(a, q)))
                for q in universe(self.smt, self.model, sort)
            }
        return named

    def in_order(self, sort: type[Sort]) -> Sequence[z3.ExprRef]:
        """A sort's elements: by their order if they have one, else those that the action's parameters name first."""
        elements = list(universe(self.smt, self.model, sort))
        if sort.ordered:
            less = self.smt.less(sort)
            return sorted(elements, key=lambda e: sum(self.true(less(d, e)) for d in elements))
        named = [self.eval(self.smt.constant(x)) for x in self.obligation.params if x.sort is sort]
        return list(dict.fromkeys((*named, *elements)))

    def rows(
        self,
        name: str,
        columns: Sequence[type[Sort]],
        names: Mapping[type[Sort], Mapping[z3.ExprRef, Anything]],
    ) -> Rows:
        """The rows of a relation."""
        relation = self.smt.relation(name, columns)
        combinations = itertools.product(*(names[s].items() for s in columns))
        return frozenset(
            tuple(name for _, name in row)
            for row in combinations
            if self.true(relation(*(e for e, _ in row)))
        )

    def eval(self, e: z3.ExprRef) -> z3.ExprRef:
        return self.model.eval(e, model_completion=True)

    def true(self, e: z3.ExprRef) -> bool:
        return bool(z3.is_true(self.eval(e)))

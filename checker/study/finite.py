"""An obligation asked of one finite universe, and the counterexample with the fewest rows read back.

The answer is never "unknown".  This file does not know which universe to try next.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

import z3

from ..evaluate import Relations
from ..instance import Instance, initials
from ..language import Many, Sort, item_of
from ..prove.counterexample import Counterexample
from ..prove.obligation import Obligation, orders_of
from ..prove.smt import ask
from ..term import Field, Var
from .compiling import Element, Sizes
from .ground import Ground
from .loose import Loose


def loose_in(obligation: Obligation, sorts: Collection[type[Sort]]) -> frozenset[type[Sort]]:
    """The ordered sorts whose order is not among the hypotheses."""
    known = {h.name for h in obligation.hypotheses}
    return frozenset(s for s in sorts if s.ordered and orders_of([s])[0].name not in known)


def choices(
    params: Sequence[Var], sizes: Sizes, alike: Collection[type[Sort]]
) -> Iterator[Mapping[Var, Element]]:
    """The ways to choose parameters; of members that are alike, only those that differ by more than their names."""
    for values in itertools.product(*(range(sizes[x.sort]) for x in params)):
        seen: dict[type[Sort], int] = {}
        for x, value in zip(params, values, strict=True):
            if x.sort in alike:
                if value > seen.get(x.sort, 0):
                    break
                seen[x.sort] = max(seen.get(x.sort, 0), value + 1)
        else:
            yield dict(zip(params, values, strict=True))


class FiniteQuery:
    """An obligation asked of one universe, for one choice of the action's parameters."""

    def __init__(self, obligation: Obligation, sizes: Sizes, params: Mapping[Var, Element]) -> None:
        self.obligation, self.params = obligation, params
        self.ground = Ground(sizes, loose_in(obligation, sizes))
        self.solver = z3.SolverFor("QF_FD", ctx=self.ground.context)
        for h in obligation.hypotheses:
            self.solver.add(self.ground.claim(h.formula, params))
        self.solver.add(z3.Not(self.ground.claim(obligation.goal, params)), self.ground.no_set_is_empty())

    def fewest(self) -> z3.ModelRef | None:
        """A model of the hypotheses and of the goal's negation: the fewest rows, then the smallest sets."""
        if ask(self.solver) != z3.sat:
            return None
        model = self.solver.model()
        for atoms in (self.ground.rows, self.ground.contains):
            model = self._fewest(list(atoms.values()), model)
        return model

    def _fewest(self, atoms: Sequence[z3.BoolRef], model: z3.ModelRef) -> z3.ModelRef:
        """A model in which as few of these are true as can be, and so they stay."""
        self.solver.push()
        while count := sum(is_true(model, x) for x in atoms):
            self.solver.add(z3.AtMost(*atoms, count - 1))
            if ask(self.solver) != z3.sat:
                break
            model = self.solver.model()
        self.solver.pop()
        if atoms:
            self.solver.add(z3.AtMost(*atoms, count))
        return model

    # Read back ---------------------------------------------------------------------------

    def read(self, model: z3.ModelRef) -> Counterexample:
        """The counterexample that a model is, its members called as in an instance; evaluated again.

        Raises `AssertionError` if it is none by the letter of the terms: then this file is wrong.
        """
        members = self.members(model)
        rows: dict[str, set[tuple[object, ...]]] = {}
        columns = {
            **{r.name: r.sorts for r in self.obligation.before.values() if isinstance(r, Field)},
            **self.obligation.vocabulary(),
        }
        for (name, row), atom in self.ground.rows.items():
            if is_true(model, atom):
                named = (members[s][e] for s, e in zip(columns[name], row, strict=True))
                rows.setdefault(name, set()).add(tuple(named))
        relations: Relations = {name: frozenset(rows.get(name, ())) for name in columns}
        found = Counterexample(
            self.obligation,
            Instance({s: tuple(dict.fromkeys(named)) for s, named in members.items()}),
            relations,
            {x: members[x.sort][e] for x, e in self.params.items()},
        )
        doubt = found.refuted()
        assert not doubt, f"{self.obligation}: what was found in {self.ground.sizes} is none: {doubt}"
        return found

    def members(self, model: z3.ModelRef) -> Mapping[type[Sort], Sequence[object]]:
        """The members of every sort, by their places."""
        ground = self.ground
        plain = [s for s in ground.sizes if not issubclass(s, Many)]
        letters = initials(plain)
        out: dict[type[Sort], Sequence[object]] = {}
        for s in plain:
            names = [f"{letters[s]}{i + 1}" for i in range(ground.sizes[s])]
            if s in ground.loose:
                out[s] = [
                    Loose(x, [y for j, y in enumerate(names) if is_true(model, ground.less(s, i, j))])
                    for i, x in enumerate(names)
                ]
            else:
                out[s] = [i + 1 for i in range(ground.sizes[s])] if s.ordered else names
        for s in ground.sizes:
            if issubclass(s, Many):
                items = list(enumerate(out[item_of(s)]))
                out[s] = [
                    frozenset(x for i, x in items if is_true(model, ground.has(s, q, i)))
                    for q in range(ground.sizes[s])
                ]
        return out


def is_true(model: z3.ModelRef, claim: bool | z3.BoolRef) -> bool:
    """Whether a claim holds in a model, where what the model leaves open is false."""
    return claim if isinstance(claim, bool) else bool(z3.is_true(model.eval(claim)))

"""A proof obligation: one formula that must follow from named hypotheses.

An obligation is data.  It knows what it is for (the floor, the action, the conjunct, the line of text) and what a
counterexample to it would have to show (the state, the parameters, the state that follows); it does not know a solver.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..language import Sort
from ..specification import Specification, where
from ..term import All, And, Eq, Formula, Implies, In, Less, Not, Or, Relation, Step, Var, within


@dataclass(frozen=True)
class Hypothesis:
    """Something that may be relied on: an axiom, an invariant, what an action requires."""

    name: str
    formula: Formula
    place: str = ""


@dataclass(frozen=True)
class Obligation:
    """What is to be proved, and from what.

    `level` is a specification, as `voting`, or a refinement, as `voting is consensus`.  `action` is one of its actions,
    `init`, or `invariant` where something must follow from the invariants alone.  `conjunct` names the goal: a
    property, the text of an upper `require`, or `chosen adds no more` for a relation of the image.  `claim` says it
    in a sentence, `place` where it stands.

    `params` are the action's parameters, `before` and `after` its states, for a counterexample to show.  `skipped`, if
    not empty, says why there is nothing to prove; `twin`, if that is so, which proved property it reads the same as,
    as `voting.agreement`.
    """

    level: str
    action: str
    conjunct: str
    place: str
    goal: Formula
    hypotheses: tuple[Hypothesis, ...] = ()
    claim: str = ""
    params: tuple[Var, ...] = ()
    before: Mapping[str, Relation] = field(default_factory=dict)
    after: Mapping[str, Relation] = field(default_factory=dict)
    skipped: str = ""
    twin: str = ""

    def __str__(self) -> str:
        return f"{self.level}: {self.action}: {self.conjunct}"

    def from_its_own(self) -> Obligation:
        """The same from fewer hypotheses: what the action requires, and that the conjunct held before."""
        own = (h for h in self.hypotheses if h.name == self.conjunct or h.name.startswith("require("))
        return replace(self, hypotheses=tuple(own))

    def formulas(self) -> Iterator[Formula]:
        """The goal and every hypothesis."""
        yield self.goal
        yield from (h.formula for h in self.hypotheses)

    def vocabulary(self) -> Mapping[str, tuple[type[Sort], ...]]:
        """Every relation that the obligation speaks of, with the sorts of its columns."""
        atoms = (x for t in self.formulas() for x in within(t) if isinstance(x, In))
        return {x.relation: tuple(v.sort for v in x.args) for x in atoms}


def invariants_of(spec: Specification) -> tuple[Hypothesis, ...]:
    """The invariants of a specification, of the state now."""
    return tuple(Hypothesis(f.__name__, spec.claims[f.__name__], where(f)) for f in spec.invariants)


def required(step: Step) -> tuple[Hypothesis, ...]:
    """What a step requires."""
    return tuple(Hypothesis(f"require({r.place.text})", r.formula, str(r.place)) for r in step.requires)


def axioms_of(spec: Specification) -> tuple[Hypothesis, ...]:
    """What a specification assumes of its sorts: the axioms that it lists."""
    return tuple(Hypothesis(f.__name__, spec.axioms[f.__name__], where(f)) for f in spec.assumes)


def orders_of(sorts: Iterable[type[Sort]]) -> tuple[Hypothesis, ...]:
    """That `ordered=True` means a total order, one hypothesis a sort: `ballot_order`."""
    return tuple(
        Hypothesis(f"{s.__name__.lower()}_order", total_order(s)) for s in dict.fromkeys(sorts) if s.ordered
    )


def total_order(sort: type[Sort]) -> Formula:
    """Irreflexive, transitive, and any two are equal or one is less."""
    x, y, z = (Var(name, sort) for name in "xyz")
    return All(
        (x, y, z),
        And(
            (
                Not(Less(x, x)),
                Implies(And((Less(x, y), Less(y, z))), Less(x, z)),
                Or((Less(x, y), Eq(x, y), Less(y, x))),
            )
        ),
    )

"""That a refinement holds: seen through its image, every step is a step of the upper specification, or none.

For each lower action it is shown that the upper step written for it leads where the image leads (inclusion by
inclusion), and that each `require` of the upper action holds, named by its line of text.  A step that changes nothing
above owes none of this, so that it does change something is a hypothesis; and once it is shown that nothing is
forgotten, that means that something is added.

Where the image only renames relations, the goals speak of the lower state.  Where it *defines* one (chosen: a quorum
voted for it), that the upper step leads there is shown with the definition open; the upper requires then follow from
that effect and from the upper invariants, before and after, with the definition closed.  Opening it there as well is
what makes solvers diverge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from ..refinement import Refinement
from ..specification import Function, brief, where
from ..term import (
    FALSE,
    TRUE,
    Field,
    Formula,
    Implies,
    Relation,
    StateTerm,
    Step,
    Union,
    Var,
    canonical,
    columns,
    conj,
    every,
    member,
    negation,
)
from .obligation import Hypothesis, Obligation, invariants_of, required
from .precondition import said_of

EQUAL = "the same above, as it stands"
FORGETS_NOTHING = " forgets nothing"


@dataclass(frozen=True)
class Simulation:
    """The obligations of one refinement, under the axioms given."""

    refinement: Refinement
    axioms: tuple[Hypothesis, ...]

    def obligations(self) -> Iterator[Obligation]:
        """The initial state, then what the invariants imply, then each action."""
        yield from self.beginning()
        if self.refinement.renames():
            yield from self.safety_below()
        else:
            yield from self.invariants_above()
        for action, step in self.refinement.lower.steps.items():
            yield from self.moves(action, step)

    @cached_property
    def image(self) -> StateTerm:
        """The upper state, in terms of the lower state now."""
        return self.refinement.image_of(self.refinement.lower.now)

    # Of one state ------------------------------------------------------------------------

    def beginning(self) -> Iterator[Obligation]:
        """The image of the initial state is the upper initial state."""
        first = self.refinement.lower.first
        image, upper = self.refinement.image_of(first), self.refinement.upper.first
        owe = partial(Obligation, self.refinement.name, "init", after=first.relations)
        for name in upper.relations:
            goal = same(image[name], upper[name])
            skipped, what = (EQUAL, name) if goal == TRUE else ("", f"{name} is as above")
            yield owe(what, where(self.refinement.image), goal, self.axioms, skipped=skipped)

    def invariants_above(self) -> Iterator[Obligation]:
        """The lower invariants imply the upper ones, so that these may be used before a step and after it."""
        lower, upper = self.refinement.lower, self.refinement.upper
        proved = {f"{lower.name}.{name}": t for name, t in lower.claims.items()}
        for f in upper.invariants:
            goal = said_of(self.image, upper.claims[f.__name__])
            yield self.implied(f, goal, invariants_of(lower), proved)

    def safety_below(self) -> Iterator[Obligation]:
        """What the lower specification calls safe follows from what is proved above, and from its own invariants."""
        lower, upper = self.refinement.lower, self.refinement.upper
        proved = {
            f"{upper.name}.{f.__name__}": said_of(self.image, upper.claims[f.__name__])
            for f in upper.properties
        }
        known = tuple(Hypothesis(name, t) for name, t in proved.items()) + invariants_of(lower)
        for f in lower.safety:
            if f not in lower.invariants:
                yield self.implied(f, lower.claims[f.__name__], known, proved)

    def implied(
        self, f: Function, goal: Formula, known: tuple[Hypothesis, ...], proved: Mapping[str, Formula]
    ) -> Obligation:
        """A property from known ones; nothing is left to prove where it reads the same as one of `proved`."""
        twin = next((name for name, t in proved.items() if canonical(t) == canonical(goal)), "")
        return Obligation(
            self.refinement.name,
            "invariant",
            f.__name__,
            where(f),
            goal,
            self.axioms + known,
            brief(f),
            before=self.refinement.lower.now.relations,
            skipped=f"read through {self.refinement.image.__name__} it is {twin}" if twin else "",
            twin=twin,
        )

    # Of one step -------------------------------------------------------------------------

    def moves(self, action: str, step: Step) -> Iterator[Obligation]:
        """The image moves as the upper step says, and the upper step may be taken."""
        refinement, now, place = self.refinement, self.image, where(self.refinement.steps[action])
        nxt = refinement.image_of(step.then)
        if unchanged(now, nxt) == TRUE:
            reason = f"{action} changes nothing in {refinement.upper.name}"
            yield Obligation(refinement.name, action, "changes nothing", place, TRUE, skipped=reason)
            return
        above = refinement.step_above(action, step.params)
        owe = partial(Obligation, refinement.name, action, params=step.params)
        kept = {name for name in nxt.relations if keeps(now[name], above.then[name])}
        known = self.axioms + invariants_of(refinement.lower) + required(step)
        at_first, known = (*known, changes(now, nxt)), (*known, changes(now, nxt, kept))
        before, after = refinement.lower.now.relations, step.then.relations
        for name in nxt.relations:
            for what, goal in comparisons(nxt[name], above.then[name]):
                skipped = EQUAL if goal == TRUE else ""
                given = at_first if what == FORGETS_NOTHING else known
                yield owe(f"{name}{what}", place, goal, given, before=before, after=after, skipped=skipped)
        if not refinement.renames():
            now, nxt = self.closed(now, ""), self.closed(nxt, "'")
            above = refinement.step_above(action, step.params, now)
            known = self.axioms + self.effect(action, above, now, nxt)
            before, after = now.relations, nxt.relations
        for r in above.requires:
            yield owe(r.place.text, str(r.place), r.formula, known, before=before, after=after)

    def effect(self, action: str, above: Step, now: StateTerm, nxt: StateTerm) -> tuple[Hypothesis, ...]:
        """What is known of a step above once its effect is proved: where it leads, and the invariants at both ends."""
        leads = conj(*(same(nxt[name], above.then[name]) for name in nxt.relations))
        return (
            Hypothesis(f"the effect of {action}", leads, where(self.refinement.steps[action])),
            *self.upper_invariants(now, ""),
            *self.upper_invariants(nxt, " after"),
            changes(now, nxt),
        )

    def upper_invariants(self, state: StateTerm, when: str) -> tuple[Hypothesis, ...]:
        claims = self.refinement.upper.claims
        return tuple(
            Hypothesis(f.__name__ + when, said_of(state, claims[f.__name__]), where(f))
            for f in self.refinement.upper.invariants
        )

    def closed(self, image: StateTerm, mark: str) -> StateTerm:
        """The image with a mere name for every relation that it defines."""
        relations = {
            name: r if isinstance(r, Field) else Field(f"{image.of.__name__}.{name}{mark}", columns(r))
            for name, r in image.relations.items()
        }
        return StateTerm(image.of, relations)


# Relations compared --------------------------------------------------------------------------


def comparisons(left: Relation, right: Relation) -> Iterator[tuple[str, Formula]]:
    """That a relation has the rows of another, a question at a time; once `TRUE` where they are equal as they stand.

    It has no more, and no fewer: where the other is a union, neither of what was there nor of what is added.  Asked
    all at once, it takes a solver ten times as long.
    """
    if same(left, right) == TRUE:
        yield "", TRUE
        return
    yield " adds no more", subset(left, right)
    if isinstance(right, Union):
        yield FORGETS_NOTHING, subset(right.left, left)
        yield " adds no less", subset(right.right, left)
    else:
        yield " adds no less", subset(right, left)


def same(left: Relation, right: Relation) -> Formula:
    """That two relations have the same rows; `TRUE` where they read the same."""
    row = row_of(left)
    if canonical(member(row, left)) == canonical(member(row, right)):
        return TRUE
    return conj(subset(left, right), subset(right, left))


def subset(left: Relation, right: Relation) -> Formula:
    """That every row of one relation is one of another."""
    row = row_of(left)
    return every(row, Implies(member(row, left), member(row, right)))


def row_of(relation: Relation) -> tuple[Var, ...]:
    """A row of variables for a relation's columns."""
    return tuple(Var(f"{sort.__name__.lower()}{i}", sort) for i, sort in enumerate(columns(relation), 1))


def keeps(now: Relation, then: Relation) -> bool:
    """Whether a relation becomes what it was and more, as it stands."""
    return isinstance(then, Union) and same(then.left, now) == TRUE


def unchanged(now: StateTerm, nxt: StateTerm, kept: Collection[str] = ()) -> Formula:
    """That two states are equal, `TRUE` if they are as they stand; of what is kept, that nothing is added is enough."""

    def still(name: str) -> Formula:
        alike = same(nxt[name], now[name])
        return subset(nxt[name], now[name]) if name in kept and alike != TRUE else alike

    return conj(*map(still, nxt.relations))


def changes(now: StateTerm, nxt: StateTerm, kept: Collection[str] = ()) -> Hypothesis:
    """That two states differ; of the relations that are kept, in what is added.

    That something is forgotten need not be thought of there, and leaving it out saves cvc5 nine tenths of its time.
    """
    differ = negation(unchanged(now, nxt, kept))
    assert differ != FALSE, "states that are equal as they stand do not differ"
    return Hypothesis("something changes", differ)

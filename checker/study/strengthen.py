"""An inductive invariant found from safety alone: what must be true besides, so that induction goes through.

Candidates come from a grammar; those that a reachable state of a small instance refutes are struck out, and those that
an arbitrary state never could refute say nothing.  Of the rest the largest set that every step keeps is taken, and what
safety does not rest on is thrown away.  That was one instance.  The prover has the last word, for any number of
everything; where it objects, its state is met with another of the conjuncts that stand.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..evaluate import holds
from ..instance import Instance
from ..language import Many, item_of, relations_of
from ..prove.counterexample import Counterexample
from ..prove.obligation import Hypothesis, Obligation, required
from ..prove.precondition import said_of
from ..prove.solving import Outcome, Solver
from ..specification import Function, Specification
from ..term import Eq, Formula, Not, mentions, negation, put
from .bounded import axioms
from .grammar import Clause, Grammar
from .houdini import Houdini
from .sample import Sample
from .saying import said

Verdict = Literal["proved", "not found", "unknown"]


@dataclass(frozen=True)
class Effort:
    """How much is tried."""

    ordered: int = 2
    """Variables of each ordered sort that a conjunct may speak of; the instances have one member more."""
    states_max: int = 20_000
    arbitrary: int = 400
    """States that need not be reachable, to tell what says something from what is true anyway."""
    rounds: int = 20
    """Times that the prover may object."""


@dataclass(frozen=True)
class Strengthening:
    """What was found, and how far the search came.

    `conjuncts` are inductive together in the `instance`; if the verdict is `proved`, for any number of everything.
    `fallen` are the goals that no set of candidates keeps: then the grammar is too poor, or they are false.
    """

    spec: Specification
    goals: tuple[str, ...]
    instance: Instance
    states: int
    candidates: int
    true: int
    standing: int
    fallen: tuple[str, ...]
    conjuncts: tuple[Formula, ...]
    outcomes: tuple[Outcome, ...]
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """Proved only by the prover."""
        if self.fallen:
            return "not found"
        return "proved" if self.outcomes and all(o.result == "proved" for o in self.outcomes) else "unknown"


def strengthen(
    spec: Specification,
    solver: Solver,
    effort: Effort | None = None,
    goals: Sequence[Function] | None = None,
    watch: Callable[[str], None] = lambda _: None,
) -> Strengthening:
    """Looks for conjuncts that, with the goals (the safety properties), are inductive; no invariant is looked at."""
    return Search(spec, solver, effort or Effort(), tuple(goals or spec.safety), watch).run()


@dataclass
class Search:
    """One search for an inductive invariant."""

    spec: Specification
    solver: Solver
    effort: Effort
    goals: tuple[Function, ...]
    watch: Callable[[str], None]
    started: float = field(default_factory=time.perf_counter)
    candidates: int = 0

    def run(self) -> Strengthening:
        """Searches to the end."""
        samples = [Sample.explored(self.spec, i, self.effort.states_max) for i in self.instances()]
        self.instance = samples[-1].instance
        wanted = [self.spec.claims[f.__name__] for f in self.goals]
        true = self.true(samples)
        self.houdini = Houdini(self.spec, self.instance, [*wanted, *(c.formula for c in true)], self.watch)
        standing = self.houdini.standing()
        goals = list(range(len(wanted)))
        fallen = tuple(self.goals[i].__name__ for i in goals if i not in standing)
        kept = self.houdini.support(goals, standing) if not fallen else []
        kept, outcomes = self.confirmed(kept, standing)
        return Strengthening(
            self.spec,
            tuple(f.__name__ for f in self.goals),
            self.instance,
            sum(len(s.states) for s in samples),
            self.candidates,
            len(true),
            len(standing) - (len(goals) - len(fallen)),
            fallen,
            tuple(self.houdini.candidates[i] for i in kept),
            tuple(outcomes),
            time.perf_counter() - self.started,
        )

    def instances(self) -> Iterator[Instance]:
        """A small instance whose every state can be looked at, then one with a member more of what is ordered."""
        for more in (0, 1):
            sizes: dict[str, int] = {}
            for sort, variables in Grammar.of(self.spec, self.effort.ordered).pool.items():
                items = any(issubclass(s, Many) and item_of(s) is sort for s in self.spec.sorts)
                size = 3 if items else len(variables) + (more if sort.ordered else 0)
                sizes[sort.__name__.lower()] = size
            yield Instance.of(self.spec, sizes)

    # Candidates --------------------------------------------------------------------------

    def true(self, samples: Sequence[Sample]) -> list[Clause]:
        """The candidates that no reachable state refutes, that some state does, and that no earlier one implies."""
        known = Known(Grammar.of(self.spec, self.effort.ordered))
        true: list[Clause] = []
        few = samples[0].instance
        arbitrary = Sample(self.spec, few, arbitrary_states(self.spec, few, self.effort.arbitrary), False)
        for clause in known.grammar.clauses():
            self.candidates += 1
            if known.implies(clause) or any(s.refutes(clause.formula) for s in samples):
                continue
            known.add(clause)
            if arbitrary.refutes(clause.formula):
                true.append(clause)
                self.watch(f"{len(true)} of {self.candidates} candidates are true of every state seen")
        return true

    # The prover --------------------------------------------------------------------------

    def confirmed(self, small: list[int], standing: Sequence[int]) -> tuple[list[int], list[Outcome]]:
        """What the prover says of a set of conjuncts, enlarged where it objects by what excludes its state."""
        kept, outcomes = small, list(self.proofs(small))
        for _ in range(self.effort.rounds):
            found = [o.counterexample for o in outcomes if o.counterexample and o.obligation.action != "init"]
            more = next((i for c in found for i in standing if i not in kept and self.excludes(i, c)), None)
            if more is None:
                break
            self.watch(f"the prover objects; {len(kept) + 1} conjuncts")
            kept = [*kept, more]
            outcomes = list(self.proofs(kept))
        return (kept, outcomes) if kept == small else self.without_surplus(kept, outcomes)

    def without_surplus(self, kept: list[int], outcomes: list[Outcome]) -> tuple[list[int], list[Outcome]]:
        """The conjuncts that the prover cannot do without; the largest go first."""
        if any(o.result != "proved" for o in outcomes):
            return kept, outcomes
        for i in sorted(kept[len(self.goals) :], key=lambda i: -len(said(self.houdini.candidates[i]))):
            fewer = [j for j in kept if j != i]
            proofs: list[Outcome] = []
            for outcome in self.proofs(fewer):
                proofs.append(outcome)
                if outcome.result != "proved":
                    break
            else:
                kept, outcomes = fewer, proofs
        return kept, outcomes

    def proofs(self, kept: Sequence[int]) -> Iterator[Outcome]:
        """Every obligation of an induction with these conjuncts.

        A goal that the other conjuncts imply need not be kept by steps: it holds wherever they do.
        """
        goals = range(len(self.goals))
        others = self.supposed(i for i in kept if i not in goals)
        for i in kept:
            implied = self.solver.discharge(self.owe(i, "invariant", others)) if i in goals else None
            if implied is not None and implied.result == "proved":
                yield implied
            else:
                yield from self.induction(i, self.supposed(kept))

    def induction(self, i: int, known: tuple[Hypothesis, ...]) -> Iterator[Outcome]:
        """That one conjunct holds at first, and is kept by every action that changes anything of which it speaks."""
        t = self.houdini.candidates[i]
        yield self.solver.discharge(replace(self.owe(i, "init", ()), goal=said_of(self.spec.first, t)))
        for action, step in self.spec.steps.items():
            if step.changed().keys() & mentions(t):
                owe = replace(
                    self.owe(i, action, known + required(step)),
                    goal=said_of(step.then, t),
                    params=step.params,
                    after=step.then.relations,
                )
                yield self.solver.discharge(owe)

    def owe(self, i: int, action: str, known: tuple[Hypothesis, ...]) -> Obligation:
        """That one conjunct follows from what is known of a state."""
        t = self.houdini.candidates[i]
        name = self.goals[i].__name__ if i < len(self.goals) else said(t)
        return Obligation(
            self.spec.name, action, name, "", t, axioms(self.spec) + known, before=self.spec.now.relations
        )

    def supposed(self, kept: Iterable[int]) -> tuple[Hypothesis, ...]:
        return tuple(Hypothesis(f"conjunct {i}", self.houdini.candidates[i]) for i in kept)

    def excludes(self, i: int, found: Counterexample) -> bool:
        """Whether a candidate is false of the state that the prover found."""
        return not holds(self.houdini.candidates[i], found.before, {}, found.instance.members)


@dataclass
class Known:
    """The clauses that are true so far, and what follows from each alone."""

    grammar: Grammar
    by_consequent: dict[Formula, list[Clause]] = field(default_factory=dict)
    impossible: set[frozenset[Formula]] = field(default_factory=set)
    """What is never given together, under every name."""

    def add(self, clause: Clause) -> None:
        self.by_consequent.setdefault(clause.then, []).append(clause)
        if isinstance(clause.then, Not | Eq):
            together = [*clause.given, negation(clause.then)]
            self.impossible |= {
                frozenset(put(t, names) for t in together) for names in self.grammar.renamings
            }

    def implies(self, clause: Clause) -> bool:
        """Whether a known clause says as much, or that what is given here never is."""
        if any(c.given <= clause.given for c in self.by_consequent.get(clause.then, ())):
            return True
        given = list(clause.given)
        parts = (frozenset(p) for n in range(1, len(given) + 1) for p in itertools.combinations(given, n))
        return any(p in self.impossible for p in parts)


def arbitrary_states(spec: Specification, instance: Instance, count: int) -> tuple[Any, ...]:
    """States with any rows at all, more and more of them; the same every time."""
    dice = random.Random(count)
    rows = {name: instance.arguments(columns) for name, columns in relations_of(spec.state).items()}
    return tuple(
        spec.state(**{name: [r for r in all_ if dice.random() < n / count] for name, all_ in rows.items()})
        for n in range(count)
    )

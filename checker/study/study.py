"""What breaks when something is taken away: an invariant, an axiom, a line of the text.

Every obligation that it touches is asked again.  Each that fails is shown in its smallest counterexample, which the
text itself has borne out, and with the explorer's word on whether it can happen.  This file decides what is asked; how
a counterexample is made small, tried again and looked for, the files around it know.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ..explore.result import Limits
from ..prove.obligation import Obligation, axioms_of, orders_of
from ..prove.proof import Proof, Verdict, obligations
from ..prove.solving import INTERRUPTED, Z3, Outcome, Solver, not_asked
from ..refinement import Tower
from .again import objection
from .given import Told, told
from .reachable import Reachability, reachability
from .smallest import completed, smallest

PATIENCE = 10
"""What is not decided within this part of the time limit is looked for in small universes before the rest is spent."""

MEMBERS_MAX = 9
"""Where the solver does not know, universes with up to so many members in all are searched."""

ORDER_OF = "order of "

Watcher = Callable[[str], None]
"""Told what is being worked on."""


class BadStudy(Exception):
    """There is no such thing to take away; the message is one line that says what there is."""


@dataclass(frozen=True)
class Bounds:
    """How far to look: for a counterexample that the solver does not find, and for a way to one that it found."""

    members_max: int = MEMBERS_MAX
    search_seconds_max: float | None = 60.0
    explorer: Limits = field(default_factory=lambda: Limits(states_max=5_000_000, seconds_max=60.0))


@dataclass(frozen=True)
class Finding:
    """An obligation that failed, its smallest counterexample, and whether that can happen.

    `excluded` members in all, or fewer, are too few for any counterexample in which no set is empty.  Where only
    empty sets give one (or time was short) it is the solver's own, and `smallest` is False.  `told` tells the rows of
    its state that are given from those that follow.
    """

    outcome: Outcome
    excluded: int
    smallest: bool
    reachability: Reachability | None
    told: Told | None = None

    @property
    def rows(self) -> int:
        """How many rows the state has that is shown."""
        found = self.outcome.counterexample
        return sum(map(len, found.relations.values())) if found else 0

    @property
    def given(self) -> int:
        """How many of them do not follow from the others."""
        return self.told.count if self.told else self.rows


@dataclass(frozen=True)
class Study:
    """What failed without what was taken away, and how every obligation that it touches came out.

    `title` says what was done, as `multipaxos without logs_are_true`; `without` names it.
    """

    tower: Tower
    title: str
    without: str
    solver: str
    outcomes: tuple[Outcome, ...]
    findings: tuple[Finding, ...]
    untouched: int
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """Refuted if something fails; proved only if everything is proved without it."""
        results = {o.result for o in self.outcomes}
        if "failed" in results:
            return "refuted"
        return "unknown" if "unknown" in results else "proved"


# Taking away ---------------------------------------------------------------------------------


def without_invariant(tower: Tower, name: str) -> Tower:
    """The tower with an invariant dropped wherever it stands.  Raises `BadStudy`."""
    try:
        return tower.without(name)
    except KeyError:
        known = dict.fromkeys(f.__name__ for spec in tower.floors for f in spec.invariants)
        raise BadStudy(f"{tower.name} has no invariant {name}; it has {', '.join(known) or 'none'}") from None


def without_axiom(tower: Tower, asked: Iterable[Obligation], name: str) -> tuple[Obligation, ...]:
    """Obligations that may not rely on an axiom, or on an order: `ballot_order`, or `order of Ballot`.

    Raises `BadStudy`.
    """
    if name.startswith(ORDER_OF):
        name = f"{name.removeprefix(ORDER_OF).lower()}_order"
    known = [h.name for h in axioms_of(tower.floors[0]) + orders_of(tower.floors[0].sorts)]
    if name not in known:
        raise BadStudy(f"{tower.name} assumes no {name}; it assumes {', '.join(known) or 'nothing'}")
    return tuple(replace(o, hypotheses=tuple(h for h in o.hypotheses if h.name != name)) for o in asked)


def touched(asked: Iterable[Obligation], before: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """The obligations that have fewer hypotheses than the one of the same name had before."""
    known = {str(o): _told(o) for o in before}
    return tuple(o for o in asked if not o.skipped and known.get(str(o)) != _told(o))


def _told(o: Obligation) -> frozenset[str]:
    return frozenset(h.name for h in o.hypotheses)


# Asking --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Examiner:
    """Asks a solver, and follows up what it answers."""

    solver: Solver = field(default_factory=Z3)
    bounds: Bounds = field(default_factory=Bounds)
    watch: Watcher = field(default=lambda _: None)

    def drop(self, tower: Tower, invariant: str) -> Study:
        """What fails without an invariant.  Raises `BadStudy`."""
        less = without_invariant(tower, invariant)
        return self.study(
            less, f"{tower.name} without {invariant}", invariant, obligations(less), obligations(tower)
        )

    def drop_axiom(self, tower: Tower, axiom: str) -> Study:
        """What fails without an axiom.  Raises `BadStudy`."""
        asked = obligations(tower)
        left = without_axiom(tower, asked, axiom)
        return self.study(tower, f"{tower.name} without {axiom}", axiom, left, asked)

    def mutant(self, tower: Tower, mutant: str) -> Study:
        """What fails of a tower whose lowest floor is a mutant."""
        return self.study(tower, f"{tower.name} spoiled by {mutant}", mutant, obligations(tower))

    def study(
        self,
        tower: Tower,
        title: str,
        without: str,
        asked: Sequence[Obligation],
        before: Sequence[Obligation] = (),
    ) -> Study:
        """What fails of the obligations that are not as they were before.

        Interrupted by Ctrl-C, it returns what it has, and the rest is unknown.
        """
        started = time.perf_counter()
        changed = touched(asked, before)
        outcomes: list[Outcome] = []
        findings: list[Finding] = []
        try:
            for o in changed:
                self.watch(str(o))
                outcome = self.answer(tower, o)
                if outcome.result == "failed":
                    finding = self.follow_up(tower, outcome)
                    outcome = finding.outcome
                    findings += [finding] if outcome.counterexample else []
                outcomes.append(outcome)
        except KeyboardInterrupt:
            outcomes += not_asked(changed[len(outcomes) :])
        untouched = sum(not o.skipped for o in asked) - len(changed)
        seconds = time.perf_counter() - started
        return Study(
            tower, title, without, self.solver.name, tuple(outcomes), tuple(findings), untouched, seconds
        )

    def answer(self, tower: Tower, o: Obligation) -> Outcome:
        """What becomes of an obligation.

        Much of what is studied fails, and where a solver does not see that soon, small universes mostly show it sooner
        than its time is over.
        """
        if not isinstance(self.solver, Z3):
            return self.settle(tower, self.solver.discharge(o))
        soon = replace(self.solver, seconds_max=self.solver.seconds_max / PATIENCE).discharge(o)
        looked = self.settle(tower, soon)
        if looked.result != "unknown":
            return looked
        outcome = self.solver.discharge(o)
        return replace(outcome, reason=looked.reason) if outcome.result == "unknown" else outcome

    def settle(self, tower: Tower, outcome: Outcome) -> Outcome:
        """What the solver does not know, looked for in finite universes: a counterexample, or which sizes have none.

        That no small universe has one proves nothing, so what was unknown is then still unknown.
        """
        if outcome.result != "unknown" or outcome.reason == INTERRUPTED:
            return outcome
        found = smallest(
            outcome.obligation,
            tower.floors[0].sorts,
            self.bounds.members_max,
            self.bounds.search_seconds_max,
        )
        if found.counterexample is not None:
            return replace(outcome, result="failed", reason="", counterexample=found.counterexample)
        tried = f"no counterexample with up to {found.excluded} members in all, {found.sizes} universes"
        return replace(outcome, reason=f"{outcome.reason}; {tried}")

    def made_small(self, tower: Tower, outcome: Outcome) -> Outcome:
        """What failed, with the smallest counterexample there is, if it is found in time."""
        if (first := outcome.counterexample) is None:
            return outcome
        members = sum(map(len, first.instance.members.values()))
        found = smallest(outcome.obligation, tower.floors[0].sorts, members, self.bounds.search_seconds_max)
        return replace(outcome, counterexample=found.counterexample or first)

    def follow_up(self, tower: Tower, outcome: Outcome) -> Finding:
        """The smallest counterexample to what failed, and whether it can happen."""
        first = outcome.counterexample
        assert first is not None, "what failed has a counterexample"
        members = max(self.bounds.members_max, sum(map(len, first.instance.members.values())))
        found = smallest(outcome.obligation, tower.floors[0].sorts, members, self.bounds.search_seconds_max)
        shown = found.counterexample or completed(first, tower.floors[0].sorts)
        if doubt := objection(shown, tower):
            reason = f"the text does not bear out what the solver found: {doubt}"
            outcome = replace(outcome, result="unknown", reason=reason, counterexample=None)
            return Finding(outcome, found.excluded, False, None)
        outcome = replace(outcome, counterexample=shown)
        try:
            given, reach = told(shown), reachability(shown, tower, self.bounds.explorer)
        except KeyboardInterrupt:
            given, reach = None, Reachability("undecided", 0, why=INTERRUPTED)
        return Finding(outcome, found.excluded, found.counterexample is not None, reach, given)


def settled(proof: Proof, bounds: Bounds | None = None) -> Proof:
    """The proof, with what its solver did not know looked for in finite universes, and what it refuted made small.

    Interrupted by Ctrl-C, it leaves the rest as it is.
    """
    examiner = Examiner(bounds=bounds or Bounds(search_seconds_max=20.0))
    outcomes = list(proof.outcomes)
    with suppress(KeyboardInterrupt):
        for i, outcome in enumerate(outcomes):
            outcomes[i] = examiner.made_small(proof.tower, examiner.settle(proof.tower, outcome))
    return replace(proof, outcomes=tuple(outcomes))

"""That the invariants of a specification are inductive: they hold at first, and every action keeps them.

One obligation for each action and invariant, so that what fails is named.  An action that changes nothing of which
an invariant speaks cannot break it; there the obligation is listed, and skipped.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..specification import Specification, brief, where
from ..term import TRUE, Step, mentions
from .obligation import Hypothesis, Obligation, invariants_of, required
from .precondition import said_of


def induction(
    spec: Specification, axioms: tuple[Hypothesis, ...], safety: bool = True
) -> Iterator[Obligation]:
    """The obligations of one specification: `init`, then each action, then what the invariants imply.

    Without `safety`, the safety properties that are no invariants are left to a refinement.
    """
    for goal in spec.invariants:
        yield Obligation(
            spec.name,
            "init",
            goal.__name__,
            where(goal),
            said_of(spec.first, spec.claims[goal.__name__]),
            axioms,
            brief(goal),
            after=spec.first.relations,
        )
    for action, step in spec.steps.items():
        yield from preservation(spec, action, step, axioms)
    for goal in spec.safety:
        if safety and goal not in spec.invariants:
            yield Obligation(
                spec.name,
                "invariant",
                goal.__name__,
                where(goal),
                spec.claims[goal.__name__],
                axioms + invariants_of(spec),
                brief(goal),
                before=spec.now.relations,
            )


def preservation(
    spec: Specification, action: str, step: Step, axioms: tuple[Hypothesis, ...]
) -> Iterator[Obligation]:
    """That one action keeps each invariant, given all of them before it."""
    changed = step.changed()
    hypotheses = axioms + invariants_of(spec) + required(step)
    for goal in spec.invariants:
        claim = spec.claims[goal.__name__]
        untouched = not mentions(claim) & changed.keys()
        yield Obligation(
            spec.name,
            action,
            goal.__name__,
            where(goal),
            TRUE if untouched else said_of(step.then, claim),
            hypotheses,
            brief(goal),
            step.params,
            spec.now.relations,
            step.then.relations,
            skipped=f"{action} changes nothing of which {goal.__name__} speaks" if untouched else "",
        )

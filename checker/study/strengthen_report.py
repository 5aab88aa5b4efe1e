"""What a search for an inductive invariant came to, as a person reads it and as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..prove.proof import outcome_json
from ..prove.report import duration
from .saying import invariant_text, said
from .strengthen import Strengthening


def strengthening_lines(found: Strengthening) -> Iterator[str]:
    """How far it came, the conjuncts as they may be pasted into the specification, and what the prover says of them."""
    goals = ", ".join(found.goals)
    yield f"{found.candidates:,} candidates were tried on {found.states:,} reachable states of {found.spec.name}"
    yield f"{found.true:,} are true of all of them and not of just any state"
    yield f"{found.standing:,} of these every step keeps, with {found.instance}"
    for name in found.fallen:
        yield f"{name} is not among what every step keeps: the candidates are too poor to prove it, or it is false"
    if found.fallen:
        yield f"{found.spec.name}: not found ({duration(found.seconds)})"
        return
    yield f"{goals} rests on {len(found.conjuncts) - len(found.goals)} of them:"
    yield ""
    for i, t in enumerate(found.conjuncts[len(found.goals) :], 1):
        yield from invariant_text(t, f"found_{i}", found.spec).splitlines()
        yield ""
    for o in found.outcomes:
        if o.result != "proved":
            why = o.reason or "a state of another size breaks it"
            yield f"{o.obligation.action}: {o.obligation.conjunct}: {o.result} ({why})"
    words = {
        "proved": f"with these {goals} is proved by induction, for any number of everything",
        "unknown": f"inductive with {found.instance}; of any number of everything it is not known",
    }
    yield f"{found.spec.name}: {words[found.verdict]} ({duration(found.seconds)})"


def strengthening_json(found: Strengthening) -> dict[str, Any]:
    """The search as plain data."""
    return {
        "spec": found.spec.name,
        "verdict": found.verdict,
        "goals": list(found.goals),
        "instance": dict(found.instance.sizes()),
        "states": found.states,
        "candidates": found.candidates,
        "true": found.true,
        "standing": found.standing,
        "fallen": list(found.fallen),
        "conjuncts": [said(t) for t in found.conjuncts[len(found.goals) :]],
        "obligations": [outcome_json(o) for o in found.outcomes],
        "seconds": round(found.seconds, 3),
    }

"""Why a formula is false of a state is told the same way in every process."""

from __future__ import annotations

import random

import pytest

from quorate.checker.sparse import Explainer, Machine
from quorate.checker.specification import Specification
from quorate.spec import multipaxos


@pytest.mark.parametrize("round_", range(5))
def test_of_the_rows_that_will_do_the_first_is_named(round_: int) -> None:
    """Sets of strings are walked through in an order that no other process has."""
    machine = Machine(Specification.of(multipaxos))
    acceptors = [f"{round_}{letter}" for letter in "bcdefghij"]
    random.Random(round_).shuffle(acceptors)
    for a in acceptors:
        machine.put("promised", (a, 2))
        for v in ("y", "x", "z"):
            machine.put("reported", (a, 2, 1, 1, v))
    (refused,) = (r for r in machine.refusals("propose", frozenset(acceptors), 1, 2, "w"))
    step = machine.spec.steps["propose"]
    values = dict(zip(step.params, (frozenset(acceptors), 1, 2, "w"), strict=True))
    told = Explainer(machine).false(refused.formula, values)
    assert told[0] == f"reported has ('{round_}b', 2, 1, 1, 'x')"

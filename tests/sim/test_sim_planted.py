"""Each planted bug is caught by the judges of simulated runs, under the rule that it breaks; and not without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quorate.bench.planted import planted
from quorate.hunt.trial import Bench, Trial

BUGS = planted()
PLANTED, RUNS = BUGS.PLANTED, BUGS.RUNS


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("bug", PLANTED, ids=[bug.name for bug in PLANTED])
def test_a_planted_bug_is_caught_and_named(bug: Any, bench: Bench) -> None:
    others: set[str] = set()
    for seed in range(RUNS):
        plan = bug.plan(seed)
        with pytest.MonkeyPatch.context() as patch:
            bug.apply(patch)
            trial = bench.hold(plan)
        if names(bug, trial):
            assert not names(bug, bench.hold(plan)), "the judges say so without the bug as well"
            return
        others |= {each.rule for each in trial.complaints}
    pytest.fail(f"{bug.sentence} Not caught in {RUNS} runs; other complaints: {sorted(others)}")


def names(bug: Any, trial: Trial) -> bool:
    """Is a rule among the complaints that the bug breaks?"""
    return any(each.rule in bug.rules for each in trial.complaints)


def test_every_planted_bug_says_what_it_is_here_and_in_the_guide() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "TESTING.md").read_text(encoding="utf-8")
    assert len(PLANTED) >= 21
    assert RUNS <= 40
    assert len({bug.name for bug in PLANTED}) == len(PLANTED)
    for bug in PLANTED:
        assert bug.sentence.endswith("."), bug.name
        assert "\n" not in bug.sentence, bug.name
        assert f"| {bug.sentence} |" in guide, bug.name

"""How soon each planted bug is found, and by which judge: by the trace, by agreement alone, by the clients' history.

    ./dev bench planted [--runs 40]

For every bug of tests/sim/planted.py its runs are held one after the other, up to so many: the table tells with which
of them each judge objects first. *Agreement alone* is what one has who looks at nothing but what nodes apply: two
values in a slot, or state machines that differ at one.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from quorate.hunt.trial import Bench

PLANTED = Path(__file__).parents[1] / "tests" / "sim" / "planted.py"

JUDGES: dict[str, Callable[[str], bool]] = {
    "trace": lambda rule: rule.startswith("trace"),
    "agreement": lambda rule: rule in ("agreement", "state"),
    "history": lambda rule: rule.startswith("history"),
}


def planted() -> ModuleType:
    """The bugs, which live with the tests."""
    found = importlib.util.spec_from_file_location("planted_bugs", PLANTED)
    assert found is not None, PLANTED
    assert found.loader is not None, PLANTED
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


def first_found(bug: Any, bench: Bench, runs: int) -> dict[str, int | None]:
    """By judge, how many runs it takes until it objects; None if it does not in so many."""
    first: dict[str, int | None] = dict.fromkeys(JUDGES)
    for seed in range(runs):
        if None not in first.values():
            break
        with pytest.MonkeyPatch.context() as patch:
            bug.apply(patch)
            rules = {each.rule for each in bench.hold(bug.plan(seed)).complaints}
        for name, is_its in JUDGES.items():
            if first[name] is None and any(map(is_its, rules)):
                first[name] = seed + 1
    return first


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench planted", description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    given = parser.parse_args()
    bench = Bench()
    print(f"| bug | {' | '.join(JUDGES)} |")
    print(f"|---|{'---|' * len(JUDGES)}")
    for bug in planted().PLANTED:
        first = first_found(bug, bench, given.runs)
        cells = (f"{number}" if number is not None else "" for number in first.values())
        print(f"| {bug.sentence} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

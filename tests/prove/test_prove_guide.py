"""The guided tour says what the prover says: docs/PROOF.md is of these conjuncts and of these failures."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from quorate.checker.prove.proof import obligations
from quorate.checker.prove.solving import Z3
from quorate.checker.specification import where
from quorate.checker.study.study import touched
from quorate.refinement.tower import tower

DOCS = Path(__file__).resolve().parents[2] / "docs"
AGAIN = "draw it anew: ./dev run python docs/proof.py"
CONJUNCTS = {f.__name__: f for spec in tower("multipaxos").floors[:2] for f in spec.invariants}


@pytest.fixture(scope="module")
def guide() -> str:
    return (DOCS / "PROOF.md").read_text()


@pytest.fixture(scope="module")
def drawer() -> ModuleType:
    """The script that fills the guide in."""
    found = importlib.util.spec_from_file_location("docs_proof", DOCS / "proof.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def block(guide: str, name: str) -> str:
    """What the guide has of a conjunct that is not written by hand."""
    return guide.partition(f"<!-- conjunct: {name} -->")[2].partition("<!-- end -->")[0]


def test_the_guide_goes_through_all_conjuncts_and_no_others(guide: str, drawer: ModuleType) -> None:
    named = re.findall(r"<!-- conjunct: (\w+) -->", guide)
    assert named == list(drawer.conjuncts())
    assert sorted(named) == sorted(CONJUNCTS)
    assert named == re.findall(r"^\| \[`(\w+)`\]", guide, re.MULTILINE)
    assert set(named) <= set(re.findall(r"^### (\w+)$", guide, re.MULTILINE))


@pytest.mark.parametrize("name", CONJUNCTS)
def test_a_conjunct_is_quoted_as_it_stands(guide: str, drawer: ModuleType, name: str) -> None:
    assert drawer.said(CONJUNCTS[name]) in block(guide, name), AGAIN


@pytest.mark.parametrize("name", CONJUNCTS)
def test_the_steps_that_need_a_conjunct_are_those_that_fail_without_it(guide: str, name: str) -> None:
    whole = tower("multipaxos")
    asked = touched(obligations(whole.without(name)), obligations(whole))
    failed = [str(o) for o in asked if Z3().discharge(o).result == "failed"]
    assert re.findall(r"^- `(.+)`$", block(guide, name), re.MULTILINE) == failed, AGAIN


def test_the_lines_that_counterexamples_point_to_are_there(guide: str) -> None:
    floors = tower("multipaxos").floors
    there = {(where(f), f.__name__) for spec in floors for f in spec.properties}
    there |= {
        (str(r.place), r.place.text) for spec in floors for s in spec.steps.values() for r in s.requires
    }
    pointed = set(re.findall(r"^  (\w+\.py:\d+): (.+?) is false(?: for .*)?$", guide, re.MULTILINE))
    assert pointed
    assert pointed <= there, AGAIN


def test_every_command_in_the_guide_is_spelled_as_it_is(guide: str) -> None:
    for name in re.findall(r"--drop (\w+)", guide):
        assert name in CONJUNCTS
    assert "--without-axiom quorums_meet" in guide


@pytest.mark.parametrize("name", ["flexible_voting", "flexible", "checkpoint"])
def test_the_table_of_an_overlay_has_its_conjuncts_and_steps_of_its_proof(guide: str, name: str) -> None:
    table = guide.partition(f"<!-- drops: {name} -->")[2].partition("<!-- end -->")[0]
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \| \d+ \| (\d+) \|", table, re.MULTILINE)
    assert [conjunct for conjunct, _, _ in rows] == [f.__name__ for f in tower(name).floors[0].invariants], (
        AGAIN
    )
    assert {step for _, step, _ in rows} <= {str(o) for o in obligations(tower(name))}, AGAIN
    assert max(int(count) for _, _, count in rows) <= 6

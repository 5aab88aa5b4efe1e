"""The Promela that the benchmark gives to Spin is our transition system, and what Spin counts is what we count."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from quorate.bench.promela import core, promela
from quorate.checker.instance import Instance
from quorate.checker.native import explore
from quorate.checker.specification import Specification

SWAP = '''
from quorate.checker.language import Set, Sort, State, action, init, require, safety

class Item(Sort): ...

class Pair(State):
    left: Set[Item]
    right: Set[Item]

@init
def start() -> Pair:
    """Everything is on the left."""
    return Pair(left={(x,) for x in Item})

@action
def swap(now: Pair) -> Pair:
    """Both sides change places, at once."""
    return now.but(left=now.right, right=now.left)

@action
def drop(now: Pair, x: Item) -> Pair:
    """Something falls off the left."""
    require((x,) in now.left)
    return now.but(left=now.left - {(x,)})

@safety
def apart(now: Pair) -> bool:
    """Nothing is on both sides."""
    return not any((x,) in now.left and (x,) in now.right for x in Item)

@safety
def never_all_right(now: Pair) -> bool:
    """Not everything ever gets to the right."""
    return any((x,) not in now.right for x in Item)
'''


@pytest.fixture
def swap(tmp_path: Path) -> tuple[Specification, Instance]:
    (tmp_path / "swap.py").write_text(SWAP)
    return _load(tmp_path / "swap.py")


def _load(file: Path) -> tuple[Specification, Instance]:
    found = importlib.util.spec_from_file_location("swap_for_spin", file)
    assert found
    assert found.loader
    module: ModuleType = importlib.util.module_from_spec(found)
    sys.modules["swap_for_spin"] = module
    found.loader.exec_module(module)
    spec = Specification.of(module)
    return spec, Instance.of(spec, {"item": 3})


def spin(text: str, folder: Path) -> tuple[int, int]:
    """The states and the errors that Spin counts."""
    if not (shutil.which("spin") and shutil.which("gcc")):
        pytest.skip("spin and gcc are not installed")
    (folder / "model.pml").write_text(text)
    quiet = {"cwd": folder, "check": True, "capture_output": True, "text": True}
    subprocess.run(["spin", "-a", "model.pml"], **quiet)
    subprocess.run(["gcc", "-O0", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c"], **quiet)
    told = subprocess.run([folder / "pan", "-m100000", "-w18"], **quiet).stdout
    states, errors = re.search(r"(\d+) states, stored", told), re.search(r"errors: (\d+)", told)
    assert states
    assert errors
    return int(states[1]), int(errors[1])


@pytest.mark.parametrize("model", ["3,2,1,2", "3,2,2,1"])
def test_spin_counts_the_states_that_we_count(model: str, tmp_path: Path) -> None:
    assert spin(promela(*core(model)), tmp_path) == (explore(*core(model), workers=1).distinct, 0)


def test_an_asserted_property_that_is_broken_stops_spin(
    swap: tuple[Specification, Instance], tmp_path: Path
) -> None:
    assert explore(*swap, workers=1).verdict == "violated"
    assert spin(promela(*swap), tmp_path)[1] == 1


def test_changes_that_read_each_other_happen_at_once(
    swap: tuple[Specification, Instance], tmp_path: Path
) -> None:
    found = explore(*swap, workers=1, properties=[swap[0].module.apart])
    assert spin(promela(*swap, asserted=["apart"]), tmp_path) == (found.distinct, 0)


def test_only_the_properties_asked_for_are_asserted() -> None:
    text = promela(*core("3,2,1,2"), asserted=["agreement"])
    assert [text.count("assert("), text.count("/* agreement */")] == [1, 1]

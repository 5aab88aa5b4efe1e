"""The reading agrees with the running: of a text, Python and the terms say the same of every state tried."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from quorate.checker.evaluate import holds, rows
from quorate.checker.explore.referee import Search
from quorate.checker.explore.result import Limits
from quorate.checker.instance import Instance
from quorate.checker.language import Refused, State, allowed
from quorate.checker.specification import Specification, load
from quorate.spec import consensus, multipaxos, voting

Alter = Callable[[State, Instance, random.Random], State]


def agree(spec: Specification, instance: Instance, state: State) -> dict[str, int]:
    """Asserts agreement on one state; returns how often each thing was true, by name."""
    relations, members, true = vars(state), instance.members, dict[str, int]()
    for f in spec.properties:
        by_python = f(state)
        assert holds(spec.claims[f.__name__], relations, {}, members) == by_python, f.__name__
        true[f.__name__] = by_python
    for f in spec.actions:
        step = spec.steps[f.__name__]
        for args in instance.arguments([x.sort for x in step.params]):
            values = dict(zip(step.params, args, strict=True))
            possible = all(holds(r.formula, relations, values, members) for r in step.requires)
            true[f.__name__] = true.get(f.__name__, 0) + possible
            try:
                nxt: State | None = f(state, *args)
            except Refused:
                nxt = None
            assert possible == (nxt is not None), (f.__name__, args)
            if nxt is not None:
                after = {name: rows(r, relations, values, members) for name, r in step.then.relations.items()}
                assert after == vars(nxt), (f.__name__, args)
                assert allowed(f, state, nxt, *args)
            for name, relation in step.changed().items() if nxt else ():
                assert relation is not spec.now[name]
    return true


SIZES: list[tuple[ModuleType, dict[str, int], int]] = [
    (consensus, {"slot": 2, "value": 2}, 9),
    (voting, {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}, 150),
    (multipaxos, {"acceptor": 3, "ballot": 2, "slot": 1, "value": 2}, 120),
    (multipaxos, {"acceptor": 2, "ballot": 3, "slot": 2, "value": 1}, 20),
]


@pytest.mark.parametrize(("module", "sizes", "count"), SIZES)
def test_every_predicate_and_action_reads_as_it_runs(
    module: ModuleType, sizes: dict[str, int], count: int, alter: Alter
) -> None:
    spec, chance = Specification.of(module), random.Random(2001)
    instance = Instance.of(spec, sizes)
    search = Search(spec, instance, Limits(states_max=6000), (), (), False, None)
    with instance.inhabited():
        search.run()
        reachable = chance.sample(list(search.came), count)
        wild = [alter(alter(state, instance, chance), instance, chance) for state in reachable]
        true: dict[str, int] = {}
        for state in reachable + wild:
            for name, times in agree(spec, instance, state).items():
                true[name] = true.get(name, 0) + times
    assert all(true.values()), f"never true: {true}"
    assert any(true[f.__name__] < len(reachable + wild) for f in spec.properties), (
        "no property was ever false"
    )


def random_state(spec: Specification, instance: Instance, chance: random.Random, alter: Alter) -> State:
    state = spec.init()
    for _ in range(chance.randrange(12)):
        state = alter(state, instance, chance)
    return state


@pytest.fixture(scope="module")
def check_text(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Specification]:
    """Loads a text as a specification."""
    folder: Path = tmp_path_factory.mktemp("generated")

    def check(text: str) -> Specification:
        file = folder / f"spec_{abs(hash(text))}.py"
        file.write_text(text)
        return load(file)

    return check


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
@given(data=st.data(), seed=st.integers(0, 10**6))
def test_any_text_of_the_subset_reads_as_it_runs(
    data: Any,
    seed: int,
    specification_texts: st.SearchStrategy[str],
    check_text: Callable[[str], Specification],
    alter: Alter,
) -> None:
    text, chance = data.draw(specification_texts), random.Random(seed)
    note(text)
    spec = check_text(text)
    instance = Instance.of(spec, {"a": 2, "b": 2})
    with instance.inhabited():
        for _ in range(4):
            agree(spec, instance, random_state(spec, instance, chance, alter))

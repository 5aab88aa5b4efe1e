"""An overlay keeps parts of another specification and takes its actions; both mean what they mean there."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from quorate.checker.evaluate import holds, rows
from quorate.checker.explore.referee import explore as by_text
from quorate.checker.explore.result import Exploration
from quorate.checker.instance import Instance
from quorate.checker.language import Refused, State
from quorate.checker.native.explore import explore as by_machine
from quorate.checker.source import Unreadable
from quorate.checker.specification import BadSpecification, Specification, load
from quorate.checker.term import columns

BASE = '''\
from quorate.checker.language import Many, Set, Sort, State, action, axiom, init, invariant, require, safety


class Node(Sort): ...
class Team(Many[Node]): ...
class Crew(Many[Node]): ...
class Step(Sort, ordered=True): ...
class Pair(Many[Step]): ...


class Door(State):
    opened: Set[Step]
    passed: Set[Node, Step]


def led(now: Door, t: Team, s: Step) -> bool:
    return all((n, s) in now.passed for n in t)


@init
def shut() -> Door:
    return Door()


@action
def unlock(now: Door, t: Team, s: Step) -> Door:
    """All of t have passed what comes before s."""
    require((s,) not in now.opened)
    require(all(led(now, t, r) for r in Step if r < s))
    return now.but(opened=now.opened | {(s,)})


@action
def go(now: Door, n: Node, s: Step) -> Door:
    require((s,) in now.opened)
    return now.but(passed=now.passed | {(n, s)})


@action
def rebuild(now: Door, s: Step) -> Door:
    """A new door, of which only s is open."""
    return Door(opened={(s,)})


@invariant
def passed_is_opened(now: Door) -> bool:
    return all((s,) in now.opened for n in Node for s in Step if (n, s) in now.passed)
'''

HEAD = """\
import BASE as base
from BASE import *
from BASE import Door
from quorate.checker.language import Set, action, init, invariant, require
"""

OVERLAY = (
    HEAD
    + '''
keeps = [base.go, base.passed_is_opened]


class Logged(Door):
    seen: Set[Node, Step]


@init
def shut() -> Logged:
    return Logged()


@action
def unlock(now: Logged, c: Crew, s: Step) -> Logged:
    """A crew will do, if all of it have looked; and who unlocks is seen."""
    require(all((n, r) in now.seen for n in c for r in Step if r < s))
    then = now.after(base.unlock, c, s)
    require((s,) in then.opened and (s,) not in now.opened)
    return then.but(seen=then.seen | {(n, s) for n in c})


@action
def look(now: Logged, n: Node, s: Step) -> Logged:
    return now.but(seen=set()).after(base.go, n, s).but(seen=now.seen | {(n, s)})


@invariant
def seen_is_opened(now: Logged) -> bool:
    return all((s,) in now.opened for n in Node for s in Step if (n, s) in now.seen)
'''
)


@pytest.fixture
def overlaid(tmp_path: Path) -> Callable[[str], Specification]:
    """A text over the base as a specification; `BASE` in it is the base's name."""
    name = f"base_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(BASE)
    sys.modules.pop(name, None)

    def write(text: str) -> Specification:
        file = tmp_path / "over.py"
        file.write_text(text.replace("BASE", name))
        return load(file)

    return write


# What it means -------------------------------------------------------------------------------


def test_what_is_kept_has_its_role_and_stands_first(overlaid: Callable[[str], Specification]) -> None:
    spec = overlaid(OVERLAY)
    assert [f.__name__ for f in spec.actions] == ["go", "unlock", "look"]
    assert [f.__name__ for f in spec.invariants] == ["passed_is_opened", "seen_is_opened"]
    assert spec.actions[0].__module__ != spec.module.__name__


def test_what_is_not_kept_is_not_there(overlaid: Callable[[str], Specification]) -> None:
    spec = overlaid(OVERLAY.replace("base.go, base.passed_is_opened", "base.go"))
    assert [f.__name__ for f in spec.invariants] == ["seen_is_opened"]


def test_a_kind_of_set_that_only_the_original_speaks_of_is_no_sort_of_the_overlay(
    overlaid: Callable[[str], Specification],
) -> None:
    assert [s.__name__ for s in overlaid(OVERLAY).sorts] == ["Step", "Node", "Crew"]


def test_a_step_that_is_taken_requires_what_it_requires_there(
    overlaid: Callable[[str], Specification],
) -> None:
    spec = overlaid(OVERLAY)
    step = spec.steps["unlock"]
    said = [(Path(r.place.file).name, r.place.text) for r in step.requires]
    base = Path(spec.actions[0].__code__.co_filename).name
    assert said == [
        ("over.py", "all((n, r) in now.seen for n in c for r in Step if r < s)"),
        (base, "(s,) not in now.opened"),
        (base, "all(led(now, t, r) for r in Step if r < s)"),
        ("over.py", "(s,) in then.opened and (s,) not in now.opened"),
    ]
    assert list(step.then.relations) == ["opened", "passed", "seen"]
    assert set(step.changed()) == {"opened", "seen"}
    assert {n: columns(r) for n, r in step.then.relations.items()} == {
        n: columns(r) for n, r in spec.now.relations.items()
    }


def random_state(spec: Specification, instance: Instance, chance: random.Random) -> State:
    """Any state, reachable or not."""
    every = {n: instance.arguments(columns(r)) for n, r in spec.now.relations.items()}
    return spec.state(
        **{n: {row for row in all_rows if chance.random() < 0.6} for n, all_rows in every.items()}
    )


def test_an_overlay_reads_as_it_runs(overlaid: Callable[[str], Specification]) -> None:
    spec, chance, taken = overlaid(OVERLAY), random.Random(11), dict.fromkeys(("go", "unlock", "look"), 0)
    instance = Instance.of(spec, {"node": 3, "step": 3, "crew": 2})
    with instance.inhabited():
        for _ in range(150):
            now = random_state(spec, instance, chance)
            for f in spec.actions:
                step = spec.steps[f.__name__]
                for args in instance.arguments([x.sort for x in step.params]):
                    values: Mapping[Any, Any] = dict(zip(step.params, args, strict=True))
                    able = all(holds(r.formula, vars(now), values, instance.members) for r in step.requires)
                    try:
                        then = f(now, *args)
                    except Refused:
                        assert not able
                        continue
                    taken[f.__name__] += able
                    assert able
                    assert type(then) is spec.state
                    assert vars(then) == {
                        n: rows(r, vars(now), values, instance.members)
                        for n, r in step.then.relations.items()
                    }
    assert all(taken.values()), taken


def test_both_explorers_find_the_same_of_an_overlay(overlaid: Callable[[str], Specification]) -> None:
    spec = overlaid(OVERLAY)
    instance = Instance.of(spec, {"node": 3, "step": 2, "crew": 2})
    found = [explore(spec, instance) for explore in (by_text, by_machine)]
    assert all(isinstance(x, Exploration) for x in found)
    one, other = ((x.verdict, x.distinct, x.edges, x.depth, x.deadlocks) for x in found)
    assert one == other
    assert one[0] == "holds"
    assert one[1] > 50


def test_an_action_that_begins_anew_leaves_what_it_does_not_know(
    overlaid: Callable[[str], Specification],
) -> None:
    """A state that the original makes from nothing knows nothing of the overlay's relations: they stay."""
    spec = overlaid(
        OVERLAY
        + """

@action
def rebuild(now: Logged, s: Step) -> Logged:
    return now.after(base.rebuild, s)
"""
    )
    assert set(spec.steps["rebuild"].changed()) == {"opened", "passed"}
    instance = Instance.of(spec, {"node": 1, "step": 2})
    with instance.inhabited():
        then = spec.action("rebuild")(spec.state(passed={("n1", 1)}, seen={("n1", 1)}), 2)
    assert then == spec.state(opened={(2,)}, seen={("n1", 1)})


# What is refused -----------------------------------------------------------------------------

ACTION = "@action\ndef p(now: Door, n: Node, t: Team, c: Crew, s: Step) -> Door:\n"
STEPS: dict[str, tuple[str, str]] = {
    "a_step_in_a_predicate": (
        "@invariant\ndef p(now: Door) -> bool:\n    then = «now.after(base.go, now, now)»\n    return True\n",
        "now.after(...) is a step; it belongs in an @action",
    ),
    "a_step_in_a_helper_of_an_action": (
        f"def h(now: Door, n: Node, s: Step) -> Door:\n    return «now.after(base.go, n, s)»\n\n\n"
        f"{ACTION}    return h(now, n, s)\n",
        "it belongs in an @action",
    ),
    "a_step_in_a_condition": (
        f"{ACTION}    require((n, s) in «now.after(base.go, n, s)».passed)\n    return now\n",
        "it stands right after `return` or `name =`",
    ),
    "a_step_under_a_quantifier": (
        f"{ACTION}    x = all((n, r) in «now.after(base.go, n, r)».passed for r in Step)\n    return now\n",
        "it stands right after `return` or `name =`",
    ),
    "a_step_in_a_change": (
        f"{ACTION}    return now.but(passed=«now.after(base.go, n, s)».passed)\n",
        "it stands right after `return` or `name =`",
    ),
    "a_step_of_a_step_given_as_an_argument": (
        f"{ACTION}    return h(«now.after(base.go, n, s)»)\n\n\ndef h(now: Door) -> Door:\n    return now\n",
        "it stands right after `return` or `name =`",
    ),
    "a_step_of_nothing": (f"{ACTION}    return «now.after()»\n", "name the action, then its parameters"),
    "a_step_by_keyword": (
        f"{ACTION}    return «now.after(base.go, n, s=s)»\n",
        "name the action, then its parameters in order",
    ),
    "a_step_that_is_a_predicate": (
        f"{ACTION}    return now.after(«base.led», t, s)\n",
        "name an @action; what follows is its parameters without the state",
    ),
    "a_step_that_is_called": (f"{ACTION}    return now.after(«base.go(now, n, s)»)\n", "is not a predicate"),
    "an_action_that_is_called": (
        f"{ACTION}    return «base.go(now, n, s)»\n",
        "say what it requires, or, in an @action, now.after(base.go, ...)",
    ),
    "a_step_with_too_few": (
        f"{ACTION}    return «now.after(base.go, n)»\n",
        "go takes 2 arguments after the state, 1 are given",
    ),
    "a_step_with_the_state": (
        f"{ACTION}    return «now.after(base.go, now, n, s)»\n",
        "go takes 2 arguments after the state, 3 are given",
    ),
    "a_step_in_another_order": (
        f"{ACTION}    return now.after(base.go, «s», n)\n",
        "go wants n of Node here",
    ),
    "a_step_of_one_for_a_set": (
        f"{ACTION}    return now.after(base.unlock, «n», s)\n",
        "unlock wants t of Team here",
    ),
    "a_step_of_a_set_of_something_else": (
        "@action\ndef p(now: Door, w: Pair, s: Step) -> Door:\n    return now.after(base.unlock, «w», s)\n",
        "unlock wants t of Team here",
    ),
    "a_step_of_another_state": (
        "class Other(State):\n    opened: Set[Step]\n    passed: Set[Node, Step]\n\n\n"
        "@init\ndef first() -> Other:\n    return Other()\n\n\n"
        "@action\ndef p(now: Other, n: Node, s: Step) -> Other:\n    return «now.after»(base.go, n, s)\n",
        "go wants now of Door here",
    ),
    "a_step_that_takes_itself": (
        f"{ACTION}    return «now.after(p, n, t, c, s)»\n",
        "p calls itself",
    ),
    "a_helper_that_is_given_another_kind_of_set": (
        f"{ACTION}    require(base.led(now, «c», s))\n    return now\n",
        "led wants t of Team here",
    ),
}


@pytest.mark.parametrize(("marked", "remedy"), STEPS.values(), ids=STEPS)
def test_a_step_that_cannot_be_taken_is_refused(
    overlaid: Callable[[str], Specification], marked: str, remedy: str
) -> None:
    keeps = "" if "@init" in marked else "keeps = [base.shut, base.go]\n\n\n"
    text = HEAD + keeps + marked
    line = text[: text.index("«")].count("\n") + 1
    spec = overlaid(text.replace("«", "").replace("»", ""))
    with pytest.raises(Unreadable) as caught:
        spec.read()
    first, _, mark, said = str(caught.value).split("\n")
    assert f"over.py:{line}: in " in first
    assert mark.count("^") == len(text[text.index("«") + 1 : text.index("»")])
    assert remedy in said


KEPT: dict[str, tuple[str, str]] = {
    "what_has_no_role": (
        "keeps = [base.shut, base.led]",
        r"`keeps` lists functions that have a role.*led.* has none",
    ),
    "what_is_no_function": (
        "keeps = [base.shut, 3]",
        "`keeps` lists functions that have a role, as an @action has; 3 has",
    ),
    "what_is_no_list": ("keeps = base.shut", "`keeps` is a list"),
    "what_is_kept_twice": ("keeps = [base.shut, base.go, base.go]", "go is kept twice"),
    "what_is_said_anew_too": (
        "keeps = [base.shut, base.go]\n\n\n@action\ndef go(now: Door) -> Door:\n    return now",
        "go is kept and said anew; take it out of `keeps`, or name the new one otherwise",
    ),
    "what_is_of_another_state": (
        "keeps = [base.go]\n\n\nclass Hall(State):\n    opened: Set[Step]\n\n\n"
        "@init\ndef shut() -> Hall:\n    return Hall()",
        r"go is kept and speaks of Door, which Hall is not: write `class Hall\(Door\):`, or say go anew",
    ),
    "what_goes_by_a_helper_that_is_said_anew": (
        "keeps = [base.shut, base.unlock]\n\n\ndef led(now: Door, t: Team, s: Step) -> bool:\n    return True",
        r"led is said anew, but unlock, which is kept, goes by base_.*\.led: say unlock anew too, or name the new led",
    ),
    "what_is_taken_and_goes_by_a_helper_that_is_said_anew": (
        "keeps = [base.shut]\n\n\ndef led(now: Door, t: Team, s: Step) -> bool:\n    return True\n\n\n"
        "@action\ndef p(now: Door, t: Team, s: Step) -> Door:\n    return now.after(base.unlock, t, s)",
        "led is said anew, but unlock, which is taken, goes by",
    ),
}


@pytest.mark.parametrize(("text", "why"), KEPT.values(), ids=KEPT)
def test_what_cannot_be_kept_is_refused(
    overlaid: Callable[[str], Specification], text: str, why: str
) -> None:
    with pytest.raises(BadSpecification, match=why) as caught:
        overlaid(f"{HEAD}\n{text}\n\n\n@action\ndef stay(now: Door) -> Door:\n    return now\n")
    assert "over.py: " in str(caught.value)
    assert "\n" not in str(caught.value)

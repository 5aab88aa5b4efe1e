"""Liveness of whole specifications: what holds, what fails, and whose fairness makes the difference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quorate.checker.explore.liveness import NoLiveness, check_liveness
from quorate.checker.explore.referee import replay
from quorate.checker.explore.report import summary
from quorate.checker.explore.result import Exploration, Limits
from quorate.checker.instance import Instance
from quorate.checker.language import Liveness, Refused
from quorate.checker.mutant import Mutant
from quorate.checker.mutation import find_mutant, mutate
from quorate.checker.specification import Specification, load
from quorate.spec import consensus, multipaxos

SpecWith = Callable[[str], Specification]

CORE = Specification.of(multipaxos)
DUEL = Path(__file__).resolve().parents[2] / "docs" / "examples" / "duel.py"
ONE_BALLOT = {"acceptor": 3, "ballot": 1, "slot": 2, "value": 1}
TWO_BALLOTS = {"acceptor": 3, "ballot": 2, "slot": 1, "value": 1}


def check(
    spec: Specification, sizes: dict[str, int], *names: str, unfair: tuple[str, ...] = ()
) -> Exploration:
    goals = [f for f in spec.liveness if not names or f.__name__ in names]
    found = check_liveness(spec, Instance.of(spec, sizes), properties=goals, unfair=unfair)
    if found.violation and found.violation.loop is not None:
        is_a_run_that_breaks_it(spec, Instance.of(spec, sizes), found, unfair)
    return found


def is_a_run_that_breaks_it(
    spec: Specification, instance: Instance, found: Exploration, unfair: tuple[str, ...]
) -> None:
    """The text takes every step, the run returns to its loop, the property itself says no, and nobody is starved."""
    violation = found.violation
    assert violation is not None
    assert violation.loop is not None
    property_ = next(f for f in spec.liveness if f.__name__ == violation.property)
    taken = [(step.action, list(step.parameters.values())) for step in violation.steps]
    states = list(violation.states())
    assert replay(spec, instance, taken) == states
    prefix, cycle = states[: violation.loop], states[violation.loop :]
    assert cycle[0] == cycle[-1]
    with instance.inhabited():
        promise = property_(*violation.parameters.values())
        assert isinstance(promise, Liveness)
        assert not promise.holds_on(prefix, cycle)
        again = {(action, *args) for action, args in taken[violation.loop :]}
        for role in ("weak", "strong"):
            for f in property_.__dict__[role]:
                if f.__name__ in unfair:
                    continue
                for args in instance.arguments([x.sort for x in spec.steps[f.__name__].params]):
                    possible = [is_possible(f, state, args) for state in cycle]
                    starved = all(possible) if role == "weak" else any(possible)
                    assert not starved or (f.__name__, *args) in again


def is_possible(action: Callable[..., object], state: object, args: tuple[object, ...]) -> bool:
    try:
        return action(state, *args) != state
    except Refused:
        return False


def steps(found: Exploration) -> list[str]:
    assert found.violation is not None
    return [str(step) for step in found.violation.steps]


# Multi-Paxos -------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [ONE_BALLOT, TWO_BALLOTS], ids=["a single leader", "two leaders"])
def test_what_multipaxos_promises_it_keeps(sizes: dict[str, int]) -> None:
    found = check(CORE, sizes)
    assert (found.verdict, found.violation, found.cut_short) == ("holds", None, "")
    assert found.properties[-3:] == (
        "a_leader_that_is_not_preempted_chooses",
        "a_duel_has_a_winner",
        "every_slot_is_decided",
    )


@pytest.mark.parametrize(
    ("name", "action"),
    [(f.__name__, a.__name__) for f in CORE.liveness for a in (*f.__dict__["weak"], *f.__dict__["strong"])],
)
def test_it_keeps_none_without_each_fairness_that_it_names(name: str, action: str) -> None:
    found = check(CORE, TWO_BALLOTS, name, unfair=(action,))
    assert found.verdict == "violated"
    assert found.violation is not None
    assert found.violation.property == name


def test_what_a_single_leader_proposes_is_not_chosen_if_nobody_need_accept() -> None:
    found = check(CORE, ONE_BALLOT, "a_leader_that_is_not_preempted_chooses", unfair=("accept",))
    assert found.violation is not None
    assert (found.violation.loop, dict(found.violation.parameters)) == (4, {"s": "s1", "b": 1})
    assert [step.action for step in found.violation.steps] == ["prepare", "promise", "promise", "propose"]


def test_two_leaders_may_win_every_ballot_and_choose_nothing() -> None:
    """The livelock of Basic Paxos: phase 2 comes too late, each time."""
    found = check(CORE, TWO_BALLOTS, "a_duel_has_a_winner", unfair=("propose",))
    assert steps(found) == [
        "prepare(b=1)",
        "prepare(b=2)",
        "promise(a=a1, b=1)",
        "promise(a=a1, b=2)",
        "promise(a=a2, b=1)",
        "promise(a=a2, b=2)",
    ]
    assert found.violation is not None
    last = found.violation.steps[-1].state
    assert isinstance(last, multipaxos.MultiPaxos)
    assert not last.accepted
    assert not last.proposed
    lines = list(summary(found))
    assert "  A run may be this, 6 steps:" in lines
    assert lines[-1] == "     and nothing happens any more"


def test_a_preempted_leader_promises_nothing() -> None:
    """Without the way out for a higher ballot, what the first leader proposes may never be chosen."""
    strict = spoiled("    return any((a, b) in now.left for a in Acceptor) or any(\n", "    return any(\n")
    assert check(strict, ONE_BALLOT, "a_leader_that_is_not_preempted_chooses").verdict == "holds"
    found = check(strict, TWO_BALLOTS, "a_leader_that_is_not_preempted_chooses")
    assert found.violation is not None
    assert dict(found.violation.parameters) == {"s": "s1", "b": 1}
    assert "prepare(b=2)" in steps(found)


def test_liveness_is_a_property_of_the_text() -> None:
    """An acceptor that accepts in the greatest ballot alone: a require too many, and a promise is not kept."""
    text = "    require((s, b, v) in now.proposed)\n"
    dull = spoiled(text, f"{text}    require(not any(b < c for c in Ballot))\n")
    assert check(dull, TWO_BALLOTS, "a_leader_that_is_not_preempted_chooses").verdict == "violated"
    assert check(dull, TWO_BALLOTS, "every_slot_is_decided").verdict == "holds"


def spoiled(text: str, by: str) -> Specification:
    """The core with one edit that its safety survives."""
    return mutate(CORE, Mutant("for_liveness", "", text, by, "", 0, {}, ("", "")))


# The duel ----------------------------------------------------------------------------------


def test_the_duel_of_basic_paxos_goes_round_for_ever() -> None:
    found = check(load(DUEL), {})
    assert found.verdict == "violated"
    assert found.violation is not None
    again = found.violation.steps[found.violation.loop :]
    assert {step.action for step in again} == {"prepare", "promise"}
    assert {step.parameters["m"] for step in again if step.action == "prepare"} == {"l1", "l2"}
    assert "     from here on, again and again:" in list(summary(found))


def test_strong_fairness_does_not_end_the_duel(tmp_path: Path) -> None:
    found = check(edited(tmp_path, "weak=[prepare, propose, accept], strong=[promise]",
                         "strong=[prepare, promise, propose, accept]"), {})  # fmt: skip
    assert found.verdict == "violated"
    assert found.violation is not None
    again = found.violation.steps[found.violation.loop :]
    assert {step.action for step in again} == {"prepare", "promise", "propose", "accept"}


def test_patience_ends_the_duel(tmp_path: Path) -> None:
    patient = edited(
        tmp_path, "require((m,) not in now.latest)", "require(not any((n,) in now.latest for n in Leader))"
    )
    assert check(patient, {}).verdict == "holds"


def edited(folder: Path, text: str, by: str) -> Specification:
    before = DUEL.read_text()
    assert before.count(text) == 1
    file = folder / "duel_edited.py"
    file.write_text(before.replace(text, by))
    return load(file)


# Fairness ----------------------------------------------------------------------------------


LIGHT_LEADS = "\n@liveness({})\ndef p(m: Lamp) -> Liveness:\n    return leads_to({}, m)\n"


@pytest.mark.parametrize(
    ("fairness", "claim", "verdict"),
    [
        ("", "out, shines_or_gone", "violated"),
        ("weak=[light]", "out, shines_or_gone", "holds"),
        ("weak=[light]", "out, shines", "violated"),
        ("strong=[light, quench]", "shines, out", "holds"),
        ("weak=[light]", "shines, out", "violated"),
        ("weak=[smash, light, quench]", "out, gone", "violated"),
        ("strong=[smash], weak=[light, quench]", "out, gone", "holds"),
        ("weak=[look]", "out, shines", "violated"),
    ],
)
def test_lamps(spec_with: SpecWith, fairness: str, claim: str, verdict: str) -> None:
    spec = spec_with(LIGHT_LEADS.format(fairness, claim))
    assert check(spec, {"lamp": 2}).verdict == verdict


def test_what_held_once_may_end(spec_with: SpecWith) -> None:
    """Every lamp is out at the start, which is enough; that one may shine for ever after is no objection."""
    once = spec_with("@liveness()\ndef p(m: Lamp) -> Liveness:\n    return eventually(out, m)\n")
    assert check(once, {"lamp": 1}).verdict == "holds"
    assert check(spec_with(LIGHT_LEADS.format("", "shines, out")), {"lamp": 1}).verdict == "violated"


def test_each_member_is_served_by_itself(spec_with: SpecWith) -> None:
    """Fairness to lighting as a whole would be kept by lighting one of the lamps for ever."""
    text = LIGHT_LEADS.format("weak=[light]", "out, shines_or_gone")
    assert check(spec_with(text), {"lamp": 2}).verdict == "holds"
    found = check(spec_with(text), {"lamp": 2}, unfair=("light",))
    assert found.violation is not None
    assert dict(found.violation.parameters) == {"m": "l1"}


def test_a_step_that_changes_nothing_is_neither_possible_nor_taken(spec_with: SpecWith) -> None:
    """Were it, to look again and again would be fair to looking, and nobody could ever stop."""
    found = check(spec_with(LIGHT_LEADS.format("weak=[look]", "out, shines")), {"lamp": 1})
    assert steps(found) == []
    assert found.violation is not None
    assert found.violation.loop == 0
    assert "  There is a run in which nothing happens." in list(summary(found))


# What is not said --------------------------------------------------------------------------


def test_of_a_graph_cut_short_nothing_is_said() -> None:
    for limits in (Limits(states_max=50), Limits(depth_max=5)):
        found = check_liveness(CORE, Instance.of(CORE, TWO_BALLOTS), limits=limits, unfair=["propose"])
        assert (found.verdict, found.violation) == ("unknown", None)
        assert found.cut_short


def test_what_breaks_safety_is_told_first() -> None:
    spoiled = mutate(CORE, find_mutant(CORE, "leader_ignores_reports"))
    found = check(spoiled, {**TWO_BALLOTS, "value": 2})
    assert found.violation is not None
    assert (found.violation.property, found.violation.loop) == ("agreement", None)


def test_there_must_be_something_to_check() -> None:
    spec = Specification.of(consensus)
    with pytest.raises(NoLiveness, match="consensus has no @liveness property"):
        check_liveness(spec, Instance.of(spec))
    with pytest.raises(NoLiveness, match="multipaxos has no action elect; it has prepare"):
        check_liveness(CORE, Instance.of(CORE, ONE_BALLOT), unfair=["elect"])

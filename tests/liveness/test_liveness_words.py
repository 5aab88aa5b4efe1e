"""`eventually` and `leads_to` mean on a given run what they say, and are refused where they mean nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.checker.language import Set, Sort, State, eventually, leads_to
from quorate.checker.source import Unreadable
from quorate.checker.specification import Specification
from quorate.checker.term import Var

SpecWith = Callable[[str], Specification]


class Mark(Sort):
    """P or Q."""


class Marked(State):
    """A state that is marked with P, with Q, with both or with neither."""

    marks: Set[Mark]


def marked(now: Marked, m: Any) -> bool:
    return (m,) in now.marks


def p(now: Marked) -> bool:
    return marked(now, "p")


def q(now: Marked) -> bool:
    return marked(now, "q")


def run(text: str) -> list[State]:
    """`p - pq`: three states, marked as the words say."""
    return [Marked(marks={(m,) for m in word if m != "-"}) for word in text.split()]


@pytest.mark.parametrize(
    ("prefix", "cycle", "once_q", "each_p_leads_to_q"),
    [
        ("", "-", False, True),
        ("", "q", True, True),
        ("q", "-", True, True),
        ("p", "-", False, False),
        ("p q", "-", True, True),
        ("q p", "-", True, False),
        ("pq", "-", True, True),
        ("p", "q", True, True),
        ("", "p", False, False),
        ("q", "p", True, False),
        ("", "p q", True, True),
        ("", "q p", True, True),
        ("p q p", "-", True, False),
    ],
)
def test_the_words_mean_on_a_run_what_they_say(
    prefix: str, cycle: str, once_q: bool, each_p_leads_to_q: bool
) -> None:
    assert eventually(q).holds_on(run(prefix), run(cycle)) is once_q
    assert leads_to(p, q).holds_on(run(prefix), run(cycle)) is each_p_leads_to_q


states = st.lists(st.sampled_from(["-", "p", "q", "pq"]), max_size=4)


@given(prefix=states, cycle=states.filter(bool))
def test_they_mean_what_the_endless_run_means(prefix: list[str], cycle: list[str]) -> None:
    """Judged on the run with its cycle written out twice: whatever is owed in the first round is paid in two."""
    unrolled = [*prefix, *cycle, *cycle]
    each = all(
        any("q" in later for later in unrolled[i:])
        for i, word in enumerate(unrolled[: len(prefix) + len(cycle)])
        if "p" in word
    )
    before, again = run(" ".join(prefix)), run(" ".join(cycle))
    assert leads_to(p, q).holds_on(before, again) is each
    assert eventually(q).holds_on(before, again) is any("q" in word for word in unrolled)


def test_parameters_follow_the_state() -> None:
    assert leads_to(marked, marked, "p").holds_on(run("p"), run("-"))
    assert not eventually(marked, "q").holds_on(run("p"), run("p"))


# Reading -----------------------------------------------------------------------------------


def test_a_property_is_read_as_two_claims_about_a_state(spec_with: SpecWith) -> None:
    spec = spec_with(
        '@liveness(weak=[light])\ndef p(m: Lamp) -> Liveness:\n    """It is."""\n    return leads_to(out, shines, m)\n'
        "@liveness()\ndef e() -> Liveness:\n    return eventually(all_shine)\n"
    )
    p, e = spec.promises["p"], spec.promises["e"]
    assert [(x.name, x.sort.__name__) for x in p.params] == [("m", "Lamp")]
    assert (str(p.premise), p.initially) == ("Not(body=In(relation='lit', args=(m,)))", False)
    assert str(p.conclusion) == "In(relation='lit', args=(m,))"
    assert (e.params, e.initially) == ((), True)
    assert all(isinstance(x, Var) for x in p.params)
    assert [f.__name__ for f in spec.liveness] == ["p", "e"]


ALONE = "a @liveness says one thing"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("@liveness()\ndef p() -> Liveness:\n    x = all_shine\n    return eventually(x)\n", ALONE),
        ('@liveness()\ndef p() -> Liveness:\n    """It is."""\n', ALONE),
        ("@liveness()\ndef p() -> Liveness:\n    return all_shine\n", ALONE),
        ("@liveness()\ndef p() -> Liveness:\n    return implies(True, True)\n", ALONE),
        ("@liveness()\ndef p() -> Liveness:\n    return eventually(True)\n", "name a predicate of the state"),
        ("@liveness()\ndef p() -> Liveness:\n    return eventually(Room)\n", "name a predicate of the state"),
        ("@liveness()\ndef p() -> Liveness:\n    return leads_to(all_shine)\n", "first the predicates"),
        ("@liveness()\ndef p() -> Liveness:\n    return eventually()\n", "first the predicates"),
        ("@liveness()\ndef p() -> Liveness:\n    return eventually(claim=all_shine)\n", "first the predicates"),
        ("@liveness()\ndef p(m: Lamp) -> Liveness:\n    return eventually(all_shine, m=m)\n", "first the predicates"),
        ("@liveness()\ndef p() -> Liveness:\n    return eventually(shines)\n", "its parameters must be (Room)"),
        ("@liveness()\ndef p(m: Lamp) -> Liveness:\n    return eventually(all_shine, m)\n", "must be (Room, Lamp)"),
        ("@liveness()\ndef p() -> Liveness:\n    return eventually(shines, m)\n", "m is not defined"),
        ("@liveness()\ndef p(r: Room) -> Liveness:\n    return eventually(all_shine)\n", "r is a state"),
        ("@liveness()\ndef p() -> Liveness:\n    return eventually(light)\n", "its parameters must be (Room)"),
        ("@liveness(weak=[shines])\ndef p() -> Liveness:\n    return eventually(all_shine)\n", "shines is no @action"),
        ("@liveness(strong=[1])\ndef p() -> Liveness:\n    return eventually(all_shine)\n", "1 is no @action"),
        ("@safety\ndef p(now: Room) -> bool:\n    return eventually(all_shine)\n", "speaks of a run, not of a state"),
        (
            "@safety\ndef p(now: Room) -> bool:\n    return leads_to(all_shine, all_shine)\n",
            "speaks of a run, not of a state",
        ),
        (
            "@liveness()\ndef e() -> Liveness:\n    return eventually(all_shine)\n"
            "@safety\ndef p(now: Room) -> bool:\n    return not e()\n",
            "speaks of a run, not of a state",
        ),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(spec_with: SpecWith, text: str, says: str) -> None:
    with pytest.raises(Unreadable) as refused:
        spec_with(text).read()
    assert says in str(refused.value)
    assert "lamps_" in str(refused.value)

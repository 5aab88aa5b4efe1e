"""What sorts, states, specifications, instances and mutants may be; what they may not be is said in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from quorate.checker.instance import BadInstance, Instance, show
from quorate.checker.language import (
    BadDeclaration,
    Many,
    NotInhabited,
    Set,
    Sort,
    State,
    inhabited,
    item_of,
    relations_of,
)
from quorate.checker.mutation import BadMutant, Mutant, find_mutant, mutants_of, mutate
from quorate.checker.source import Unreadable
from quorate.checker.specification import BadSpecification, Specification, load
from quorate.spec import consensus, multipaxos, voting

Write = Callable[[str], ModuleType]


class Actor(Sort): ...


class Round(Sort, ordered=True): ...


class Team(Many[Actor]): ...


class Window(Many[Round]): ...


class Box(State):
    left: Set[Actor, Round]
    opened: Set[Round]


# Sorts and states --------------------------------------------------------------------------


def test_sorts_say_of_what_they_hold_sets_and_whether_they_are_ordered() -> None:
    assert (Round.ordered, Actor.ordered, Team.ordered) == (True, False, False)
    assert (item_of(Team), item_of(Window)) == (Actor, Round)


SORTS: dict[str, tuple[str, str]] = {
    "part_of_another": ("class X(Actor): ...", "X: a sort is part of no other"),
    "part_of_a_set": ("class X(Team): ...", "X: a sort is part of no other"),
    "a_mixture": ("class X(Sort, int): ...", "X: a sort is part of no other"),
    "a_set_of_what": ("class X(Many): ...", "X: say of which plain Sort it holds sets"),
    "a_set_of_sets": ("class X(Many[Team]): ...", "X: say of which plain Sort it holds sets"),
    "a_set_of_anything": ("class X(Many[Sort]): ...", "X: say of which plain Sort it holds sets"),
    "a_set_of_numbers": ("class X(Many[int]): ...", "X: say of which plain Sort it holds sets"),
    "an_ordered_set": ("class X(Many[Actor], ordered=True): ...", "X: sets have no order"),
}


@pytest.mark.parametrize(("text", "message"), SORTS.values(), ids=SORTS)
def test_a_sort_that_no_engine_could_understand_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadDeclaration, match=message) as caught:
        exec(text, {**globals(), "__name__": "somewhere"})
    assert "\n" not in str(caught.value)


STATES: dict[str, tuple[str, str]] = {
    "nothing": ("class X(State): ...", "X: a state has at least one relation"),
    "a_number": ("class X(State):\n n: int", "X.n: a relation is a Set of rows of plain Sorts"),
    "a_python_set": ("class X(State):\n n: set[Actor]", "X.n: a relation is a Set of rows"),
    "a_python_tuple": ("class X(State):\n n: tuple[Actor, Round]", "X.n: a relation is a Set of rows"),
    "a_row_of_numbers": (
        "class X(State):\n n: Set[Actor, int]",
        "X.n: a relation is a Set of rows of plain Sorts",
    ),
    "a_row_of_sets": ("class X(State):\n n: Set[Team]", "X.n: a relation is a Set of rows of plain Sorts"),
    "a_row_of_Sort_itself": (
        "class X(State):\n n: Set[Sort]",
        "X.n: a relation is a Set of rows of plain Sorts",
    ),
    "no_columns": ("class X(State):\n n: Set[()]", "X.n: a relation is a Set of rows of plain Sorts"),
    "no_columns_at_all": ("class X(State):\n n: Set", "X.n: a relation is a Set of rows of plain Sorts"),
    "an_unknown_sort": ("class X(State):\n n: 'Set[Aktor]'", "X: name 'Aktor' is not defined"),
    "a_taken_name": ("class X(State):\n but: Set[Actor]", "X.but: every state has this name already"),
    "a_default": ("class X(State):\n n: Set[Actor] = frozenset()", "write n as a function beside the class"),
    "a_method": (
        "class X(State):\n n: Set[Actor]\n def f(self): ...",
        "write f as a function beside the class",
    ),
    "a_property": (
        "class X(State):\n n: Set[Actor]\n @property\n def m(self): ...",
        "write m as a function beside the class",
    ),
    "a_property_over_an_inherited_relation": (
        "class X(Box):\n @property\n def left(self): return frozenset()",
        "X: a state declares relations and nothing else; write left",
    ),
    "another_equality": (
        "class X(State):\n n: Set[Actor]\n def __eq__(self, o): return True",
        "write __eq__",
    ),
    "another_but": ("class X(Box):\n def but(self, **k): return self", "write but as a function"),
    "a_mixture": ("class M: ...\nclass X(M, State):\n n: Set[Actor]", "write M as a function"),
    "a_dataclass": (
        "import dataclasses\n@dataclasses.dataclass\nclass X(State):\n n: Set[Actor]",
        "X: a state declares relations and nothing else",
    ),
}


@pytest.mark.parametrize(("text", "message"), STATES.values(), ids=STATES)
def test_a_state_that_no_engine_could_understand_is_refused(text: str, message: str) -> None:
    scope: dict[str, Any] = {**globals(), "__name__": __name__}
    exec(text, scope)
    with pytest.raises(BadDeclaration, match=message) as caught:
        relations_of(scope["X"])
    assert "\n" not in str(caught.value)


def test_a_state_may_add_relations_to_another() -> None:
    class More(Box):
        """A box with more in it."""

        filled: Set[Actor]

    assert list(relations_of(More)) == ["left", "opened", "filled"]


def test_a_state_does_not_change_and_equals_what_holds_the_same() -> None:
    now = Box(opened=[(1,)])
    assert now.but() == now
    assert hash(now.but(opened=set())) == hash(Box())
    assert now.but(left={("a1", 1)}) != now
    with pytest.raises(AttributeError, match=r"write now.but\(opened=...\)"):
        now.opened = frozenset()  # type: ignore[assignment]
    with pytest.raises(TypeError, match="Box has no relation open; it has left, opened"):
        now.but(open=set())


def test_a_sort_has_no_members_outside_an_instance() -> None:
    with pytest.raises(NotInhabited, match="Actor has no members here"):
        list(Actor)
    with inhabited({Actor: ("a1",)}):
        assert list(Actor) == ["a1"]
        with pytest.raises(NotInhabited, match="Round has no members here"):
            list(Round)
    with pytest.raises(NotInhabited):
        list(Actor)


# Specifications ----------------------------------------------------------------------------


def bad(write_module: Write, text: str) -> str:
    module = write_module(text)
    with pytest.raises(BadSpecification) as caught:
        Specification.of(module)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(module.__file__))
    return message


def test_a_specification_has_one_initial_state(write_module: Write, header: str) -> None:
    assert "has one @init, this has 0" in bad(write_module, header.replace("@init\n", ""))
    assert "has one @init, this has 2" in bad(
        write_module, header + "@init\ndef p() -> Box:\n    return Box()\n"
    )


def test_a_specification_says_which_state_it_begins_in(write_module: Write, header: str) -> None:
    message = bad(write_module, header.replace("def nothing() -> Box:", "def nothing():"))
    assert "say which State nothing returns, as `-> Box:`" in message


def test_a_specification_has_actions(write_module: Write, header: str) -> None:
    assert "has at least one @action" in bad(write_module, header.replace("@action\n", ""))


def test_a_specification_assumes_axioms_only(write_module: Write, header: str) -> None:
    assert "`assumes` lists functions marked @axiom" in bad(write_module, header + "assumes = [joined]\n")
    assert "`assumes` is a list" in bad(write_module, header + "assumes = joined\n")


def test_a_specification_of_a_bad_state_is_refused_by_file(write_module: Write, header: str) -> None:
    text = header.replace("    opened: Set[Ballot]\n", "    opened: set[Ballot]\n")
    assert "Box.opened: a relation is a Set" in bad(write_module, text)


def test_a_property_that_is_lost_to_another_of_its_name_is_refused(write_module: Write, header: str) -> None:
    text = (
        header
        + "@invariant\ndef p(now: Box) -> bool:\n    return False\n\n\n"
        + "@invariant\ndef p(now: Box) -> bool:\n    return True\n"
    )
    message = bad(write_module, text)
    assert f":{text[: text.rindex('def p')].count(chr(10)) + 1}: p is defined again" in message


def test_two_sorts_of_one_name_are_refused(write_module: Write, header: str) -> None:
    upper = write_module(header)
    lower = write_module(
        header.replace(
            "class Slot(Sort): ...", f"class Slot(Sort): ...\nfrom {upper.__name__} import Slot as Place"
        ).replace("filled: Set[Slot, Ballot]", "filled: Set[Slot, Place]")
    )
    with pytest.raises(BadSpecification, match=r"two sorts are called slot, .*rename one"):
        Specification.of(lower).sorts  # noqa: B018


def test_only_what_a_module_defines_itself_is_its_own(write_module: Write, header: str) -> None:
    upper = write_module(header + "@invariant\ndef p(now: Box) -> bool:\n    return True\n")
    lower = write_module(header + f"from {upper.__name__} import p\n")
    assert Specification.of(lower).properties == ()
    assert Specification.of(upper).properties == (upper.p,)


def test_sorts_are_found_wherever_they_are_spoken_of(write_module: Write, header: str) -> None:
    text = header.replace(
        "class Slot(Sort): ...", "class Slot(Sort): ...\nclass Hue(Sort): ...\nclass Tint(Sort): ..."
    )
    spec = Specification.of(
        write_module(
            text
            + "@invariant\ndef p(now: Box) -> bool:\n    return all(True for t in Tint for q in Quorum)\n\n\n"
            "@action\ndef paint(now: Box, h: Hue) -> Box:\n    return now\n"
        )
    )
    assert [s.__name__ for s in spec.sorts] == ["Acceptor", "Ballot", "Slot", "Hue", "Tint", "Quorum"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def (", "it is not Python: line 1"),
        ("1 / 0", "it cannot be imported: mine.py, line 1: ZeroDivisionError: division by zero"),
        ("import nowhere_to_be_found", "it cannot be imported: mine.py, line 1: ModuleNotFoundError"),
        ("from ..checker.language import Sort", "write `from quorate.checker.language import ...`"),
        (
            "from quorate.checker.language import Sort\nclass A(Sort): ...\nclass B(A): ...",
            "B: a sort is part of no",
        ),
        ("x = 1", "a specification has one @init, this has 0"),
    ],
)
def test_a_file_that_is_no_specification_is_refused_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(BadSpecification) as caught:
        load(file)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSpecification, match="there is no such file"):
        load(tmp_path / "none.py")
    with pytest.raises(BadSpecification, match="there is no such file"):
        load(tmp_path)


def test_a_file_finds_what_stands_beside_it(tmp_path: Path, header: str) -> None:
    (tmp_path / "sorts_beside_me.py").write_text(
        "from quorate.checker.language import Sort\nclass Slot(Sort): ...\n"
    )
    (tmp_path / "mine.py").write_text(
        header.replace("class Slot(Sort): ...", "from sorts_beside_me import Slot")
    )
    (tmp_path / "mine_mutants.py").write_text(
        "from quorate.checker.mutation import Mutant\n"
        "MUTANTS = [Mutant('again', 'Again.', 'not in now.opened', 'in now.opened', 'p', 1, {}, ('', ''))]\n"
    )
    spec = load(tmp_path / "mine.py")
    (mutant,) = mutants_of(spec)
    text = mutate(spec, mutant).steps["open_one"].requires[0].place.text
    assert text == "(b,) in now.opened"


@pytest.mark.parametrize("last", ["import sys; sys.exit(0)", "1 / 0", "import nothing_of_this_name"])
def test_a_file_that_cannot_be_run_to_its_end_is_refused_with_its_line(
    tmp_path: Path, header: str, last: str
) -> None:
    """One that ends the program with 0 must not be taken for one that holds."""
    file = tmp_path / "mine.py"
    file.write_text(f"{header}\n{last}\n")
    with pytest.raises(
        BadSpecification, match=rf"it cannot be imported: mine.py, line {header.count(chr(10)) + 2}: "
    ):
        load(file)


MUTANTS_FILES = {
    "ends the program": (
        "import sys; sys.exit(0)",
        "mine_mutants: it cannot be imported: mine_mutants.py, line 1: ",
    ),
    "is not Python": ("MUTANTS = [", "mine_mutants: it is not Python: line 1: "),
    "imports nothing": ("import nothing_of_this_name", "line 1: ModuleNotFoundError: "),
    "has none": ("", "mine_mutants: it has no list MUTANTS"),
    "has others": ("MUTANTS = [3]", "mine_mutants: MUTANTS has 3, which is no Mutant"),
    "has a number": ("MUTANTS = 3", "mine_mutants: it has no list MUTANTS"),
}


@pytest.mark.parametrize(("text", "message"), MUTANTS_FILES.values(), ids=MUTANTS_FILES)
def test_a_file_of_mutants_that_is_none_is_refused(
    tmp_path: Path, header: str, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.delitem(sys.modules, "mine_mutants", raising=False)
    (tmp_path / "mine.py").write_text(header)
    (tmp_path / "mine_mutants.py").write_text(text)
    spec = load(tmp_path / "mine.py")
    with pytest.raises(BadMutant, match=message) as caught:
        mutants_of(spec)
    assert "\n" not in str(caught.value)


# Instances ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paxos() -> Specification:
    return Specification.of(multipaxos)


def test_an_instance_has_majorities_where_quorums_must_meet(paxos: Specification) -> None:
    for acceptors, quorum in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)]:
        instance = Instance.of(paxos, {"acceptor": acceptors})
        sets = instance.members[next(s for s in paxos.sorts if s.__name__ == "Quorum")]
        assert {len(q) for q in sets} == {quorum}


def test_an_instance_names_its_members(paxos: Specification) -> None:
    instance = Instance.of(paxos, {"slot": 1, "value": 3})
    shown = {s.__name__: " ".join(map(show, m)) for s, m in instance.members.items()}
    assert shown == {
        "Ballot": "1 2",
        "Acceptor": "a1 a2 a3",
        "Slot": "s1",
        "Value": "v1 v2 v3",
        "Quorum": "{a1 a2} {a1 a3} {a2 a3}",
    }
    assert str(instance) == "ballot=2, acceptor=3, slot=1, value=3"


def test_members_are_shown_in_the_order_of_their_numbers() -> None:
    assert show(frozenset(f"a{i}" for i in (10, 2, 1))) == "{a1 a2 a10}"
    assert show(frozenset((10, 9, 2))) == "{2 9 10}"


def test_sorts_of_one_initial_are_named_in_full(write_module: Write, header: str) -> None:
    spec = Specification.of(
        write_module(header.replace("class Slot", "class Batch").replace("Set[Slot", "Set[Batch"))
    )
    names = {s.__name__: m[0] for s, m in Instance.of(spec).members.items()}
    assert names == {"Acceptor": "a1", "Ballot": 1, "Batch": "batch1"}


INSTANCES: dict[str, tuple[dict[str, int], str]] = {
    "an_unknown_sort": ({"node": 3}, "node=3: multipaxos has no sort node; it has "),
    "no_members": ({"acceptor": 0}, "acceptor=0: a sort has at least one member; use acceptor=1 or more"),
    "fewer_than_none": ({"slot": -1}, "slot=-1: a sort has at least one member; use slot=1 or more"),
    "no_quorum": ({"quorum": 0}, "quorum=0: a sort has at least one member"),
    "too_large_a_quorum": ({"quorum": 4}, "quorum=4: there are no sets of 4 among 3"),
    "too_many_members": ({"value": 10**8}, "value=100000000: a sort has at most 10,000 members"),
    "too_many_sets": (
        {"acceptor": 1000, "quorum": 501},
        "acceptor=1000: quorum would have some 10^299 sets of 501, and may have 2,000; give acceptor fewer members",
    ),
    "too_many_sets_of_a_size_that_nobody_gave": (
        {"acceptor": 1000},
        "acceptor=1000: quorum would have 499,500 sets",
    ),
    "quorums_that_do_not_meet": (
        {"quorum": 1},
        "quorum=1: what multipaxos assumes does not hold: Any two quorums have a member in common",
    ),
}


@pytest.mark.parametrize(("sizes", "message"), INSTANCES.values(), ids=INSTANCES)
def test_an_impossible_instance_is_refused(paxos: Specification, sizes: dict[str, int], message: str) -> None:
    with pytest.raises(BadInstance) as caught:
        Instance.of(paxos, sizes)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_an_instance_is_held_to_the_axioms(paxos: Specification) -> None:
    quorum = next(s for s in paxos.sorts if issubclass(s, Many))
    whole = Instance.of(paxos)
    strangers = Instance({**whole.members, quorum: (frozenset({"a1"}), frozenset({"a2"}))})
    assert strangers.broken_axiom(paxos) == "Any two quorums have a member in common"
    assert whole.broken_axiom(paxos) == ""


def test_more_choices_than_can_be_looked_at_are_refused_before_they_are_made(paxos: Specification) -> None:
    large = Instance.of(paxos, {"ballot": 1000, "slot": 1000, "value": 1000})
    with pytest.raises(
        BadInstance, match="1,000,000,000 ways to choose of Slot, Ballot, Value, and 2,000,000 at most"
    ):
        large.arguments(
            [s for name in ("Slot", "Ballot", "Value") for s in paxos.sorts if s.__name__ == name]
        )


def test_an_instance_has_no_empty_sort_and_no_member_twice() -> None:
    with pytest.raises(BadInstance, match="Actor has no members; a sort has at least one"):
        Instance({Actor: ()})
    with pytest.raises(BadInstance, match="Team has a member twice"):
        Instance({Actor: ("a1",), Team: (frozenset({"a1"}), frozenset({"a1"}))})


# Mutants -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["nowhere to be found", "now.left"])
def test_a_mutant_whose_text_is_not_there_once_is_refused(paxos: Specification, text: str) -> None:
    mutant = Mutant("m", "why", text, "", breaks="agreement", steps=1, explorer={}, prover=("", ""))
    with pytest.raises(BadMutant, match=r"mutant m: its text occurs \d+ times in .*multipaxos.py, not once"):
        mutate(paxos, mutant)


def test_a_mutant_that_is_no_longer_python_is_refused(paxos: Specification) -> None:
    mutant = Mutant(
        "m", "why", "def chosen(", "def (", breaks="agreement", steps=1, explorer={}, prover=("", "")
    )
    with pytest.raises(BadMutant, match=r"multipaxos.py\[m\]: it is not Python: line \d+") as caught:
        mutate(paxos, mutant)
    assert "\n" not in str(caught.value)


def test_an_unknown_mutant_is_refused_with_those_there_are() -> None:
    spec = Specification.of(consensus)
    with pytest.raises(BadMutant, match="consensus has no mutant nobody; it has choose_twice"):
        find_mutant(spec, "nobody")


def test_a_specification_without_mutants_has_none(write_module: Write, header: str) -> None:
    spec = Specification.of(write_module(header))
    assert mutants_of(spec) == ()
    with pytest.raises(BadMutant, match="it has none"):
        find_mutant(spec, "nobody")


@pytest.mark.parametrize("module", [consensus, voting, multipaxos])
def test_a_mutant_leaves_the_original_as_it_was(module: ModuleType) -> None:
    spec = Specification.of(module)
    before = {name: step.requires for name, step in spec.steps.items()}
    for mutant in mutants_of(spec):
        edited = mutate(spec, mutant)
        edited.read()
        assert edited.state is not spec.state
    again = Specification.of(module)
    assert {n: [r.place for r in step.requires] for n, step in again.steps.items()} == {
        n: [r.place for r in rs] for n, rs in before.items()
    }


def test_a_mutant_s_faults_are_shown_in_its_own_text(paxos: Specification) -> None:
    mutant = Mutant(
        "m",
        "why",
        "(b,) not in now.prepared",
        "b not in now.prepared",
        breaks="",
        steps=1,
        explorer={},
        prover=("", ""),
    )
    with pytest.raises(
        Unreadable, match=r"multipaxos.py\[m\]:\d+: in prepare: [^\n]*\n    require\(b not in now.prep"
    ):
        mutate(paxos, mutant).read()

"""What is planned, what is kept as bounds, how rows are stored, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.checker.sparse import Explainer, Machine, Undrivable
from quorate.checker.sparse.compiling import namespace
from quorate.checker.sparse.emit import Printer
from quorate.checker.sparse.store import Several, between, tries_for
from quorate.checker.specification import Specification, load
from quorate.spec import multipaxos, voting
from quorate.spec.sorts import Ballot, Slot, Value

HEAD = '''
from quorate.checker.language import Set, Sort, State, action, implies, init, require

class Node(Sort):
    """A node."""

class Round(Sort, ordered=True):
    """A round."""

class Now(State):
    seen: Set[Node, Round]
    done: Set[Node]

@init
def nothing() -> Now:
    return Now()
'''


@pytest.fixture
def machine_of(tmp_path: Path):
    """A machine for a specification whose actions are given as text."""

    def made(actions: str, **members: Any) -> Machine:
        file = tmp_path / "made.py"
        file.write_text(HEAD + actions, encoding="utf-8")
        spec = load(file)
        return Machine(
            spec, {sort: members[sort.__name__] for sort in spec.sorts if sort.__name__ in members}
        )

    return made


def act(then: str, *requires: str, params: str = "n: Node, r: Round") -> str:
    body = "".join(f"    require({r})\n" for r in requires)
    return f"\n@action\ndef act(now: Now, {params}) -> Now:\n{body}    return {then}\n"


# Bounds ------------------------------------------------------------------------------------


def test_what_grows_by_all_below_is_kept_as_bounds() -> None:
    assert Machine(Specification.of(multipaxos)).is_bounds("left")
    assert Machine(Specification.of(voting)).is_bounds("left")


def test_a_million_ballots_left_are_one_bound() -> None:
    machine = Machine(Specification.of(multipaxos))
    machine.take("accept", "a", 1, 10**6, "x")
    assert machine.has("left", ("a", 10**6 - 1))
    assert not machine.has("left", ("a", 10**6))
    assert machine.bound("left", ("a", None)) == 10**6
    machine.take("accept", "a", 1, 5, "x")
    assert machine.bound("left", ("a", None)) == 10**6, "a bound is only ever raised"


UP = "now.but(seen=now.seen | {(n, s) for s in Round if s < r})"


@pytest.mark.parametrize(
    ("actions", "is_kept"),
    [
        (act(UP), True),
        (act(UP) + act("now.but(seen=now.seen | {(n, r)})").replace("def act", "def other"), False),
        (act(UP) + act("now.but(seen=set())").replace("def act", "def reset"), False),
        (act(UP) + act("now.but(seen=now.seen - {(n, r)})").replace("def act", "def less"), False),
        (act("now.but(seen={(n, s) for s in Round if s < r})"), False),
        (act(UP.replace("s < r", "s <= r")), False),
        (act(UP.replace("s < r", "r < s")), False),
        (act(UP.replace("s < r", "s < r and (n,) in now.done")), False),
    ],
)
def test_only_what_never_does_anything_else_is(machine_of: Any, actions: str, is_kept: bool) -> None:
    try:
        machine = machine_of(actions)
    except Undrivable:
        assert not is_kept
    else:
        assert machine.is_bounds("seen") is is_kept


def test_a_relation_that_does_not_start_empty_is_not(tmp_path: Path) -> None:
    file = tmp_path / "made.py"
    text = (HEAD + act(UP)).replace("return Now()", "return Now(seen={(n, r) for n in Node for r in Round})")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Undrivable):
        Machine(load(file))


def test_between_takes_the_highest_floor_for_a_member() -> None:
    assert between((), ())
    assert between((), (1,))
    assert not between((), (None,)), "nothing is below a bound that there is not"
    assert between((None, 1), (2,))
    assert not between((2,), (2,))
    assert not between((1, 3), (9, 2))


# What is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        (act("now", "any((n, s) not in now.seen for s in Round)"), "nothing binds s: Round"),
        (act("now", "all((m,) in now.done for m in Node)"), "nothing binds m: Node"),
        (act("now", "any(r < s for s in Round)"), "nothing binds s: Round"),
        (act("now.but(done={(m,) for m in Node})"), "nothing binds m: Node"),
        (act("now.but(seen=now.seen | {(n, s) for s in Round if r < s})"), "nothing binds s: Round"),
    ],
)
def test_what_only_a_walk_through_a_sort_could_answer_is_refused_by_its_place(
    machine_of: Any, actions: str, said: str
) -> None:
    with pytest.raises(Undrivable) as refused:
        machine_of(actions)
    text = str(refused.value)
    assert said in text
    assert text.startswith("made.py:")
    assert ": in act, " in text
    assert "\n" not in text


def test_it_is_answered_once_the_members_are_given(machine_of: Any) -> None:
    text = act("now.but(done={(m,) for m in Node})", "any((n, s) not in now.seen for s in Round)")
    machine = machine_of(text, Node="xyz", Round=(1, 2))
    machine.put("seen", ("x", 1))
    machine.put("seen", ("y", 1))
    machine.put("seen", ("y", 2))
    assert machine.step("act", "y", 1) is not None
    assert machine.step("act", "x", 1) is None
    assert set(machine.rows("done")) == {("x",), ("y",), ("z",)}


# Rows --------------------------------------------------------------------------------------


def test_ways_that_contain_each_other_share_a_trie() -> None:
    machine = Machine(Specification.of(multipaxos))
    log = machine.store["log"]
    assert isinstance(log, tuple)
    assert [trie.levels for trie in log] == [((0,), (1,), (2, 3))]


def test_ways_that_do_not_have_tries_of_their_own() -> None:
    tries = tries_for(3, [frozenset({0}), frozenset({1}), frozenset({0, 2}), frozenset()])
    assert [trie.levels for trie in tries] == [((0,), (2,), (1,)), ((1,), (0, 2))]
    assert [trie.depth(frozenset({1})) for trie in tries] == [None, 1]
    assert tries[0].depth(frozenset()) == 0


PATTERNS = st.lists(st.frozensets(st.integers(0, 2), max_size=2), max_size=4)
ROWS = st.lists(st.tuples(st.booleans(), st.tuples(*[st.integers(0, 2)] * 3)), max_size=40)


@settings(max_examples=150, deadline=None)
@given(patterns=PATTERNS, acts=ROWS)
def test_every_trie_of_a_relation_holds_just_its_rows(patterns: list[frozenset[int]], acts: Any) -> None:
    store = {"r": tries_for(3, patterns)}
    printer = Printer(store)
    printer.writers("r")
    names = namespace(store, {})
    exec("\n".join(printer.done), names)
    rows: set[tuple[int, ...]] = set()
    for comes, row in acts:
        names["put_r" if comes else "drop_r"](*row)
        (rows.add if comes else rows.discard)(row)
        for trie in store["r"]:
            assert sorted(trie.rows()) == sorted(rows)
            assert not hollow(trie.root, len(trie.levels))


def hollow(node: Any, depth: int) -> bool:
    """Whether a branch below the root is empty, or a set of several holds nothing."""
    if depth <= 1:
        return isinstance(node, Several) and not node
    return any(
        not below or hollow(below, depth - 1) for below in node.values() if isinstance(below, dict | set)
    )


def test_a_way_that_is_not_kept_is_walked() -> None:
    """Fewer ways, the same answers."""
    wide = Machine(Specification.of(multipaxos))
    narrow = Machine(Specification.of(multipaxos), ways={"reported": [(0, 1)], "log": []})
    for machine in (wide, narrow):
        for action, *args in (
            ("prepare", 1), ("promise", "a", 1), ("propose", frozenset("a"), 7, 1, "x"), ("accept", "a", 7, 1, "x"),
            ("prepare", 2), ("promise", "a", 2),
        ):  # fmt: skip
            assert machine.step(action, *args) is None
        assert machine.step("propose", frozenset("a"), 7, 2, "y") is not None
        assert machine.step("propose", frozenset("a"), 7, 2, "x") is None
    assert len(narrow.store["log"][0].levels) == 1
    everything = {Ballot: range(9), Slot: (), Value: ()}
    assert wide.state(everything) == narrow.state(everything)


def test_a_step_costs_what_it_touches() -> None:
    """Looking at none of the rows of other slots: they would refuse to be looked at."""

    class Untouchable:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("looked at")

        __hash__ = object.__hash__

    machine = Machine(Specification.of(multipaxos))
    for slot in range(100):
        machine.put("log", ("a", slot, 1, Untouchable()))
        machine.put("proposed", (slot, 1, Untouchable()))
    machine.put("proposed", (200, 2, "x"))
    assert machine.step("accept", "a", 200, 2, "x") is None


# Why ---------------------------------------------------------------------------------------


@pytest.fixture
def scene() -> Machine:
    machine = Machine(Specification.of(multipaxos))
    q = frozenset("ab")
    for action, *args in (
        ("prepare", 1), ("promise", "a", 1), ("promise", "b", 1), ("propose", q, 5, 1, "x"), ("accept", "a", 5, 1, "x"),
        ("prepare", 2), ("promise", "a", 2),
    ):  # fmt: skip
        assert machine.step(action, *args) is None
    return machine


@pytest.mark.parametrize(
    ("step", "line", "why"),
    [
        (("accept", "a", 5, 1, "x"), "(a, b) not in now.left", ["left has ('a', …) for every one below 2"]),
        (("accept", "b", 5, 1, "y"), "(s, b, v) in now.proposed",
         ["proposed has no (5, 1, 'y'); it has (5, 1, 'x')"]),
        (("accept", "b", 6, 1, "x"), "(s, b, v) in now.proposed", ["proposed has no (6, 1, 'x')"]),
        (("promise", "a", 2), "not joined(now, a, b)", ["promised has ('a', 2)"]),
        (("promise", "a", 3), "(b,) in now.prepared", ["prepared has no (3,); it has (1,), (2,)"]),
        (("propose", frozenset("ab"), 7, 2, "z"), "all((a, b) in now.promised for a in q)",
         ["take a = 'b'", "promised has no ('b', 2); it has ('b', 1)"]),
        (("propose", frozenset("a"), 5, 2, "z"), "free(now, q, s, b) or forced(now, q, s, b, v)",
         ["reported has ('a', 2, 5, 1, 'x')", "of (…, 2, 5, …, …), reported has ('a', 2, 5, 1, 'x')"]),
    ],
)  # fmt: skip
def test_a_refusal_is_explained_by_the_rows_that_it_rests_on(
    scene: Machine, step: tuple[Any, ...], line: str, why: list[str]
) -> None:
    action, *args = step
    refused = scene.step(action, *args)
    assert refused is not None
    assert refused.place.text == line
    explainer = Explainer(scene)
    assert (
        explainer.false(refused.formula, dict(zip(scene.spec.steps[action].params, args, strict=True))) == why
    )
    assert all(scene.has(*row) for row in explainer.rows)

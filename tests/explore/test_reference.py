"""`spec.multipaxos` is the transition system of MultiPaxos.tla beside this file, state by state and step by step.

That module says Multi-Paxos as textbooks do: a highest ballot and the last votes of each acceptor, and one growing
set of messages.  Its actions are transcribed here, name for name; the map between the two kinds of state is one to
one, and both sides must have the same successors everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from quorate.checker.explore.referee import Search
from quorate.checker.explore.result import Limits
from quorate.checker.instance import Instance
from quorate.checker.language import State
from quorate.checker.specification import Specification

Vote = tuple[int, Any]
NO_VOTE: Vote = (0, None)
Message = tuple[Any, ...]


class Reference(NamedTuple):
    """A state of MultiPaxos.tla: its three variables, functions as tuples in the order of their domain."""

    max_bal: tuple[int, ...]
    votes: tuple[tuple[Vote, ...], ...]
    msgs: frozenset[Message]

    def sends(self, message: Message) -> Reference:
        return self._replace(msgs=self.msgs | {message})


class Sizes(NamedTuple):
    """The constants of MultiPaxos.tla."""

    acceptor: tuple[str, ...]
    ballot: tuple[int, ...]
    slot: tuple[str, ...]
    value: tuple[str, ...]
    quorum: tuple[frozenset[str], ...]


def at(t: tuple[Any, ...], i: int, x: object) -> tuple[Any, ...]:
    """`[t EXCEPT ![i] = x]`."""
    return (*t[:i], x, *t[i + 1 :])


def phase_1a(now: Reference, sizes: Sizes) -> Iterator[Reference]:
    for b in sizes.ballot:
        if ("1a", b) not in now.msgs:
            yield now.sends(("1a", b))


def phase_1b(now: Reference, sizes: Sizes) -> Iterator[Reference]:
    for i, a in enumerate(sizes.acceptor):
        for m in now.msgs:
            if m[0] == "1a" and m[1] > now.max_bal[i]:
                told = now.sends(("1b", a, m[1], now.votes[i]))
                yield told._replace(max_bal=at(now.max_bal, i, m[1]))


def phase_2a(now: Reference, sizes: Sizes) -> Iterator[Reference]:
    for b in sizes.ballot:
        for j, s in enumerate(sizes.slot):
            if any(m[0] == "2a" and m[1:3] == (b, s) for m in now.msgs):
                continue
            for v in sizes.value:
                if any(may_propose(now, q, b, j, v) for q in sizes.quorum):
                    yield now.sends(("2a", b, s, v))


def may_propose(now: Reference, q: frozenset[str], b: int, j: int, v: str) -> bool:
    q1b = [m for m in now.msgs if m[0] == "1b" and m[2] == b and m[1] in q]
    q1bv = [m[3][j] for m in q1b if m[3][j][0] > 0]
    all_answer = all(any(m[1] == a for m in q1b) for a in q)
    return all_answer and (not q1bv or any(w == v and all(c >= d for d, _ in q1bv) for c, w in q1bv))


def phase_2b(now: Reference, sizes: Sizes) -> Iterator[Reference]:
    for i, a in enumerate(sizes.acceptor):
        for m in now.msgs:
            if m[0] != "2a":
                continue
            _, b, s, v = m
            j = sizes.slot.index(s)
            if b >= now.max_bal[i] and now.votes[i][j][0] != b:
                told = now.sends(("2b", a, b, s, v))
                votes = at(now.votes, i, at(now.votes[i], j, (b, v)))
                yield told._replace(max_bal=at(now.max_bal, i, b), votes=votes)


def successors(now: Reference, sizes: Sizes) -> set[Reference]:
    return {nxt for phase in (phase_1a, phase_1b, phase_2a, phase_2b) for nxt in phase(now, sizes)}


def votes_in(rows: list[tuple[str, int, str]], sizes: Sizes) -> tuple[Vote, ...]:
    votes = {s: (b, v) for s, b, v in rows}
    assert len(votes) == len(rows), "one vote a slot"
    return tuple(votes.get(s, NO_VOTE) for s in sizes.slot)


def reference(now: Any, sizes: Sizes) -> Reference:
    """The state of MultiPaxos.tla that a state of `spec.multipaxos` is."""
    joined = now.promised | {(a, b) for a, _, b, _ in now.accepted}
    max_bal = tuple(max((b for x, b in joined if x == a), default=0) for a in sizes.acceptor)
    highest = zip(sizes.acceptor, max_bal, strict=True)
    assert now.left == {(a, c) for a, top in highest for c in sizes.ballot if c < top}
    votes = tuple(votes_in([row[1:] for row in now.log if row[0] == a], sizes) for a in sizes.acceptor)
    msgs: set[Message] = {("1a", b) for (b,) in now.prepared}
    msgs |= {
        ("1b", a, b, votes_in([row[2:] for row in now.reported if row[:2] == (a, b)], sizes))
        for a, b in now.promised
    }
    msgs |= {("2a", b, s, v) for s, b, v in now.proposed}
    msgs |= {("2b", a, b, s, v) for a, s, b, v in now.accepted}
    assert {row[:2] for row in now.reported} <= now.promised, "nothing is reported without a promise"
    return Reference(max_bal, votes, frozenset(msgs))


@pytest.mark.parametrize(
    ("sizes", "states"),
    [
        pytest.param((3, 2, 1, 2), 3_921, id="3,2,1,2"),
        pytest.param((2, 2, 2, 2), None, id="2,2,2,2"),
        pytest.param((2, 3, 1, 2), None, id="2,3,1,2"),
        pytest.param((3, 2, 2, 1), None, id="3,2,2,1", marks=pytest.mark.long),
        pytest.param((3, 3, 1, 1), None, id="3,3,1,1", marks=pytest.mark.long),
    ],
)
def test_multipaxos_is_the_reference_state_by_state(
    specs: Mapping[str, Specification], sizes: tuple[int, int, int, int], states: int | None
) -> None:
    spec = specs["multipaxos"]
    instance = Instance.of(spec, dict(zip(("acceptor", "ballot", "slot", "value"), sizes, strict=True)))
    members = {s.__name__.lower(): m for s, m in instance.members.items()}
    constants = Sizes(**{name: members[name] for name in Sizes._fields})
    steps: dict[State, set[State]] = {}

    def note(now: State, action: str, args: tuple[Any, ...], nxt: State) -> None:
        if nxt != now:
            steps.setdefault(now, set()).add(nxt)

    search = Search(spec, instance, Limits(), (note,), (), False, None)
    with instance.inhabited():
        assert search.run() == (None, "")
    ours = {now: reference(now, constants) for now in search.came}
    assert len(set(ours.values())) == len(ours), "two of our states are one of the reference"
    assert states in (None, len(ours))
    first = next(iter(search.came))
    assert ours[first] == Reference((0,) * sizes[0], ((NO_VOTE,) * sizes[2],) * sizes[0], frozenset())
    for now, image in ours.items():
        assert {ours[nxt] for nxt in steps.get(now, ())} == successors(image, constants)


def test_the_reference_s_actions_are_those_transcribed() -> None:
    text = (Path(__file__).parent / "MultiPaxos.tla").read_text()
    for name in ("Phase1a(b)", "Phase1b(a)", "Phase2a(b, s, v)", "Phase2b(a)"):
        assert f"\n{name} ==\n" in text

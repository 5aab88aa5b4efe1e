"""Two judges of what clients saw: each finds the classic anomalies, and they agree with brute force and each other."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, permutations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quorate.impl.core.messages import NOOP
from quorate.impl.kv.commands import COMMANDS, Items
from quorate.impl.kv.machine import Batch, KeyValue, Session, encode, reach_of, transaction
from quorate.impl.kv.replies import OK, Failure, Reply
from quorate.impl.sim.history import History, Operation
from quorate.impl.sim.linearizable import judge_by_search, parts_of
from quorate.impl.sim.witness import judge_by_log

QUICK = 20_000
FINE, WRONG, OPEN = "linearizable", "not linearizable", "undecided"


def did(client: str, said: str, called: int, returned: int | None, reply: Reply = None) -> Operation:
    return Operation(client, said.encode().split(), called, returned, reply)


def logged(*commands: str, gateway: str = "a.1") -> list[bytes]:
    """A log that has each command in a slot of its own."""
    return [encode(Batch(gateway, n, [said.encode().split()])) for n, said in enumerate(commands, 1)]


# Litmus ------------------------------------------------------------------------------------

LITMUS: dict[str, tuple[str, list[Operation], list[str]]] = {
    "a read that sees the write before it": (
        FINE,
        [did("p", "SET x 1", 0, 10, OK), did("q", "GET x", 11, 20, b"1")],
        ["SET x 1"],
    ),
    "a read beside a write sees either": (
        FINE,
        [did("p", "SET x 1", 0, 10, OK), did("q", "GET x", 5, 6, b"1"), did("r", "GET x", 0, 5, None)],
        ["SET x 1"],
    ),
    "what happens at the same time is concurrent": (
        FINE,
        [did("p", "SET x 1", 0, 10, OK), did("q", "GET x", 10, 20, None)],
        ["SET x 1"],
    ),
    "a stale read": (
        WRONG,
        [did("p", "SET x 1", 0, 10, OK), did("p", "SET x 2", 11, 20, OK), did("q", "GET x", 21, 30, b"1")],
        ["SET x 1", "SET x 2"],
    ),
    "a read of what is not written yet": (
        WRONG,
        [did("q", "GET x", 0, 10, b"1"), did("p", "SET x 1", 11, 20, OK)],
        ["SET x 1"],
    ),
    "a read of what nobody wrote": (
        WRONG,
        [did("p", "SET x 1", 0, 10, OK), did("q", "GET x", 5, 20, b"2")],
        ["SET x 1"],
    ),
    "a lost update": (
        WRONG,
        [did("p", "INCR x", 0, 10, 1), did("q", "INCR x", 0, 10, 2), did("r", "GET x", 11, 20, b"1")],
        ["INCR x", "INCR x"],
    ),
    "a read going back in time": (
        WRONG,
        [
            did("p", "SET x 1", 0, 100, OK),
            did("q", "GET x", 10, 20, b"1"),
            did("r", "GET x", 30, 40, None),
        ],
        ["SET x 1"],
    ),
    "a doubled increment": (
        WRONG,
        [did("p", "INCR x", 0, 10, 1), did("q", "INCR x", 11, 20, 3)],
        ["INCR x", "INCR x", "INCR x"],
    ),
    "two increments answered alike": (
        WRONG,
        [did("p", "INCR x", 0, 10, 1), did("q", "INCR x", 5, 20, 1)],
        ["INCR x", "INCR x"],
    ),
    "a write without an answer that takes effect later": (
        FINE,
        [
            did("p", "SET x 1", 0, None),
            did("q", "GET x", 10, 20, None),
            did("q", "GET x", 30, 40, b"1"),
        ],
        ["SET x 1"],
    ),
    "a write without an answer that never takes effect": (
        FINE,
        [did("p", "SET x 1", 0, None), did("q", "GET x", 10, 20, None), did("q", "GET x", 30, 40, None)],
        [],
    ),
    "a write without an answer that is taken back": (
        WRONG,
        [did("p", "SET x 1", 0, None), did("q", "GET x", 10, 20, b"1"), did("q", "GET x", 30, 40, None)],
        ["SET x 1"],
    ),
    "a write without an answer that takes effect twice": (
        WRONG,
        [did("p", "INCR x", 0, None), did("q", "GET x", 10, 20, b"1"), did("q", "GET x", 30, 40, b"2")],
        ["INCR x"],
    ),
    "a write without an answer that takes effect before it is called": (
        WRONG,
        [did("q", "GET x", 0, 5, b"1"), did("p", "SET x 1", 10, None)],
        ["SET x 1"],
    ),
    "of two equal writes, the one that was answered took effect": (
        FINE,
        [did("p", "SET x 1", 0, None), did("q", "SET x 1", 0, 10, OK), did("r", "GET x", 11, 20, b"1")],
        ["SET x 1"],
    ),
    "a session that has raised its floor": (
        FINE,
        [did("p", "SESSION s 1 1 SET x 1", 0, 10, OK), did("p", "SESSION s 2 2 GETDEL x", 11, 20, b"1")],
        ["SESSION s 1 1 SET x 1", "SESSION s 2 2 GETDEL x"],
    ),
    "two clients that take the same lock": (
        WRONG,
        [did("p", "SETNX lock p", 0, 10, 1), did("q", "SETNX lock q", 0, 10, 1)],
        ["SETNX lock p", "SETNX lock q"],
    ),
    "two keys seen in two orders": (
        WRONG,
        [
            did("p", "SET x 1", 0, 50, OK),
            did("q", "SET y 1", 0, 50, OK),
            did("r", "MGET x y", 0, 50, [b"1", None]),
            did("s", "MGET x y", 0, 50, [None, b"1"]),
        ],
        ["SET x 1", "SET y 1"],
    ),
    "two keys read one after the other": (
        FINE,
        [
            did("p", "SET x 1", 0, 50, OK),
            did("q", "SET y 1", 0, 50, OK),
            did("r", "GET x", 0, 10, b"1"),
            did("r", "GET y", 11, 20, None),
            did("s", "GET y", 30, 40, b"1"),
        ],
        ["SET x 1", "SET y 1"],
    ),
    "a compare-and-set that finds a version of the past": (
        WRONG,
        [
            did("p", "PUT x 1", 0, 10, 1),
            did("p", "PUT x 2", 11, 20, 2),
            did("q", "CAS x 1 3", 21, 30, [1, 3]),
        ],
        ["PUT x 1", "PUT x 2", "CAS x 1 3"],
    ),
}


@pytest.mark.parametrize("name", LITMUS)
def test_a_classic_history_is_judged_rightly_by_both(name: str) -> None:
    outcome, history, log = LITMUS[name]
    for judged in (judge_by_search(history), judge_by_log(history, logged(*log))):
        assert judged.outcome == outcome, str(judged)
        assert bool(judged.reason) == (outcome != FINE)
        assert "\n" not in judged.reason


@pytest.mark.parametrize("name", [name for name in LITMUS if LITMUS[name][0] == WRONG])
def test_what_cannot_be_explained_is_shown_small(name: str) -> None:
    _, history, _ = LITMUS[name]
    noise = [did("z", "GET other", 3 * n, 3 * n + 2, None) for n in range(20)]
    noise += [did("z", "SET x noise", 200, 210, OK), did("z", "GET x", 220, 230, b"noise")]
    shown = judge_by_search([*noise, *history]).operations
    assert 1 <= len(shown) <= len(history)
    assert {one.client for one in shown} <= {one.client for one in history}
    assert judge_by_search(shown).outcome == WRONG


def test_a_history_in_which_nothing_was_answered_is_not_passed() -> None:
    for history in ([], [did("p", "SET x 1", 0, None)]):
        assert judge_by_search(history).outcome == OPEN
        assert judge_by_log(history, logged("SET x 1")).outcome == OPEN


def test_a_search_that_was_cut_short_is_undecided() -> None:
    _, history, _ = LITMUS["a stale read"]
    judged = judge_by_search(history, steps_max=1)
    assert (judged.outcome, judged.operations) == (OPEN, ())
    assert "executing 1 commands" in judged.reason


def test_what_no_command_can_do_is_answered_by_nobody_s_log() -> None:
    """A command with a fault is refused at the door, the same whatever the state is."""
    refused = did("p", "NONSENSE x", 0, 10, Failure("ERR unknown command 'NONSENSE'"))
    assert judge_by_log([refused], []).outcome == judge_by_search([refused]).outcome == FINE
    refused.reply = OK
    assert judge_by_log([refused], []).outcome == judge_by_search([refused]).outcome == WRONG


def test_one_part_undecided_does_not_hide_that_another_is_wrong() -> None:
    hard = [
        *(did(f"c{n}", f"APPEND hard {n}", 0, None) for n in range(8)),
        did("r", "GET hard", 0, 100, b"9"),
    ]
    wrong = [did("q", "GET x", 0, 10, b"1")]
    assert judge_by_search(hard, steps_max=500).outcome == OPEN
    assert judge_by_search([*hard, *wrong], steps_max=500).outcome == WRONG


# The log as a witness ----------------------------------------------------------------------


def test_a_batch_that_was_chosen_twice_is_applied_once() -> None:
    batch = encode(Batch("a.1", 1, [[b"INCR", b"x"]]))
    history = [did("p", "INCR x", 0, 10, 1)]
    assert judge_by_log(history, [batch, NOOP, b"\xc1", batch]).outcome == FINE


def test_a_batch_that_is_applied_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    apply = KeyValue.apply

    def again(machine: KeyValue, slot: int, value: bytes) -> object:
        machine.gateways.clear()
        return apply(machine, slot, value)

    monkeypatch.setattr(KeyValue, "apply", again)
    batch = encode(Batch("a.1", 1, [[b"SET", b"x", b"1"]]))
    judged = judge_by_log([did("p", "SET x 1", 0, 10, OK)], [batch, NOOP, batch])
    assert judged.reason == "batch 1 of a.1 is applied twice, in slot 1 and in slot 3"


def test_a_retry_in_a_session_has_the_place_of_its_first_time() -> None:
    asked = "SESSION s 1 1 SET x 1"
    log = logged(asked, "SET x 2", asked)
    first, other = did("p", asked, 0, 100, OK), did("q", "SET x 2", 20, 30, OK)
    seen = did("r", "GET x", 110, 120, b"2")
    assert judge_by_log([first, other, seen], log).outcome == FINE
    assert judge_by_search([first, other, seen]).outcome == FINE
    late = did("p", asked, 31, 100, OK)
    assert judge_by_log([late, other, seen], log).outcome == WRONG
    assert judge_by_search([late, other, seen]).outcome == WRONG


@pytest.mark.parametrize("said", ["SET x 1", "INCR x"])
def test_a_retry_that_is_applied_twice_is_found(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    def forgetful(machine: KeyValue, client: bytes, floor: int) -> Session:
        return Session()

    monkeypatch.setattr(KeyValue, "_session", forgetful)
    asked = f"SESSION s 1 1 {said}"
    reply = 1 if said == "INCR x" else OK
    judged = judge_by_log([did("p", asked, 0, 100, reply)], logged(asked, asked))
    assert judged.reason == "number 1 of session s is applied twice, the second time in slot 2"


def test_what_a_session_refuses_has_no_place() -> None:
    log = logged(
        "SESSION s 1 1 INCR x", "SESSION s 2 2 INCR x", "SESSION s 1 1 INCR x", "SESSION t 5 5 INCR x"
    )
    history = [did("p", "SESSION s 1 1 INCR x", 0, 10, 1), did("p", "SESSION s 2 2 INCR x", 11, 20, 2)]
    assert judge_by_log(history, log).outcome == FINE


def test_a_command_that_nobody_asked_for_is_found() -> None:
    judged = judge_by_log([did("p", "SET x 1", 0, 10, OK)], logged("SET x 1", "SET x 2"))
    assert judged.reason == "slot 2 has SET x 2, and nobody asked for it"


def test_a_command_that_stands_there_too_often_is_found() -> None:
    judged = judge_by_log([did("p", "SET x 1", 0, 10, OK)], logged("SET x 1", "SET x 1"))
    assert judged.reason == "slot 2 has SET x 1, more often than it was asked for"


def test_an_answered_write_that_is_lost_is_found() -> None:
    lost = did("p", "SET x 1", 0, 10, OK)
    judged = judge_by_log([lost, did("p", "SET y 1", 0, 10, OK)], logged("SET y 1"))
    assert judged.reason == f"it was answered, and the log does not have it: {lost}"
    assert judged.operations == (lost,)


def test_a_write_whose_place_is_before_its_call_is_found() -> None:
    first, second = did("p", "SET x 1", 0, 10, OK), did("p", "SET y 1", 11, 20, OK)
    judged = judge_by_log([first, second], logged("SET y 1", "SET x 1"))
    assert judged.outcome == WRONG
    assert judged.operations == (second, first)
    assert judge_by_search([first, second]).outcome == FINE, "no client could tell"


def test_a_long_history_is_judged_in_a_straight_line() -> None:
    history, log = served(random.Random(5), 6, 2000, telling=False)
    assert len(log) > 1000
    assert judge_by_log(history, log).outcome == FINE
    history, log = served(random.Random(5), 6, 2000, telling=False, silent=0.0)
    assert len(log) > 1000
    assert judge_by_search(history).outcome == FINE


# Parts -------------------------------------------------------------------------------------


def test_what_has_no_key_in_common_is_looked_at_apart() -> None:
    history = [
        did("p", said, 0, 1, OK) for said in ("SET a 1", "SET b 1", "MSET b 1 c 1", "SET d 1", "GET c")
    ]
    parts = [[one.command[1] for one in part] for part in parts_of(history)]
    assert parts == [[b"a"], [b"b", b"b", b"c"], [b"d"]]


@pytest.mark.parametrize(
    "said", ["DBSIZE", "PUT a 1", "CAS a 1 1", "GETVERSION b", "SET a 1 ifversion 1", "SESSION s 1 1 CAD a 1"]
)
def test_what_rests_on_all_keys_joins_the_parts(said: str) -> None:
    assert len(parts_of([did("p", said, 0, 1), did("p", "SET x 1", 0, 1), did("p", "SET y 1", 0, 1)])) == 1


def test_a_transaction_joins_its_keys() -> None:
    together = Operation("p", transaction((), [[b"SET", b"x", b"1"], [b"GET", b"y"]]), 0)
    singles = [did("p", f"SET {key} 1", 0, 1) for key in "xyz"]
    assert sorted(map(len, parts_of([together, *singles]))) == [1, 3]
    watching = Operation("p", transaction([(b"x", 1)], [[b"SET", b"x", b"1"]]), 0)
    assert len(parts_of([watching, *singles])) == 1


KEYS = [b"x", b"y", b"z"]


@st.composite
def commands(draw: st.DrawFn) -> list[bytes]:
    """Any command at all, on few keys."""
    name = draw(st.sampled_from(sorted(COMMANDS)))
    key, other = draw(st.sampled_from(KEYS)), draw(st.sampled_from(KEYS))
    value = draw(st.sampled_from([b"1", b"2", b"v"]))
    fixed = {
        b"SET": draw(st.sampled_from([[], [b"NX"], [b"XX", b"GET"], [b"IFVERSION", b"1"]])),
        b"MSET": [other, value],
        b"CAS": [value],
    }
    parts = [name]
    spec = COMMANDS[name]
    if spec.keys[2]:
        parts.append(key)
    if spec.keys[1] < 0 and name != b"MSET":
        parts.append(other)
    if name == b"CAS":
        parts.append(draw(st.sampled_from([b"0", b"1", b"2"])))
    elif spec.count_min > 2:
        parts.append(value if name != b"CAD" else b"1")
    return parts + fixed.get(name, [])


@settings(max_examples=200, deadline=None)
@given(command=commands(), state=st.dictionaries(st.sampled_from(KEYS), st.sampled_from([b"1", b"2", b"v"])))
def test_nothing_out_of_its_reach_matters_to_a_command_or_is_changed(
    command: list[bytes], state: dict[bytes, bytes]
) -> None:
    keys = reach_of(command)
    assume(keys is not None)
    whole, part = Items(), Items()
    for key, value in state.items():
        whole.put(key, value)
        if key in keys:
            part.items[key] = (value, 77)
    before = dict(whole.items)
    run = COMMANDS[command[0]].run
    assert run(whole, command) == run(part, command)
    assert all(whole.items.get(key) == before.get(key) for key in KEYS if key not in keys)
    values = [
        {key: value for key, (value, _) in items.items.items() if key in keys} for items in (whole, part)
    ]
    assert values[0] == values[1]


# Brute force -------------------------------------------------------------------------------


def is_read(command: Iterable[bytes]) -> bool:
    name = next(iter(command))
    return name in COMMANDS and not COMMANDS[name].writes


def orders(history: list[Operation]) -> Iterator[tuple[Operation, ...]]:
    """Every order that respects time, with any of the operations that have no answer."""
    answered = [one for one in history if one.returned is not None]
    silent = [one for one in history if one.returned is None]
    for count in range(len(silent) + 1):
        for some in combinations(silent, count):
            for order in permutations([*answered, *some]):
                if all(
                    later.returned is None or later.returned >= one.called
                    for at, one in enumerate(order)
                    for later in order[at + 1 :]
                ):
                    yield order


def explains(order: Iterable[Operation]) -> bool:
    order = list(order)
    applied = KeyValue().apply(1, encode(Batch("g", 1, [list(one.command) for one in order])))
    assert applied is not None
    return all(
        one.returned is None or one.reply == reply for one, reply in zip(order, applied.replies, strict=True)
    )


@st.composite
def small_histories(draw: st.DrawFn) -> list[Operation]:
    """A few operations, most of them answered as in some order, at whatever times."""
    said = draw(st.lists(commands(), min_size=1, max_size=5))
    applied = KeyValue().apply(1, encode(Batch("g", 1, said)))
    assert applied is not None
    history = []
    for at, (command, reply) in enumerate(zip(said, applied.replies, strict=True)):
        called = max(0, 3 * at + draw(st.integers(-9, 2)))
        returned = draw(st.one_of(st.none(), st.integers(called, called + 9)))
        if draw(st.integers(0, 9)) == 0:
            reply = draw(st.sampled_from([None, 0, 1, 2, OK, b"1", b"v", [1, 2]]))
        history.append(
            Operation(f"c{at}", command, called, returned, reply if returned is not None else None)
        )
    return draw(st.permutations(history))


@settings(max_examples=120, deadline=None)
@given(history=small_histories())
def test_the_search_finds_what_brute_force_finds(history: list[Operation]) -> None:
    assume(any(one.returned is not None for one in history))
    judged = judge_by_search(history)
    assert judged.outcome == (FINE if any(map(explains, orders(history))) else WRONG)
    if judged.outcome == WRONG:
        assert not any(map(explains, orders(list(judged.operations))))


@settings(max_examples=120, deadline=None)
@given(history=small_histories(), data=st.data())
def test_the_log_bears_out_what_brute_force_finds_in_its_order(
    history: list[Operation], data: st.DataObject
) -> None:
    assume(any(one.returned is not None for one in history))
    writes = [one for one in history if not is_read(one.command)]
    chosen = data.draw(st.permutations(writes))
    kept = [one for one in chosen if one.returned is not None or data.draw(st.booleans())]
    if data.draw(st.booleans()):
        kept.sort(key=lambda one: one.client)
    log = [encode(Batch("g", n, [list(one.command)])) for n, one in enumerate(kept, 1)]
    names = [list(one.command) for one in kept]
    found = any(
        explains(order)
        for order in orders(history)
        if [list(one.command) for one in order if not is_read(one.command)] == names
    )
    judged = judge_by_log(history, log)
    assert judged.outcome == (FINE if found else WRONG), str(judged)


# A service at work -------------------------------------------------------------------------


def served(
    chance: random.Random, clients: int, steps: int, *, telling: bool, silent: float = 0.05
) -> tuple[list[Operation], list[bytes]]:
    """What clients of a correct service see, and its log.

    With `telling` commands every answer tells the place in the order of all; otherwise commands are of many kinds.
    """
    history, machine, log, now = History(), KeyValue(), [], 0
    asked: list[tuple[int, Operation]] = []
    done: list[tuple[int, Operation, Reply]] = []
    busy: set[int] = set()
    for step in range(steps * 4):
        now += chance.randint(0, 2)
        kind = chance.randrange(3)
        idle = [client for client in range(clients) if client not in busy]
        if kind == 0 and idle and len(history) < steps * 2:
            client = chance.choice(idle)
            operation = history.begin(f"c{client}", drawn(chance, step, telling), now)
            asked.append((client, operation))
            busy.add(client)
        elif kind == 1 and asked:
            client, operation = asked.pop(chance.randrange(len(asked)))
            value = encode(Batch("a.1", len(log) + 1, [list(operation.command)]))
            if is_read(operation.command):
                reply = machine.read(operation.command)
            else:
                applied = machine.apply(len(log) + 1, value)
                assert applied is not None
                reply = applied.replies[0]
                log.append(value)
            done.append((client, operation, reply))
        elif kind == 2 and done:
            client, operation, reply = done.pop(chance.randrange(len(done)))
            if chance.random() >= silent:
                history.end(operation, reply, now)
            busy.discard(client)
        if asked and chance.random() < silent / 10:
            busy.discard(
                asked[chance.randrange(len(asked))][0]
            )  # it gives up; the command may take effect yet
    return history.operations, log


def drawn(chance: random.Random, step: int, telling: bool) -> list[bytes]:
    key = chance.choice(KEYS)
    if telling:
        return chance.choice([[b"PUT", key, b"%d" % step], [b"GETVERSION", key]])
    return chance.choice(
        [
            [b"SET", key, b"%d" % step],
            [b"GET", key],
            [b"GET", b"n"],
            [b"INCR", b"n"],
            [b"SETNX", key, b"1"],
            [b"GETDEL", key],
            [b"MGET", b"x", b"y"],
            [b"MSET", b"x", b"7", key, b"%d" % step],
            [b"APPEND", key, b"+"],
        ]
    )


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), telling=st.booleans())
def test_both_judges_pass_what_a_correct_service_does(seed: int, telling: bool) -> None:
    history, log = served(random.Random(seed), 4, 30, telling=telling)
    assume(any(one.returned is not None for one in history))
    assert judge_by_log(history, log) == judge_by_search(history)
    assert judge_by_log(history, log).outcome == FINE


def spoilt_answer(one: Operation, chance: random.Random) -> None:
    reply = one.reply
    if isinstance(reply, list):
        one.reply = [*reply[:-1], (reply[-1] if isinstance(reply[-1], int) else 0) + chance.choice([-1, 1])]
    else:
        one.reply = chance.choice([0, 1, 2, 3, OK, None, b"1"])


def spoilt_times(one: Operation, chance: random.Random) -> None:
    assert one.returned is not None
    by = chance.randint(-30, 30)
    one.called, one.returned = one.called + by, one.returned + by + chance.randint(0, 2)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32), telling=st.booleans(), spoil=st.sampled_from([spoilt_answer, spoilt_times])
)
def test_where_something_is_spoilt_the_judges_agree(seed: int, telling: bool, spoil: Callable) -> None:
    """What the log bears out a search finds as well; where every answer tells its place, the log bears out as much."""
    chance = random.Random(seed)
    history, log = served(chance, 4, 20, telling=telling, silent=0.0 if telling else 0.05)
    answered = [one for one in history if one.returned is not None]
    history = history if not telling else answered
    assume(answered)
    assume(not telling or len(answered) == len(history))
    for one in chance.sample(answered, min(len(answered), chance.randint(1, 2))):
        spoil(one, chance)
    by_log, by_search = judge_by_log(history, log).outcome, judge_by_search(history, QUICK).outcome
    assume(by_search != OPEN)
    if by_log == FINE:
        assert by_search == FINE
    if telling and len([one for one in history if not is_read(one.command)]) == len(log):
        assert by_log == by_search


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_what_is_wrong_by_construction_is_found_by_both(seed: int, data: st.DataObject) -> None:
    """Every write has a value of its own, so what a read saw tells when it must have been."""
    chance = random.Random(seed)
    history, log = served(chance, 4, 30, telling=True)
    reads = [
        one
        for one in history
        if one.returned is not None and isinstance(one.reply, list) and one.reply[0] is not None
    ]
    assume(reads)
    one = data.draw(st.sampled_from(reads))
    assert isinstance(one.reply, list)
    wrote = next(other for other in history if other.command[1:] == [one.command[1], one.reply[0]])
    how = data.draw(st.sampled_from(["of nobody", "of the future", "of the past"]))
    if how == "of nobody":
        one.reply = [b"nobody wrote this", one.reply[1]]
    elif how == "of the future":
        one.called, one.returned = wrote.called - 2, wrote.called - 1
    else:
        later = [
            other
            for other in history
            if other.returned is not None
            and other.command[:2] == [b"PUT", one.command[1]]
            and isinstance(other.reply, int)
            and other.reply > one.reply[1]
        ]
        assume(later)
        after = max(other.returned for other in later if other.returned is not None)
        one.called, one.returned = after + 1, after + 2
    assert judge_by_log(history, log).outcome == WRONG
    assert judge_by_search(history, QUICK).outcome == WRONG

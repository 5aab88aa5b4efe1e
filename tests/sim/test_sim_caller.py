"""A client of the simulated world: how often it asks, and when it is content."""

from __future__ import annotations

from random import Random

import pytest

from quorate.impl.kv.replies import Failure, Reply, Word
from quorate.impl.sim.caller import MORE, PAUSE, Attempt, Client
from quorate.impl.sim.history import History
from quorate.impl.sim.network import Network
from quorate.impl.sim.plan import Caller, Net
from quorate.impl.sim.timeline import Timeline

PATIENCE = 10 * PAUSE
REFUSED = Failure("NOLEADER nothing was done")


class Alone:
    """A world of one node, which answers what and when a test wants."""

    name = "a"

    def __init__(self, caller: Caller) -> None:
        self.timeline = Timeline()
        self.network = Network(self.timeline, Net(delay_min=1, delay_max=1), Random(1))
        self.history = History()
        self.members = [self]
        self.asked: list[Attempt] = []
        self.client = Client(self, "client-0", 0, caller, 1, Random(2))  # type: ignore[arg-type]
        self.client.start()

    def ask(self, attempt: Attempt, command: object, *, writes: bool) -> None:
        self.asked.append(attempt)

    def complain(self, rule: str, sentence: str) -> None:
        pytest.fail(f"{rule}: {sentence}")

    def answer(self, attempt: int, reply: Reply) -> None:
        self.asked[attempt].answer(reply)
        self.asked[attempt].flush()

    def wait(self, span: int) -> int:
        """Let time pass; how often the client has asked by then."""
        self.timeline.run(self.timeline.now + span)
        return len(self.asked)


def test_who_is_answered_while_it_pauses_does_not_ask_again() -> None:
    """By then it would be its next command that it asks again, and some of these may be asked once only."""
    world = Alone(Caller(session=True, commands=2, think=0, patience=PATIENCE))
    assert world.wait(5) == 1
    assert world.wait(PATIENCE) == 2, "no answer came"
    world.answer(1, REFUSED)
    assert world.wait(PAUSE // 2) == 2
    world.answer(0, Word("OK"))
    assert world.wait(5) == 3, "the first was answered after all: the next"
    assert world.wait(2 * PAUSE) == 3


def test_who_is_refused_asks_again_after_a_pause() -> None:
    world = Alone(Caller(session=True, commands=1, think=0, patience=PATIENCE))
    assert world.wait(5) == 1
    world.answer(0, REFUSED)
    assert world.wait(PAUSE // 2) == 1
    assert world.wait(PAUSE) == 2
    world.answer(1, Word("OK"))
    world.wait(5)
    assert world.client.is_done


def test_when_the_faults_end_a_client_asks_for_a_little_more_and_no_longer() -> None:
    world = Alone(Caller(session=True, commands=60, think=0, patience=PATIENCE))
    world.wait(5)
    world.client.come_to_an_end()
    for number in range(1 + MORE):
        assert not world.client.is_done
        world.answer(number, Word("OK"))
        world.wait(5)
    assert world.client.is_done
    assert len(world.asked) == 1 + MORE

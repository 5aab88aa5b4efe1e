"""A client finds the leader, follows it, asks again, and says clearly when it has to give up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from threading import Thread
from typing import Any

import hiredis
import pytest

from quorate.impl.client import (
    AnswerLost,
    BadCommand,
    BlockingClient,
    Client,
    NoAnswer,
    SessionLost,
    ask_status,
)
from quorate.impl.client import session as client_module
from quorate.impl.client.link import Part
from quorate.impl.kv.machine import NOT_KEPT, Batch, KeyValue, encode, transaction
from quorate.impl.kv.replies import Failure, Reply
from quorate.impl.net.cluster import free_ports
from quorate.impl.net.resp import encode_reply
from quorate.impl.settings import Address

PATIENCE_S = 60
Behaviour = Callable[[int, list[bytes]], "Reply | SilenceType"]


class SilenceType:
    """No answer."""


SILENCE = SilenceType()


class FakeNode:
    """A node that answers commands as a test wants: `behaviour` gets how many it was asked, and the command.

    A reply comes in the order of its command; what follows a silence is silent too.
    """

    def __init__(self, name: str, behaviour: Behaviour, leader: str | None = None) -> None:
        self.name = name
        self.behaviour = behaviour
        self.leader = leader
        self.asked: list[list[bytes]] = []
        self.opened: list[list[bytes]] = []
        """What begins a session; it is answered as `opening` says."""
        self.opening: Behaviour = lambda count, command: []
        self.says_of_leader: Reply = None
        """Instead of `leader`."""
        self.greeted = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = Address(host="127.0.0.1", port=self.server.sockets[0].getsockname()[1])

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def close(self) -> None:
        self.server.close()
        self.hang_up()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        commands = hiredis.Reader()
        silent = False
        try:
            while data := await reader.read(65536):
                commands.feed(data)
                while (command := commands.gets()) is not False:
                    reply = self._reply(command)
                    silent = silent or isinstance(reply, SilenceType)
                    if not silent:
                        writer.write(reply if command[0] == b"NONSENSE" else encode_reply(reply, 3))
        except ConnectionError:
            pass

    def _reply(self, command: list[bytes]) -> Any:
        if command[0] == b"HELLO":
            self.greeted += 1
            return {"server": b"quorate"}
        if command[0] == b"LEADER":
            return self.says_of_leader or [self.leader and self.leader.encode(), b"127.0.0.1:1"]
        if is_opening(command):
            self.opened.append(command)
            return self.opening(len(self.opened), command)
        self.asked.append(command)
        return self.behaviour(len(self.asked), command)


def is_opening(command: list[bytes]) -> bool:
    return command[0] == b"SESSION" and command[2] == b"1"


def answer(count: int, command: list[bytes]) -> Reply:
    """The key, or what a session's command was about."""
    return command[5] if command[0] == b"SESSION" else command[1]


def silence(count: int, command: list[bytes]) -> SilenceType:
    return SILENCE


def run(
    behaviours: dict[str, Behaviour],
    story: Callable[[Client, dict[str, FakeNode]], Coroutine[Any, Any, None]],
    leader: str | None = None,
    **options: Any,
) -> None:
    """Tell a story of a client and some nodes, who say that `leader` leads."""

    async def told() -> None:
        nodes = {name: FakeNode(name, behaviour, leader) for name, behaviour in behaviours.items()}
        for node in nodes.values():
            await node.start()
        try:
            addresses = {name: node.address for name, node in nodes.items()}
            async with (
                asyncio.timeout(PATIENCE_S),
                Client(addresses, **{"timeout_s": PATIENCE_S, **options}) as client,
            ):
                await story(client, nodes)
        finally:
            for node in nodes.values():
                node.close()

    asyncio.run(told())


def no_leader(count: int, command: list[bytes]) -> Reply:
    return Failure("NOLEADER nobody leads")


def numbers(node: FakeNode) -> list[int]:
    """The numbers of the session's commands that a node was asked."""
    return [int(command[2]) for command in node.asked if command[0] == b"SESSION"]


def test_commands_in_flight_get_their_own_answers() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        assert await asyncio.gather(client.get("x"), client.write("DEL", "y"), client.get("z")) == [
            b"x",
            b"y",
            b"z",
        ]

    run({"a": answer}, story)


def test_the_leader_is_followed() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        assert await client.get("x") == b"x"
        assert nodes["c"].asked
        assert not nodes["a"].asked
        assert not nodes["b"].asked

    run({"a": answer, "b": answer, "c": answer}, story, leader="c")


def test_a_leader_that_is_not_there_does_not_keep_the_client_from_the_others() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        nodes["c"].close()
        nodes["a"].leader = nodes["b"].leader = "c"
        asking = asyncio.create_task(client.get("x"))
        await asyncio.sleep(0.2)
        nodes["a"].leader = nodes["b"].leader = "b"
        assert await asking == b"x"

    run({"a": answer, "b": answer, "c": answer}, story)


def test_without_a_leader_the_client_asks_the_others_until_there_is_one() -> None:
    asked: list[bytes] = []

    def later(count: int, command: list[bytes]) -> Reply:
        asked.append(command[2])
        return answer(count, command) if len(asked) > 7 else no_leader(count, command)

    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        assert await client.write("INCR", "x") == b"x"
        assert set(asked) == {b"2"}
        assert min(len(node.asked) for node in nodes.values()) >= 2

    run({"a": later, "b": later, "c": later}, story)


@pytest.mark.parametrize("code", ["BUSY", "CLUSTERDOWN", "MOVED", "NOLEADER", "UNCERTAIN"])
def test_what_says_nothing_about_a_command_is_asked_again_under_its_number(code: str) -> None:
    def once(count: int, command: list[bytes]) -> Reply:
        return answer(count, command) if count > 2 else Failure(f"{code} for a while")

    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        assert await client.write("INCR", "x") == b"x"
        assert numbers(nodes["a"]) == [2, 2, 2]

    run({"a": once}, story)


def test_a_broken_connection_makes_the_client_ask_again_in_order_under_the_same_numbers() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        waiting = asyncio.gather(*(client.write("INCR", str(number)) for number in range(20)))
        while len(nodes["a"].asked) < 20:
            await asyncio.sleep(0.01)
        nodes["a"].behaviour = answer
        nodes["a"].hang_up()
        assert await waiting == [str(number).encode() for number in range(20)]
        assert numbers(nodes["a"]) == [*range(2, 22), *range(2, 22)]
        assert {command[1] for command in nodes["a"].asked} == {client.name.encode()}

    run({"a": silence}, story)


def test_a_silent_node_is_left_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "SILENCE_S_MAX", 0.05)

    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        client._at = "a"
        assert await client.get("x") == b"x"

    run({"a": silence, "b": answer}, story)


def test_a_node_that_talks_nonsense_is_left_for_the_next() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        client._at = "a"
        assert await client.read("NONSENSE", "x") == b"x"

    def nonsense(count: int, command: list[bytes]) -> Any:
        return b"nonsense\r\n"

    def sense(count: int, command: list[bytes]) -> Any:
        return encode_reply(command[1], 3)

    run({"a": nonsense, "b": sense}, story)


@pytest.mark.parametrize(
    "said", [Failure("ERR unknown command 'LEADER'"), b"text", [b"a"], [1, 2], [b"\xff", None]]
)
def test_who_does_not_say_who_leads_does_not_keep_the_client_from_the_others(said: Reply) -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        nodes["a"].says_of_leader = said
        nodes["a"].behaviour = no_leader
        client._at = "a"
        assert await client.get("x") == b"x"

    run({"a": answer, "b": answer}, story)


def test_nothing_more_goes_to_a_node_that_has_refused_a_command() -> None:
    """It might be taken there, and so overtake the one that was refused."""

    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        await client.write("INCR", "0")
        link = client._link
        assert link is not None
        waiting = [asyncio.create_task(client.write("INCR", "1"))]
        while not link.ended.done():
            await asyncio.sleep(0)
        waiting.append(asyncio.create_task(client.write("INCR", "2")))
        await asyncio.sleep(0)
        assert not link.is_waiting
        nodes["a"].behaviour = answer
        assert await asyncio.gather(*waiting) == [b"1", b"2"]

    def once(count: int, command: list[bytes]) -> Reply:
        return answer(count, command) if count != 2 else no_leader(count, command)

    run({"a": once}, story)


def test_time_that_is_up_is_a_clear_error() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        with pytest.raises(
            NoAnswer, match=r"SET x of client .* within 0.1 s .*may have been applied"
        ) as caught:
            await client.write("SET", "x", "1")
        assert "\n" not in str(caught.value)
        with pytest.raises(NoAnswer) as caught:
            await client.get("x")
        assert "applied" not in str(caught.value)

    run({"a": silence}, story, timeout_s=0.1)


def test_a_cluster_that_is_not_there_is_named_in_the_error() -> None:
    async def told() -> None:
        address = Address(host="127.0.0.1", port=free_ports(1)[0])
        async with Client({"a": address}, timeout_s=0.3) as client:
            with pytest.raises(NoAnswer, match=f"a at {address}"):
                await client.get("x")
        with pytest.raises(NoAnswer, match=str(address)):
            await ask_status(address)

    asyncio.run(told())


def test_a_command_that_the_cluster_refuses_is_the_callers_fault() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        with pytest.raises(BadCommand, match=r"GET x .*ERR too odd"):
            await client.get("x")

    run({"a": lambda count, _: Failure("ERR too odd")}, story)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("SET", b"k" * 4097, "v"), "a key has more than 4096 bytes"),
        (("SET", "k", b"v" * (9 << 20)), "a value has more than 1048576 bytes"),
        (("MSET", *[b"k", b"v" * (1 << 20)] * 8), "a command has more than 8388608 bytes"),
        (("DEL", *[b"k"] * 65535), "a command has more than 65536 parts"),
        (("SET", "k"), "wrong number of arguments"),
        (transaction((), [[b"SET", b"k", b"v" * (2 << 20)]]), "a value has more than 1048576 bytes"),
        ((), "a command has a name"),
    ],
)
def test_what_no_node_takes_is_refused_before_it_is_sent(command: Sequence[Part], said: str) -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        with pytest.raises(BadCommand, match=said):
            await client.write(*command)
        assert await client.write("INCR", "x") == b"x"
        assert numbers(nodes["a"]) == [2]

    run({"a": answer}, story)


def test_a_command_as_large_as_may_be_is_sent() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        await client.write("MSET", *[b"k", b"v" * ((1 << 20) - 64)] * 8)
        assert len(nodes["a"].asked) == 1

    run({"a": answer}, story)


def test_a_node_that_understands_no_more_has_answered_nothing() -> None:
    """What it says of the stream is no answer to the command that waits longest."""

    def once(count: int, command: list[bytes]) -> Reply:
        return answer(count, command) if count > 1 else Failure("ERR Protocol error: too odd")

    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        assert await client.write("INCR", "x") == b"x"
        assert numbers(nodes["a"]) == [2, 2]

    run({"a": once}, story)


@pytest.mark.parametrize("code", ["NOSESSION", "ANSWERED"])
def test_a_session_that_is_gone_is_said_so(code: str) -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        with pytest.raises(SessionLost, match=code):
            await client.increment("x")

    run({"a": lambda count, _: Failure(f"{code} begin a new one")}, story)


def test_an_answer_that_was_not_kept_is_told_from_a_command_that_was_refused() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        with pytest.raises(AnswerLost, match="the command was applied"):
            await client.increment("x")

    run({"a": lambda count, _: NOT_KEPT}, story)


def test_many_commands_are_in_flight_but_no_more_than_the_limit() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        waiting = asyncio.gather(*(client.get(str(number)) for number in range(30)))
        while len(nodes["a"].asked) < 10:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert len(nodes["a"].asked) == 10
        nodes["a"].behaviour = answer
        nodes["a"].hang_up()
        await waiting

    run({"a": silence}, story, in_flight_max=10)


def test_the_floor_rises_with_every_command_and_never_above_a_write_that_waits() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        nodes["a"].behaviour = answer
        for _ in range(3):
            await client.write("INCR", "x")
        nodes["a"].behaviour = silence
        waiting = [asyncio.create_task(client.write("INCR", "x")) for _ in range(3)]
        while len(nodes["a"].asked) < 6:
            await asyncio.sleep(0.01)
        assert [int(command[3]) for command in nodes["a"].asked] == [2, 3, 4, 5, 5, 5]
        nodes["a"].behaviour = answer
        nodes["a"].hang_up()
        await asyncio.gather(*waiting)
        await client.write("INCR", "x")
        assert int(nodes["a"].asked[-1][3]) == 8

    run({"a": silence}, story)


def test_a_session_that_was_forgotten_is_lost_and_its_first_write_not_applied_twice() -> None:
    machine = KeyValue(sessions_max=1)

    def applied(count: int, command: list[bytes]) -> Reply:
        said = machine.apply(machine.applied + 1, encode(Batch("a", machine.applied + 1, [command])))
        assert said is not None
        return said.replies[0]

    def applied_in_silence(count: int, command: list[bytes]) -> SilenceType:
        applied(count, command)
        return SILENCE

    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        nodes["a"].opening = applied
        writing = asyncio.create_task(client.increment("n"))
        while not nodes["a"].asked:
            await asyncio.sleep(0.01)
        applied(0, [b"SESSION", b"another", b"1", b"1", b"SET", b"x", b"1"])
        nodes["a"].behaviour = applied
        nodes["a"].hang_up()
        with pytest.raises(SessionLost):
            await writing
        assert machine.read([b"GET", b"n"]) == b"1"

    run({"a": applied_in_silence}, story)


def test_what_is_started_while_the_session_begins_is_sent_behind_that_in_order() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        nodes["a"].opening = silence
        first = asyncio.create_task(client.get("0"))
        waiting = [asyncio.create_task(client.write("INCR", "1")), asyncio.create_task(client.get("2"))]
        while not nodes["a"].opened:
            await asyncio.sleep(0.01)
        waiting.append(asyncio.create_task(client.write("INCR", "3")))
        await asyncio.sleep(0.05)
        assert [command[1] for command in nodes["a"].asked] == [b"0"]
        assert await first == b"0"
        nodes["a"].opening = lambda count, command: []
        nodes["a"].hang_up()
        assert await asyncio.gather(*waiting) == [b"1", b"2", b"3"]
        assert [command[0] for command in nodes["a"].asked] == [b"GET", b"SESSION", b"GET", b"SESSION"]
        assert [int(command[3]) for command in nodes["a"].asked if len(command) > 2] == [2, 2]
        await client.write("INCR", "4")
        assert [command[2:4] for command in nodes["a"].opened] == [[b"1", b"1"]] * 2

    run({"a": answer}, story)


def test_a_session_that_may_not_begin_is_begun_by_the_next_write() -> None:
    def refused(count: int, command: list[bytes]) -> Reply:
        return Failure("NOAUTH who are you?")

    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        nodes["a"].opening = refused
        with pytest.raises(BadCommand, match="NOAUTH"):
            await client.write("INCR", "x")
        nodes["a"].opening = nodes["a"].behaviour = answer
        assert await client.write("INCR", "x") == b"x"
        assert len(nodes["a"].opened) == 2

    run({"a": refused}, story)


def test_a_client_needs_somebody_to_ask() -> None:
    with pytest.raises(ValueError, match="at least one node"):
        Client({})


def test_the_blocking_client_asks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        addresses = {name: node.address for name, node in nodes.items()}

        def block() -> None:
            with BlockingClient(addresses, timeout_s=PATIENCE_S) as blocking:
                assert blocking.get("x") == b"x"
                assert blocking.write("DEL", "y") == b"y"
                assert blocking.read("GET", "z") == b"z"

        await asyncio.to_thread(block)

    run({"a": answer}, story)


def test_whoever_waits_when_a_client_is_left_is_told() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        async with Client({"a": nodes["a"].address}, timeout_s=PATIENCE_S, in_flight_max=2) as left:
            waiting = [asyncio.create_task(left.write("INCR", "x")) for _ in range(3)]
            while len(nodes["a"].asked) < 2:
                await asyncio.sleep(0.01)
        said = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(error) for error in said] == [NoAnswer] * 3
        assert ["may have been applied" in str(error) for error in said] == [True, True, False]

    run({"a": silence}, story)


def test_every_thread_that_waits_when_the_blocking_client_is_left_is_told() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        said: list[BaseException] = []
        blocking = BlockingClient({"a": nodes["a"].address}, timeout_s=PATIENCE_S)
        blocking._client._room = asyncio.Semaphore(2)

        def ask() -> None:
            try:
                blocking.increment("x")
            except BaseException as error:
                said.append(error)

        def block() -> None:
            threads = [Thread(target=ask, daemon=True) for _ in range(5)]
            with blocking:
                for thread in threads:
                    thread.start()
                while len(nodes["a"].asked) < 2:
                    time.sleep(0.01)
            ask()
            for thread in threads:
                thread.join(PATIENCE_S / 2)

        await asyncio.to_thread(block)
        assert [type(error) for error in said] == [NoAnswer] * 6

    run({"a": silence}, story)


def test_the_blocking_client_is_refused_before_it_is_entered() -> None:
    blocking = BlockingClient({"a": Address(host="127.0.0.1", port=1)})
    with pytest.raises(NoAnswer, match="not open"):
        blocking.get("x")
    blocking._loop.close()

"""A client finds the leader, follows it, asks again, and says clearly when it has to give up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from quorate.impl.kv import NO_SESSION, AnyCommand, Result, decode
from quorate.impl.net import client as client_module
from quorate.impl.net.client import FLOOR_STEP, Client, ask_status
from quorate.impl.net.cluster import free_ports
from quorate.impl.net.errors import BadCommand, NoAnswer, SessionLost
from quorate.impl.net.framing import CLIENT_BYTES_MAX, FrameDecoder, encode_frame
from quorate.impl.net.wire import Answer, Command, Elsewhere, Invalid, Reply, decode_request, encode
from quorate.impl.settings import Address

PATIENCE_S = 60
Behaviour = Callable[[int, AnyCommand], "Reply | None"]


class FakeNode:
    """A node that answers commands as a test wants: `behaviour` gets each one's number; None is silence."""

    def __init__(self, name: str, behaviour: Behaviour) -> None:
        self.name = name
        self.behaviour = behaviour
        self.asked: list[tuple[int, AnyCommand]] = []
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
        decoder = FrameDecoder(CLIENT_BYTES_MAX)
        try:
            while data := await reader.read(65536):
                for payload in decoder.feed(data):
                    request = decode_request(payload)
                    assert isinstance(request, Command)
                    command = decode(request.command)
                    assert command is not None
                    self.asked.append((request.number, command))
                    reply = self.behaviour(request.number, command)
                    if reply is not None:
                        writer.write(encode_frame(encode(reply)))
        except ConnectionError:
            pass


def answer(number: int, command: AnyCommand) -> Reply:
    return Answer(number, Result(command.key, number))


def silence(number: int, command: AnyCommand) -> None:
    return None


def run(
    behaviours: dict[str, Behaviour],
    story: Callable[[Client, dict[str, FakeNode]], Coroutine[Any, Any, None]],
    **options: Any,
) -> None:
    """Tell a story of a client and some nodes."""

    async def told() -> None:
        nodes = {name: FakeNode(name, behaviour) for name, behaviour in behaviours.items()}
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


def test_a_command_is_answered_by_its_number() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        first, second = await asyncio.gather(client.get("x"), client.get("y"))
        assert (first, second) == (Result("x", 1), Result("y", 2))

    run({"a": answer}, story)


def test_a_redirection_is_followed() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        client._at, client._order = "a", ["a", "b", "c"]
        assert (await client.get("x")).value == "x"
        assert (await client.get("y")).value == "y"
        assert len(nodes["a"].asked) == 1
        assert nodes["b"].asked == []

    run({"a": lambda number, _: Elsewhere(number, "a follower", "c"), "b": silence, "c": answer}, story)


def test_without_a_leader_the_client_asks_the_others_until_there_is_one() -> None:
    asked: list[int] = []

    def later(number: int, command: AnyCommand) -> Reply:
        asked.append(number)
        return answer(number, command) if len(asked) > 7 else Elsewhere(number, "no leader", None)

    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        assert (await client.get("x")).value == "x"
        assert set(asked) == {1}
        assert min(len(node.asked) for node in nodes.values()) >= 2

    run({"a": later, "b": later, "c": later}, story)


def test_a_broken_connection_makes_the_client_ask_again_under_the_same_numbers() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        waiting = asyncio.gather(*(client.get(str(number)) for number in range(20)))
        while len(nodes["a"].asked) < 20:
            await asyncio.sleep(0.01)
        nodes["a"].behaviour = answer
        nodes["a"].hang_up()
        assert [result.value for result in await waiting] == [str(number) for number in range(20)]
        assert nodes["a"].asked[:20] == nodes["a"].asked[20:]
        assert {command.client for _, command in nodes["a"].asked} == {client.name}

    run({"a": silence}, story)


def test_a_silent_node_is_left_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "SILENCE_S_MAX", 0.05)

    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        client._at = "a"
        assert (await client.get("x")).value == "x"

    run({"a": silence, "b": answer}, story)


def test_a_node_that_talks_nonsense_is_left_for_the_next() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        client._at = "a"
        assert (await client.get("x")).value == "x"

    def nonsense(number: int, command: AnyCommand) -> Any:
        return ["nonsense", number]

    run({"a": nonsense, "b": answer}, story)


def test_time_that_is_up_is_a_clear_error() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        with pytest.raises(NoAnswer, match=r"command 1 .* within 0.1 s .*may have been applied") as caught:
            await client.get("x")
        assert "\n" not in str(caught.value)

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


def test_a_command_that_nobody_will_apply_is_the_callers_fault() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        with pytest.raises(BadCommand, match=r"command 1 .*too odd"):
            await client.get("x")

    run({"a": lambda number, _: Invalid(number, "too odd")}, story)


def test_a_session_that_is_gone_is_said_so() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        with pytest.raises(SessionLost, match="begin a new one"):
            await client.get("x")

    run({"a": lambda number, _: Answer(number, NO_SESSION)}, story)


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


def test_the_floor_rises_in_steps_and_never_above_a_command_that_waits() -> None:
    async def story(client: Client, nodes: dict[str, FakeNode]) -> None:
        stuck = asyncio.create_task(client.get("stuck"))
        await asyncio.sleep(0)
        for _ in range(2 * FLOOR_STEP):
            await client.get("x")
        assert {command.floor for _, command in nodes["a"].asked} == {1}
        nodes["a"].behaviour = answer
        nodes["a"].hang_up()
        await stuck
        await client.get("x")
        assert nodes["a"].asked[-1][1].floor == 2 * FLOOR_STEP + 2

    run({"a": lambda number, command: None if command.key == "stuck" else answer(number, command)}, story)


def test_a_client_needs_somebody_to_ask() -> None:
    with pytest.raises(ValueError, match="at least one node"):
        Client({})

"""Every door that a stranger may try: without a certificate, with another's, from another cluster, with old or huge
frames,
slowly, or without the password. Each closes that connection, and the node goes on."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest
import redis
from cryptography.hazmat.primitives import serialization

from quorate.impl.certificates import make_certificates
from quorate.impl.client import Address, BadCommand, Client, NoAnswer, ask_status
from quorate.impl.client.link import encode_command
from quorate.impl.core.messages import Ballot, Heartbeat, MessageId
from quorate.impl.net import conversation, peers
from quorate.impl.net.cluster import LocalCluster
from quorate.impl.net.framing import HELLO_BYTES_MAX, FrameDecoder, encode_frame
from quorate.impl.net.node import Node
from quorate.impl.net.tls import Contexts, of_client
from quorate.impl.net.wire import PROTOCOL, Hello, Rejected, decode_greeting, encode
from quorate.impl.passwords import hashed, is_right
from quorate.impl.settings import Settings, SettingsError, Tls

MakeSettings = Callable[..., Settings]
PATIENCE_S = 60
QUICK = {"timing.heartbeat_ms": 5, "timing.election_ms_min": 20, "timing.election_ms_max": 40}
B = Hello(PROTOCOL, "orchard", "b", 1, ("a", "b", "c"), 2, 2, "127.0.0.1:7001")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates: of the cluster's authority for a, b and c, of the same for another cluster, and of another
    authority."""
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder, "orchard", "abc", ["127.0.0.1"])
    make_certificates(folder / "elsewhere", "orchard", "ab", ["127.0.0.1"])
    meadow = folder / "meadow"
    meadow.mkdir()
    for name in ("authority.pem", "authority.key"):
        (meadow / name).write_bytes((folder / name).read_bytes())
    make_certificates(meadow, "meadow", "b", ["127.0.0.1"])
    return folder


@pytest.fixture
def tls(folder: Path) -> dict[str, object]:
    """The settings of node a."""
    files = {"authority": "authority.pem", "certificate": "a.pem", "key": "a.key"}
    return {f"tls.{key}": folder / name for key, name in files.items()}


def with_node(settings: Settings, story: Callable[[Node], Awaitable[None]]) -> None:
    async def told() -> None:
        async with asyncio.timeout(PATIENCE_S), Node(settings) as node:
            await story(node)
            assert not node.driver.ended.done()
            assert (await ask_status(settings.client, timeout_s=PATIENCE_S)).node == "a"

    asyncio.run(told())


def shown(folder: Path, name: str | None, authority: Path) -> ssl.SSLContext:
    """What a dialler shows: a certificate of a folder, or none."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(authority / "authority.pem"))
    context.check_hostname = False
    if name is not None:
        context.load_cert_chain(str(folder / f"{name}.pem"), str(folder / f"{name}.key"))
    return context


async def greeted(address: Address, context: ssl.SSLContext | None, hello: Hello) -> Hello | Rejected | None:
    """What a node says to a hello; None if it ends the connection."""
    try:
        reader, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
        writer.write(encode_frame(encode(hello)))
        data = await reader.read(65536)
        writer.close()
    except (ssl.SSLError, ConnectionError):
        return None
    return decode_greeting(FrameDecoder(HELLO_BYTES_MAX).feed(data)[0]) if data else None


def test_a_peer_with_its_certificate_is_heard(
    settings: MakeSettings, folder: Path, tls: dict[str, Any]
) -> None:
    mine = settings(**QUICK, **tls)

    async def story(node: Node) -> None:
        assert isinstance(await greeted(mine.peer, shown(folder, "b", folder), B), Hello)

    with_node(mine, story)


@pytest.mark.parametrize(
    ("where", "name", "hello"),
    [
        pytest.param("", None, B, id="without a certificate"),
        pytest.param("elsewhere", "b", B, id="of another authority"),
        pytest.param("", "c", B, id="of another node"),
        pytest.param("meadow", "b", B, id="of another cluster"),
        pytest.param("meadow", "b", msgspec.structs.replace(B, cluster="meadow"), id="from another cluster"),
    ],
)
def test_a_stranger_finds_the_door_shut(
    settings: MakeSettings, folder: Path, tls: dict[str, Any], where: str, name: str | None, hello: Hello
) -> None:
    mine = settings(**QUICK, **tls)

    async def story(node: Node) -> None:
        answer = await greeted(mine.peer, shown(folder / where, name, folder), hello)
        assert not isinstance(answer, Hello)

    with_node(mine, story)


def test_a_peer_without_tls_finds_the_door_shut(settings: MakeSettings, tls: dict[str, Any]) -> None:
    mine = settings(**QUICK, **tls)

    async def story(node: Node) -> None:
        assert await greeted(mine.peer, None, B) is None

    with_node(mine, story)


def test_a_node_tells_nothing_to_whom_it_dials_without_the_right_certificate(
    settings: MakeSettings, folder: Path, tls: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """At b's address stands somebody with c's certificate, who says that he is b."""
    mine = settings(**QUICK, **tls)
    heard: list[bytes] = []

    async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(FrameDecoder(HELLO_BYTES_MAX).feed(await reader.read(65536)))
        writer.write(encode_frame(encode(B)))
        while data := await reader.read(65536):
            heard.append(data)
        writer.close()

    async def story(node: Node) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "authority.pem"))
        context.load_cert_chain(str(folder / "c.pem"), str(folder / "c.key"))
        address = mine.peers["b"]
        async with await asyncio.start_server(impostor, address.host, address.port, ssl=context):
            while "shows no certificate of node b" not in caplog.text:
                await asyncio.sleep(0.01)
        assert all(isinstance(decode_greeting(payload), Hello) for payload in heard)

    with_node(mine, story)


def test_a_cluster_with_tls_serves_clients_over_tls(tmp_path: Path, folder: Path) -> None:
    flags = {"tls.authority": folder / "authority.pem", "tls.clients": True}
    with LocalCluster(tmp_path / "cluster", cluster="orchard", flags=flags, certificates=folder) as cluster:
        cluster.wait_for_leader()
        address = cluster.clients["a"]
        common: dict[str, Any] = {"host": "127.0.0.1", "port": address.port, "ssl": True}
        with redis.Redis(**common, ssl_ca_certs=str(folder / "authority.pem")) as client:
            assert client.set("x", 1)
            assert client.get("x") == b"1"
        with (
            redis.Redis(**common, ssl_ca_certs=str(folder / "elsewhere" / "authority.pem")) as client,
            pytest.raises(redis.ConnectionError),
        ):
            client.ping()

        async def story() -> None:
            async with Client(cluster.clients, tls=of_client(folder / "authority.pem")) as client:
                assert await client.increment("x") == 2
            with pytest.raises(NoAnswer):
                await ask_status(address)

        asyncio.run(story())
        cluster.stop()


def test_tls_files_that_cannot_be_used_are_named(
    settings: MakeSettings, folder: Path, tls: dict[str, Any]
) -> None:
    async def begin(mine: Settings) -> None:
        async with Node(mine):
            pass

    for key, path in (("certificate", folder / "nowhere.pem"), ("key", folder / "b.key")):
        with pytest.raises(SettingsError, match="tls") as caught:
            asyncio.run(begin(settings(**QUICK, **{**tls, f"tls.{key}": path})))
        assert "\n" not in str(caught.value)


def test_a_node_whose_tls_files_cannot_be_used_makes_nothing(
    settings: MakeSettings, tls: dict[str, Any], tmp_path: Path
) -> None:
    async def begin(mine: Settings) -> None:
        async with Node(mine):
            pass

    with pytest.raises(SettingsError, match="tls"):
        asyncio.run(begin(settings(**{**tls, "tls.authority": tmp_path / "none"}, trace=tmp_path / "trace")))
    assert list(tmp_path.iterdir()) == []


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = serialization.load_pem_private_key((folder / "a.key").read_bytes(), None)
    form, locked = serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    (tmp_path / "a.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))
    with pytest.raises(SettingsError, match="have a password"):
        Contexts.of(
            Tls(authority=folder / "authority.pem", certificate=folder / "a.pem", key=tmp_path / "a.key")
        )


def test_keys_are_for_their_owner_only_and_are_not_overwritten(folder: Path) -> None:
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.glob("*.key"))
    before = (folder / "a.pem").read_bytes()
    with pytest.raises(FileExistsError):
        make_certificates(folder, "orchard", "a", [])
    assert (folder / "a.pem").read_bytes() == before


# Frames ----------------------------------------------------------------------------------


def test_a_frame_that_is_replayed_changes_nothing(settings: MakeSettings) -> None:
    """Without TLS anybody on the network can say again what a peer said: the protocol expects that."""
    mine = settings(**QUICK)

    async def story(node: Node) -> None:
        beat = encode_frame(encode(Heartbeat(MessageId("b", 1, 1), Ballot(7, "b"), 0)))
        for _ in range(2):
            reader, writer = await asyncio.open_connection(mine.peer.host, mine.peer.port)
            writer.write(encode_frame(encode(B)) + beat * 3)
            await reader.read(65536)
            while node.status().leader != "b":
                await asyncio.sleep(0.005)
            writer.close()
        status = node.status()
        assert (status.promised, status.committed) == (None, 0)

    with_node(mine, story)


def test_an_oversized_frame_is_refused_at_its_head(settings: MakeSettings) -> None:
    mine = settings(**QUICK)

    async def story(node: Node) -> None:
        for prefix in (b"", encode_frame(encode(B))):
            reader, writer = await asyncio.open_connection(mine.peer.host, mine.peer.port)
            writer.write(prefix + b"\xff\xff\xff\x7f" + bytes(4))
            while await reader.read(65536):
                pass
            writer.close()

    with_node(mine, story)


def test_who_says_hello_slowly_is_not_waited_for(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "HELLO_S_MAX", 0.05)
    mine = settings(**QUICK)

    async def story(node: Node) -> None:
        reader, writer = await asyncio.open_connection(mine.peer.host, mine.peer.port)
        writer.write(b"\x10")
        assert await reader.read() == b""
        writer.close()

    with_node(mine, story)


@pytest.mark.parametrize(
    "begun", [b"*2\r\n$3\r\nGET\r\n", b"*", b"*1\r\n$4\r\nPIN", b"*1\r\n$4\r\nPING\r\n*1\r\n"]
)
def test_a_command_that_is_begun_and_not_ended_is_not_waited_for(
    settings: MakeSettings, begun: bytes
) -> None:
    mine = settings(**QUICK, **{"clients.idle_ms_max": 40})

    async def story(node: Node) -> None:
        reader, writer = await asyncio.open_connection(mine.client.host, mine.client.port)
        writer.write(begun)
        said = await reader.read()
        assert b"nothing came for too long" in said
        writer.close()

    with_node(mine, story)


def test_a_client_that_only_listens_may_stay(settings: MakeSettings) -> None:
    mine = settings(**QUICK, **{"clients.idle_ms_max": 20})

    async def story(node: Node) -> None:
        reader, writer = await asyncio.open_connection(mine.client.host, mine.client.port)
        for _ in range(2):
            writer.write(encode_command(("PING",)))
            assert await reader.read(100) == b"+PONG\r\n"
            await asyncio.sleep(0.2)
        writer.close()

    with_node(mine, story)


# Passwords -------------------------------------------------------------------------------


def test_a_client_needs_the_password(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK, **{"clients.password": hashed(b"open sesame")})

    def talk() -> None:
        where: dict[str, Any] = {"host": mine.client.host, "port": mine.client.port}
        with redis.Redis(**where) as client, pytest.raises(redis.AuthenticationError):
            client.get("x")
        for wrong in ({"password": "open"}, {"username": "root", "password": "open sesame"}):
            with redis.Redis(**where, **wrong) as client, pytest.raises(redis.AuthenticationError):
                client.get("x")
        for version in (2, 3):
            with redis.Redis(**where, password="open sesame", protocol=version) as client:
                assert client.get("x") is None

    async def told() -> None:
        async with asyncio.timeout(PATIENCE_S), Node(mine):
            await asyncio.to_thread(talk)
            async with Client({"a": mine.client}, password="open sesame") as client:
                await client.set("x", "1")
            async with Client({"a": mine.client}, password="open", timeout_s=0.5) as client:
                with pytest.raises(NoAnswer, match="WRONGPASS"):
                    await client.get("x")
            assert (await ask_status(mine.client, password="open sesame")).keys == 1
            with pytest.raises(NoAnswer, match="NOAUTH") as caught:
                await ask_status(mine.client)
            assert isinstance(caught.value.__cause__, BadCommand)

    asyncio.run(told())


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """No password is checked until it is set."""
    event = Event()

    def is_right_late(password: bytes, kept: str) -> bool:
        return event.wait(PATIENCE_S) and is_right(password, kept)

    monkeypatch.setattr(conversation, "is_right", is_right_late)
    yield event
    event.set()


def test_a_stranger_is_not_read_on_while_the_password_is_checked(
    settings: MakeSettings, held_up: Event
) -> None:
    mine = settings("a", **QUICK, **{"clients.password": hashed(b"secret")})

    async def told() -> None:
        async with asyncio.timeout(PATIENCE_S), Node(mine) as node:
            reader, writer = await asyncio.open_connection(mine.client.host, mine.client.port)
            writer.write(encode_command(("AUTH", "secret")) + encode_command(("SELECT", 0)))
            while not any(client._paused for client in node._clients):
                await asyncio.sleep(0.005)
            [client] = node._clients
            for _ in range(100):
                writer.write(encode_command(("PING",)) * 1000)
                await asyncio.sleep(0)
            assert len(client._queue) < 1000
            held_up.set()
            said = b"+OK\r\n+OK\r\n" + b"+PONG\r\n" * 100_000
            assert await reader.readexactly(len(said)) == said
            writer.close()

    asyncio.run(told())


def test_a_stranger_cannot_have_a_large_command_kept(settings: MakeSettings) -> None:
    mine = settings("a", **QUICK, **{"clients.password": hashed(b"secret")})

    async def told() -> None:
        async with asyncio.timeout(PATIENCE_S), Node(mine):
            reader, writer = await asyncio.open_connection(mine.client.host, mine.client.port)
            writer.write(b"*2\r\n$4\r\nPING\r\n$7000000\r\n" + bytes(600 << 10))
            assert b"before the password" in await reader.read()
            writer.close()
            reader, writer = await asyncio.open_connection(mine.client.host, mine.client.port)
            writer.write(encode_command(("AUTH", "secret")) + encode_command(("PING", bytes(600 << 10))))
            said = b"+OK\r\n$614400\r\n"
            assert await reader.readexactly(len(said)) == said
            writer.close()

    asyncio.run(told())


def test_only_so_many_passwords_wait_to_be_checked(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, held_up: Event
) -> None:
    monkeypatch.setattr(conversation, "PASSWORDS_MAX", 2)
    mine = settings("a", **QUICK, **{"clients.password": hashed(b"secret")})

    async def told() -> None:
        async with asyncio.timeout(PATIENCE_S), Node(mine) as node:
            ends = [await asyncio.open_connection(mine.client.host, mine.client.port) for _ in range(3)]
            for number, (_, writer) in enumerate(ends):
                writer.write(encode_command(("AUTH", "secret")))
                while number < 2 and node._front.passwords_waiting <= number:
                    await asyncio.sleep(0.005)
            assert (await ends[2][0].read()).startswith(b"-BUSY too many passwords")
            ends[1][1].transport.abort()  # whoever hangs up waits no more, once it was looked at
            held_up.set()
            assert await ends[0][0].readline() == b"+OK\r\n"
            while node._front.passwords_waiting:
                await asyncio.sleep(0.005)
            for _, writer in ends:
                writer.close()

    asyncio.run(told())


def test_what_is_kept_of_a_password_is_salted() -> None:
    first, second = hashed(b"secret"), hashed(b"secret")
    assert first != second
    assert "secret" not in first
    assert is_right(b"secret", first)
    assert is_right(b"secret", second)
    assert not is_right(b"Secret", first)


@pytest.mark.parametrize(
    "kept",
    [
        "secret",
        "",
        "scrypt$1$8$1$AAAA$AAAA",
        "md5$2$8$1$AAAA$AAAA",
        "scrypt$2$8$1$$AAAA",
        "scrypt$2$0$1$AAAA$AAAA",
        "scrypt$3$8$1$AAAA$AAAA",
        "scrypt$2$-1$1$AAAA$AAAA",
        "scrypt$1048576$8$1$AAAA$AAAA",
    ],
)
def test_a_password_in_the_clear_is_no_setting(settings: MakeSettings, kept: str) -> None:
    with pytest.raises(SettingsError, match=r"clients.password: .*quorate password"):
        settings(**{"clients.password": kept})


def test_the_admin_port_is_for_this_machine_unless_told_otherwise(settings: MakeSettings) -> None:
    with pytest.raises(SettingsError, match="admin_anywhere"):
        settings(admin="10.0.0.1:7201")
    settings(admin="10.0.0.1:7201", admin_anywhere=True)
    settings(admin="127.0.0.1:7201")

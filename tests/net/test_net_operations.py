"""What an operator relies on: health, metrics, logs, a stop that drains, a lead that is handed over, a trace that may
end."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from quorate.impl.client import Address, Client
from quorate.impl.core.effects import Line, Sent
from quorate.impl.core.messages import NOOP, Accept, Accepted, Ballot, Heartbeat, MessageId, Promise
from quorate.impl.net.admin import REQUEST_BYTES_MAX
from quorate.impl.net.cluster import LocalCluster, free_ports
from quorate.impl.net.logs import Structured
from quorate.impl.net.node import Node
from quorate.impl.net.tracer import WHOLE_BYTES_MAX, Tracer
from quorate.impl.settings import Settings
from quorate.refinement.conformance import conform
from quorate.traces import CannotRecord, Recorder

MakeSettings = Callable[..., Settings]
PATIENCE_S = 60
QUICK = {"timing.heartbeat_ms": 5, "timing.election_ms_min": 20, "timing.election_ms_max": 40}


async def ask(address: Address, request: str) -> tuple[int, str]:
    """A request to the admin port, and the code and body of the answer."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(f"{request} HTTP/1.1\r\nhost: here\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


def with_admin(settings: MakeSettings, nodes: str, story: Callable[[Node, Address], Any]) -> None:
    mine = settings(nodes, **QUICK, admin=f"127.0.0.1:{free_ports(1)[0]}")

    async def told() -> None:
        async with asyncio.timeout(PATIENCE_S), Node(mine) as node:
            assert mine.admin is not None
            await story(node, mine.admin)

    asyncio.run(told())


def test_health_readiness_and_status_are_told(settings: MakeSettings) -> None:
    async def story(node: Node, admin: Address) -> None:
        assert (await ask(admin, "GET /health"))[0] == 200
        while node.status().leader is None:
            await asyncio.sleep(0.005)
        assert (await ask(admin, "GET /ready"))[0] == 200
        code, body = await ask(admin, "GET /status")
        assert code == 200
        assert json.loads(body)["role"] == "leader"

    with_admin(settings, "a", story)


def test_a_node_without_a_leader_is_healthy_and_not_ready(settings: MakeSettings) -> None:
    async def story(node: Node, admin: Address) -> None:
        assert (await ask(admin, "GET /health"))[0] == 200
        assert (await ask(admin, "GET /ready"))[0] == 503

    with_admin(settings, "abc", story)


def test_metrics_are_what_prometheus_reads(settings: MakeSettings) -> None:
    async def story(node: Node, admin: Address) -> None:
        async with Client({"a": node._settings.client}, timeout_s=PATIENCE_S) as client:
            await client.set("x", "1")
            await client.get("x")
        code, body = await ask(admin, "GET /metrics")
        assert code == 200
        found = {
            sample.name: sample.value
            for family in text_string_to_metric_families(body)
            for sample in family.samples
        }
        assert found["quorate_leading"] == 1
        assert found["quorate_writes_total"] == 2, "the beginning of the session, and the write"
        assert found["quorate_reads_total"] == 1
        assert found["quorate_keys"] == 1
        assert found["quorate_ballots_opened_total"] == 1

    with_admin(settings, "a", story)


@pytest.mark.parametrize(
    ("request_line", "code"),
    [
        ("GET /nowhere", 404),
        ("POST /health", 405),
        ("GET /transfer?to=b", 405),
        ("POST /transfer", 400),
        ("POST /transfer?to=a", 400),
        ("GET http://[", 400),
        ("GET ?x", 400),
        ("nonsense", 400),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(
    settings: MakeSettings, request_line: str, code: int
) -> None:
    async def story(node: Node, admin: Address) -> None:
        while node.status().role != "leader":
            await asyncio.sleep(0.005)
        found, body = await ask(admin, request_line)
        assert found == code
        assert json.loads(body)["error"]

    with_admin(settings, "a", story)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/health", 200),
        ("/ready", 503),
        ("/metrics", 200),
        ("/backup", 405),
        ("/nowhere", 404),
        ("http://[", 400),
    ],
)
def test_head_is_answered_as_get_without_the_body(settings: MakeSettings, target: str, code: int) -> None:
    """As load balancers and `curl -I` ask."""

    async def story(node: Node, admin: Address) -> None:
        assert await ask(admin, f"HEAD {target}") == (code, "")

    with_admin(settings, "abc", story)


def test_a_request_that_is_too_large_is_refused(settings: MakeSettings) -> None:
    async def story(node: Node, admin: Address) -> None:
        code, _ = await ask(admin, "GET /" + "x" * (2 * REQUEST_BYTES_MAX))
        assert code in (400, 414, 431)

    with_admin(settings, "a", story)


def test_a_leader_hands_over_when_an_administrator_says_so(tmp_path: Path) -> None:
    ports = dict(zip("abc", free_ports(3), strict=True))
    with LocalCluster(tmp_path / "cluster", admin=ports) as cluster:
        leader = cluster.wait_for_leader()
        cluster.wait_until_caught_up()
        other = next(name for name in cluster.nodes if name != leader)

        def transfer(asked: str) -> int:
            address = cluster.settings[asked].admin
            assert address is not None
            return asyncio.run(ask(address, f"POST /transfer?to={other}"))[0]

        assert transfer(other) == 409
        assert transfer(leader) == 202
        while cluster.leader() != other:
            pass
        cluster.stop()
        assert conform(*cluster.traces).verdict == "conforms"


def test_a_leader_that_is_stopped_in_order_answers_what_it_took_and_another_leads(tmp_path: Path) -> None:
    """Nobody stands for election in time by itself; of a slow machine the leader may ask one peer after the other."""
    flags = {"timing.election_ms_min": 5000, "timing.election_ms_max": 6000}
    with LocalCluster(tmp_path / "cluster", flags=flags) as cluster:
        leader = cluster.wait_for_leader()
        cluster.wait_until_caught_up()

        async def story() -> list[int]:
            async with cluster.client() as client:

                async def count() -> list[int]:
                    return [await client.increment("n") for _ in range(50)]

                counting = asyncio.gather(*(count() for _ in range(8)))
                await asyncio.sleep(0.1)
                await asyncio.to_thread(cluster.stop, leader)
                return [number for sums in await counting for number in sums]

        assert sorted(asyncio.run(story())) == list(range(1, 401))
        statuses = [cluster.status(name) for name in cluster.running()]
        assert all(status.ballots_opened <= 1 for status in statuses), (
            "the lead was handed over, not fought for"
        )
        cluster.stop()
        assert conform(*cluster.traces).verdict == "conforms"


def test_a_log_for_machines_is_one_object_a_line() -> None:
    record = logging.LogRecord("quorate.net", logging.WARNING, "", 0, "two\nlines: %s", ("é",), None)
    line = Structured("a").format(record)
    assert "\n" not in line
    facts = json.loads(line)
    assert (facts["level"], facts["node"], facts["message"]) == ("warning", "a", "two\nlines: é")


# Traces ----------------------------------------------------------------------------------

SAYS_IT_LIVES = Line(
    "ignore", reason="idle", send=(Sent(("b",), Heartbeat(MessageId("a", 1, 1), Ballot(1, "a"), 0)),)
)


def test_a_trace_that_cannot_be_written_ends_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(tmp_path, "a", 1)
    tracer = Tracer(recorder)
    tracer.write(SAYS_IT_LIVES)
    tracer.flush()
    with monkeypatch.context() as patch:
        flush = recorder.flush

        def full() -> None:
            monkeypatch.setattr(recorder, "flush", flush)  # there is room again
            raise CannotRecord("trace", "full", "make room")

        patch.setattr(recorder, "flush", full)
        tracer.write(SAYS_IT_LIVES)
        tracer.flush()
    assert not tracer.is_on
    tracer.write(SAYS_IT_LIVES)
    tracer.flush()
    tracer.close()
    lines = [json.loads(line) for line in (tmp_path / "a-1.ndjson").read_text().splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    assert "the trace ends here" in lines[-1]["reason"]
    assert "the node goes on" in caplog.text


@pytest.mark.parametrize(
    "send",
    [(), (Sent(("a",), Accepted(MessageId("a", 1, 1), Ballot(1, "a"), (1,))),)],
    ids=["no message", "a message to itself"],
)
def test_what_others_hear_of_is_in_the_file_before_and_the_rest_soon_after(
    tmp_path: Path, send: tuple[Sent, ...]
) -> None:
    tracer = Tracer(Recorder(tmp_path, "a", 1))
    file = tmp_path / "a-1.ndjson"

    def kept() -> int:
        return len(file.read_text().splitlines()) if file.exists() else 0

    tracer.write(Line("ignore", reason="nobody hears of it", send=send))
    tracer.flush()
    assert kept() == 0
    tracer.write(Line("ignore", reason="nor of this", send=send))
    tracer.flush()
    assert kept() == 0
    tracer.flush(all_lines=True)
    assert kept() == 2, "at the latest with the next tick"
    tracer.write(Line("ignore", reason="nobody hears of it", send=send))
    tracer.write(SAYS_IT_LIVES)
    tracer.write(Line("ignore", reason="nor of this", send=send))
    tracer.flush()
    assert kept() == 5, "a message leaves behind this, with all that was before it"
    tracer.write(Line("ignore", reason="nobody hears of it", send=send))
    tracer.close()
    assert kept() == 6


def test_a_trace_that_holds_the_node_up_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quorate.impl.net.tracer.FLUSH_S_MAX", -1.0)
    tracer = Tracer(Recorder(tmp_path, "a", 1))
    tracer.write(SAYS_IT_LIVES)
    tracer.flush()
    assert not tracer.is_on


def test_a_trace_has_digests_of_large_values_and_small_ones_as_they_are(tmp_path: Path) -> None:
    small, large = b"s" * WHOLE_BYTES_MAX, b"l" * (WHOLE_BYTES_MAX + 1)
    ballot = Ballot(1, "b")
    entries = ((1, small), (2, large), (3, NOOP))
    accept = Accept(MessageId("b", 1, 1), ballot, entries, 0)
    promise = Promise(
        MessageId("a", 1, 1), ballot, tuple((slot, ballot, value) for slot, value in entries), 0
    )
    line = Line("accept", recv=accept, ballot=ballot, entries=entries, send=(Sent(("b",), promise),))
    shown: dict[bool, list[str]] = {}
    for whole in (False, True):
        tracer = Tracer(Recorder(tmp_path / str(whole), "a", 1), whole=whole)
        tracer.write(line)
        tracer.close()
        told = json.loads((tmp_path / str(whole) / "a-1.ndjson").read_text())
        shown[whole] = [value for _, value in told["entries"]]
        assert [value for _, value in told["recv"]["entries"]] == shown[whole]
        assert [value for _, _, value in told["send"][0]["accepted"]] == shown[whole]
    assert shown[True] == [base64.b64encode(value).decode() for value in (small, large, NOOP)]
    assert shown[False] == [shown[True][0], f"blake2b:{blake2b(large, digest_size=16).hexdigest()}", "noop"]


def test_a_node_whose_trace_ends_early_serves_on(settings: MakeSettings, tmp_path: Path) -> None:
    mine = settings("a", **QUICK, trace=tmp_path / "trace")

    async def story() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            Node(mine) as node,
            Client({"a": mine.client}, timeout_s=PATIENCE_S) as client,
        ):
            await client.set("x", "1")
            assert node.status().tracing
            assert node._tracer is not None
            node._tracer._give_up("it is told to")
            await client.set("x", "2")
            assert not node.status().tracing

    asyncio.run(story())
    result = conform(tmp_path / "trace")
    assert result.verdict == "conforms"


def test_a_trace_goes_on_in_new_files_and_conforms(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster", flags={"trace_file_bytes": 4096}) as cluster:
        cluster.wait_for_leader()

        async def story() -> None:
            async with cluster.client() as client:
                for _ in range(60):
                    await client.increment("n")

        asyncio.run(story())
        cluster.wait_until_caught_up()
        cluster.stop()
        assert len(cluster.traces) > 6
        assert conform(*cluster.traces).verdict == "conforms"

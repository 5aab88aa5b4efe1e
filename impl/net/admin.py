"""The administrator's port: health, metrics and the few things that a person may do, over HTTP.

It does not know Multi-Paxos. It has no password: it listens on the loopback unless a person says otherwise. Requests
are read by h11, one connection at a time as each comes, and none may be large or slow.

    GET  /health     200 while the process works
    GET  /ready      200 while it knows a leader, so that what it is asked can be done; 503 otherwise
    GET  /status     what `STATUS` tells, in JSON
    GET  /metrics    for Prometheus
    POST /transfer?to=NODE   have another node lead
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import h11
import msgspec

from .metrics import CONTENT_TYPE, exposition
from .wire import NodeStatus

REQUEST_S_MAX: Final = 10.0
REQUEST_BYTES_MAX: Final = 16 << 10

log = logging.getLogger("quorate.admin")


class Answer(NamedTuple):
    """What is said back."""

    code: int
    body: bytes
    kind: str = "application/json"


class Admin:
    """Answers requests about one node. `transfer` has the named node lead."""

    def __init__(self, status: Callable[[], NodeStatus], transfer: Callable[[str], None]) -> None:
        self._status = status
        self._transfer = transfer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request on a connection, and end it."""
        try:
            async with asyncio.timeout(REQUEST_S_MAX):
                connection = h11.Connection(h11.SERVER, max_incomplete_event_size=REQUEST_BYTES_MAX)
                answer = await self._answer_to(connection, reader)
                writer.write(_written(connection, answer))
                await writer.drain()
        except OSError as error:
            log.warning("closed a connection: %s", str(error) or "nothing came for too long")
        finally:
            writer.close()

    async def _answer_to(self, connection: h11.Connection, reader: asyncio.StreamReader) -> Answer:
        try:
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await reader.read(4096))
                elif isinstance(event, h11.Request):
                    return self.answer(event.method.decode(), event.target.decode())
                else:
                    return Answer(400, b'{"error":"no request came"}')
        except h11.RemoteProtocolError as error:
            return _said(error.error_status_hint, error=str(error))

    def answer(self, method: str, target: str) -> Answer:
        """The answer to a request."""
        parts = urlsplit(target)
        match method, parts.path:
            case "GET", "/health":
                return _said(200, healthy=True)
            case "GET", "/ready":
                leader = self._status().leader
                return _said(200 if leader is not None else 503, ready=leader is not None, leader=leader)
            case "GET", "/status":
                return Answer(200, msgspec.json.encode(self._status()))
            case "GET", "/metrics":
                return Answer(200, exposition(self._status()), CONTENT_TYPE)
            case "POST", "/transfer":
                return self._transferred(parse_qs(parts.query).get("to", [""])[0])
            case _, ("/health" | "/ready" | "/status" | "/metrics" | "/transfer"):
                return _said(405, error=f"{method} is not for {parts.path}")
            case _:
                return _said(404, error="there are /health, /ready, /status, /metrics and /transfer")

    def _transferred(self, to: str) -> Answer:
        status = self._status()
        if status.role != "leader":
            return _said(409, error=f"{status.node} does not lead; ask {status.leader or 'the leader'}")
        if to == status.node or to not in status.nodes:
            return _said(400, error=f"name another node: /transfer?to=NODE, of {', '.join(status.nodes)}")
        self._transfer(to)
        return _said(202, asked=to)


def _said(code: int, **facts: object) -> Answer:
    return Answer(code, msgspec.json.encode(facts))


def _written(connection: h11.Connection, answer: Answer) -> bytes:
    headers = [
        ("content-type", answer.kind),
        ("content-length", str(len(answer.body))),
        ("connection", "close"),
    ]
    parts = (
        connection.send(h11.Response(status_code=answer.code, headers=headers)),
        connection.send(h11.Data(data=answer.body)),
        connection.send(h11.EndOfMessage()),
    )
    return b"".join(part or b"" for part in parts)

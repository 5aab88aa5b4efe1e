"""The administrator's port: health, metrics and the few things that a person may do, over HTTP.

It does not know Multi-Paxos. It has no password: it listens on the loopback unless a person says otherwise. Requests
are read by h11, one a connection, and none may be large or slow.

    GET  /health     200 while the process works
    GET  /ready      200 while it knows a leader, so that what it is asked can be done; 503 otherwise
    GET  /status     what `STATUS` tells, in JSON
    GET  /metrics    for Prometheus
    GET  /backup     a backup (`impl.backup`) as a stream; with ?stale=1 also while nobody leads
    HEAD ...         as GET, without the body; not of a backup
    POST /transfer?to=NODE   have another node lead
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit

import h11
import msgspec

from .errors import NoAnswer
from .metrics import CONTENT_TYPE, exposition
from .wire import NodeStatus

REQUEST_S_MAX: Final = 10.0
REQUEST_BYTES_MAX: Final = 16 << 10
STALLED_S_MAX: Final = 30.0
"""Whoever is sent a backup and takes nothing for so long is given up."""

Transfer: TypeAlias = Callable[[str], None]
"""Have the named node lead."""

Backup: TypeAlias = Callable[[bool], Awaitable[Iterator[bytes]]]
"""Take a backup; of this node's own state, if so. Raises NoAnswer."""

log = logging.getLogger("quorate.admin")


class Request(NamedTuple):
    """What is asked for."""

    method: str
    path: str
    """Empty if the target cannot be read."""
    query: dict[str, list[str]]


class Answer(NamedTuple):
    """What is said back."""

    code: int
    body: bytes
    kind: str = "application/json"


class Admin:
    """Answers requests about one node."""

    def __init__(self, status: Callable[[], NodeStatus], transfer: Transfer, backup: Backup) -> None:
        self._status = status
        self._transfer = transfer
        self._backup = backup
        self._backing_up = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request on a connection, and end it."""
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=REQUEST_BYTES_MAX)
        try:
            async with asyncio.timeout(REQUEST_S_MAX):
                asked = await _asked(connection, reader)
            if isinstance(asked, Request) and asked[:2] == ("GET", "/backup"):
                await self._back_up(connection, writer, stale="stale" in asked.query)
            else:
                answer = asked if isinstance(asked, Answer) else self._answer(asked)
                is_head = isinstance(asked, Request) and asked.method == "HEAD"
                await _send(writer, _written(connection, answer, bodiless=is_head))
        except OSError as error:
            log.warning("closed a connection: %s", str(error) or "nothing came for too long")
        finally:
            writer.close()

    async def _back_up(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, *, stale: bool
    ) -> None:
        if self._backing_up:
            answer = _said(409, error="a backup is being taken; ask again when that is done")
            await _send(writer, _written(connection, answer))
            return
        self._backing_up = True
        try:
            pieces = await self._backup(stale)
            head = _head(connection, 200, "application/octet-stream", ("transfer-encoding", "chunked"))
            await _send(writer, head)
            while piece := await asyncio.to_thread(next, pieces, b""):
                await _send(writer, connection.send(h11.Data(data=piece)))
            await _send(writer, connection.send(h11.EndOfMessage()))
        except NoAnswer as error:
            answer = _said(503, error=f"{error}; ask again, or for /backup?stale=1")
            await _send(writer, _written(connection, answer))
        finally:
            self._backing_up = False

    def _answer(self, asked: Request) -> Answer:
        match asked.method, asked.path:
            case _, "":
                return _said(400, error="the target has no path, as /health is one")
            case (("GET" | "HEAD"), "/health"):
                return _said(200, healthy=True)
            case (("GET" | "HEAD"), "/ready"):
                leader = self._status().leader
                return _said(200 if leader is not None else 503, ready=leader is not None, leader=leader)
            case (("GET" | "HEAD"), "/status"):
                return Answer(200, msgspec.json.encode(self._status()))
            case (("GET" | "HEAD"), "/metrics"):
                return Answer(200, exposition(self._status()), CONTENT_TYPE)
            case "POST", "/transfer":
                return self._transferred(asked.query.get("to", [""])[0])
            case _, ("/health" | "/ready" | "/status" | "/metrics" | "/backup" | "/transfer"):
                return _said(405, error=f"{asked.method} is not for {asked.path}")
            case _:
                return _said(404, error="there are /health, /ready, /status, /metrics, /backup and /transfer")

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


async def _asked(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | Answer:
    """The request that comes, or the answer to what is none."""
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(4096))
            elif isinstance(event, h11.Request):
                return _request(event)
            else:
                return Answer(400, b'{"error":"no request came"}')
    except h11.RemoteProtocolError as error:
        return _said(error.error_status_hint, error=str(error))


def _request(event: h11.Request) -> Request:
    try:
        target = urlsplit(event.target.decode())
        return Request(event.method.decode(), target.path, parse_qs(target.query))
    except ValueError:
        return Request(event.method.decode(), "", {})


def _written(connection: h11.Connection, answer: Answer, *, bodiless: bool = False) -> bytes:
    head = _head(connection, answer.code, answer.kind, ("content-length", str(len(answer.body))))
    body = None if bodiless else connection.send(h11.Data(data=answer.body))
    return b"".join(part or b"" for part in (head, body, connection.send(h11.EndOfMessage())))


def _head(connection: h11.Connection, code: int, kind: str, length: tuple[str, str]) -> bytes | None:
    headers = [("content-type", kind), length, ("connection", "close")]
    return connection.send(h11.Response(status_code=code, headers=headers))


async def _send(writer: asyncio.StreamWriter, data: bytes | None) -> None:
    async with asyncio.timeout(STALLED_S_MAX):
        writer.write(data or b"")
        await writer.drain()

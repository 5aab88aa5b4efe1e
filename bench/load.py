"""Load on a server that speaks RESP, and what it cost: closed loop (each client waits) and open loop (arrivals do not).

Every figure is of one run in one process; latencies are of every request. In an open loop a request's latency counts
from when it was due, so a server that stalls is not flattered by the requests that were not sent meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import hiredis

from quorate.impl.client.link import encode_command

VALUE = b"x" * 100
KEYS = 10_000


@dataclass(frozen=True)
class Loaded:
    """What a run showed: requests a second, and latencies in milliseconds."""

    rate: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    errors: int


def loaded(latencies_s: Sequence[float], seconds: float, errors: int) -> Loaded:
    """The summary of a run. Raises ValueError if nothing was answered."""
    if not latencies_s:
        raise ValueError("nothing was answered")
    ordered = sorted(latencies_s)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000

    return Loaded(len(ordered) / seconds, at(0.5), at(0.99), ordered[-1] * 1000, errors)


class Talker(asyncio.Protocol):
    """One connection, and when each request that has no answer yet was due."""

    def __init__(self, done: Answered) -> None:
        self.due: deque[float] = deque()
        self._done = done
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]

    def send(self, request: bytes, due: float) -> None:
        assert self._transport is not None
        self.due.append(due)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self._done.answered(self, self.due.popleft(), isinstance(reply, hiredis.ReplyError))


class Answered:
    """Counts answers, and sends the next request where each client waits for its last."""

    def __init__(self, request: str, count: int, *, closed: bool) -> None:
        self.latencies: list[float] = []
        self.errors = 0
        self.all_done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent = 0
        self._request = request
        self._count = count
        self._closed = closed

    def next(self) -> bytes:
        """The next request."""
        self.sent += 1
        key = b"key:%08d" % (self.sent * 7919 % KEYS)
        return encode_command(("SET", key, VALUE) if self._request == "set" else ("GET", key))

    def answered(self, talker: Talker, due: float, failed: bool) -> None:
        now = time.perf_counter()
        self.latencies.append(now - due)
        self.errors += failed
        if len(self.latencies) >= self._count:
            if not self.all_done.done():
                self.all_done.set_result(None)
        elif self._closed and self.sent < self._count:
            talker.send(self.next(), now)


async def closed_loop(port: int, request: str, clients: int, count: int) -> Loaded:
    """So many clients, each of which waits for an answer before it asks again."""
    done = Answered(request, count, closed=True)
    talkers = await _connected(port, clients, done)
    began = time.perf_counter()
    for talker in talkers[:count]:
        talker.send(done.next(), time.perf_counter())
    await done.all_done
    return loaded(done.latencies, time.perf_counter() - began, done.errors)


async def open_loop(port: int, request: str, clients: int, rate: float, count: int) -> Loaded:
    """So many requests a second, evenly, over so many connections, whether the server keeps up or not."""
    done = Answered(request, count, closed=False)
    talkers = await _connected(port, clients, done)
    began = time.perf_counter()
    while done.sent < count:
        due = began + done.sent / rate
        ahead = due - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        talkers[done.sent % clients].send(done.next(), due)
    await done.all_done
    return loaded(done.latencies, time.perf_counter() - began, done.errors)


async def _connected(port: int, clients: int, done: Answered) -> list[Talker]:
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Talker(done), "127.0.0.1", port) for _ in range(clients)]
    return [talker for _, talker in made]


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """PORT set|get CLIENTS COUNT [RATE]: one run, as JSON."""
    port, request, clients, count, *rate = sys.argv[1:]
    given = (int(port), request, int(clients))
    run = open_loop(*given, float(rate[0]), int(count)) if rate else closed_loop(*given, int(count))
    try:
        import uvloop
    except ImportError:
        found = asyncio.run(run)
    else:
        found = uvloop.run(run)
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()

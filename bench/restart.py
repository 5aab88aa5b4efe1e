"""How long a node takes to start again after much history: with checkpoints, and with its whole log.

    ./dev bench restart [COMMANDS ...] [--json FILE]

A history of so many commands, 100-byte values under 100,000 keys, is written to a data folder by a replica of its own,
in this process, 256 to a batch, with and without checkpoints (20,000 slots apart, the default, if the log is also a
fourth as large as the last one).  Then a real process starts in that folder, the only node of its cluster, and is asked
until it answers: how it does (it has recovered), and to store a value (it has led, and applied its log).  The first row
is a folder with nothing in it; `inf` is more than a minute.  Wall clock, median of three starts, each ended by SIGKILL.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quorate.impl.client import NoAnswer, ask_status
from quorate.impl.core.effects import Apply, Checkpoint, Effect, Persist, Truncate
from quorate.impl.core.events import Checkpointed, Event, Persisted, Start, Submitted, Tick
from quorate.impl.core.replica import Replica
from quorate.impl.kv.image import freeze
from quorate.impl.kv.machine import Batch, KeyValue, encode
from quorate.impl.net.cluster import LocalCluster
from quorate.impl.settings import Settings
from quorate.impl.storage import DurableLog, Identity

SIZES = (0, 100_000, 1_000_000)
KEYS = 100_000
CLIENTS = 16
BATCH = 256
STARTS = 3

Row = dict[str, Any]


class Writer:
    """A replica alone with its disk: what it is given it commits, applies and checkpoints, one step after another."""

    def __init__(self, settings: Settings) -> None:
        identity = Identity(settings.cluster, settings.node)
        self.log, opened = DurableLog.open(settings.data, identity, segment_bytes=settings.segment_bytes)
        self.replica = Replica(settings.replica_config(opened.boot), opened.state)
        self.machine = KeyValue()
        self.checkpoints = 0
        self.take(Start(0, 0.0))
        now_ms = 0
        while self.replica.status().role != "leader":
            now_ms += 100
            self.take(Tick(now_ms, 0.0))

    def take(self, event: Event) -> None:
        """Take a step, and all that follow from it."""
        waiting: list[Event] = [event]
        while waiting:
            for effect in self.replica.step(waiting.pop(0)):
                waiting += self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> list[Event]:
        if isinstance(effect, Persist):
            self.log.commit(effect.records)
            return [Persisted(effect.number)]
        if isinstance(effect, Apply):
            for slot, value in effect.entries:
                self.machine.apply(slot, value)
        elif isinstance(effect, Checkpoint):
            self.checkpoints += 1
            size = self.log.checkpoint(effect.slot, freeze(self.machine).parts())
            return [Checkpointed(effect.slot, size)]
        elif isinstance(effect, Truncate):
            self.log.truncate(effect.slot)
        return []


def commands(count: int) -> Iterator[bytes]:
    """So many commands, of several clients, over all keys."""
    for number in range(count):
        sequence = b"%d" % (number // CLIENTS + 1)
        session = [b"SESSION", b"client %d" % (number % CLIENTS), sequence, sequence]
        command = [b"SET", b"key %d" % (number * 7919 % KEYS), b"%0100d" % number]
        yield encode(Batch("a.1", number + 1, [[*session, *command]]))


def write(settings: Settings, count: int) -> tuple[int, int]:
    """Write a history; how many checkpoints it has, and how many bytes are left of it."""
    writer = Writer(settings)
    waiting: list[tuple[int, bytes]] = []
    for ticket, value in enumerate(commands(count)):
        waiting.append((ticket, value))
        if len(waiting) == BATCH:
            writer.take(Submitted(tuple(waiting)))
            waiting = []
    if waiting:
        writer.take(Submitted(tuple(waiting)))
    assert writer.machine.applied >= count, "everything is applied"
    writer.log.close()
    return writer.checkpoints, sum(path.stat().st_size for path in settings.data.iterdir())


def start(cluster: LocalCluster) -> tuple[float, float]:
    """Seconds from the start of the process until it tells its status, and until it has stored a value."""

    async def ask(began: float) -> tuple[float, float]:
        async with cluster.client() as client:
            while True:
                try:
                    await ask_status(cluster.clients["a"])
                    break
                except NoAnswer:  # not up yet
                    await asyncio.sleep(0.01)
            recovered = time.perf_counter() - began
            try:
                await client.set("asked", "now")
            except NoAnswer:  # it has not led in a minute
                return recovered, float("inf")
            return recovered, time.perf_counter() - began

    began = time.perf_counter()
    cluster.start("a")
    try:
        return asyncio.run(ask(began))
    finally:
        cluster.kill("a")


def measure(count: int, checkpoint_entries: int) -> Row:
    """Print a row, and give it."""
    with tempfile.TemporaryDirectory() as folder:
        flags = {"checkpoint_entries": checkpoint_entries, "log_bytes_max": 192 << 20}
        cluster = LocalCluster(Path(folder), ("a",), trace=False, flags=flags)
        checkpoints, size = write(cluster.settings["a"], count) if count else (0, 0)
        runs = [start(cluster) for _ in range(STARTS)]
    recovered, stored = (statistics.median(x) for x in zip(*runs, strict=True))
    print(
        f"{count:>9}  {checkpoints:>11}  {size / 2**20:>9.0f}  {recovered:>9.2f}  {stored:>6.2f}", flush=True
    )
    return {
        "commands": count,
        "checkpoint_entries": checkpoint_entries,
        "checkpoints": checkpoints,
        "bytes": size,
        "recovered_s": recovered,
        "stored_s": None if stored == float("inf") else stored,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench restart", description=__doc__)
    parser.add_argument("commands", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    given = parser.parse_args()
    print(f"{'commands':>9}  {'checkpoints':>11}  {'disk, MiB':>9}  {'recovered':>9}  {'stored':>6}")
    rows = [
        measure(size, checkpoint_entries)
        for size in given.commands
        for checkpoint_entries in ((20_000, 0) if size else (20_000,))
    ]
    if given.json is not None:
        given.json.write_text(json.dumps({"load": os.getloadavg(), "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

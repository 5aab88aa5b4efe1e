"""Whether a node's memory is flat: how much each of three nodes holds while many commands go through them.

    ./dev bench memory [--commands 10000000] [--steps 20] [--json FILE] [--folder FOLDER]

100-byte values under 100,000 keys, so that the state stops growing soon; 50 connections of redis-benchmark with 16 in
flight each, at the leader; checkpoints as by default (one after 64 MiB of commands, here some 500,000), and so a log
that is truncated. After each step a row: the largest resident set that each node had in it (sampled every quarter of a
second), and what each has on disk. At the end, how much more the last quarter had than the second; in the first the
state still grows. Ctrl-C ends it early, with what was measured so far. Needs redis-benchmark (apt install redis-tools).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quorate.impl.net.cluster import LocalCluster

KEYS = 100_000
SAMPLE_S = 0.25

Row = dict[str, Any]


def main() -> int:
    given = arguments()
    if shutil.which("redis-benchmark") is None:
        print("redis-benchmark is not installed; apt install redis-tools", file=sys.stderr)
        return 2
    rows: list[Row] = []
    code = 0
    with tempfile.TemporaryDirectory(prefix="quorate-memory-", dir=given.folder) as folder:
        try:
            measure(Path(folder), given.commands, given.steps, rows)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            code = 130
    for node, growth in grown(rows).items():
        print(f"{node}: {growth:+.1%} from the second quarter to the last")
    if given.json is not None:
        given.json.write_text(
            json.dumps({"load": os.getloadavg(), "rows": rows, "grown": grown(rows)}, indent=1),
            encoding="utf-8",
        )
    return code


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench memory", description=__doc__)
    parser.add_argument("--commands", type=int, default=10_000_000, metavar="N")
    parser.add_argument("--steps", type=int, default=20, metavar="N", help="how many rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--folder", type=Path, help="where the nodes keep their logs")
    return parser.parse_args()


def measure(folder: Path, commands: int, steps: int, rows: list[Row]) -> None:
    """Load a cluster, and add a row after each step."""
    with LocalCluster(folder / "cluster", trace=False) as cluster:
        port = cluster.clients[cluster.wait_for_leader()].port
        pids = {node: process.pid for node, process in cluster.processes.items()}
        nodes = "".join(f"{node + ', MiB':>10}{'on disk':>10}" for node in cluster.nodes)
        print(f"{'commands':>12}{'seconds':>9}{'rate/s':>9}{nodes}", flush=True)
        began = time.perf_counter()
        for step in range(1, steps + 1):
            count = commands * step // steps - commands * (step - 1) // steps
            with sampled(pids) as peaks:
                taken = load(port, count)
            row: Row = {
                "commands": commands * step // steps,
                "seconds": time.perf_counter() - began,
                "rate": count / taken,
                "rss_mib": dict(peaks),
                "disk_mib": {node: on_disk_mib(folder / "cluster" / node) for node in cluster.nodes},
            }
            rows.append(row)
            held = "".join(f"{row['rss_mib'][x]:10.1f}{row['disk_mib'][x]:10.1f}" for x in cluster.nodes)
            print(f"{row['commands']:12,}{row['seconds']:9.1f}{row['rate']:9,.0f}{held}", flush=True)
        cluster.stop()


def load(port: int, count: int) -> float:
    """Send so many SETs, and return the seconds that they took."""
    command = ["redis-benchmark", "-p", str(port), "-t", "set", "-n", str(count), "-c", "50", "-P", "16"]
    command += ["-d", "100", "-r", str(KEYS), "--csv"]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


@contextmanager
def sampled(pids: Mapping[str, int]) -> Iterator[dict[str, float]]:
    """The largest resident set of each process while the block runs, in MiB."""
    peaks = {name: rss_mib(pid) for name, pid in pids.items()}
    over = threading.Event()

    def look() -> None:
        while not over.wait(SAMPLE_S):
            for name, pid in pids.items():
                peaks[name] = max(peaks[name], rss_mib(pid))

    sampler = threading.Thread(target=look, daemon=True)
    sampler.start()
    try:
        yield peaks
    finally:
        over.set()
        sampler.join()


def rss_mib(pid: int) -> float:
    """What a process has resident; 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def on_disk_mib(folder: Path) -> float:
    """What the files of a folder have; one that is removed meanwhile counts nothing."""
    total = 0
    for path in folder.iterdir():
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total / 2**20


def grown(rows: Sequence[Row]) -> dict[str, float]:
    """By node, how much more it held in the last quarter of the rows than in the second; nothing for too few rows."""
    quarter = len(rows) // 4
    if not quarter:
        return {}

    def peak(some: Sequence[Row], node: str) -> float:
        return max(float(row["rss_mib"][node]) for row in some)

    second, last = rows[quarter : 2 * quarter], rows[-quarter:]
    return {node: peak(last, node) / peak(second, node) - 1 for node in rows[0]["rss_mib"]}


if __name__ == "__main__":
    sys.exit(main())

"""The server under load, beside etcd and PySyncObj in the same run: rates, latencies, processor time, dying leaders.

    ./dev bench serve [--short] [--json FILE] [--elections 30] [--only quorate ...]

Three nodes on loopback, each with its log on the disk under the folder for temporary files; 100-byte values; every
node of quorate and etcd syncs before it answers.  Each load runs three times, the systems in turn; the table has the
medians.  quorate is driven by redis-benchmark and etcd by h2load, both in C, one request in flight a connection, so
that neither client is what is measured.  PySyncObj never syncs, and its caller is the leading process itself: it is
marked, and no like-for-like comparison.  Beside them stand the disk's own figure and, for an open loop, the latencies
that our own generator sees.  On a machine that does other work compare ratios and processor time, not rates.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from quorate.bench.churn import Runs, elections, phase1
from quorate.bench.load import Loaded, cpu_s
from quorate.bench.rivals import Etcd, pysyncobj
from quorate.impl.net.cluster import LocalCluster

HERE = Path(__file__).parent
REPETITIONS = 3
TURNS = 15
CHURN_S = 60.0
LOADS = (("set", 1, 1, 3_000), ("set", 64, 1, 30_000), ("set", 256, 1, 40_000), ("get", 64, 1, 40_000))
PIPELINED = (("set", 50, 16, 200_000), ("get", 50, 16, 200_000))
OPEN_RATES = (500, 2_000, 5_000)


def main() -> int:
    given = arguments()
    runs: Runs = []
    folder = Path(tempfile.mkdtemp(prefix="quorate-bench-", dir=given.folder))
    try:
        report_disk(folder, runs)
        for system in ("quorate", "etcd", "pysyncobj"):
            if not given.only or system in given.only:
                measure(system, folder, runs, 10 if given.short else 1)
        if not given.only or "tracing" in given.only:
            tracing(folder, runs, 10 if given.short else 1)
        if not given.only or "churn" in given.only:
            phase1(folder, CHURN_S / 10 if given.short else CHURN_S, runs)
            if given.elections:
                elections(folder, given.elections, runs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    summary(runs)
    if given.json is not None:
        given.json.write_text(json.dumps({"load": os.getloadavg(), "runs": runs}, indent=1), encoding="utf-8")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench serve", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a tenth of the requests: to see that it works")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write every run there, for bench/serve_plots.py"
    )
    parser.add_argument("--elections", type=int, default=30, metavar="N", help="how often a leader is killed")
    parser.add_argument(
        "--only", action="append", metavar="SYSTEM", help="quorate, etcd, pysyncobj, tracing, churn"
    )
    parser.add_argument(
        "--folder", type=Path, help="where the nodes keep their logs: on the disk to be measured"
    )
    return parser.parse_args()


def report_disk(folder: Path, runs: Runs, count: int = 300) -> None:
    """How long 4 KiB take to be durable, in a preallocated file: the floor under every write."""
    took = []
    descriptor = os.open(folder / "disk", os.O_RDWR | os.O_CREAT)
    os.pwrite(descriptor, bytes(count * 4096), 0)
    os.fsync(descriptor)
    for at in range(count):
        began = time.perf_counter()
        os.pwrite(descriptor, b"x" * 4096, at * 4096)
        os.fdatasync(descriptor)
        took.append((time.perf_counter() - began) * 1000)
    os.close(descriptor)
    runs.append(
        {"system": "disk", "p50_ms": statistics.median(took), "p99_ms": sorted(took)[int(count * 0.99)]}
    )
    print(f"disk: 4 KiB durable in {statistics.median(took):.2f} ms (median)", flush=True)


def measure(system: str, folder: Path, runs: Runs, divisor: int) -> None:
    """All loads on one system, each three times."""
    if system == "pysyncobj":
        for flight, count in ((1, 300), (64, 3000)):

            def once_more(
                number: int, load: tuple[int, int] = (flight, count // divisor)
            ) -> tuple[Loaded, None]:
                return pysyncobj(folder / f"p{load[0]}-{number}", *load), None

            repeat(runs, {"system": system, "request": "set", "clients": flight, "pipelined": 1}, once_more)
        return
    if system == "etcd" and (missing := Etcd.missing()) is not None:
        print(f"etcd: {missing}")
        return
    with etcd(folder) if system == "etcd" else quorate(folder) as (run, pids):
        loads = LOADS if system == "etcd" else LOADS + PIPELINED
        for request, clients, pipelined, count in loads:

            def once(
                _: int, load: tuple[str, int, int, int] = (request, clients, pipelined, count // divisor)
            ) -> Any:
                before = sum(map(cpu_s, pids))
                found = run(*load)
                return found, (sum(map(cpu_s, pids)) - before) / load[3] * 1e6

            what = {"system": system, "request": request, "clients": clients, "pipelined": pipelined}
            repeat(runs, what, once)
        if system == "quorate":
            open_loops(run.port, runs, divisor)


def repeat(runs: Runs, what: dict[str, Any], once: Callable[[int], tuple[Loaded, float | None]]) -> None:
    for number in range(REPETITIONS):
        try:
            found, cpu_us = once(number)
        except (OSError, ValueError, TimeoutError, subprocess.SubprocessError) as error:
            print(f"{what['system']}: {error}", flush=True)
            return
        runs.append({**what, **asdict(found), "cpu_us": cpu_us})
        say = (
            f"{what['system']}: {what['request']}, {what['clients']} clients, {what['pipelined']} at a time: "
        )
        cost = "" if cpu_us is None else f", {cpu_us:.0f} us of the three servers' processor time a request"
        print(say + f"{found.rate:,.0f}/s, p50 {found.p50_ms:.2f} ms{cost}", flush=True)


class RedisBenchmark:
    """Drives a port with redis-benchmark."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(self, request: str, clients: int, pipelined: int, count: int) -> Loaded:
        command = [
            "redis-benchmark",
            "-p",
            str(self.port),
            "-t",
            request,
            "-n",
            str(count),
            "-c",
            str(clients),
        ]
        command += ["-P", str(pipelined), "-d", "100", "-r", "10000", "--csv"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        [row] = csv.DictReader(io.StringIO(said))
        return Loaded(
            float(row["rps"]),
            float(row["p50_latency_ms"]),
            float(row["p99_latency_ms"]),
            float(row["max_latency_ms"]),
            0,
        )


@contextmanager
def quorate(folder: Path, *, traced: bool = False) -> Iterator[tuple[RedisBenchmark, list[int]]]:
    """Three nodes, and a way to load their leader."""
    with LocalCluster(folder / f"quorate-{traced}", trace=traced) as cluster:
        port = cluster.clients[cluster.wait_for_leader()].port
        yield RedisBenchmark(port), [process.pid for process in cluster.processes.values()]
        cluster.stop()


@contextmanager
def etcd(folder: Path) -> Iterator[tuple[Any, list[int]]]:
    with Etcd(folder / "etcd") as cluster:
        port = cluster.leader_port()
        yield (
            lambda request, clients, _, count: cluster.run(port, request, clients, count),
            [process.pid for process in cluster.processes],
        )


def open_loops(port: int, runs: Runs, divisor: int) -> None:
    """Latencies at given rates, as our own generator sees them."""
    for rate in OPEN_RATES:
        count = max(100, rate * 5 // divisor)
        command = [sys.executable, str(HERE / "load.py"), str(port), "set", "64", str(count), str(rate)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        runs.append({"system": "quorate, open loop", "asked": rate, **found})
        print(
            f"quorate, open loop: {rate}/s asked, {found['rate']:,.0f}/s answered, "
            f"p50 {found['p50_ms']:.2f}, p99 {found['p99_ms']:.2f} ms",
            flush=True,
        )


def summary(runs: Runs) -> None:
    """Medians, side by side."""
    print(f"\n{'load':34}{'system':18}{'rate/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'cpu us':>9}{'to etcd':>9}")
    table: dict[tuple[Any, ...], dict[str, Runs]] = {}
    for run in runs:
        if "clients" in run:
            load = (run["request"], run["clients"], run["pipelined"])
            table.setdefault(load, {}).setdefault(run["system"], []).append(run)
    for (request, clients, pipelined), systems in table.items():
        rival = systems.get("etcd")
        for system, found in systems.items():
            rate, p50, p99 = (
                statistics.median(run[key] for run in found) for key in ("rate", "p50_ms", "p99_ms")
            )
            costs = [run["cpu_us"] for run in found if run["cpu_us"] is not None]
            cost = f"{statistics.median(costs):9.0f}" if costs else f"{'':>9}"
            ratio = f"{rate / statistics.median(run['rate'] for run in rival):8.1f}x" if rival else ""
            name = f"{request}, {clients} clients, {pipelined} at a time"
            print(f"{name:34}{system:18}{rate:10,.0f}{p50:9.2f}{p99:9.2f}{cost}{ratio}")


def tracing(folder: Path, runs: Runs, divisor: int) -> None:
    """What recording a trace takes of the rate and of the processor: two clusters side by side, loaded in turn, one of
    them traced."""
    with quorate(folder / "plain") as plain, quorate(folder / "traced", traced=True) as traced:
        for request, clients, pipelined, count in (LOADS[1], PIPELINED[0]):
            costs: dict[str, list[float]] = {"plain": [], "traced": []}
            rates: dict[str, list[float]] = {"plain": [], "traced": []}
            for _ in range(TURNS):
                for name, (run, pids) in (("plain", plain), ("traced", traced)):
                    before = sum(map(cpu_s, pids))
                    rates[name].append(run(request, clients, pipelined, count // divisor).rate)
                    costs[name].append((sum(map(cpu_s, pids)) - before) / (count // divisor) * 1e6)
            runs.append(
                {
                    "system": "tracing",
                    "request": request,
                    "flying": clients * pipelined,
                    **costs,
                    "rates": rates,
                }
            )
            print(
                f"tracing: {request}, {clients} clients, {pipelined} at a time: "
                f"requests/s {_compared(rates)}; us of processor time a request {_compared(costs)} "
                f"(medians of {TURNS}, and of their {TURNS} ratios)",
                flush=True,
            )


def _compared(found: dict[str, list[float]]) -> str:
    """What it is without a trace and with one, and the median of the ratios of those measured one after the other."""
    ratios = [with_it / without for with_it, without in zip(found["traced"], found["plain"], strict=True)]
    without, with_it = statistics.median(found["plain"]), statistics.median(found["traced"])
    return f"{without:,.0f} without, {with_it:,.0f} with, {statistics.median(ratios) - 1:+.0%}"


if __name__ == "__main__":
    sys.exit(main())

"""Other systems that the server is measured beside: three nodes of etcd, and three of PySyncObj.

Whatever is not installed is said to be so. A cluster is a context manager and ends what it started.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from quorate.bench.load import Loaded, loaded
from quorate.impl.net.cluster import free_ports

PATIENCE_S = 30.0


class Etcd:
    """Three nodes of etcd with their defaults: every one of them syncs. Driven by h2load, which speaks its gRPC."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self.processes: list[subprocess.Popen[bytes]] = []
        self.ports: list[int] = []

    @staticmethod
    def missing() -> str | None:
        """What would have to be installed."""
        for program, package in (("etcd", "etcd-server"), ("h2load", "nghttp2-client")):
            if shutil.which(program) is None:
                return f"{program} is not installed (package {package})"
        return None

    def __enter__(self) -> Self:
        ports = free_ports(6)
        self.ports = ports[:3]
        peers = [f"http://127.0.0.1:{port}" for port in ports[3:]]
        cluster = ",".join(f"n{at}={peer}" for at, peer in enumerate(peers))
        self._folder.mkdir(parents=True)
        for at, (port, peer) in enumerate(zip(self.ports, peers, strict=True)):
            url = f"http://127.0.0.1:{port}"
            command = ["etcd", "--name", f"n{at}", "--data-dir", str(self._folder / f"n{at}")]
            command += ["--listen-client-urls", url, "--advertise-client-urls", url]
            command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
            command += ["--initial-cluster", cluster, "--log-level", "error"]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.processes.append(process)
            self._stack.callback(process.wait)
            self._stack.callback(process.kill)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def leader_port(self) -> int:
        """Wait for a leader; its clients' port."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for port in self.ports:
                try:
                    said = self._post(port, "maintenance/status")
                except OSError:
                    continue
                if said.get("leader", "0") == said["header"]["member_id"]:
                    return port
            time.sleep(0.1)
        raise TimeoutError("etcd has no leader")

    def _post(self, port: int, path: str) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v3/{path}", data=b"{}")
        with urllib.request.urlopen(request, timeout=2) as answer:
            return json.load(answer)

    def run(self, port: int, request: str, clients: int, count: int) -> Loaded:
        """One closed loop: so many connections with one request in flight each."""
        key, value = b"key:00000001", b"x" * 100
        body = bytes([0x0A, len(key)]) + key
        if request == "set":
            body += bytes([0x12, len(value)]) + value
        data, log = self._folder / "body", self._folder / "log"
        data.write_bytes(b"\0" + len(body).to_bytes(4, "big") + body)
        log.unlink(missing_ok=True)
        method = "Put" if request == "set" else "Range"
        command = ["h2load", "-n", str(count), "-c", str(clients), "-m", "1", "-d", str(data)]
        command += [f"--log-file={log}", "-H", "content-type: application/grpc", "-H", "te: trailers"]
        command += [f"http://127.0.0.1:{port}/etcdserverpb.KV/{method}"]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        rows = [line.split("\t") for line in log.read_text(encoding="utf-8").splitlines()]
        errors = sum(row[1] != "200" for row in rows)
        return loaded([int(row[2]) / 1e6 for row in rows], seconds, errors)


PYSYNCOBJ = """
import sys, time, json, threading
from pysyncobj import SyncObj, SyncObjConf
from pysyncobj.batteries import ReplDict
me, *others = sys.argv[1:4]
journal, count, flight = sys.argv[4], int(sys.argv[5]), int(sys.argv[6])
kept = ReplDict()
node = SyncObj(me, others, consumers=[kept],
               conf=SyncObjConf(journalFile=journal, appendEntriesUseBatch=False, dynamicMembershipChange=False))
while not node.isReady() or node._getLeader() is None: time.sleep(0.05)
time.sleep(1)
if count and str(node._getLeader()) == me or (count and "lead" in sys.argv):
    latencies, room, done = [], threading.Semaphore(flight), threading.Semaphore(0)
    began = time.perf_counter()
    def put(number):
        at = time.perf_counter()
        def answered(result, error):
            latencies.append(time.perf_counter() - at); room.release(); done.release()
        kept.set("key:%08d" % (number % 10000), "x" * 100, callback=answered)
    for number in range(count):
        room.acquire(); put(number)
    for number in range(count): done.acquire()
    print(json.dumps([latencies, time.perf_counter() - began]), flush=True)
else:
    time.sleep(3600)
"""


def pysyncobj(folder: Path, flight: int, count: int) -> Loaded:
    """One run of PySyncObj at its leader: it never syncs, and its caller is the node itself, without a hop.

    Raises FileNotFoundError if it is not installed.
    """
    folder.mkdir(parents=True)
    script = folder / "node.py"
    script.write_text(PYSYNCOBJ, encoding="utf-8")
    names = [f"127.0.0.1:{port}" for port in free_ports(3)]
    with ExitStack() as stack:
        processes = []
        for name in names:
            others = [other for other in names if other != name]
            command = [sys.executable, str(script), name, *others, str(folder / name.replace(":", "-"))]
            process = subprocess.Popen(
                [*command, str(count), str(flight)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            processes.append(process)
        deadline = time.monotonic() + 4 * PATIENCE_S
        import selectors

        with selectors.DefaultSelector() as selector:
            for process in processes:
                assert process.stdout is not None
                selector.register(process.stdout, selectors.EVENT_READ)
            ready = selector.select(deadline - time.monotonic())
        for key, _ in ready:
            line = key.fileobj.readline()  # type: ignore[union-attr]
            if line:
                latencies, seconds = json.loads(line)
                return loaded(latencies, seconds, 0)
    raise FileNotFoundError("pysyncobj gave no answer, or is not installed (the bench extra has it)")

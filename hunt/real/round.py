"""A round: a cluster of real processes under load, a plan's faults done to it, everything set right, and the judges.

Once all is right again every client must be answered, the nodes must come to the same state, and stop in order. That
is waited for generously; no verdict depends on how fast the machine is.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from ...impl.core.messages import Slot
from ...impl.net.cluster import POLL_S, LocalCluster, caught_up, free_ports, leading
from ...impl.net.errors import ClusterError
from ...impl.sim.history import History, shown
from ...impl.sim.world import Complaint
from ...refinement.judge import Judge
from .disks import Disks
from .faults import Faults
from .judging import Ending, judged
from .links import Links
from .load import PROGRESS_S, Load, stale_state
from .schedule import Plan, encode

PLAN: Final = "plan.json"
TRACES: Final = "traces"
HISTORY: Final = "operations.ndjson"
STORY: Final = "failure.txt"

STOP_MS_MAX: Final = 40_000
"""An orderly stop on a machine that is busy."""

Progress: TypeAlias = Callable[[str], object]


@dataclass(frozen=True)
class Round:
    """What came of a plan. `complaints` name each rule that was broken, `doubts` what could not be judged."""

    plan: Plan
    complaints: tuple[Complaint, ...]
    doubts: tuple[str, ...]
    seconds: float
    lines: int
    """Of the traces, judged."""
    slots: int
    operations: int
    """What clients asked."""
    answered: int
    faults: Counter[str]
    events: Counter[str]
    """Lines of the traces, by event."""
    not_tried: tuple[str, ...]
    """Faults of the plan that this machine did not allow, each with the reason."""

    @property
    def verdict(self) -> Literal["clean", "fails", "undecided"]:
        if self.complaints:
            return "fails"
        return "undecided" if self.doubts else "clean"

    @property
    def again(self) -> str:
        """The command that has the same done to another cluster."""
        return f"quorate hunt --real --seed {self.plan.seed} --nodes {self.plan.nodes}"

    def json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "seed": self.plan.seed,
            "nodes": self.plan.nodes,
            "verdict": self.verdict,
            "complaints": [{"rule": each.rule, "sentence": each.sentence} for each in self.complaints],
            "doubts": list(self.doubts),
            "seconds": round(self.seconds, 3),
            "lines": self.lines,
            "slots": self.slots,
            "operations": self.operations,
            "answered": self.answered,
            "faults": dict(sorted(self.faults.items())),
            "events": dict(sorted(self.events.items())),
            "not_tried": list(self.not_tried),
            "again": self.again,
        }


class _Happening:
    """A round under way, and what it leaves to the judges."""

    def __init__(self, plan: Plan, folder: Path, disks: Disks | None, say: Progress) -> None:
        self.plan: Final = plan
        self.complaints: Final[list[Complaint]] = []
        self.cluster: Final = _cluster(plan, folder)
        self.load: Final = Load(plan, self.cluster.clients, self.complaints.append)
        self.faults: Counter[str] = Counter()
        self.ending: Ending | None = None
        self._disks = disks
        self._say = say

    async def run(self) -> None:
        """All of it; every process has ended when this returns or raises."""
        cluster = self.cluster
        async with Links({node: settings.peer for node, settings in cluster.settings.items()}) as links:
            for node, settings in cluster.settings.items():
                changed: dict[str, object] = {"peers": links.peers_of(node)}
                if self._disks is not None:
                    changed["data"] = self._disks.data(node)
                cluster.settings[node] = settings.model_copy(update=changed)
            with cluster:
                await self._lead_through(links)

    async def _lead_through(self, links: Links) -> None:
        if not await self._waited_for(self._leader, "no node leads"):
            return
        faults = Faults(self.plan, self.cluster, links, self._disks, self.complaints.append)
        self.faults = faults.counts
        async with asyncio.TaskGroup() as group:
            loading = group.create_task(self.load.run())
            telling = group.create_task(self._tell(faults))
            try:
                await faults.run()
            finally:
                self.load.over.set()
            self._say("faults are over; every client is to be answered")
            await loading
            telling.cancel()
        faults.check()
        await self._waited_for(self._at_rest, "the nodes do not come to rest at the same slot")
        faults.check()
        await self._stop()

    async def _tell(self, faults: Faults) -> None:
        while True:
            done = ", ".join(f"{count} {name}" for name, count in sorted(faults.counts.items()))
            self._say(f"{len(self.load.history):,} operations, {done or 'no fault yet'}")
            await asyncio.sleep(0.5)

    async def _leader(self) -> str | None:
        return leading(await self.cluster.ask_all())

    async def _at_rest(self) -> Ending | None:
        """What every node has, if all are at the same slot, and still are when all have told: what a gateway was asked
        for and never answered may come late."""
        slot = await self._caught_up()
        if slot is None:
            return None
        try:
            states = {
                node: await stale_state(address, self.load.keys)
                for node, address in self.cluster.clients.items()
            }
        except (ConnectionError, TimeoutError):
            return None
        if await self._caught_up() == slot:
            self.ending = Ending(slot, states)
        return self.ending

    async def _caught_up(self) -> Slot | None:
        return caught_up(await self.cluster.ask_all(), len(self.cluster.nodes))

    async def _waited_for(self, look: Callable[[], Awaitable[object]], complaint: str) -> bool:
        """Does `look` find something in time? If it does not, that is a complaint."""
        deadline_s = time.monotonic() + PROGRESS_S
        while await look() is None:
            if time.monotonic() > deadline_s:
                self.complaints.append(Complaint("progress", f"{complaint} within {PROGRESS_S:g} s"))
                return False
            await asyncio.sleep(POLL_S)
        return True

    async def _stop(self) -> None:
        try:
            await asyncio.to_thread(self.cluster.stop)
        except ClusterError as error:
            self.complaints.append(Complaint("a stop that is not in order", str(error)))


def hold(
    plan: Plan,
    keep: Path,
    *,
    always: bool = False,
    say: Progress = lambda _: None,
    judge: Judge | None = None,
) -> Round:
    """Carry out a plan and judge what came of it. If anything is wrong or undecided, or `always`, what there is to look
    at is written to the folder `keep`.

    Every process and every mount is gone when this returns or raises, KeyboardInterrupt included.
    """
    began_s = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quorate-real-")))
        disks, not_tried = None, []
        if plan.fills_disks:
            disks = stack.enter_context(Disks(folder, plan.names))
            if disks.why_not:
                not_tried.append(f"disks that fill: {disks.why_not}")
                disks = None
        happening = _Happening(plan, folder, disks, say)
        asyncio.run(happening.run())
        say("judging")
        history = happening.load.history
        traces = happening.cluster.traces
        verdict = judged(traces, history, happening.ending, happening.load.keys, judge)
        held = Round(
            plan=plan,
            complaints=(*happening.complaints, *verdict.complaints),
            doubts=tuple(verdict.doubts),
            seconds=time.monotonic() - began_s,
            lines=verdict.lines,
            slots=verdict.slots,
            operations=len(history),
            answered=sum(operation.returned is not None for operation in history),
            faults=happening.faults,
            events=verdict.events,
            not_tried=tuple(not_tried),
        )
        if always or held.verdict != "clean":
            _keep(keep, folder, held, history)
    return held


def _cluster(plan: Plan, folder: Path) -> LocalCluster:
    """The cluster of a plan, none of whose ports is another's."""
    while True:
        admin = dict(zip(plan.names, free_ports(plan.nodes), strict=True))
        cluster = LocalCluster(
            folder,
            plan.names,
            cluster="hunt",
            admin=admin,
            flags={
                "trace_values": "whole",
                "checkpoint_entries": plan.checkpoint_entries,
                "segment_bytes": plan.segment_bytes,
                "timing.heartbeat_ms": plan.heartbeat_ms,
                "timing.election_ms_min": plan.election_ms_min,
                "timing.election_ms_max": plan.election_ms_max,
                "timing.stop_ms_max": STOP_MS_MAX,
            },
        )
        others = {address.port for one in cluster.settings.values() for address in (one.peer, one.client)}
        if not others.intersection(admin.values()):
            return cluster


def _keep(to: Path, folder: Path, held: Round, history: History) -> None:
    """Write down what there is to look at. Traces that are there already are replaced."""
    shutil.rmtree(to / TRACES, ignore_errors=True)
    to.mkdir(parents=True, exist_ok=True)
    if (folder / "trace").is_dir():
        shutil.copytree(folder / "trace", to / TRACES)
    for file in (*folder.glob("*.log"), *folder.glob("*.toml")):
        shutil.copy(file, to / file.name)
    (to / PLAN).write_bytes(encode(held.plan))
    sentences = [f"{each.rule}\n{each.sentence}\n" for each in held.complaints]
    sentences += [f"not decided\n{doubt}\n" for doubt in held.doubts]
    (to / STORY).write_text("\n".join(sentences) or "nothing is wrong with this round\n", encoding="utf-8")
    with (to / HISTORY).open("w", encoding="utf-8") as lines:
        for operation in history:
            told = {
                "client": operation.client,
                "command": shown(operation.command),
                "called": operation.called,
                "returned": operation.returned,
                "reply": shown(operation.reply),
            }
            lines.write(json.dumps(told) + "\n")

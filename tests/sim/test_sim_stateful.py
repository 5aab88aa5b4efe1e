"""Hypothesis drives the simulated world step by step: whatever it does, the run owes what every run owes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from quorate.impl.sim.plan import (
    Caller,
    Crashes,
    Cuts,
    DiskFills,
    Fault,
    Net,
    Pauses,
    Plan,
    PowerFails,
    Sizes,
    Stops,
    SyncFails,
    Transfers,
)
from quorate.impl.sim.witness import judge_by_log
from quorate.impl.sim.world import World
from quorate.refinement.conformance import conform
from quorate.refinement.judge import Judge

JUDGE = Judge()
NODES = st.integers(0, 2)
LASTS = st.sampled_from((20_000, 200_000, 1_000_000))
CALLERS = tuple(Caller(session=number != 1, commands=40, think=20_000) for number in range(3))


class Life(RuleBasedStateMachine):
    """A world of three nodes and three clients, to which things happen."""

    @initialize(seed=st.integers(0, 2**32), in_order=st.booleans(), lost=st.sampled_from((0.0, 0.1)))
    def begin(self, seed: int, in_order: bool, lost: float) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="quorate-life-"))
        net = Net(in_order=in_order, lost=lost, doubled=lost)
        self.world = World(
            Plan(seed=seed, callers=CALLERS, net=net, sizes=Sizes(checkpoint_entries=8)), self.folder
        )
        self.world.begin()

    @rule(ms=st.sampled_from((1, 10, 100, 1000)))
    def time_passes(self, ms: int) -> None:
        self.world.pass_time(1000 * ms)

    def befall(self, fault: Fault) -> None:
        self.world.befall(fault)

    @rule(node=NODES, boundary=st.integers(0, 60), power=st.booleans(), down=LASTS)
    def a_node_dies(self, node: int, boundary: int, power: bool, down: int) -> None:
        self.befall(Crashes(at=0, node=node, boundary=boundary, power=power, down=down))

    @rule(down=LASTS)
    def the_power_fails(self, down: int) -> None:
        self.befall(PowerFails(at=0, down=down))

    @rule(node=NODES, lasts=LASTS, both=st.booleans())
    def a_node_is_cut_off(self, node: int, lasts: int, both: bool) -> None:
        self.befall(Cuts(at=0, sources=(node,), lasts=lasts, both=both))

    @rule(node=NODES, lasts=LASTS)
    def a_node_stands_still(self, node: int, lasts: int) -> None:
        self.befall(Pauses(at=0, node=node, lasts=lasts))

    @rule(node=NODES, lasts=LASTS)
    def a_disk_is_full(self, node: int, lasts: int) -> None:
        self.befall(DiskFills(at=0, node=node, lasts=lasts))

    @rule(node=NODES)
    def a_sync_fails(self, node: int) -> None:
        self.befall(SyncFails(at=0, node=node))

    @rule(node=NODES, down=LASTS)
    def a_node_is_stopped(self, node: int, down: int) -> None:
        self.befall(Stops(at=0, node=node, down=down))

    @rule(node=NODES)
    def a_node_is_to_lead(self, node: int) -> None:
        self.befall(Transfers(at=0, node=node))

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.world.end()
            outcome = self.world.outcome
            assert not outcome.complaints, outcome.complaints[0]
            judged = conform(*sorted(self.folder.iterdir()), spec=JUDGE)
            assert judged.verdict == "conforms", judged.divergence
            assert judge_by_log(outcome.history, outcome.log).outcome == "linearizable"
        finally:
            shutil.rmtree(self.folder)


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

"""Rare scenes: each is reached by a run that is known to reach it, so that what a hunt waits for can be seen at once.

`./dev run python tests/sim/test_sim_scenes.py` looks for short runs of the swarm anew, where that has changed.
"""

from __future__ import annotations

import itertools

import pytest

from quorate.hunt.trial import Bench
from quorate.impl.sim import sights
from quorate.impl.sim.plan import Caller, Cuts, Plan, Timing, Transfers
from quorate.impl.sim.swarm import draw

SEEDS: dict[str, int] = {
    sights.TWICE: 70,
    sights.GAP: 238,
    sights.MANY_VALUES: 393,
    sights.BEHIND: 522,
    sights.LOG_FULL: 683,
    sights.UNPROMISED: 571,
    sights.DISK_FULL: 812,
    sights.DIED_RECOVERING: 1157,
    sights.BALLOTS_COLLIDE: 1198,
    sights.RETRIED: 1296,
    sights.LEFT: 1321,
    sights.INSTALLED: 1453,
    sights.TORN_ACCEPTANCE: 1453,
    sights.TWO_BALLOTS: 1656,
    sights.TWO_LEADERS: 1656,
    sights.ALONE: 1729,
    sights.REPROPOSED: 1729,
    sights.RESTED: 1776,
    sights.TORN_PROMISE: 1846,
    sights.RESENT: 2035,
}
"""Runs of the swarm."""

QUICK = Timing(heartbeat_ms=20, resend_ms=50, election_ms_min=60, election_ms_max=180, quorum_ms=3000)
EAGER = (Caller(session=True, commands=30, think=3000, patience=100_000),) * 3
STEADY = (Caller(session=True, commands=60, think=40_000, patience=100_000),) * 3

DIRECTED: dict[str, Plan] = {
    sights.THREE_LEADERS: Plan(
        seed=0,
        nodes=5,
        ends=1_800_000,
        timing=QUICK,
        callers=EAGER,
        faults=(
            Transfers(at=400_000, node=0),
            Cuts(at=500_000, sources=(0,), lasts=1_000_000),
            Transfers(at=850_000, node=1),
            Cuts(at=950_000, sources=(1,), lasts=600_000),
        ),
    ),
}
"""Runs made for a scene that the swarm rarely comes to."""


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def test_every_scene_has_its_run() -> None:
    assert {*SEEDS, *DIRECTED} == set(sights.ALL)


@pytest.mark.parametrize("scene", sights.ALL)
def test_a_scene_is_reached_by_its_run(bench: Bench, scene: str) -> None:
    trial = bench.hold(DIRECTED[scene] if scene in DIRECTED else draw(SEEDS[scene]))
    assert not trial.failed, trial.complaints
    assert trial.sights[scene], f"it does not come to this any more: {scene}"


def find() -> None:
    """Print the shortest of the first runs of the swarm for each scene, better ones as they come, until Ctrl-C."""
    bench, shortest = Bench(), dict[str, int]()
    for seed in itertools.count():
        trial = bench.hold(draw(seed))
        for scene in trial.sights:
            if trial.lines < shortest.get(scene, 1 << 30):
                shortest[scene] = trial.lines
                print(f"{seed:>6} {trial.lines:>6} lines  {scene}", flush=True)


if __name__ == "__main__":
    find()

"""Rare scenes: each is reached by a run that is known to reach it, so that what a hunt waits for can be seen at once.

`./dev run python tests/sim/test_sim_scenes.py` looks for short runs of the swarm anew, where that has changed.
"""

from __future__ import annotations

import itertools

import pytest

from quorate.hunt.trial import Bench
from quorate.impl.sim import sights
from quorate.impl.sim.plan import Caller, Crashes, Cuts, Net, Plan, Sizes, Timing, Transfers
from quorate.impl.sim.swarm import draw

SEEDS: dict[str, int] = {
    sights.TWO_BALLOTS: 369,
    sights.DIED_RECOVERING: 440,
    sights.BEHIND: 522,
    sights.TWO_LEADERS: 535,
    sights.BALLOTS_COLLIDE: 919,
    sights.RETRIED: 1060,
    sights.ALONE: 1154,
    sights.REPROPOSED: 1154,
    sights.RESENT: 2035,
    sights.INSTALLED: 2826,
    sights.LEFT: 3766,
    sights.TWICE: 3808,
    sights.TORN_PROMISE: 4160,
    sights.UNPROMISED: 4231,
    sights.RESTED: 4302,
    sights.DISK_FULL: 5057,
    sights.TORN_ACCEPTANCE: 5813,
}
"""Runs of the swarm."""

QUICK = Timing(heartbeat_ms=20, resend_ms=50, election_ms_min=60, election_ms_max=180, quorum_ms=3000)
EAGER = (Caller(session=True, commands=30, think=3000, patience=100_000),) * 3
STEADY = (Caller(session=True, commands=60, think=40_000, patience=100_000),) * 3

DIRECTED: dict[str, Plan] = {
    sights.MANY_VALUES: Plan(
        seed=0,
        ends=1_800_000,
        timing=QUICK,
        callers=STEADY,
        sizes=Sizes(checkpoint_entries=0),
        faults=(
            Transfers(at=400_000, node=0),
            Cuts(at=500_000, sources=(0,), lasts=300_000),
            Crashes(at=1_000_000, node=1),
            Crashes(at=1_500_000, node=2),
        ),
    ),
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
    sights.GAP: Plan(
        seed=2,
        ends=1_500_000,
        timing=QUICK,
        callers=EAGER,
        net=Net(lost=0.3, in_order=False),
        sizes=Sizes(batch_entries_max=1, checkpoint_entries=0),
        faults=(Transfers(at=400_000, node=0), Crashes(at=482_000, node=0, down=600_000)),
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

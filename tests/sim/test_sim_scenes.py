"""Rare scenes: each is reached by a seed that is known to reach it, so that what a hunt waits for can be seen at once.

`./dev run python tests/sim/test_sim_scenes.py` finds the seeds anew, where the swarm has changed.
"""

from __future__ import annotations

import itertools

import pytest

from quorate.hunt.trial import Bench
from quorate.impl.sim import sights
from quorate.impl.sim.swarm import draw

SEEDS: dict[str, int] = {}


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def test_every_scene_has_its_seed() -> None:
    assert set(SEEDS) == set(sights.ALL)


@pytest.mark.parametrize("seed", sorted(set(SEEDS.values())))
def test_a_scene_is_reached_by_its_seed(bench: Bench, seed: int) -> None:
    trial = bench.hold(draw(seed))
    assert not trial.failed
    for scene in (name for name, known in SEEDS.items() if known == seed):
        assert trial.sights[scene], f"seed {seed} does not come to this any more: {scene}"


def find() -> None:
    """Print a table of seeds: few seeds, each for as many scenes as it reaches, and quick ones first."""
    bench, reached, left = Bench(), {}, set(sights.ALL)
    for seed in itertools.count():
        trial = bench.hold(draw(seed))
        for scene in left & set(trial.sights):
            reached[scene] = seed
        left -= set(trial.sights)
        if not left:
            break
        print(f"seed {seed}: {len(left)} left", end="\r", flush=True)
    print("SEEDS: dict[str, int] = {")
    names = {getattr(sights, name): name for name in dir(sights) if name.isupper()}
    for scene in sights.ALL:
        print(f"    sights.{names[scene]}: {reached[scene]},")
    print("}")


if __name__ == "__main__":
    find()

"""Thousands of short random schedules; what every run owes is checked by the cluster itself (see conftest)."""

import pytest


@pytest.mark.parametrize("block", range(8))
@pytest.mark.parametrize(
    "shape", ["three", "five", "flexible", "small batches", "rude", "forgetful", "narrow"]
)
def test_any_schedule_agrees_and_comes_to_rest(bare_cluster, shape, block):
    names, config = {
        "three": ("abc", {}),
        "five": ("abcde", {}),
        "flexible": ("abcd", {"phase1": 3, "phase2": 2}),
        "small batches": ("abc", {"batch_entries_max": 2, "window_batches_max": 2, "backlog_entries_max": 4}),
        "forgetful": ("abc", {"checkpoint_entries": 3, "checkpoint_bytes": 9}),
        "narrow": ("abc", {"checkpoint_entries": 9, "log_bytes_max": 30, "batch_entries_max": 1}),
        "rude": ("abc", {"canvass": False, "batch_entries_max": 1}),
    }[shape]
    for seed in range(block * 40, block * 40 + 40):
        cluster = bare_cluster(names, seed, **config).start()
        cluster.crash_chance = 0.001
        cluster.wander(300)
        cluster.heal()

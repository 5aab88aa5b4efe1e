"""A configuration that cannot work is refused at once, in one line that names the field."""

import pytest

from quorate.impl.core.config import Config
from quorate.impl.core.errors import ConfigError


def test_majorities_are_the_default():
    sizes = [Config(node="a", nodes=tuple("abcdefg"[:n]), boot=1).phase2_size for n in range(1, 8)]
    assert sizes == [1, 2, 2, 3, 3, 4, 4]


def test_flexible_quorums_need_only_meet_each_other():
    config = Config(node="a", nodes=tuple("abcd"), boot=1, phase1=3, phase2=2)
    assert (config.phase1_size, config.phase2_size) == (3, 2)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"nodes": ()}, "node: 'a' is not among the nodes"),
        ({"nodes": ("b", "c")}, "node: 'a' is not among the nodes b, c; add it there"),
        ({"nodes": ("a", "a", "b")}, "nodes: a name stands twice in a, a, b; names must differ"),
        ({"nodes": ("a", "")}, "nodes: a name is empty; give every node a name"),
        ({"phase1": 4}, "phase1: a quorum of 4 among 3 nodes is impossible; choose 1 to 3"),
        ({"phase2": -1}, "phase2: a quorum of -1 among 3 nodes is impossible; choose 1 to 3"),
        (
            {"phase1": 2, "phase2": 1},
            "phase1, phase2: quorums of 2 and 1 among 3 nodes need not meet; their sum must be at least 4",
        ),
        ({"phase2": 1}, "phase1, phase2: quorums of 2 and 1 among 3 nodes need not meet"),
        ({"boot": 0}, "boot: 0 is too small; choose 1 or more"),
        ({"window_batches_max": 0}, "window_batches_max: 0 is too small"),
        ({"heartbeat_ms": 50, "election_ms_min": 50}, "election_ms_min: 50 is too small; choose more than"),
        (
            {"heartbeat_ms": 50, "election_ms_min": 500, "election_ms_max": 549},
            "election_ms_max: 549 is too small; choose 550 or more, which is election_ms_min and heartbeat_ms",
        ),
    ],
)
def test_what_cannot_work_is_refused(fields, line):
    with pytest.raises(ConfigError) as refused:
        Config(**{"node": "a", "nodes": ("a", "b", "c"), "boot": 1, **fields})
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)


def test_a_range_of_time_outs_may_be_as_narrow_as_a_heartbeat():
    config = Config(node="a", nodes=("a",), boot=1, heartbeat_ms=50, election_ms_min=500, election_ms_max=550)
    assert config.election_ms_max - config.election_ms_min == config.heartbeat_ms

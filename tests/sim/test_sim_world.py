"""The simulated world: one seed decides everything, and whatever it decides, every run owes the same."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from quorate.hunt.trial import Bench
from quorate.impl.sim.plan import (
    BadPlan,
    BitsRot,
    Caller,
    Crashes,
    Cuts,
    DiskFills,
    Disks,
    DiskSlows,
    Net,
    Pauses,
    Plan,
    PowerFails,
    Sizes,
    Stops,
    SyncFails,
    Timing,
    Transfers,
    encode,
    kind,
    read,
)
from quorate.impl.sim.swarm import draw
from quorate.impl.sim.world import World

TELL = """
import sys, tempfile
from pathlib import Path
from tests.sim.test_sim_world import digest_of
from quorate.impl.sim.swarm import draw
for seed in map(int, sys.argv[1:]):
    print(digest_of(draw(seed)))
"""

BUSY = (
    Caller(session=True, commands=12, think=20_000),
    Caller(session=False, commands=12, think=20_000),
    Caller(session=True, commands=12, think=5_000),
)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def digest_of(plan: Plan, folder: Path | None = None) -> str:
    """Everything that a run leaves, in short."""
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        traces = folder or Path(made)
        outcome = World(plan, traces).run()
        told = hashlib.sha256()
        for file in sorted(traces.iterdir()):
            told.update(file.name.encode() + file.read_bytes())
        told.update(repr([str(operation) for operation in outcome.history]).encode())
        told.update(b"".join(outcome.log))
        told.update(repr((outcome.steps, outcome.lasted, sorted(outcome.counts.items()))).encode())
        return told.hexdigest()


def test_a_seed_gives_the_same_run_in_every_process() -> None:
    seeds = ["3", "20", "45"]
    root = Path(__file__).parents[2]

    def told(hash_seed: str) -> list[str]:
        where = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
        done = subprocess.run(
            [sys.executable, "-c", TELL, *seeds],
            env=where,
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    first = told("1")
    assert len(set(first)) == len(seeds)
    assert told("2") == first


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_runs_of_the_swarm_are_clean(bench: Bench, first: int) -> None:
    for seed in range(first, first + 10):
        trial = bench.hold(draw(seed))
        assert not trial.complaints, f"quorate hunt --seed {seed}: {trial.complaints[0]}"


def test_a_quiet_run_is_answered_without_a_fault(bench: Bench) -> None:
    trial = bench.hold(Plan(seed=1, callers=BUSY))
    assert not trial.failed
    assert trial.operations == 36
    assert trial.slots >= 10
    assert trial.counts["boots"] == 3


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power lost"])
@pytest.mark.parametrize("first", range(1, 121, 20))
def test_a_node_may_die_at_any_boundary(bench: Bench, power: bool, first: int) -> None:
    """What is volatile and what is durable at that moment is what false alarms come from."""
    for boundary in range(first, first + 20):
        crash = Crashes(
            at=400_000, node=boundary % 3, boundary=boundary, power=power, down=60_000, again=boundary % 40
        )
        trial = bench.hold(Plan(seed=boundary, ends=1_500_000, callers=BUSY, faults=(crash,)))
        assert not trial.complaints, f"boundary {boundary}: {trial.complaints[0]}"
        assert trial.counts["boots"] >= 4, f"boundary {boundary} was never reached"


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power lost"])
def test_a_node_may_die_while_it_writes_a_checkpoint(bench: Bench, power: bool) -> None:
    """What justifies a checkpoint is in the trace before that is durable: nothing is left unverified."""
    for boundary in range(150, 170):
        crash = Crashes(at=400_000, node=0, boundary=boundary, power=power, down=20_000)
        sizes = Sizes(checkpoint_entries=2, window_batches_max=1, batch_entries_max=1)
        plan = Plan(seed=7, net=Net(in_order=False), sizes=sizes, callers=(BUSY[0],) * 3, faults=(crash,))
        trial = bench.hold(plan)
        assert not trial.complaints, f"boundary {boundary}: {trial.complaints[0]}"


@pytest.mark.parametrize(
    "fault",
    [
        PowerFails(at=500_000),
        Cuts(at=500_000, sources=(0,), lasts=600_000),
        Cuts(at=500_000, sources=(0, 1), lasts=600_000, both=False),
        Pauses(at=500_000, node=0, lasts=800_000),
        DiskFills(at=500_000, node=1, lasts=600_000),
        SyncFails(at=500_000, node=1),
        BitsRot(at=500_000, node=2),
        Stops(at=500_000, node=0),
    ],
    ids=lambda fault: str(fault.__struct_config__.tag),
)
def test_each_fault_happens_and_is_survived(bench: Bench, fault: object) -> None:
    for seed in range(4):
        plan = Plan(seed=seed, callers=BUSY, net=Net(in_order=False), faults=(fault,))  # type: ignore[arg-type]
        trial = bench.hold(plan)
        assert not trial.complaints, trial.complaints[0]
        assert trial.counts[kind(plan.faults[0])] == 1


@pytest.mark.parametrize(
    ("nodes", "flexible", "spared"), [(1, False, 0), (2, True, 0), (3, True, 1), (5, False, 2), (5, True, 1)]
)
def test_bits_rot_on_no_more_disks_than_can_be_spared(
    bench: Bench, nodes: int, flexible: bool, spared: int
) -> None:
    rot = tuple(BitsRot(at=300_000 + 10_000 * node, node=node, down=50_000) for node in range(nodes))
    plan = Plan(seed=3, nodes=nodes, sizes=Sizes(flexible=flexible), callers=BUSY, faults=rot)
    trial = bench.hold(plan)
    assert not trial.complaints, trial.complaints[0]
    assert trial.counts["rot"] == plan.spared == spared


def test_a_trace_that_ends_in_order_is_whole(tmp_path: Path) -> None:
    assert not World(Plan(seed=1, callers=BUSY), tmp_path).run().complaints
    files = list(tmp_path.iterdir())
    assert len(files) == 3
    for file in files:
        assert json.loads(file.read_text().splitlines()[-1])["event"] == "stop"


def test_what_rots_has_taken_part(bench: Bench) -> None:
    trial = bench.hold(Plan(seed=1, callers=BUSY, faults=(BitsRot(at=0, node=0),)))
    assert not trial.complaints, trial.complaints[0]
    assert not trial.counts["rot"]


def test_a_node_may_wait_for_its_slow_disk_before_it_stops(bench: Bench) -> None:
    slow = tuple(DiskSlows(at=1_700_000, node=node, lasts=1_000_000, factor=100) for node in (0, 1))
    told_to_lead = tuple(Transfers(at=1_750_000, node=node) for node in (0, 1))
    plan = Plan(
        seed=1,
        nodes=2,
        ends=1_800_000,
        disks=Disks(sync_min=60_000, sync_max=60_000),
        callers=(Caller(session=True, commands=1, think=0),),
        faults=slow + told_to_lead,
    )
    trial = bench.hold(plan)
    assert not trial.complaints, trial.complaints[0]
    assert trial.lasted > plan.ends + 5_000_000, "it did wait"


def test_a_leader_with_little_room_catches_up_with_what_it_was_handed(bench: Bench) -> None:
    """Batches that are turned away leave gaps; what stands behind a gap is not applied; what is handed over again too
    soon fills the log, and so on for ever."""
    callers = (
        Caller(session=True, commands=46, think=5_000, patience=300_000),
        Caller(session=True, commands=22, think=5_000, patience=300_000, roams=True),
        Caller(session=True, commands=5, think=5_000, patience=50_000, roams=True),
        Caller(session=True, commands=58, think=200_000, patience=1_000_000, roams=True),
        Caller(session=True, commands=23, think=0, patience=50_000),
    )
    plan = Plan(
        seed=100602,
        nodes=2,
        ends=891_000,
        timing=Timing(election_ms_min=250, election_ms_max=500, quorum_ms=3000, patience_ms=500),
        sizes=Sizes(batch_entries_max=1, window_batches_max=2, backlog_entries_max=2, segment_bytes=2048),
        disks=Disks(sync_min=2_000, sync_max=60_000),
        net=Net(delay_min=200, delay_max=4_000),
        callers=callers,
        faults=(Stops(at=608_885, node=1, down=1_000), Stops(at=686_362, node=0)),
    )
    trial = bench.hold(plan)
    assert not trial.complaints, trial.complaints[0]
    assert trial.slots < 3 * trial.operations


@pytest.mark.parametrize("seed", range(3))
def test_five_candidates_find_a_leader_where_a_message_takes_longer_than_their_range_is_wide(
    bench: Bench, seed: int
) -> None:
    """Without ranges that grow it takes dozens or hundreds of ballots."""
    plan = Plan(
        seed=seed,
        nodes=5,
        ends=1_000_000,
        timing=Timing(heartbeat_ms=20, resend_ms=100, election_ms_min=60, election_ms_max=80, quorum_ms=3000),
        net=Net(delay_min=30_000, delay_max=35_000),
        disks=Disks(sync_min=5_000, sync_max=10_000),
        callers=(Caller(session=True, commands=20, think=5_000, patience=300_000),),
    )
    trial = bench.hold(plan)
    assert not trial.complaints, trial.complaints[0]
    assert trial.events["lead"] == 1
    assert trial.events["prepare"] < 15


def test_a_leader_is_found_where_an_answer_takes_longer_than_questions_wait_to_be_repeated(
    bench: Bench,
) -> None:
    plan = Plan(
        seed=1,
        ends=3_000_000,
        timing=Timing(resend_ms=200, election_ms_min=500, election_ms_max=1000, quorum_ms=3000),
        net=Net(delay_min=110_000, delay_max=130_000),
        callers=(Caller(session=True, commands=5, think=5_000, patience=1_000_000),),
    )
    trial = bench.hold(plan)
    assert not trial.complaints, trial.complaints[0]
    assert trial.slots > 0


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for seed in range(50):
        path.write_bytes(encode(draw(seed)))
        assert read(path) == draw(seed)


def test_what_is_no_plan_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for text in (b"", b"[]", b'{"seed": "x"}', b'{"seed": 1, "fault": []}', b'{"\xff": 1}', b"[" * 9999):
        path.write_bytes(text)
        with pytest.raises(BadPlan, match="is no plan"):
            read(path)
    narrow = Plan(seed=1, timing=Timing(election_ms_min=300, election_ms_max=300))
    hasty = Plan(seed=1, timing=Timing(election_ms_min=100), net=Net(delay_max=30_000))
    for plan in (narrow, hasty, Plan(seed=1, nodes=0)):
        path.write_bytes(encode(plan))
        with pytest.raises(BadPlan, match="no node runs so"):
            read(path)
    with pytest.raises(BadPlan, match="cannot be read"):
        read(tmp_path / "none.json")

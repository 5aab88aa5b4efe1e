"""Every run leaves a trace that reads back, in causal order, with nothing that nobody sent."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from quorate.traces import merge, read


@pytest.mark.parametrize("seed", range(12))
def test_a_run_leaves_a_well_formed_trace_in_causal_order(traces_of_a_run, tmp_path, seed):
    files = []
    for name, text in traces_of_a_run(seed).items():
        files.append(tmp_path / f"{name}.ndjson")
        files[-1].write_text(text)
    written = sum(len(path.read_text().splitlines()) for path in files)
    assert len(list(read(*files))) == written
    steps = list(merge(*files))
    assert len(steps) == written
    assert [step.mark for step in steps if step.mark is not None] == []


def test_only_what_an_event_carries_stands_in_its_line(traces_of_a_run):
    expected = {
        "prepare": {"ballot"},
        "promise": {"ballot"},
        "lead": {"ballot", "quorum"},
        "propose": {"ballot", "entries"},
        "accept": {"ballot", "entries"},
        "apply": {"entries"},
        "checkpoint": {"slot"},
        "truncate": {"slot"},
        "snapshot": {"slot"},
        "resend": set(),
        "nack": {"reason"},
        "ignore": {"reason"},
        "stop": set(),
    }
    seen = set()
    for seed in range(12):
        run = traces_of_a_run(seed, checkpoint_entries=3)
        for line in map(json.loads, "".join(run.values()).splitlines()):
            fields = line.keys() - {"v", "node", "boot", "seq", "event", "recv", "send"}
            if line["event"] == "start":
                assert fields == {"nodes", "promised", "accepted", "low", "ballot_used"}
            elif line["event"] == "commit":
                assert fields in ({"entries", "ballot", "quorum"}, {"entries", "learned"})
            else:
                assert fields == expected[line["event"]]
            seen.add(line["event"])
    assert seen == {*expected, "start", "commit"}


def test_quorums_that_are_no_majorities_stand_in_the_start_line(traces_of_a_run):
    text = traces_of_a_run(0, 10, "abcd", phase1=3, phase2=2)["a"]
    first = json.loads(text.splitlines()[0])
    assert (first.get("phase1"), first["phase2"]) == (None, 2)


def test_a_run_does_not_depend_on_the_hash_seed(traces_of_a_run):
    """The same events give the same trace in a process that hashes strings otherwise."""
    script = (
        "import importlib.util, hashlib;"
        f"spec = importlib.util.spec_from_file_location('cluster', {str(Path(__file__).with_name('conftest.py'))!r});"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module);"
        "print(hashlib.sha256(module.random_run(7, 400, 'abcde').encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2", "3")
    }
    here = "".join(traces_of_a_run(7, 400, "abcde").values())
    assert digests == {hashlib.sha256(here.encode()).hexdigest()}

"""Every `require` of the specification counts: without it some stored trace that diverges would conform.

The golden and the doctored traces are judged by the specification less one `require`, action by action, as conformance
reads it: with what an action of `checkpoint` takes over from `multipaxos`. What then still finds every wrong is either
a trace missing here, or the rules of the format say as much; then the reason is written down, and only then.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from quorate.checker.specification import Specification
from quorate.checker.term import Require
from quorate.refinement.conformance import judged
from quorate.refinement.judge import Judge
from quorate.spec import checkpoint
from quorate.traces.build import Script
from quorate.traces.merge import Step, merge

SPEC = Specification.of(checkpoint)
REQUIRES = [(action, at) for action, step in SPEC.steps.items() for at in range(len(step.requires))]

IMPLIED = {
    "propose: all((a, b) in now.promised for a in q)": (
        "a quorum that is named in `lead` was heard (Rule.HEARD), and no promise is heard that was not given "
        "(Rule.SPOKEN, Rule.RECEIVED)"
    ),
    "checkpoint: all((c, s, b, v) in now.accepted for c in q)": (
        "a checkpoint is of what was applied (Rule.CHECKPOINT), that is, committed (Rule.COMMITTED), and every commit "
        "is held to the specification's `chosen`"
    ),
    "install: (s,) in now.snapshots": (
        "a snapshot is installed that was received (Rule.ASKED, Rule.RECEIVED), and its sender has it (Rule.SPOKEN)"
    ),
}
"""What the rules of the format ask for besides, and how."""


def require_of(action: str, at: int) -> Require:
    return SPEC.steps[action].requires[at]


def named(action: str, at: int) -> str:
    """The action, and the line of the text as it stands there."""
    return f"{action}: {require_of(action, at).place.text}"


def without(action: str, at: int) -> Specification:
    """The specification less one `require`."""
    less, step = copy.copy(SPEC), SPEC.steps[action]
    kept = tuple(each for each in step.requires if each is not require_of(action, at))
    vars(less)["steps"] = {**SPEC.steps, action: dataclasses.replace(step, requires=kept)}
    return less


@pytest.fixture(scope="module")
def traces(
    doctored_traces: Mapping[str, list[dict[str, Any]]], tmp_path_factory: Any
) -> dict[str, list[Step]]:
    """Every stored trace, by name, and read."""
    folder = tmp_path_factory.mktemp("traces")
    stored = {file.stem: file for file in (Path(__file__).parent / "golden").glob("*.ndjson")}
    for name, lines in doctored_traces.items():
        stored[name] = folder / f"{name}.ndjson"
        stored[name].write_text(Script().text(lines), encoding="utf-8")
    return {name: list(merge(file)) for name, file in stored.items()}


@pytest.fixture(scope="module")
def verdicts(traces: dict[str, list[Step]]) -> dict[str, str]:
    return dict(judged_all(traces, SPEC))


def judged_all(traces: dict[str, list[Step]], spec: Specification) -> Iterator[tuple[str, str]]:
    judge = Judge(spec)
    for name, steps in traces.items():
        yield name, judged(steps, judge).verdict


@pytest.mark.parametrize(("action", "at"), REQUIRES, ids=[named(*each) for each in REQUIRES])
def test_some_trace_diverges_by_this_require_alone(
    action: str, at: int, traces: dict[str, list[Step]], verdicts: dict[str, str]
) -> None:
    changed = {name for name, verdict in judged_all(traces, without(action, at)) if verdict != verdicts[name]}
    assert all(verdicts[name] == "diverges" for name in changed), "less is asked for, and more is refused"
    name = named(action, at)
    if name in IMPLIED:
        assert not changed, (
            f"it is not implied: {', '.join(sorted(changed))} would conform; take its reason away"
        )
    else:
        assert changed, "no stored trace needs it: doctor one that does, or write down what implies it"


def test_every_reason_is_of_a_require_that_there_is() -> None:
    assert set(IMPLIED) <= {named(*each) for each in REQUIRES}


def test_the_specification_has_as_many_requires_as_its_text(traces: dict[str, list[Step]]) -> None:
    """None is overlooked: those of the overlay, and those of what it keeps and takes over."""
    places = {(each.place.file, each.place.line) for step in SPEC.steps.values() for each in step.requires}
    files = {path for path, _ in places}
    assert {Path(path).name for path in files} == {"checkpoint.py", "multipaxos.py"}
    told = sum(Path(path).read_text(encoding="utf-8").count("\n    require(") for path in files)
    assert len(places) == len(REQUIRES) == told
    assert len(traces) > 100


def test_a_trace_that_is_not_doctored_conforms(
    verdicts: dict[str, str], doctored_traces: Mapping[str, list[dict[str, Any]]]
) -> None:
    assert {name for name, verdict in verdicts.items() if verdict == "conforms"} == set(verdicts) - set(
        doctored_traces
    )

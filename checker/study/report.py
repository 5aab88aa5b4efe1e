"""A study as a person reads it: each failure in its smallest counterexample, and whether that can happen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..explore.report import counterexample as run_lines
from ..explore.result import violation_json
from ..instance import in_order, plain
from ..prove.counterexample_text import counterexample_lines
from ..prove.proof import outcome_json
from ..prove.report import duration
from .loose import said_order
from .study import Finding, Study

WORDS = {"reachable": "yes", "elsewhere": "likewise", "unreachable": "no", "undecided": "not known"}


def study_lines(study: Study) -> Iterator[str]:
    """The study, a thought a line."""
    for finding in study.findings:
        yield from finding_lines(finding)
        yield ""
    for outcome in study.outcomes:
        if outcome.result == "unknown":
            yield f"{outcome.obligation}: not known ({outcome.reason})"
    yield verdict(study)


def verdict(study: Study) -> str:
    """What came of it, in a sentence."""
    failed, unknown = _count(study, "failed"), _count(study, "unknown")
    words = [f"{failed} of {len(study.outcomes)} obligations fail"] if failed else []
    words += [f"{unknown} are not known"] if unknown else []
    if not words:
        words = [f"all {len(study.outcomes)} obligations that it touches are proved all the same"]
    rest = f"; {study.untouched} do not rest on it" if study.untouched else ""
    return f"{study.title}: {' and '.join(words)}{rest} ({duration(study.seconds)}; {study.solver})"


def _count(study: Study, result: str) -> int:
    return sum(o.result == result for o in study.outcomes)


def finding_lines(finding: Finding) -> Iterator[str]:
    """One failure: the smallest counterexample, and whether it can happen."""
    found = finding.outcome.counterexample
    if found is None:
        return
    yield from counterexample_lines(found, finding.told.lines() if finding.told else ())
    for sort, members in found.instance.members.items():
        if pairs := list(said_order(members)):
            yield f"  nothing is assumed of the order of {sort.__name__}: here {', '.join(pairs)}"
    yield f"  {smallness(finding)}"
    yield from (f"  {line}" for line in reachability_lines(finding))


def fewest(findings: Sequence[Finding]) -> Finding:
    """The one of some failures that is easiest to follow."""
    return min(findings, key=lambda f: f.rows)


def smallness(finding: Finding) -> str:
    """In what sense there is no smaller one."""
    if not finding.smallest:
        return f"With no set empty, no universe of up to {finding.excluded} members has a counterexample."
    fewer = f"fewer than {finding.rows} rows" if finding.rows > 1 else "fewer rows"
    return (
        f"Nothing smaller will do: no universe of {finding.excluded} members or fewer has a counterexample, and none "
        f"of this size has one with {fewer}."
    )


def reachability_lines(finding: Finding) -> Iterator[str]:
    """Whether it can happen, with the shortest way there if it can."""
    r, o = finding.reachability, finding.outcome.obligation
    if r is None:
        return
    states = f"{r.states:,} states"
    breaks = (
        f"breaks {o.conjunct}" if o.claim else f"takes a step that is none of {o.level.split(' is ')[-1]}"
    )
    match r.answer:
        case "reachable":
            yield "Can it happen?  Yes: this very state is reachable."
        case "elsewhere":
            yield f"Can it happen?  This very state is not reachable, but a run in this universe {breaks} ({states})."
        case "unreachable":
            yield f"Can it happen?  Not in this universe: of all its {states} none is this one, and no run {breaks}."
        case "undecided":
            yield f"Can it happen?  Not decided: {r.why} ({states})."
    if r.run is not None:
        yield from (f"  {line}".rstrip() for line in list(run_lines(r.run))[_HEAD[r.answer] :])


_HEAD = {"reachable": 2, "elsewhere": 0}
"""Where the explorer says what the state is that was looked for, that is left out."""


# All of them ---------------------------------------------------------------------------------


def table(studies: Sequence[Study]) -> Iterator[str]:
    """For every invariant what fails without it: the minimality of the proof, a line for each failure."""
    rows = [heads()]
    for study in studies:
        first = study.without
        for finding in study.findings:
            rows.append((first, *cells(finding)))
            first = ""
        if not study.findings:
            rows.append((first, nothing(study), "", "", "", ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip()


def heads() -> tuple[str, str, str, str, str, str]:
    """What stands above the columns of the table."""
    return "without", "fails", "members", "rows", "given", "can it happen?"


def cells(finding: Finding) -> tuple[str, str, str, str, str]:
    """A failure as a line of the table: what fails, how small it is, and whether it can happen."""
    found, r = finding.outcome.counterexample, finding.reachability
    members = sum(map(len, found.instance.members.values())) if found else 0
    can = f"{WORDS[r.answer]}, {r.states:,} states" if r else ""
    return str(finding.outcome.obligation), str(members), str(finding.rows), str(finding.given), can


def nothing(study: Study) -> str:
    """What the table says where nothing fails."""
    unknown = [str(o.obligation) for o in study.outcomes if o.result == "unknown"]
    return f"not known: {', '.join(unknown)}" if unknown else "nothing: it is not needed"


# As data -------------------------------------------------------------------------------------


def study_json(study: Study) -> dict[str, Any]:
    """The study as plain data."""
    return {
        "without": study.without,
        "verdict": study.verdict,
        "seconds": round(study.seconds, 3),
        "solver": study.solver,
        "obligations": [outcome_json(o) for o in study.outcomes],
        "untouched": study.untouched,
        "findings": [finding_json(f) for f in study.findings],
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """A failure as plain data."""
    o, r = finding.outcome.obligation, finding.reachability
    return {
        "level": o.level,
        "action": o.action,
        "conjunct": o.conjunct,
        "rows": finding.rows,
        "given": finding.given,
        "follows": [
            {"relation": f.relation, "rows": [plain(row) for row in in_order(f.rows)], "by": list(f.by)}
            for f in (finding.told.follows if finding.told else ())
        ],
        "no_counterexample_with_members": finding.excluded,
        "smallest": finding.smallest,
        "reachability": r
        and {
            "answer": r.answer,
            "states": r.states,
            "why": r.why or None,
            "run": r.run and violation_json(r.run),
        },
    }

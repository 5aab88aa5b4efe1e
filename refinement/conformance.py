"""Does a trace conform to the specification?  One pass, no search: a line is judged when it comes.

    result = conform("a-1.ndjson", "b-1.ndjson", "c-1.ndjson")
    print(result.verdict, result.divergence)

Linear in the length of the trace.  Memory is that of the specification's state, which grows with the log (see `ledger`)
and not with the number of lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from ..checker.specification import Specification
from ..traces.files import PathLike
from ..traces.merge import Step, merge
from ..traces.strands import Gap
from .divergence import Diverges
from .explanation import Divergence, explain, provenance
from .judge import Judge

Verdict: TypeAlias = Literal["conforms", "diverges", "unverified"]


@dataclass(frozen=True)
class Result:
    """What came out: how many lines were judged, how many facts rest on a gap, and the first divergence if any.

    `torn` are the boots whose trace breaks off in a line, of which it is known that something is missing.
    """

    lines: int
    unverified: int
    divergence: Divergence | None = None
    torn: tuple[Gap, ...] = ()

    @property
    def verdict(self) -> Verdict:
        if self.divergence is not None:
            return "diverges"
        return "unverified" if self.unverified else "conforms"

    def json(self) -> dict[str, Any]:
        """The result as plain data, ready to be printed as JSON."""
        divergence = None if self.divergence is None else self.divergence.json()
        return {
            "verdict": self.verdict,
            "lines": self.lines,
            "unverified": self.unverified,
            "divergence": divergence,
            "torn": [str(gap) for gap in self.torn],
        }


class Conformance:
    """A check in progress, for lines that come one by one in causal order (`traces.merge`).

    `spec` is a specification with the relations and the actions of `spec.multipaxos`; `spec.checkpoint` if nothing is
    said.  A judge who has judged before is taken as he is, and forgets it.
    """

    def __init__(self, spec: Specification | Judge | None = None) -> None:
        if isinstance(spec, Judge):
            spec.clear()
            self.judge = spec
        else:
            self.judge = Judge(spec)
        self.lines = 0
        self.divergence: Divergence | None = None

    def check(self, step: Step) -> Divergence | None:
        """Judge the next line; after a divergence there is nothing left to judge."""
        if self.divergence is not None:
            return self.divergence
        self.lines += 1
        try:
            self.judge.take(step)
        except Diverges as why:
            self.divergence = explain(self.judge, step, why)
        return self.divergence

    def finish(self) -> Result:
        """The trace is over: what came out."""
        if self.divergence is None and (late := self.judge.finish()) is not None:
            self.divergence = explain(self.judge, *late)
        return Result(self.lines, self.judge.unverified, self.divergence)


def conform(*files: PathLike, spec: Specification | Judge | None = None) -> Result:
    """Judge the traces of all nodes, given as files or folders in any order.

    Who has many short ones to judge makes one `Judge`, and gives that.

    Raises `BadTrace` for what cannot be read as a trace.  A divergence says who wrote the rows that contradict it: for
    that the trace is read once more, up to there.
    """
    merged = merge(*files)
    result = replace(judged(merged, spec), torn=merged.gaps)
    if result.divergence is None:
        return result
    again = Judge(spec.ledger.spec if isinstance(spec, Judge) else spec)
    written = provenance(merged, result.divergence, again)
    return replace(result, divergence=result.divergence.with_writers(written))


def judged(steps: Iterable[Step], spec: Specification | Judge | None = None) -> Result:
    """Judge lines that are in causal order."""
    conformance = Conformance(spec)
    for step in steps:
        if conformance.check(step) is not None:
            break
    return conformance.finish()

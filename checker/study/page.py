"""What fails when something is taken away, as a part of the page of a proof: a table, and every counterexample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from .report import cells, fewest, finding_lines, heads, nothing, verdict
from .study import Finding, Study


def studies_section(studies: Sequence[Study]) -> Iterator[str]:
    """A section of the page: the minimality of the proof as a table that leads to the counterexamples below it."""
    if not studies:
        return
    yield "<section><h2>What fails when something is left out</h2>"
    yield "<p>Each counterexample is the smallest there is. The rows that are given bring about the others.</p>"
    yield from table(studies)
    for i, study in enumerate(studies):
        yield f'<h3 id="w{i}">{escape(study.without)}</h3><p>{escape(verdict(study))}</p>'
        shown = fewest(study.findings) if study.findings else None
        for finding in study.findings:
            yield counterexample(finding, finding is shown)
    yield "</section>"


def table(studies: Sequence[Study]) -> Iterator[str]:
    """A row for each failure; what was taken away leads to it."""
    yield '<div class="wide"><table class="listing"><thead><tr>'
    yield "".join(f"<th>{escape(head)}</th>" for head in heads()) + "</tr></thead><tbody>"
    for i, study in enumerate(studies):
        rows = [cells(finding) for finding in study.findings] or [(nothing(study), "", "", "", "")]
        for j, row in enumerate(rows):
            yield "<tr>"
            if j == 0:
                yield f'<th rowspan="{len(rows)}"><a href="#w{i}">{escape(study.without)}</a></th>'
            yield "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>"
    yield "</tbody></table></div>"


def counterexample(finding: Finding, is_open: bool) -> str:
    """A failure, folded unless it is the one that is easiest to follow."""
    text = "\n".join(finding_lines(finding))
    return (
        f'<details{" open" if is_open else ""} class="failed"><summary>{escape(str(finding.outcome.obligation))} '
        f'<b>fails</b></summary><pre class="counterexample">{escape(text)}</pre></details>'
    )

"""The whole proof as one page that can be mailed: matrices, what each proof rests on, counterexamples, the graph.

The page loads nothing: styles, picture and a few lines of script are in it.  Without script it reads the same; the
details of a cell are then opened by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from .counterexample_text import counterexample_lines
from .html_style import SCRIPT, STYLE
from .matrix import Cell, Matrix
from .report import duration, foundation, outside_sentence, said, summary
from .svg import picture


def page(matrix: Matrix, sections: Iterable[str] = ()) -> str:
    """A matrix as an HTML page, with further sections between the matrices and the details."""
    name = escape(matrix.tower.name)
    number = {id(cell): i for i, cell in enumerate(matrix.cells)}
    levels = matrix.levels()
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{name}: the proof</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{STYLE}</style></head><body><main>",
        *heading(matrix),
        *objections(matrix),
        *graph(matrix),
    ]
    for level, cells in levels.items():
        parts.append(f"<section><h2>{escape(level)}</h2>")
        parts += table(matrix, cells, number) if matrix.is_floor(level) else listing(matrix, cells, number)
        parts.append("</section>")
    parts += sections
    parts.append("<section><h2>Every obligation</h2>")
    parts += (text for i, cell in enumerate(matrix.cells) for text in details(matrix, cell, i))
    parts += ["</section></main>", f"<script>{SCRIPT}</script></body></html>"]
    return "\n".join(parts) + "\n"


def heading(matrix: Matrix) -> Iterator[str]:
    """What is claimed of what, and by whom."""
    words = {"proved": "proved", "refuted": "refuted", "unknown": "not known"}
    name = escape(matrix.tower.name)
    yield f'<h1>{name} <span class="verdict {matrix.verdict}">{words[matrix.verdict]}</span></h1>'
    if above := [spec.name for spec in matrix.tower.floors[1:]]:
        yield f"<p>{name} refines {escape(', which refines '.join(above))}.</p>"
    yield "<ul>"
    for run in matrix.runs:
        yield f"<li>{escape(summary(run))}</li>"
    yield "</ul>"
    if sentence := outside_sentence(matrix):
        yield f"<p>{escape(sentence)} They are marked *.</p>"


def objections(matrix: Matrix) -> Iterator[str]:
    """What stands in the way of a proof, each with its counterexample."""
    found = list(matrix.objections())
    if not found:
        return
    yield "<section><h2>What stands in the way</h2>"
    for cell in found:
        o = cell.obligation
        if cell.counterexample is None:
            yield f'<p class="unknown">{escape(str(o))}: not known ({escape(cell.reason)}).</p>'
        else:
            text = "\n".join(counterexample_lines(cell.counterexample))
            yield f'<pre class="counterexample">{escape(text)}</pre>'
    yield "</section>"


def graph(matrix: Matrix) -> Iterator[str]:
    """The proof graph, where it is known what rests on what."""
    if matrix.cores:
        yield f'<section><h2>The proof as a graph</h2><div class="wide graph">{picture(matrix)}</div></section>'


# Matrices ------------------------------------------------------------------------------------


def table(matrix: Matrix, cells: Sequence[Cell], number: dict[int, int]) -> Iterator[str]:
    """Actions by conjuncts; a cell leads to its details."""
    by_name = {(c.obligation.action, c.obligation.conjunct): c for c in cells}
    conjuncts = list(dict.fromkeys(conjunct for _, conjunct in by_name))
    yield '<div class="wide"><table class="matrix"><thead><tr><th></th>'
    for conjunct in conjuncts:
        claim = next(c.obligation.claim for c in cells if c.obligation.conjunct == conjunct)
        yield f'<th title="{escape(claim)}">{escape(conjunct).replace("_", "_<wbr>")}</th>'
    yield "</tr></thead><tbody>"
    for action in dict.fromkeys(action for action, _ in by_name):
        yield f"<tr><th>{escape(action)}</th>"
        for conjunct in conjuncts:
            cell = by_name.get((action, conjunct))
            yield "<td></td>" if cell is None else square(matrix, cell, number[id(cell)])
        yield "</tr>"
    yield "</tbody></table></div>"


def square(matrix: Matrix, cell: Cell, number: int) -> str:
    """A cell: what every solver says, and in small what the proof needs besides the conjunct itself."""
    times = "<br>".join(spoken(matrix, cell))
    others = [n for n in cell.rests_on() if n != cell.obligation.conjunct and not n.startswith("require(")]
    small = f"<small>{escape(', '.join(others))}</small>" if others else ""
    reason = escape(cell.reason or cell.obligation.claim)
    return f'<td class="{cell.result}" title="{reason}"><a href="#c{number}">{times}</a>{small}</td>'


def spoken(matrix: Matrix, cell: Cell) -> Iterator[str]:
    """What each solver says, by name where there are several."""
    for prover in matrix.provers:
        name = f"{prover.split()[0]} " if len(matrix.provers) > 1 and cell.result != "skipped" else ""
        yield escape(name + said(matrix, cell, prover, recalled="").plain)
        if cell.result == "skipped":
            return


def listing(matrix: Matrix, cells: Sequence[Cell], number: dict[int, int]) -> Iterator[str]:
    """The obligations of a refinement, one a row."""
    yield '<div class="wide"><table class="listing"><thead><tr><th></th><th>to show</th><th></th><th>rests on</th>'
    yield "<th>where</th></tr></thead><tbody>"
    for cell in cells:
        o = cell.obligation
        needs = cell.reason if cell.result == "skipped" else foundation(cell) if cell.core else ""
        yield (
            f'<tr class="{cell.result}"><th>{escape(o.action)}</th><td><code>{escape(o.conjunct)}</code></td>'
            f'<td><a href="#c{number[id(cell)]}">{"<br>".join(spoken(matrix, cell))}</a></td>'
            f"<td>{escape(needs)}</td><td>{escape(o.place)}</td></tr>"
        )
    yield "</tbody></table></div>"


# One obligation ------------------------------------------------------------------------------


def details(matrix: Matrix, cell: Cell, number: int) -> Iterator[str]:
    """Everything that is known of one obligation, folded."""
    o = cell.obligation
    yield f'<details id="c{number}" class="{cell.result}"><summary>{escape(str(o))} <b>{cell.result}</b></summary><dl>'
    for term, text in facts(cell):
        yield f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>"
    for run, outcome in zip(matrix.runs, cell.outcomes, strict=True):
        if outcome.result != "skipped":
            took = f"{outcome.result}, {duration(outcome.seconds)}{', cached' if outcome.cached else ''}"
            yield f"<dt>{escape(run.solver)}</dt><dd>{escape(': '.join(filter(None, (took, outcome.reason))))}</dd>"
    yield "</dl>"
    if cell.counterexample is not None:
        yield f'<pre class="counterexample">{escape(chr(10).join(counterexample_lines(cell.counterexample)))}</pre>'
    yield "</details>"


def facts(cell: Cell) -> Iterator[tuple[str, str]]:
    """What is known of an obligation whoever proved it, a term and a text each."""
    o = cell.obligation
    if o.claim:
        yield "claim", o.claim
    yield "where", o.place
    if cell.result == "skipped":
        yield "nothing to prove", cell.reason
        return
    yield "told", ", ".join(dict.fromkeys(h.name for h in o.hypotheses)) or "nothing"
    if cell.result == "proved" and cell.core is not None:
        yield "rests on", foundation(cell)
    if cell.fragment.decidable:
        yield "decidable", "yes"
    else:
        yield "decidable", f"not by its form: it leads from {'; '.join(cell.fragment.reasons())}"
        if cell.core_fragment is not None:
            inside = "yes" if cell.core_fragment.decidable else "nor so"
            yield "decidable with what it rests on alone", inside

"""A proof on the screen: a matrix for every specification, a list for every refinement, and what stands in the way.

Where several solvers were asked, each has its own line in a cell and its own column in a list.  On a terminal the
obligations pass by while they are asked and are set out in tables at the end.  Elsewhere each is one plain line,
printed when it is known.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from .counterexample_text import counterexample_lines
from .matrix import Cell, Matrix
from .proof import Proof, Watcher
from .solving import Outcome

WIDEST = 10_000

STYLES = {"proved": "green", "skipped": "dim", "failed": "bold red", "unknown": "bold yellow"}


@contextmanager
def watching(console: Console) -> Iterator[Watcher]:
    """A watcher that shows every obligation as it is known."""
    if not console.is_terminal:
        yield lambda outcome, done, total: console.print(
            line(outcome), markup=False, highlight=False, soft_wrap=True
        )
        return
    with console.status("reading the specification") as status:
        yield lambda outcome, done, total: status.update(f"{done}/{total}  {escape(str(outcome.obligation))}")


def show(matrix: Matrix, console: Console) -> None:
    """The whole proof: tables if it is a terminal, then what failed or is not known, then a verdict for each run."""
    for level, cells in matrix.levels().items():
        if console.is_terminal:
            show_level(matrix, level, cells, console)
        if matrix.cores:
            show_cores(level, cells, console)
    for cell in matrix.objections():
        style = STYLES[cell.result]
        for text in objection(cell):
            console.print(Text(text, style), soft_wrap=True)
            style = ""
    if sentence := outside_sentence(matrix):
        console.print(Text(sentence), soft_wrap=True, highlight=False)
    for run in matrix.runs:
        console.print(Text(summary(run), STYLES.get(run.verdict, STYLES["failed"])), soft_wrap=True)


# Tables --------------------------------------------------------------------------------------


def show_level(matrix: Matrix, level: str, cells: Sequence[Cell], console: Console) -> None:
    """A specification or a refinement as a table; where that is too wide for the terminal, a line for each cell."""
    is_floor = matrix.is_floor(level)
    table = (actions_by_conjuncts if is_floor else listing)(matrix, level, cells)
    wanted = Measurement.get(console, console.options.update(width=WIDEST), table)
    if (wanted.maximum if is_floor else wanted.minimum) <= console.width:
        console.print(table)
        return
    console.print(Text(level, "italic"))
    for c in cells:
        marks = Text(", ").join(said(matrix, c, prover) for prover in matrix.provers)
        console.print(Text("  ").join([marks, Text(f"{c.obligation.action}: {c.obligation.conjunct}")]))
    if table.caption:
        console.print(Text(str(table.caption), "dim"))


def actions_by_conjuncts(matrix: Matrix, level: str, cells: Sequence[Cell]) -> Table:
    """Actions by conjuncts, `init` first; in a cell the time that it took, a line for each solver."""
    by_name = {(c.obligation.action, c.obligation.conjunct): c for c in cells}
    conjuncts = list(dict.fromkeys(conjunct for _, conjunct in by_name))
    caption = "· cannot change it" + (
        "   * outside the decidable fragment" if any(c.outside for c in cells) else ""
    )
    table = Table(title=level, title_justify="left", caption=caption, caption_justify="left")
    table.add_column("")
    if len(matrix.provers) > 1:
        table.add_column("")
    for conjunct in conjuncts:
        table.add_column(conjunct.replace("_", "_\n"), justify="right", no_wrap=True)
    for action in dict.fromkeys(action for action, _ in by_name):
        row = [by_name.get((action, conjunct)) for conjunct in conjuncts]
        shown = [
            Text("\n").join(said(matrix, c, prover) for prover in matrix.provers) if c else "" for c in row
        ]
        names = ["\n".join(matrix.provers)] if len(matrix.provers) > 1 else []
        table.add_row(action, *names, *shown)
    return table


def listing(matrix: Matrix, level: str, cells: Sequence[Cell]) -> Table:
    """The obligations of a refinement, each with the line of text that it comes from, and a column for each solver.

    Those of one action that are skipped for one reason share a row.
    """
    table = Table(title=level, title_justify="left")
    several = len(matrix.provers) > 1
    for column in ("", "to show", *(matrix.provers if several else ("",)), "where"):
        table.add_column(column)
    for _, same in itertools.groupby(cells, lambda c: (c.obligation.action, c.reason or c.obligation)):
        first, *more = same
        what = ", ".join(c.obligation.conjunct for c in (first, *more))
        style = STYLES["skipped"] if first.result == "skipped" else ""
        text = f"{what} ({first.reason})" if first.result == "skipped" else what
        marks = [said(matrix, first, prover) for prover in matrix.provers]
        table.add_row(first.obligation.action, Text(text, style), *marks, Text(first.obligation.place, style))
    return table


def said(matrix: Matrix, cell: Cell, prover: str, recalled: str = "cached") -> Text:
    """What one solver says of a cell: a time for what is proved, a dot for what was skipped, else the word.

    With several seeds it is the shortest and the longest time, and the worst word.  What was all proved before has the
    word for that, or, if none is given, the time that it took then.
    """
    outcomes = matrix.of_prover(cell, prover)
    result = Cell(cell.obligation, outcomes).result
    style = STYLES[result]
    if result == "skipped":
        return Text("·", style)
    if result != "proved":
        return Text(result.upper(), style)
    mark = " *" if cell.outside else ""
    if recalled and all(o.cached for o in outcomes):
        return Text(f"{recalled}{mark}", style)
    return Text(f"{span([o.seconds for o in outcomes])}{mark}", style)


def span(seconds: Sequence[float]) -> str:
    """A time, or the shortest and the longest of several."""
    shortest, longest = duration(min(seconds)), duration(max(seconds))
    return longest if shortest == longest else f"{shortest} to {longest}"


# What it rests on ----------------------------------------------------------------------------


def show_cores(level: str, cells: Sequence[Cell], console: Console) -> None:
    """What the proof of each cell rests on, a table on a terminal and a line each elsewhere."""
    known = [c for c in cells if c.result == "proved"]
    if not console.is_terminal:
        for c in known:
            console.print(
                f"{c.obligation} rests on {foundation(c)}", markup=False, highlight=False, soft_wrap=True
            )
        return
    table = Table(title=f"{level}: what each proof rests on", title_justify="left")
    for column in ("", "to show", "rests on"):
        table.add_column(column)
    for c in known:
        table.add_row(c.obligation.action, Text(c.obligation.conjunct), Text(foundation(c)))
    console.print(table)


def foundation(cell: Cell) -> str:
    """The hypotheses that a proof uses, in words."""
    if cell.core is None:
        return "what could not be found out"
    if cell.core.vacuous:
        return f"nothing that happens: {', '.join(cell.rests_on())} contradict one another"
    return ", ".join(cell.rests_on()) or "nothing"


def outside_sentence(matrix: Matrix) -> str:
    """How many queries lie outside the decidable fragment, and by whose words; empty if none does."""
    asked = [c for c in matrix.cells if c.result != "skipped"]
    outside = [c for c in asked if c.outside]
    if not outside:
        return ""
    culprits = Counter(name for c in outside for name in c.fragment.culprits())
    words = ", ".join(f"{name} ({count})" for name, count in culprits.most_common())
    by_core = sum(c.core_fragment is not None and c.core_fragment.decidable for c in outside)
    rest = f"; {by_core} of these do with the hypotheses alone that they need" if matrix.cores else ""
    return (
        f"{len(asked) - len(outside)} of {len(asked)} queries lie in the decidable fragment; "
        f"{len(outside)} lead from a sort back to it, by {words}{rest}."
    )


# Lines ---------------------------------------------------------------------------------------


def line(outcome: Outcome) -> str:
    """One obligation in plain text."""
    what = f"{outcome.obligation} ({outcome.obligation.place})"
    if outcome.result == "skipped":
        return f"skipped           {what}: {outcome.reason}"
    took = "cached" if outcome.cached else duration(outcome.seconds)
    return f"{outcome.result:8} {took:>8} {what}"


def objection(cell: Cell) -> Iterator[str]:
    """What stands in the way of a proof."""
    if cell.counterexample is not None:
        yield from counterexample_lines(cell.counterexample)
    else:
        o = cell.obligation
        yield f"{o}: not known ({cell.reason}); neither proved nor refuted, {o.place}"


def summary(proof: Proof) -> str:
    """The verdict of a run in a sentence."""
    asked = len(proof.outcomes) - proof.count("skipped")
    counts = f"{proof.count('proved')} of {asked} obligations proved, {proof.count('skipped')} with nothing to prove"
    cached = f", {proof.cached} cached" if proof.cached else ""
    words = {
        "proved": "proved, for any number of everything",
        "refuted": f"refuted: {proof.count('failed')} failed",
        "unknown": f"not known: {proof.count('unknown')} undecided",
    }
    return f"{proof.tower.name}: {words[proof.verdict]} ({counts}{cached}; {duration(proof.seconds)}; {proof.solver})"


def duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"

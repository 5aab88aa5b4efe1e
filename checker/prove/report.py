"""A proof on the screen: a matrix for every specification, a list for every refinement, and what stands in the way.

On a terminal the obligations pass by while they are asked and are set out in tables at the end.  Elsewhere each is
one plain line, printed when it is known.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from .counterexample_text import counterexample_lines
from .proof import Proof, Watcher
from .solving import Outcome

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


def show(proof: Proof, console: Console) -> None:
    """The whole proof: tables if it is a terminal, then what failed or is not known, then the verdict."""
    if console.is_terminal:
        floors = {spec.name for spec in proof.tower.floors}
        for level, outcomes in by_level(proof).items():
            console.print(matrix(level, outcomes) if level in floors else listing(level, outcomes))
    for outcome in proof.objections():
        style = STYLES[outcome.result]
        for text in objection(outcome):
            console.print(Text(text, style), soft_wrap=True)
            style = ""
    console.print(Text(summary(proof), STYLES.get(proof.verdict, STYLES["failed"])), soft_wrap=True)


def by_level(proof: Proof) -> dict[str, list[Outcome]]:
    """The outcomes of each specification and each refinement, in the order asked."""
    out: dict[str, list[Outcome]] = {}
    for outcome in proof.outcomes:
        out.setdefault(outcome.obligation.level, []).append(outcome)
    return out


# Tables --------------------------------------------------------------------------------------


def matrix(level: str, outcomes: list[Outcome]) -> Table:
    """Actions by conjuncts, `init` first; a cell is the time that it took."""
    cells = {(o.obligation.action, o.obligation.conjunct): o for o in outcomes}
    conjuncts = list(dict.fromkeys(conjunct for _, conjunct in cells))
    table = Table(title=level, title_justify="left", caption="· cannot change it", caption_justify="left")
    table.add_column("")
    for conjunct in conjuncts:
        table.add_column(conjunct.replace("_", "_\n"), justify="right", no_wrap=True)
    for action in dict.fromkeys(action for action, _ in cells):
        row = (cells.get((action, conjunct)) for conjunct in conjuncts)
        table.add_row(action, *(cell(o) if o else "" for o in row))
    return table


def listing(level: str, outcomes: list[Outcome]) -> Table:
    """The obligations of a refinement, each with the line of text that it comes from.

    Those of one action that are skipped for one reason share a row.
    """
    table = Table(title=level, title_justify="left")
    for column in ("", "to show", "", "where"):
        table.add_column(column)
    for _, same in itertools.groupby(outcomes, lambda o: (o.obligation.action, o.reason or o.obligation)):
        first, *more = same
        what = ", ".join(o.obligation.conjunct for o in (first, *more))
        style = STYLES["skipped"] if first.result == "skipped" else ""
        text = f"{what} ({first.reason})" if first.result == "skipped" else what
        table.add_row(
            first.obligation.action, Text(text, style), cell(first), Text(first.obligation.place, style)
        )
    return table


def cell(outcome: Outcome) -> Text:
    """One cell: a time for what is proved, a dot for what was skipped, the word for anything else."""
    words = {"proved": duration(outcome.seconds), "skipped": "·"}
    return Text(words.get(outcome.result, outcome.result.upper()), STYLES[outcome.result])


# Lines ---------------------------------------------------------------------------------------


def line(outcome: Outcome) -> str:
    """One obligation in plain text."""
    what = f"{outcome.obligation} ({outcome.obligation.place})"
    if outcome.result == "skipped":
        return f"skipped           {what}: {outcome.reason}"
    return f"{outcome.result:8} {duration(outcome.seconds):>8} {what}"


def objection(outcome: Outcome) -> Iterator[str]:
    """What stands in the way of a proof."""
    if outcome.counterexample is not None:
        yield from counterexample_lines(outcome.counterexample)
    else:
        o = outcome.obligation
        yield f"{o}: not known ({outcome.reason}); neither proved nor refuted, {o.place}"


def summary(proof: Proof) -> str:
    """The verdict in a sentence."""
    asked = len(proof.outcomes) - proof.count("skipped")
    counts = f"{proof.count('proved')} of {asked} obligations proved, {proof.count('skipped')} with nothing to prove"
    words = {
        "proved": "proved, for any number of everything",
        "refuted": f"refuted: {proof.count('failed')} failed",
        "unknown": f"not known: {proof.count('unknown')} undecided",
    }
    return f"{proof.tower.name}: {words[proof.verdict]} ({counts}; {duration(proof.seconds)}; {proof.solver})"


def duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"

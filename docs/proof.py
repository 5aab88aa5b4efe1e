"""Fills PROOF.md with what the prover says when something is taken from the proof: nothing of it is written by hand.

    ./dev run python docs/proof.py

Each block from a line `<!-- conjunct: NAME -->`, `<!-- axiom: NAME -->`, `<!-- drops: SPEC -->` or `<!-- table -->` to
`<!-- end -->` is made anew; the prose and the pictures around the blocks stay as they are.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from quorate.checker.refinement import Tower
from quorate.checker.specification import Function, brief
from quorate.checker.study.report import cells, fewest, finding_lines
from quorate.checker.study.study import Examiner, Finding, Study
from quorate.refinement.tower import tower

GUIDE = Path(__file__).with_name("PROOF.md")
BLOCK = re.compile(r"<!-- (conjunct|axiom|drops|table):? ?(\w*) -->\n.*?<!-- end -->", re.DOTALL)


@cache
def whole() -> Tower:
    """The tower that the guide is about."""
    return tower("multipaxos")


def conjuncts() -> dict[str, Function]:
    """Every invariant but that of consensus, by name: those of voting first, for they are why."""
    multipaxos, voting, _ = whole().floors
    return {f.__name__: f for spec in (voting, multipaxos) for f in spec.invariants}


@cache
def dropped(name: str) -> Study:
    """What fails without a conjunct."""
    return Examiner().drop(whole(), name)


# Blocks ------------------------------------------------------------------------------------


def said(f: Function) -> str:
    """A conjunct as its specification has it."""
    file = f"spec/{f.__module__.rpartition('.')[2]}.py"
    return f"[`{file}`](../{file}) says:\n\n```python\n{inspect.getsource(f).rstrip()}\n```"


def conjunct(name: str) -> str:
    """A conjunct in its own words, the steps that need it, and a counterexample without it."""
    study = dropped(name)
    needed = "\n".join(f"- `{step}`" for step in steps_of(study))
    return (
        f"{said(conjuncts()[name])}\n\nWithout it, these steps of the proof fail:\n\n{needed}\n\n"
        f"`quorate prove --drop {name}` shows the smallest counterexample to each"
        f"{', this one among them' if len(study.findings) > 1 else ''}:\n\n```\n{told(fewest(study.findings))}\n```"
    )


def axiom(name: str) -> str:
    """What fails without an axiom, and a counterexample in which no set is empty if there is one."""
    study = Examiner().drop_axiom(whole(), name)
    needed = "\n".join(f"- `{step}`" for step in steps_of(study))
    shown = fewest([f for f in study.findings if f.smallest] or study.findings)
    return f"Without it, these steps of the proof fail:\n\n{needed}\n\n```\n{told(shown)}\n```"


def steps_of(study: Study) -> Iterator[str]:
    """The obligations that fail."""
    return (str(f.outcome.obligation) for f in study.findings)


def told(finding: Finding) -> str:
    """A counterexample as the prover prints it."""
    return "\n".join(line.rstrip() for line in finding_lines(finding))


def table() -> str:
    """Every conjunct in a line: what it says, and what needs it."""
    rows = [
        f"| [`{name}`](#{name}) | {f.__module__.rpartition('.')[2]} | {brief(f)} | "
        f"{', '.join(f'`{x}`' for x in needing(name))} |"
        for name, f in conjuncts().items()
    ]
    return "\n".join(["| conjunct | of | says | what fails without it |", "|---|---|---|---|", *rows])


def needing(name: str) -> Iterator[str]:
    """The actions whose steps fail without a conjunct, and the properties that then follow no more, each once."""
    failed = (f.outcome.obligation for f in dropped(name).findings)
    return iter(dict.fromkeys(o.conjunct if o.action == "invariant" else o.action for o in failed))


def drops(name: str) -> str:
    """Every conjunct of a specification's own floor, and the easiest counterexample without it."""
    of = tower(name)
    lines = [
        f"| without, in `{name}` | fails | members | rows | given | can it happen? |",
        "|---|---|---|---|---|---|",
    ]
    for f in of.floors[0].invariants:
        found = Examiner().drop(of, f.__name__).findings
        lines.append(f"| `{f.__name__}` | {' | '.join(in_code(cells(fewest(found))))} |")
    return "\n".join(lines)


def in_code(row: Sequence[str]) -> Iterator[str]:
    """The cells of a row, of which the first is code."""
    yield f"`{row[0]}`"
    yield from row[1:]


MAKE: dict[str, Callable[[str], str]] = {
    "conjunct": conjunct,
    "axiom": axiom,
    "drops": drops,
    "table": lambda _: table(),
}


def drawn(text: str) -> str:
    """The guide with every block made anew."""

    def made(found: re.Match[str]) -> str:
        kind, name = found[1], found[2]
        return f"<!-- {kind}{f': {name}' if name else ''} -->\n{MAKE[kind](name)}\n<!-- end -->"

    return BLOCK.sub(made, text)


if __name__ == "__main__":
    GUIDE.write_text(drawn(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")

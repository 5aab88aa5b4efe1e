"""`quorate conform`: judge what an implementation did by the specification."""

from __future__ import annotations

import click

from ..refinement.conformance import Result
from ..refinement.conformance import conform as judge
from .console import Work, print_json
from .main import Exit

CODES = {"conforms": Exit.HOLDS, "diverges": Exit.VIOLATED, "unverified": Exit.UNKNOWN}


@click.command(
    short_help="Judge the traces of an implementation.",
    epilog="\b\nExamples:\n  quorate conform traces/\n"
    "  quorate conform a-1.ndjson b-1.ndjson c-1.ndjson c-2.ndjson.gz",
)
@click.argument("traces", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def conform(traces: tuple[str, ...], as_json: bool) -> int:
    """Judge the traces of an implementation, in any language, by the specification.

    FILE is a trace in the format of docs/trace-format.md, one of them gzipped, a folder of them, or - for standard
    input.  Give the traces of all nodes and all their boots, in any order.

    The verdict is `conforms`; `diverges`, with the first line that does, what the specification requires there and why
    that is not met; or `unverified` (exit code 3): it conforms, but some facts rest on a part of a trace that is lost.
    """
    with Work(f"judging {traces[0]}" if len(traces) == 1 else f"judging {len(traces)} files"):
        result = judge(*traces)
    if as_json:
        print_json(result.json())
    else:
        click.echo(told(result))
    return CODES[result.verdict]


def told(result: Result) -> str:
    """The outcome as a person reads it, and which traces break off in a line."""
    return "\n".join([_outcome(result), *map(str, result.torn)])


def _outcome(result: Result) -> str:
    if result.divergence is not None:
        return f"diverges, after {result.lines - 1:,} lines that conform\n{result.divergence}"
    doubt = (
        f"; {result.unverified:,} facts rest on a part of the trace that is lost" if result.unverified else ""
    )
    return f"{result.verdict}: {result.lines:,} lines{doubt}"

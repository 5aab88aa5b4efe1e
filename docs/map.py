"""Writes the map of the house, a line a file, into ARCHITECTURE.md: each file in the first sentence of its own.

    ./dev run python docs/map.py

The text around the tables is written by hand and stays as it is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAP = ROOT / "docs" / "ARCHITECTURE.md"
TABLE = re.compile(r"<!-- map: ([\w/]+) -->\n.*?<!-- end -->", re.DOTALL)


def opening(file: Path) -> str:
    """The first sentence of a file, on one line."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=[.?!])\s+(?=[A-Z`])", paragraph)[0]


def rows(folder: str) -> Iterator[str]:
    for file in sorted((ROOT / folder).glob("*.py")):
        if sentence := opening(file):
            yield f"| `{file.relative_to(ROOT).as_posix()}` | {sentence} |"


def table(folder: str) -> str:
    return "\n".join(
        [f"<!-- map: {folder} -->", "| file | what it is |", "|---|---|", *rows(folder), "<!-- end -->"]
    )


def drawn(text: str) -> str:
    """The map with every table made anew."""
    return TABLE.sub(lambda found: table(found[1]), text)


if __name__ == "__main__":
    MAP.write_text(drawn(MAP.read_text(encoding="utf-8")), encoding="utf-8")

"""Fills the README with what the commands really print.

    ./dev run python docs/readme.py

Each block that follows a line `<!-- runs: COMMAND -->` is replaced by the command and its output.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"<!-- runs: (.+?) -->\n```\n.*?\n```", re.DOTALL)


def ran(command: str) -> str:
    """The command as typed, and what it prints on standard output; a pipe may follow."""
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    shown = " ".join(shlex.split(command.partition(" | ")[0]))
    lines = (line.rstrip() for line in done.stdout.rstrip().splitlines())
    return f"<!-- runs: {command} -->\n```\n$ {shown}\n" + "\n".join(lines) + "\n```"


if __name__ == "__main__":
    README.write_text(
        BLOCK.sub(lambda found: ran(found[1]), README.read_text(encoding="utf-8")), encoding="utf-8"
    )

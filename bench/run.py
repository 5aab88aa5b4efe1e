"""Runs a benchmark by its name: `./dev bench explore`.  Without a name it says which there are."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Runs the benchmark that is named; whatever follows the name is the benchmark's own."""
    known = sorted(p.stem for p in HERE.glob("*.py") if p.stem != "run")
    if len(sys.argv) < 2 or sys.argv[1] not in known:
        asked = f"there is no benchmark {sys.argv[1]}; " if len(sys.argv) > 1 else ""
        print(f"./dev bench: {asked}name one of {', '.join(known)}", file=sys.stderr)
        return 2
    name = sys.argv[1]
    sys.argv = [f"{name}.py", *sys.argv[2:]]
    runpy.run_path(str(HERE / f"{name}.py"), run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m quorate.impl.net.main --config FILE` runs one node until it is told to stop.

It does not know what a node does (`node`); it turns settings into a running process, and errors into one line and
an exit code: 0 after an orderly stop, 1 if two values were chosen in one slot, 2 for anything that the person who
started it can mend.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from ...traces import TraceError
from ..core.errors import BrokenAgreement
from ..settings import Settings, SettingsError, load_settings
from ..storage import StorageError
from .errors import NetError
from .logs import begin_logging
from .node import serve

REFUSALS: Final = (SettingsError, StorageError, TraceError, NetError)
"""Errors whose text is one line for the person who runs the node."""


def run(settings: Settings) -> None:
    """Run a node in this process until SIGTERM or SIGINT. Raises REFUSALS and BrokenAgreement."""
    _runner()(serve(settings))


def _runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    """uvloop if it is there; what it does for us asyncio does as well, only slower."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.run
    runner: Callable[[Coroutine[Any, Any, None]], None] = uvloop.run
    return runner


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of one node; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m quorate.impl.net.main", description="Run one node.")
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="the node's settings, a TOML file"
    )
    given = parser.parse_args(arguments)
    try:
        settings = load_settings(given.config)
        begin_logging(settings.log, settings.node)
        run(settings)
    except REFUSALS as error:
        print(f"quorate: {error}", file=sys.stderr)
        return 2
    except BrokenAgreement as error:
        print(f"quorate: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The command line: finds the command, runs it, and turns what goes wrong into one clear line.

Exit codes: 0 it holds, is proved, conforms; 1 it is violated, refuted, diverges; 2 bad usage or bad input; 3 it is
not known; 130 it was interrupted, or nobody read to the end what it said.  Commands are imported when they are called,
so that `--help` is quick.
"""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import NoReturn

import click

from .errors import bad_input
from .streams import Unheard, guarded


class Exit(IntEnum):
    """What the exit codes of every command mean."""

    HOLDS = 0
    VIOLATED = 1
    BAD_INPUT = 2
    UNKNOWN = 3
    INTERRUPTED = 130


COMMANDS = (
    "check",
    "prove",
    "conform",
    "hunt",
    "drive",
    "export",
    "serve",
    "status",
    "backup",
    "restore",
    "cluster",
    "certs",
    "password",
    "demo",
)


class Commands(click.Group):
    """The commands, each in a module of its own name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f".{cmd_name}", __package__), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 holds, 1 violated or diverges, 2 bad usage or input, 3 unknown, "
    "130 interrupted.  `quorate COMMAND --help` tells more.",
)
@click.version_option(package_name="quorate", message="quorate %(version)s")
def commands() -> None:
    """Multi-Paxos that you can trust because you can look.

    One specification, in plain Python predicates, is explored in every state of a small cluster (check), proved for
    clusters of any size (prove), and used to judge what an implementation did (conform).  `quorate demo` does it all.
    """


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Runs one command and exits with its code."""
    with guarded():
        code = run(argv)
    sys.exit(code)


def run(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code, having shown what went wrong as one line."""
    try:
        code = commands.main(args=argv, prog_name="quorate", standalone_mode=False)
        sys.stdout.flush()
        return int(code or Exit.HOLDS)
    except click.ClickException as wrong:
        return _bad_input(" ".join(wrong.format_message().split()))
    except (KeyboardInterrupt, click.Abort):
        click.echo("quorate: interrupted", err=True)
        return Exit.INTERRUPTED
    except Unheard as wrong:
        return Exit.INTERRUPTED if wrong.errno == errno.EPIPE else _bad_input(str(wrong))
    except Exception as wrong:
        if not isinstance(wrong, bad_input()):
            raise
        return _bad_input(str(wrong))


def _bad_input(text: str) -> int:
    click.echo(f"quorate: {text}", err=True)
    return Exit.BAD_INPUT

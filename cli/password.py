"""`quorate password`: the hash of a password, for a node's settings."""

from __future__ import annotations

import os
import sys

import click

from ..impl.passwords import hashed
from .main import Exit


@click.command(short_help="Make the hash of a password.")
@click.option(
    "--stdin", "from_stdin", is_flag=True, help="Read it from standard input, one line, without asking."
)
def password(from_stdin: bool) -> int:
    """Ask for a password and print what to write into the settings: `clients.password`."""
    if from_stdin:
        given = sys.stdin.buffer.readline().rstrip(b"\r\n")
    elif not sys.stdin.isatty():
        raise click.UsageError(
            "standard input is no terminal to ask at; give the password as a line of it, with --stdin"
        )
    else:
        given = os.fsencode(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    if not given:
        raise click.ClickException("an empty password is none; choose another")
    click.echo(hashed(given))
    return Exit.HOLDS

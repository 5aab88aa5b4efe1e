"""Files and folders that a command was asked to write: told before the work if they cannot be; files are in UTF-8."""

from __future__ import annotations

import os
from pathlib import Path

import click


def check_file(path: Path) -> None:
    """Raises `click.UsageError` for a file that could not be written once the work is done."""
    if os.path.isdir(path):
        raise click.UsageError(f"{path}: is a folder; name a file")
    if not os.path.isdir(path.parent):
        raise click.UsageError(f"{path}: there is no folder {path.parent}; make it, or name another place")
    if not os.access(path if os.path.exists(path) else path.parent, os.W_OK):
        raise click.UsageError(f"{path}: it may not be written; name another place")


def check_folder(path: Path) -> None:
    """Raises `click.UsageError` for a folder that could not be made, with those above it, or written to."""
    there = path.absolute()
    while not os.path.lexists(there):
        there = there.parent
    if not os.path.isdir(there):
        raise click.UsageError(f"{path}: {there} is no folder; name another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise click.UsageError(f"{path}: nothing may be written to {there}; name another place")


def write_file(path: Path, text: str) -> None:
    """Writes a file.  Raises `click.UsageError`."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as why:
        raise cannot_write(path, why) from None


def cannot_write(path: Path, why: OSError) -> click.UsageError:
    """In one line, that a file cannot be written."""
    return click.UsageError(f"{path}: cannot be written: {why.strerror or why}; name another place")

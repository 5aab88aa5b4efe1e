"""The options of `quorate check` that say what memory a search may use, and where it is written down."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .numbers import Number
from .specs import gathered

if TYPE_CHECKING:
    from ..checker.native.explore import Storage

BEGINNING_BYTES = 64 << 20
"""What a search takes before its first state: machine code, and tables with room in them."""

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Bytes(click.ParamType[int]):
    """`8G`: so many bytes, with K, M, G or T for powers of 1024."""

    name = "SIZE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?", str(value).strip(), re.IGNORECASE)
        if not found:
            self.fail(f"{value!r} is not a size; write for example 8G or 500M", param, ctx)
        return int(float(found[1]) * UNITS[found[2].upper()])


@dataclass(frozen=True)
class Stores:
    """What a search may use of the machine, as the options say it."""

    memory: int | None
    spill: Path | None
    checkpoint: Path | None
    every_s: float
    resume: Path | None

    def asked(self) -> str:
        """The first of these options that was given; empty if none was."""
        given = {
            "--memory": self.memory,
            "--spill": self.spill,
            "--checkpoint": self.checkpoint,
            "--resume": self.resume,
        }
        return next((option for option, value in given.items() if value is not None), "")

    def storage(self) -> Storage:
        """The same for the explorer.  What is gone on with is written down again under its own name.

        Raises `click.UsageError` if less memory is allowed than a search begins with.
        """
        from ..checker.native.explore import Storage
        from ..checker.native.room import resident_bytes

        least = resident_bytes() + BEGINNING_BYTES
        if self.memory is not None and self.memory < least:
            raise click.UsageError(
                f"--memory: that is less than a search begins with; give at least {-(-least >> 20)}M"
            )

        return Storage(self.memory, self.spill, self.checkpoint or self.resume, self.every_s, self.resume)


OPTIONS = [
    click.option(
        "--memory",
        type=Bytes(),
        help="Use at most so much, as 8G: beyond, states that wait go to disk; when that is not enough, stop.",
    ),
    click.option(
        "--spill",
        metavar="FOLDER",
        type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
        help="Where they go; the folder for temporary files if not given.",
    ),
    click.option(
        "--checkpoint",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write the search down in this file now and then, and when it is cut short, to go on with it later.",
    ),
    click.option(
        "--checkpoint-every",
        "every_s",
        metavar="SECONDS",
        type=Number(min=0),
        default=60.0,
        show_default=True,
        help="How often; less often if writing takes more than a tenth of the time.",
    ),
    click.option(
        "--resume",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Go on with the search written down in this file, and write it down there again.",
    ),
]


storing_options = gathered("stores", Stores, OPTIONS)
"""Adds these options to a command, which gets them as one argument, `stores`."""

"""The files of a trace, as lines of bytes with their place: plain, gzipped, standard input, or a folder of them.

Every source can be read more than once and from any of its lines on, which the merge needs; what cannot (a pipe)
is first copied to a temporary file. A line is held, never a file.

Knows nothing of what the lines say. Whatever the system refuses becomes a `BadTrace`.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from .errors import BadTrace

STDIN = "-"
SUFFIXES = (".ndjson", ".ndjson.gz")
PART = re.compile(r"(.*)\.([0-9]+)\.ndjson(?:\.gz)?", re.DOTALL)
"""How the name of a file ends that continues another: NAME.2.ndjson continues NAME.ndjson."""

BUFFER_BYTES = 1 << 18
GZIP_MAGIC = b"\x1f\x8b"

PathLike = str | os.PathLike[str]


class Place(NamedTuple):
    """Where a line stands: the file as its reader named it, and the line, from 1."""

    file: str
    number: int

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"


class RawLine(NamedTuple):
    """One line of a source with its line feed, its number from 1, and where it begins in the text, in bytes."""

    number: int
    offset: int
    text: bytes


class Source:
    """One file of a trace, under the name by which the user knows it, and the files that continue it.

    The numbers and offsets of lines go on from one of them to the next.
    """

    def __init__(self, name: str, continued: Iterable[str] = ()) -> None:
        self.name = name
        self._spool: object = None
        """The copy of what can be read only once; the file goes when this does."""
        self._paths = [self._rereadable(), *continued]
        self._lengths: dict[str, int] = {}
        """How many bytes of text a file holds, once it was read to its end."""

    def lines(self, number: int = 1, offset: int = 0) -> Iterator[RawLine]:
        """The lines from the one with this number and offset to the end.

        Raises `BadTrace` when a file cannot be opened, read or decompressed.
        """
        begins = 0
        for path in self._paths:
            length = self._lengths.get(path)
            if length is None or offset < begins + length:
                for text in self._lines_of(path, max(0, offset - begins)):
                    yield RawLine(number, offset, text)
                    number += 1
                    offset += len(text)
                length = self._lengths[path] = offset - begins
            begins += length

    def _lines_of(self, path: str, offset: int) -> Iterator[bytes]:
        with self._refusals(), open(path, "rb", buffering=BUFFER_BYTES) as plain:
            is_zipped = plain.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            plain.seek(0)
            text: IO[bytes] | gzip.GzipFile = gzip.GzipFile(fileobj=plain) if is_zipped else plain
            text.seek(offset)
            yield from text

    def _rereadable(self) -> str:
        with self._refusals():
            if self.name != STDIN:
                if stat.S_ISREG(os.stat(self.name).st_mode):
                    return self.name
                with open(self.name, "rb") as pipe:
                    return self._copied(pipe)
            return self._copied(sys.stdin.buffer)

    def _copied(self, pipe: IO[bytes]) -> str:
        spool = tempfile.NamedTemporaryFile(prefix="quorate-trace-")  # noqa: SIM115 (it outlives this call)
        shutil.copyfileobj(pipe, spool, BUFFER_BYTES)
        spool.flush()
        self._spool = spool
        return spool.name

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            reason = f"the compressed file is damaged: {error}"
            raise BadTrace(self.name, None, reason, "compress the trace again, or give it plain") from error
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            raise BadTrace(self.name, None, reason, "check the name and its permissions") from error


def sources(files: Iterable[PathLike]) -> list[Source]:
    """The sources that these names stand for; a folder stands for the traces in it.

    Raises `BadTrace` when there is none, or when one cannot be read.
    """
    names = [name for file in files for name in _in_folder(os.fspath(file))]
    if not names:
        raise BadTrace("no trace", None, "no file was given", "name the traces of all nodes, or their folder")
    continued = _continued(names)
    follow = {part for parts in continued.values() for part in parts}
    return [Source(name, continued.get(name, ())) for name in names if name not in follow]


def _continued(names: Iterable[str]) -> dict[str, list[str]]:
    """The files that continue another of these, which is how a recorder goes on when one is full, in their order."""
    known = set(names)
    found: dict[str, list[tuple[int, str]]] = {}
    for name in known:
        if (part := PART.fullmatch(name)) is None:
            continue
        for suffix in SUFFIXES:
            if (first := f"{part[1]}{suffix}") in known:
                found.setdefault(first, []).append((int(part[2]), name))
    return {first: [name for _, name in sorted(parts)] for first, parts in found.items()}


def _in_folder(name: str) -> list[str]:
    if name == STDIN or not os.path.isdir(
        name
    ):  # which is no error for what cannot be looked at: to read it is
        return [name]
    try:
        found = sorted(str(file) for file in Path(name).iterdir() if file.name.endswith(SUFFIXES))
    except OSError as error:
        raise BadTrace(name, None, f"cannot be read: {error.strerror}", "check its permissions") from error
    if not found:
        raise BadTrace(name, None, "no trace in this folder", f"traces end in {' or '.join(SUFFIXES)}")
    return found

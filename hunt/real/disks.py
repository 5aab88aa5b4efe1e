"""Disks that can be filled: a small file system in memory for each node's log, mounted while a round needs it.

When it is full it is the kernel that says so. To mount one needs root; where that cannot be done `why_not` says why,
and disks are not filled.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

ROOM_BYTES: Final = 64 << 20
"""Far more than the log of a round takes."""

BALLAST: Final = "ballast"
MOUNT_S_MAX: Final = 30.0
PIECES: Final = (1 << 20, 1 << 12)


class Disks:
    """One small file system a node, as a context: all are mounted on entering, and gone on leaving."""

    def __init__(self, folder: Path, nodes: Iterable[str]) -> None:
        self._folders = {node: folder / f"disk-{node}" for node in nodes}
        self._mounted = ExitStack()
        self.why_not = ""
        """Why there are none; empty if there are."""
        self._full = set[str]()

    def __enter__(self) -> Self:
        self.why_not = _why_not()
        try:
            for folder in self._folders.values():
                if not self.why_not:
                    folder.mkdir(parents=True)
                    self._mounted.callback(_unmount, folder)
                    self.why_not = _mount(folder)
        except BaseException:
            self._mounted.close()
            raise
        if self.why_not:
            self._mounted.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._mounted.close()

    def data(self, node: str) -> Path:
        """Where the node's log is to be."""
        return self._folders[node] / "data"

    def is_full(self, node: str) -> bool:
        """Was it filled, and is it still?"""
        return node in self._full

    def fill(self, node: str) -> None:
        """Leave no room on a node's disk."""
        self._full.add(node)
        with (self._folders[node] / BALLAST).open("ab", buffering=0) as ballast:
            for size in PIECES:
                try:
                    while True:
                        os.write(ballast.fileno(), bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def clear(self, node: str) -> None:
        """Let there be room again."""
        (self._folders[node] / BALLAST).unlink(missing_ok=True)
        self._full.discard(node)


def _why_not() -> str:
    if not sys.platform.startswith("linux"):
        return "a file system in memory is mounted on Linux alone"
    if os.geteuid() != 0:
        return "only root can mount a small file system"
    return ""


def _mount(folder: Path) -> str:
    """Why it could not be mounted; empty if it is."""
    command = ("mount", "-t", "tmpfs", "-o", f"size={ROOM_BYTES},mode=700", "quorate", str(folder))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOUNT_S_MAX, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"a small file system could not be mounted: {error}"
    said = " ".join(done.stderr.split())
    return "" if done.returncode == 0 else f"a small file system could not be mounted: {said}"


def _unmount(folder: Path) -> None:
    """Have nothing mounted there, also if something still uses it."""
    for command in (("umount", str(folder)), ("umount", "--lazy", str(folder))):
        if os.path.ismount(folder):
            subprocess.run(command, capture_output=True, timeout=MOUNT_S_MAX, check=False)

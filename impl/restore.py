"""Data folders for a new cluster that begins with a backup, and a backup of what a stopped node's folder has.

A restored cluster is a new one. Its log begins with slot 1, and with it its trace, of which nothing has to be taken on
trust; the backup is what the state machine stands at before slot 1. That is its `origin`, a name that no other restore
has: nodes of different origins do not talk, so no node of before, and none with an empty folder, can be among the new.

It knows the shape of a folder through `impl.storage` alone, and of the image only how a new cluster begins with one.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
from msgspec import UNSET

from ..decoding import UNREADABLE
from ..quoting import quoted
from .backup import About, Backup, BadBackup, about
from .kv.image import begun_anew
from .settings import is_name
from .storage import Identity
from .storage.checkpoint import stored_checkpoint, write_checkpoint
from .storage.files import REAL
from .storage.folder import MANIFEST, Base, Folder, Manifest


class CannotRestore(Exception):
    """A name cannot be used, or a folder is in the way or cannot be made; the text is one line with what to do."""


def restore(backup: Backup, cluster: str, into: Path, nodes: Sequence[str]) -> str:
    """Make `into`/NODE a data folder of each node, all of which begin with the backup; return their origin.

    All of them are made, or none. Raises BadBackup, CannotRestore or StorageError.
    """
    for name in (cluster, *nodes):
        if not is_name(name):
            raise CannotRestore(f"{quoted(name)} is no name; letters, digits, '.', '_' and '-' make one")
    if len(set(nodes)) < len(nodes):
        raise CannotRestore(f"a node stands twice in {', '.join(nodes)}; names must differ")
    origin = f"{backup.about.cluster}-{backup.about.slot}-{secrets.token_hex(8)}"
    there = next((into / node for node in nodes if (into / node).exists()), None)
    if there is not None:
        raise CannotRestore(f"{there}: is there already; move it away, or restore into another folder")
    try:
        with ExitStack() as half_made:
            for node in nodes:
                beside = into / f"{node}.restoring"
                shutil.rmtree(beside, ignore_errors=True)
                half_made.callback(shutil.rmtree, beside, ignore_errors=True)
                _make(beside, Identity(cluster, node), begun_anew(backup.image(), origin))
            for node in nodes:
                (into / f"{node}.restoring").rename(into / node)
            REAL.sync_folder(into)
    except OSError as error:
        raise CannotRestore(f"{into}: cannot be written: {error.strerror}; name another folder") from error
    return origin


def _make(path: Path, identity: Identity, image: Iterator[bytes]) -> None:
    """A folder whose node has not started yet, and begins with the image."""
    folder = Folder(path, identity, REAL)
    try:
        write_checkpoint(path, identity.cluster, 0, image, REAL)
        folder.rest_on(Base(checkpoint=0, first=1, promised=None, ballot_used=None))
    finally:
        folder.close()


def last_checkpoint(path: Path) -> tuple[About, Iterator[bytes]]:
    """The last checkpoint in the data folder of a node that is stopped, as what a backup is encoded from.

    It lacks what was done since: of that a node by itself does not know what is chosen. The folder is held while the
    image is read. Raises BadBackup or StorageError.
    """
    try:
        manifest = msgspec.json.decode((path / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, *UNREADABLE) as error:
        raise BadBackup(f"{path}: is no data folder of a node, for its {MANIFEST} cannot be read") from error
    folder = Folder(path, Identity(manifest.cluster, manifest.node), REAL)
    base = folder.manifest.base
    if base is UNSET:
        folder.close()
        raise BadBackup(f"{path}: has no checkpoint; start the node, and take the backup from its admin port")

    def image() -> Iterator[bytes]:
        try:
            yield from stored_checkpoint(path, manifest.cluster, base.checkpoint, REAL).content()
        finally:
            folder.close()

    return about(manifest.cluster, manifest.node, base.checkpoint, current=False), image()

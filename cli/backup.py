"""`quorate backup`: the state of a cluster as one file."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from ..impl.backup import READ_BYTES, Backup, encoded, write
from ..impl.restore import last_checkpoint
from ..impl.settings import Address
from ..quoting import quoted
from .main import Exit
from .writing import check_file

PATIENCE_S: Final = 60.0
"""How long a node may say nothing."""

ADMIN_WANTED: Final = (
    "name the node's admin address, which is `admin` in its settings, not the one for clients or peers"
)


class NoBackup(Exception):
    """A node does not give one; the text is one line with what to do."""


@click.command(
    short_help="Write the state of a cluster to a file.",
    epilog="\b\nExamples:\n  quorate backup 127.0.0.1:7201 orchard.backup\n"
    "  quorate backup /var/lib/quorate/a orchard.backup",
)
@click.argument("source", metavar="SOURCE")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option(
    "--stale", is_flag=True, help="Take what this one node has applied, also while the cluster has no leader."
)
def backup(source: str, file: Path, stale: bool) -> int:
    """Write all keys and sessions to FILE, with a checksum, for `quorate restore`.

    SOURCE is the admin port of any node that runs, HOST:PORT: then the backup holds every write that was answered
    before it was asked for, and clients notice nothing.  Or it is the data folder of a node that is stopped: its
    last checkpoint is taken, and what was written since is not in it.
    """
    check_file(file)
    if os.path.isdir(source):
        if stale:
            raise click.BadParameter(
                "what is in a data folder is always as old as its checkpoint", param_hint="--stale"
            )
        stream = encoded(*last_checkpoint(Path(source)))
    else:
        try:
            stream = fetched(Address.parse(source), stale=stale)
        except ValueError as error:
            raise click.BadParameter(f"{error}, or name a data folder", param_hint="SOURCE") from error
    click.echo(f"{file}: {described(write(file, stream))}")
    return Exit.HOLDS


def described(backup: Backup) -> str:
    """One line about what a backup holds."""
    said, begins = backup.about, backup.begins
    how = "" if said.current else ", as far as that node knew by itself"
    return (
        f"cluster {said.cluster} at slot {said.slot:,}: {begins.keys:,} keys, {begins.sessions:,} sessions, "
        f"{backup.size_bytes / 2**20:,.1f} MiB; taken {said.taken} of node {said.node}{how}"
    )


def fetched(admin: Address, *, stale: bool) -> Iterator[bytes]:
    """A backup as a node sends it. Raises NoBackup if it does not, or stops in the middle."""
    connection = http.client.HTTPConnection(admin.host, admin.port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/backup?stale=1" if stale else "/backup")
        answer = connection.getresponse()
        if answer.status != 200:
            raise NoBackup(f"{admin}: {_reason(answer)}")
        while piece := answer.read(READ_BYTES):
            yield piece
    except http.client.RemoteDisconnected as error:
        raise NoBackup(f"{admin}: hung up without an answer; {ADMIN_WANTED}") from error
    except http.client.BadStatusLine as error:
        said = quoted(str(error).strip())
        raise NoBackup(f"{admin}: does not speak HTTP, for it answers {said}; {ADMIN_WANTED}") from error
    except (OSError, http.client.HTTPException) as error:
        what = str(error) or type(error).__name__
        raise NoBackup(
            f"{admin}: no backup came, or not all of it: {what}; name the admin address of a node that runs"
        ) from error
    finally:
        connection.close()


def _reason(answer: http.client.HTTPResponse) -> str:
    said = answer.read(READ_BYTES)
    try:
        return f"{json.loads(said)['error']} (HTTP {answer.status})"
    except (ValueError, TypeError, KeyError):
        return f"is no admin port of a node (HTTP {answer.status}); {ADMIN_WANTED}"

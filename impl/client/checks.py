"""A command as it goes over the wire, if a node would take it: whatever it would refuse is refused here.

It does not know connections, nor what a session is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..kv.commands import COMMANDS, MANY
from ..kv.machine import fault_of
from ..net.commands_in import COMMAND_BYTES_MAX
from ..net.errors import BadCommand
from .link import Part, as_bytes, encode_command

_KNOWN: Final = frozenset((*COMMANDS, b"EXEC"))


def frame_of(parts: Sequence[Part], session: Sequence[Part] = ()) -> bytes:
    """The command, behind what says which one of a session it is. Raises BadCommand for one that no node would carry
    out, whatever the keys are, or for which a node would end the connection."""
    command = [as_bytes(part) for part in parts]
    if not command:
        raise BadCommand("a command has a name; nothing was sent")
    bad = fault_of(command) if command[0] in _KNOWN else None
    if bad is not None:
        raise BadCommand(f"{name_of(parts)}: {bad.text}; nothing was sent")
    if len(session) + len(command) > MANY:
        raise BadCommand(f"{name_of(parts)}: a command has more than {MANY} parts; nothing was sent")
    frame = encode_command((*session, *command))
    if len(frame) > COMMAND_BYTES_MAX:
        raise BadCommand(
            f"{name_of(parts)}: a command has more than {COMMAND_BYTES_MAX} bytes; nothing was sent"
        )
    return frame


def name_of(parts: Sequence[Part]) -> str:
    """A command, for people."""
    return " ".join(as_bytes(part).decode("utf-8", "backslashreplace")[:32] for part in parts[:2])

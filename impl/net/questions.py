"""What clients ask about the server: about their connection, the commands, the settings, the node and who leads.

It does not know transactions, nor what a command does to the keys.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version as version_of
from typing import Final, TypeAlias

import msgspec

from ..kv.commands import COMMANDS, fault, shown
from ..kv.replies import OK, Failure, Reply, Word
from .front import Client
from .resp import is_too_large, too_large

Handler: TypeAlias = Callable[[Client, list[bytes]], None]

SOFTWARE: Final = version_of("quorate")


def _client(client: Client, command: list[bytes]) -> None:
    match [part.upper() for part in command[1:2]], command[2:]:
        case [b"ID"], []:
            client.say(client.id)
        case [b"GETNAME"], []:
            client.say(client.name.encode() or None)
        case [b"SETNAME"], [name]:
            client.name = name.decode("utf-8", "replace")
            client.say(OK)
        case [b"SETINFO"], [_, _]:
            client.say(OK)
        case [b"INFO"], []:
            client.say(f"id={client.id} name={client.name} resp={client.version}\n".encode())
        case _:
            what = shown(b" ".join(command[:2]))
            client.say(
                Failure(f"ERR unknown subcommand of '{what}'; there are ID, GETNAME, SETNAME, SETINFO, INFO")
            )


def _command(client: Client, command: list[bytes]) -> None:
    match [part.upper() for part in command[1:2]]:
        case []:
            client.say([_described(name) for name in COMMANDS])
        case [b"COUNT"]:
            client.say(len(COMMANDS))
        case [b"INFO"]:
            names = [name.upper() for name in command[2:]]
            client.say([_described(name) if name in COMMANDS else None for name in names])
        case [b"DOCS"]:
            client.say({})
        case _:
            client.say(Failure("ERR unknown subcommand of 'command'; there are COUNT, INFO, DOCS"))


def _described(name: bytes) -> Reply:
    spec = COMMANDS[name]
    fixed = spec.count_min == spec.count_max
    flags: list[Reply] = [Word("write" if spec.writes else "readonly")]
    return [name.lower(), spec.count_min if fixed else -spec.count_min, flags, *spec.keys]


def _config(client: Client, command: list[bytes]) -> None:
    """Only GET, and only what tools ask for before they begin."""
    if len(command) < 3 or command[1].upper() != b"GET":
        client.say(Failure("ERR only CONFIG GET is known here; settings are in the node's file"))
        return
    known = {
        "appendonly": b"yes",
        "save": b"",
        "databases": b"1",
        "maxclients": b"%d" % client.front.clients_max,
    }
    asked = [name.decode("utf-8", "replace").lower() for name in command[2:]]
    client.say({name: known[name] for name in asked if name in known})


def _info(client: Client, _: list[bytes]) -> None:
    status = client.front.status()
    sections: dict[str, dict[str, object]] = {
        "Server": {
            "quorate_version": SOFTWARE,
            "redis_mode": "standalone",
            "node": status.node,
            "boot": status.boot,
        },
        "Clients": {"connected_clients": status.connections, "waiting_commands": status.waiting},
        "Replication": {
            "role": "master" if status.role == "leader" else "slave",
            "quorate_role": status.role,
            "leader": status.leader or "",
            "leader_address": status.leader_address or "",
            "promised": "" if status.promised is None else f"{status.promised[0]}.{status.promised[1]}",
            "committed": status.committed,
            "applied": status.applied,
        },
        "Stats": {"writes": status.commands, "reads": status.queries, "synced_batches": status.batches},
        "Keyspace": {"db0": f"keys={status.keys},expires=0,avg_ttl=0"},
    }
    lines = [
        line
        for title, facts in sections.items()
        for line in (f"# {title}", *(f"{name}:{value}" for name, value in facts.items()), "")
    ]
    client.say("\r\n".join(lines).encode())


def _leader(client: Client, _: list[bytes]) -> None:
    """LEADER: the name of the node that leads and where clients reach it; none of either that is not known."""
    status = client.front.status()
    names = (status.leader, status.leader_address)
    said: list[Reply] = [None if name is None else name.encode() for name in names]
    client.say(said)


def _status(client: Client, _: list[bytes]) -> None:
    """STATUS: all that the node knows of itself, in JSON."""
    client.say(msgspec.json.encode(client.front.status()))


def _stale(client: Client, command: list[bytes]) -> None:
    """STALE COMMAND ...: what a reading command finds in this node's own state, which may be behind."""
    inner = [part.upper() if at == 0 else part for at, part in enumerate(command[1:])]
    spec = COMMANDS.get(inner[0]) if inner else None
    if spec is None or spec.writes:
        client.say(Failure("ERR STALE stands before a command that reads"))
        return
    said = fault(inner) or client.front.machine.read(inner)
    client.say(too_large() if is_too_large(said) else said)


QUESTIONS: Final[dict[bytes, Handler]] = {
    b"CLIENT": _client,
    b"COMMAND": _command,
    b"CONFIG": _config,
    b"INFO": _info,
    b"LEADER": _leader,
    b"STALE": _stale,
    b"STATUS": _status,
}

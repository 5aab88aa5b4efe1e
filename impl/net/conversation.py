"""What a client says to its connection rather than to the keys: greetings, passwords, transactions.

It does not know sockets, batches or who leads. A command gets here alone: nothing of its connection is under way.
Commands of Redis are answered as Redis answers them, or refused by name; what is asked about the server is in
`questions`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ..kv.commands import COMMANDS, fault, shown
from ..kv.machine import fault_of, transaction
from ..kv.replies import OK, Failure, Reply, Word
from ..passwords import is_right
from .commands_in import COMMAND_BYTES_MAX
from .front import Client, Queued
from .questions import QUESTIONS, SOFTWARE, Handler

NO_AUTH: Final = Failure("NOAUTH Authentication required.")
WRONG_PASSWORD: Final = Failure("WRONGPASS invalid username-password pair or user is disabled.")
NO_PASSWORD: Final = Failure("ERR AUTH called without any password configured; are you sure it is needed?")
NO_LEADER: Final = Failure("CLUSTERDOWN no leader is known here; try again in a while")
TOO_MANY_PASSWORDS: Final = Failure("BUSY too many passwords wait to be checked; try again in a while")
STOPPING: Final = Failure("CLUSTERDOWN this node stops; try another")
SYNTAX: Final = Failure("ERR syntax error")
QUEUED: Final = Word("QUEUED")
TRANSACTION_MAX: Final = 4096
"""Commands in one transaction."""
WATCHED_MAX: Final = 4096
WATCHED_BYTES_MAX: Final = 1 << 20
"""Keys that one client watches, and their bytes: they are part of its transaction."""
PASSWORDS_MAX: Final = 64
"""Passwords that wait to be checked, of all clients: the last then waits for some seconds."""


def converse(client: Client, command: list[bytes]) -> None:
    """Answer a command, or have it answered."""
    name = command[0]
    if not client.trusted and name not in (b"AUTH", b"HELLO", b"QUIT", b"RESET"):
        client.say(NO_AUTH)
    elif client.transaction is not None and name not in _ALWAYS:
        _enqueue(client, command)
    elif name in COMMANDS or name == b"SESSION":
        _carry_out(client, command)
    elif (handler := _HANDLERS.get(name)) is not None:
        handler(client, command)
    else:
        client.say(Failure(f"ERR unknown command '{shown(name)}'"))


def _carry_out(client: Client, command: list[bytes]) -> None:
    """A command on keys: if it can do anything, here or at the leader."""
    spec = COMMANDS.get(command[0])
    bad = fault_of(command)
    refused = bad or _refusal(client)
    if refused is not None:
        client.say(refused)
    elif spec is None or spec.writes:
        client.write(command)
    else:
        client.read(command)


def _refusal(client: Client) -> Failure | None:
    """Why a command is not begun here, and where to go instead; None if it is."""
    if client.front.closing:
        return STOPPING
    if not client.front.redirects:
        return None
    status = client.front.status()
    if status.role == "leader":
        return None
    return NO_LEADER if status.leader_address is None else Failure(f"MOVED 0 {status.leader_address}")


# Transactions ----------------------------------------------------------------------------


def _enqueue(client: Client, command: list[bytes]) -> None:
    queued = client.transaction
    assert queued is not None, "there is a transaction to add to"
    size = sum(map(len, command))
    bad = fault(command)
    if bad is None and len(queued.commands) >= TRANSACTION_MAX:
        bad = Failure(f"ERR a transaction has at most {TRANSACTION_MAX} commands")
    if bad is None and queued.bytes + size > COMMAND_BYTES_MAX:
        bad = Failure(f"ERR a transaction has at most {COMMAND_BYTES_MAX} bytes")
    if bad is not None:
        queued.spoilt = True
        client.say(bad)
        return
    queued.commands.append(command)
    queued.bytes += size
    client.say(QUEUED)


def _multi(client: Client, _: list[bytes]) -> None:
    if client.transaction is not None:
        client.say(Failure("ERR MULTI calls can not be nested"))
        return
    client.transaction = Queued()
    client.say(OK)


def _exec(client: Client, _: list[bytes]) -> None:
    queued, watched = client.transaction, client.watched
    if queued is None:
        client.say(Failure("ERR EXEC without MULTI"))
        return
    _forget(client)
    if queued.spoilt:
        client.say(Failure("EXECABORT Transaction discarded because of previous errors."))
    elif (refused := _refusal(client)) is not None:
        client.say(refused)
    elif not queued.commands and not watched:
        client.say([])
    else:
        client.write(transaction(tuple(watched.items()), queued.commands))


def _discard(client: Client, _: list[bytes]) -> None:
    if client.transaction is None:
        client.say(Failure("ERR DISCARD without MULTI"))
        return
    _forget(client)
    client.say(OK)


def _watch(client: Client, command: list[bytes]) -> None:
    """Remember the versions of keys; EXEC does nothing if one of them has another by then."""
    if client.transaction is not None:
        client.say(Failure("ERR WATCH inside MULTI is not allowed"))
        return
    bad = fault([b"VERSION", *command[1:]])
    if bad is not None:
        client.say(bad)
        return
    keys = {*client.watched, *command[1:]}
    if len(keys) > WATCHED_MAX or sum(map(len, keys)) > WATCHED_BYTES_MAX:
        client.say(
            Failure(f"ERR at most {WATCHED_MAX} keys of {WATCHED_BYTES_MAX} bytes are watched at once")
        )
        return

    def then(versions: Reply) -> Reply:
        if not isinstance(versions, list):
            return versions
        for key, number in zip(command[1:], versions, strict=True):
            assert isinstance(number, int), "a version is a number"
            client.watched.setdefault(key, number)
        return OK

    client.read([b"VERSION", *command[1:]], then)


def _unwatch(client: Client, _: list[bytes]) -> None:
    client.watched = {}
    client.say(OK)


def _forget(client: Client) -> None:
    client.transaction, client.watched = None, {}


# Greetings -------------------------------------------------------------------------------


def _hello(client: Client, command: list[bytes]) -> None:
    """HELLO [2 | 3 [AUTH USER PASSWORD] [SETNAME NAME]]."""
    wanted = client.version
    words = iter(command[1:])
    credentials: tuple[bytes, bytes] | None = None
    if (number := next(words, None)) is not None:
        if number not in (b"2", b"3"):
            client.say(Failure("NOPROTO unsupported protocol version"))
            return
        wanted = int(number)
    for word in words:
        option = word.upper()
        if option == b"AUTH":
            credentials = (next(words, b""), next(words, b""))
        elif option == b"SETNAME":
            client.name = next(words, b"").decode("utf-8", "replace")
        else:
            client.say(SYNTAX)
            return
    if credentials is not None:
        _authenticate(client, *credentials, lambda: _greeted(client, wanted))
    elif not client.trusted:
        client.say(Failure("NOAUTH HELLO must be called with the client already authenticated, or with AUTH"))
    else:
        client.say(_greeted(client, wanted))


def _greeted(client: Client, version: int) -> dict[str, Reply]:
    client.version = version
    return {
        "server": b"quorate",
        "version": SOFTWARE.encode(),
        "proto": version,
        "id": client.id,
        "mode": b"standalone",
        "role": b"master",
        "modules": [],
    }


def _auth(client: Client, command: list[bytes]) -> None:
    if not 2 <= len(command) <= 3:
        client.say(Failure("ERR wrong number of arguments for 'auth' command"))
        return
    user = command[1] if len(command) == 3 else b"default"
    _authenticate(client, user, command[-1], lambda: OK)


def _authenticate(
    client: Client, user: bytes, password: bytes, welcome: Callable[[], Reply | dict[str, Reply]]
) -> None:
    """Check a password beside the event loop: the hash is slow on purpose."""
    known = client.front.password
    if known is None:
        client.say(welcome() if user == b"default" and not password else NO_PASSWORD)
        return

    front = client.front
    if front.passwords_waiting >= PASSWORDS_MAX:
        client.say(TOO_MANY_PASSWORDS)
        client.close()
        return
    checking = asyncio.get_running_loop().run_in_executor(front.checker, is_right, password, known)
    front.passwords_waiting += 1

    def no_longer_waits(_: object) -> None:
        front.passwords_waiting -= 1

    checking.add_done_callback(no_longer_waits)

    async def checked() -> Reply | dict[str, Reply]:
        right = await checking
        if not right or user != b"default":
            return WRONG_PASSWORD
        client.trusted = True
        return welcome()

    client.hold(checked())


def _quit(client: Client, _: list[bytes]) -> None:
    client.say(OK)
    client.close()


def _reset(client: Client, _: list[bytes]) -> None:
    _forget(client)
    client.version, client.name = 2, ""
    client.trusted = client.front.password is None
    client.say(Word("RESET"))


def _ping(client: Client, command: list[bytes]) -> None:
    client.say(Word("PONG") if len(command) == 1 else command[1])


def _echo(client: Client, command: list[bytes]) -> None:
    client.say(
        command[1] if len(command) == 2 else Failure("ERR wrong number of arguments for 'echo' command")
    )


def _select(client: Client, command: list[bytes]) -> None:
    client.say(OK if command[1:] == [b"0"] else Failure("ERR DB index is out of range: there is only 0"))


_HANDLERS: Final[dict[bytes, Handler]] = {
    **QUESTIONS,
    b"AUTH": _auth,
    b"DISCARD": _discard,
    b"ECHO": _echo,
    b"EXEC": _exec,
    b"HELLO": _hello,
    b"MULTI": _multi,
    b"PING": _ping,
    b"QUIT": _quit,
    b"RESET": _reset,
    b"SELECT": _select,
    b"UNWATCH": _unwatch,
    b"WATCH": _watch,
}

_ALWAYS: Final = frozenset((b"MULTI", b"EXEC", b"DISCARD", b"WATCH", b"QUIT", b"RESET", b"HELLO", b"AUTH"))
"""What is not put off until EXEC."""

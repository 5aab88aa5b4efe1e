"""The commands on keys: what each is called, what it may be given, and what it does to the items.

It does not know the log, sessions or connections. A command is a sequence of byte strings, its name first, in capitals:
it stands in the log as its client said it. What is done follows from the command and the items alone, so that every
node does the same.

Every write gets a number of its own, the *version* of the key that it wrote: 1, 2, 3 ... over all keys. Versions never
come back, also not after the key was deleted, so comparing by version is safe where comparing by value is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from .replies import OK, Failure, Reply

KEY_BYTES_MAX: Final = 4 << 10
VALUE_BYTES_MAX: Final = 1 << 20
INTEGER_MAX: Final = 2**63 - 1
"""Counters are signed numbers of 64 bits."""

Command: TypeAlias = Sequence[bytes]
Item: TypeAlias = tuple[bytes, int]
"""A key's value and its version: the number of the write that put it there."""

ABSENT: Final[Item] = (b"", 0)
SYNTAX: Final = Failure("ERR syntax error")
NOT_A_NUMBER: Final = Failure("ERR value is not an integer or out of range")
OVERFLOW: Final = Failure("ERR increment or decrement would overflow")
NOT_A_VERSION: Final = Failure("ERR a version is a number from 0; 0 stands for a key that is not there")


class Items:
    """The keys, and how many writes there have been."""

    def __init__(self) -> None:
        self.items: dict[bytes, Item] = {}
        self.version = 0
        """The number of the last write."""

    def put(self, key: bytes, value: bytes) -> int:
        """Write a value; its version."""
        self.version += 1
        self.items[key] = (value, self.version)
        return self.version

    def remove(self, key: bytes) -> bool:
        """Forget a key; was it there?"""
        if self.items.pop(key, None) is None:
            return False
        self.version += 1
        return True


class Spec(NamedTuple):
    """One command: its arguments, and what it does."""

    count_min: int
    """Of its parts, the name included."""
    count_max: int
    keys: tuple[int, int, int]
    """The first part that is a key, the last (-1: of all), and the step between them, as Redis tells it."""
    writes: bool
    run: Callable[[Items, Command], Reply]


MANY: Final = 1 << 16
"""No command has more parts."""


def _get(store: Items, command: Command) -> Reply:
    item = store.items.get(command[1])
    return None if item is None else item[0]


def _mget(store: Items, command: Command) -> Reply:
    return [None if (item := store.items.get(key)) is None else item[0] for key in command[1:]]


def _exists(store: Items, command: Command) -> Reply:
    return sum(key in store.items for key in command[1:])


def _strlen(store: Items, command: Command) -> Reply:
    return len(store.items.get(command[1], ABSENT)[0])


def _dbsize(store: Items, _: Command) -> Reply:
    return len(store.items)


def _versions(store: Items, command: Command) -> Reply:
    """VERSION KEY ...: the keys' versions, 0 for one that is not there."""
    return [store.items.get(key, ABSENT)[1] for key in command[1:]]


def _getversion(store: Items, command: Command) -> Reply:
    """GETVERSION KEY: the value and the version."""
    item = store.items.get(command[1])
    return [None, 0] if item is None else [item[0], item[1]]


def _set(store: Items, command: Command) -> Reply:
    """SET KEY VALUE [NX | XX | IFVERSION N] [GET]."""
    key, value = command[1], command[2]
    if len(command) == 3:
        store.version = version = store.version + 1
        store.items[key] = (value, version)
        return OK
    options = _set_options(command[3:])
    if isinstance(options, Failure):
        return options
    condition, version, get = options
    item = store.items.get(key)
    old = None if item is None else item[0]
    met = (
        condition is None
        or (condition == b"NX" and item is None)
        or (condition == b"XX" and item is not None)
        or (condition == b"IFVERSION" and (item or ABSENT)[1] == version)
    )
    if met:
        store.put(key, value)
    if get:
        return old
    return OK if met else None


def _set_options(options: Command) -> tuple[bytes | None, int, bool] | Failure:
    """The condition, its version, and whether the old value is asked for."""
    condition, version, get = None, 0, False
    words = iter(options)
    for word in words:
        name = word.upper()
        if name == b"GET":
            get = True
        elif name in (b"NX", b"XX", b"IFVERSION") and condition is None:
            condition = name
            if name == b"IFVERSION":
                number = _version(next(words, b""))
                if number is None:
                    return NOT_A_VERSION
                version = number
        else:
            return SYNTAX
    return condition, version, get


def _setnx(store: Items, command: Command) -> Reply:
    if command[1] in store.items:
        return 0
    store.put(command[1], command[2])
    return 1


def _getset(store: Items, command: Command) -> Reply:
    old = _get(store, command)
    store.put(command[1], command[2])
    return old


def _getdel(store: Items, command: Command) -> Reply:
    old = _get(store, command)
    store.remove(command[1])
    return old


def _mset(store: Items, command: Command) -> Reply:
    if len(command) % 2 == 0:
        return Failure("ERR wrong number of arguments for 'mset' command")
    for at in range(1, len(command), 2):
        store.put(command[at], command[at + 1])
    return OK


def _del(store: Items, command: Command) -> Reply:
    return sum([store.remove(key) for key in command[1:]])


def _append(store: Items, command: Command) -> Reply:
    value = store.items.get(command[1], ABSENT)[0] + command[2]
    if len(value) > VALUE_BYTES_MAX:
        return Failure(f"ERR the value would have more than {VALUE_BYTES_MAX} bytes")
    store.put(command[1], value)
    return len(value)


def _put(store: Items, command: Command) -> Reply:
    """PUT KEY VALUE: as SET, and the answer is the version."""
    return store.put(command[1], command[2])


def _cas(store: Items, command: Command) -> Reply:
    """CAS KEY VERSION VALUE: write if the key has this version. Answers [1, new version], or [0, what it has]."""
    version = _version(command[2])
    if version is None:
        return NOT_A_VERSION
    found = store.items.get(command[1], ABSENT)[1]
    return [1, store.put(command[1], command[3])] if found == version else [0, found]


def _cad(store: Items, command: Command) -> Reply:
    """CAD KEY VERSION: delete if the key has this version. Answers [1, 0], or [0, what it has]."""
    version = _version(command[2])
    if version is None:
        return NOT_A_VERSION
    found = store.items.get(command[1], ABSENT)[1]
    if found != version:
        return [0, found]
    store.remove(command[1])
    return [1, 0]


def _adds(sign: int, fixed: bool) -> Callable[[Items, Command], Reply]:
    """INCR, DECR, INCRBY and DECRBY."""

    def run(store: Items, command: Command) -> Reply:
        by = 1 if fixed else integer(command[2])
        number = integer(store.items.get(command[1], (b"0", 0))[0])
        if by is None or number is None:
            return NOT_A_NUMBER
        total = number + sign * by
        if not -INTEGER_MAX - 1 <= total <= INTEGER_MAX:
            return OVERFLOW
        store.put(command[1], b"%d" % total)
        return total

    return run


def integer(text: bytes) -> int | None:
    """The number that `text` spells in the one way in which it is printed; None if it spells none of 64 bits."""
    if len(text) > 20:
        return None
    try:
        number = int(text)
    except ValueError:
        return None
    return number if b"%d" % number == text and -INTEGER_MAX - 1 <= number <= INTEGER_MAX else None


def _version(text: bytes) -> int | None:
    number = integer(text)
    return number if number is not None and number >= 0 else None


NO_KEYS: Final = (0, 0, 0)
ONE_KEY: Final = (1, 1, 1)
ALL_KEYS: Final = (1, -1, 1)

COMMANDS: Final[dict[bytes, Spec]] = {
    b"GET": Spec(2, 2, ONE_KEY, False, _get),
    b"MGET": Spec(2, MANY, ALL_KEYS, False, _mget),
    b"EXISTS": Spec(2, MANY, ALL_KEYS, False, _exists),
    b"STRLEN": Spec(2, 2, ONE_KEY, False, _strlen),
    b"DBSIZE": Spec(1, 1, NO_KEYS, False, _dbsize),
    b"VERSION": Spec(2, MANY, ALL_KEYS, False, _versions),
    b"GETVERSION": Spec(2, 2, ONE_KEY, False, _getversion),
    b"SET": Spec(3, 8, ONE_KEY, True, _set),
    b"SETNX": Spec(3, 3, ONE_KEY, True, _setnx),
    b"GETSET": Spec(3, 3, ONE_KEY, True, _getset),
    b"GETDEL": Spec(2, 2, ONE_KEY, True, _getdel),
    b"MSET": Spec(3, MANY, (1, -1, 2), True, _mset),
    b"DEL": Spec(2, MANY, ALL_KEYS, True, _del),
    b"UNLINK": Spec(2, MANY, ALL_KEYS, True, _del),
    b"APPEND": Spec(3, 3, ONE_KEY, True, _append),
    b"INCR": Spec(2, 2, ONE_KEY, True, _adds(1, fixed=True)),
    b"DECR": Spec(2, 2, ONE_KEY, True, _adds(-1, fixed=True)),
    b"INCRBY": Spec(3, 3, ONE_KEY, True, _adds(1, fixed=False)),
    b"DECRBY": Spec(3, 3, ONE_KEY, True, _adds(-1, fixed=False)),
    b"PUT": Spec(3, 3, ONE_KEY, True, _put),
    b"CAS": Spec(4, 4, ONE_KEY, True, _cas),
    b"CAD": Spec(3, 3, ONE_KEY, True, _cad),
}


_TELL_VERSIONS: Final = frozenset((b"VERSION", b"GETVERSION", b"PUT", b"CAS", b"CAD"))


def keys_of(command: Command) -> Command:
    """The keys that a command names."""
    first, last, step = COMMANDS[command[0]].keys
    return command[first : len(command) if last < 0 else last + 1 : step] if step else ()


def reach(command: Command) -> frozenset[bytes] | None:
    """The keys on which all that a command does and answers rests, and which it may change; None if that may be any
    key, as with versions, which number the writes of all."""
    spec = COMMANDS.get(command[0])
    is_conditional = command[0] == b"SET" and b"IFVERSION" in [part.upper() for part in command[3:]]
    if spec is None or not spec.keys[2] or command[0] in _TELL_VERSIONS or is_conditional:
        return None
    return frozenset(keys_of(command))


def fault(command: Command) -> Failure | None:
    """Why a command can do nothing, whatever the items are; None if it can."""
    spec = COMMANDS.get(command[0])
    if spec is None:
        return Failure(f"ERR unknown command '{shown(command[0])}'")
    if not spec.count_min <= len(command) <= spec.count_max:
        return Failure(f"ERR wrong number of arguments for '{shown(command[0]).lower()}' command")
    longest = max(map(len, command))
    if longest <= KEY_BYTES_MAX:
        return None
    if max(map(len, keys_of(command)), default=0) > KEY_BYTES_MAX:
        return Failure(f"ERR a key has more than {KEY_BYTES_MAX} bytes")
    if longest > VALUE_BYTES_MAX:
        return Failure(f"ERR a value has more than {VALUE_BYTES_MAX} bytes")
    return None


def shown(name: bytes) -> str:
    """What a client said, fit for an error's one line."""
    return name[:64].decode("ascii", "backslashreplace").replace("\r", "\\r").replace("\n", "\\n")

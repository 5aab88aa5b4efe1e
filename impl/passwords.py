"""Passwords are kept as salted hashes that are slow to compute, so that a settings file that leaks gives none away.

It does not know who may do what: there is one password, and who has it may do everything.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

_COST: Final = 1 << 14
_BLOCK: Final = 8
_LANES: Final = 1
_SALT_BYTES: Final = 16
_NAME: Final = "scrypt"

NO_HASH: Final = "is no hash of a password; make one with `quorate password`"


def hashed(password: bytes) -> str:
    """What to keep of a password: `scrypt$cost$block$lanes$salt$hash`, the latter two in base64."""
    salt = secrets.token_bytes(_SALT_BYTES)
    parts = (_NAME, _COST, _BLOCK, _LANES, _text(salt), _text(_hash(password, salt, _COST, _BLOCK, _LANES)))
    return "$".join(map(str, parts))


def is_right(password: bytes, kept: str) -> bool:
    """Is it the password of which `kept` was kept? Takes some 50 ms. Raises ValueError as `check` does."""
    cost, block, lanes, salt, right = _parsed(kept)
    try:
        return hmac.compare_digest(_hash(password, salt, cost, block, lanes), right)
    except (ValueError, TypeError):
        raise ValueError(NO_HASH) from None


def check(kept: str) -> str:
    """The same text, if it is what `hashed` makes. Raises ValueError with a sentence for a person."""
    is_right(
        b"", kept
    )  # numbers that no hash is computed with are found out here, and not by the first client
    return kept


def _parsed(kept: str) -> tuple[int, int, int, bytes, bytes]:
    try:
        name, cost, block, lanes, salt, right = kept.split("$")
        numbers = int(cost), int(block), int(lanes)
        values = base64.b64decode(salt, validate=True), base64.b64decode(right, validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(NO_HASH) from None
    if name != _NAME or not 1 < numbers[0] <= 1 << 20 or not all(values):
        raise ValueError(NO_HASH)
    return *numbers, *values


def _hash(password: bytes, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=cost, r=block, p=lanes, maxmem=256 << 20, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

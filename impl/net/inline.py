"""A command as a person or a load balancer types it: a line of words, rather than an array of bulk strings.

It does not know streams. A word in quotes may hold blanks; in double quotes a backslash stands before what could not be
said otherwise, in single quotes only before a single quote, as in Redis.
"""

from __future__ import annotations

import re
from typing import Final

from .errors import MalformedFrame

LINE_BYTES_MAX: Final = 64 << 10
"""A command that is a line."""

_WORD: Final = re.compile(
    rb"""[ \t\r]*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^ \t\r"']+))(?=[ \t\r]|\Z)"""
)
_ESCAPED: Final = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))")
_LETTERS: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_HTTP: Final = (b"POST", b"HOST:")
"""A browser that somebody has led here says these before what it was given to say."""


def words(line: bytes) -> list[bytes]:
    """The words of a line, without its end. Raises MalformedFrame for quotes without an end, and for HTTP."""
    found: list[bytes] = []
    line = line.rstrip(b" \t\r")
    at = 0
    while at < len(line):
        word = _WORD.match(line, at)
        if word is None:
            raise MalformedFrame("quotes do not match in a line")
        double, single, plain = word.groups()
        if double is not None:
            found.append(_ESCAPED.sub(_meant, double))
        else:
            found.append(plain if single is None else single.replace(b"\\'", b"'"))
        at = word.end()
    if found and found[0].upper() in _HTTP:
        raise MalformedFrame("this is no port for HTTP")
    return found


def _meant(escaped: re.Match[bytes]) -> bytes:
    """What stands behind a backslash."""
    code, letter = escaped.groups()
    return bytes((int(code, 16),)) if code is not None else _LETTERS.get(letter, letter)

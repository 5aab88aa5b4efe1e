"""Turns the text of one line into a typed, validated `Line`, or says in one line of English what is wrong with it.

The work is msgspec's: required fields, their types and the choice of struct by `event` and `kind` are checked
while the JSON is decoded. Only a line that fails is looked at a second time, at leisure, to word the fault.

Knows single lines. The order and the numbering of lines belong to `strands`.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

import msgspec

from ..decoding import UNREADABLE
from ..quoting import shortened
from .errors import BadTrace
from .events import EVENTS, VERSION, AnyLine
from .messages import KINDS

_decoder: msgspec.json.Decoder[AnyLine] = msgspec.json.Decoder(AnyLine)
_decode = _decoder.decode
_encode = msgspec.json.Encoder().encode

SEE_FORMAT = "see docs/trace-format.md"


class Fault(NamedTuple):
    """What is wrong with a line, what to do about it, and the column (from 1, in characters) where it is known."""

    reason: str
    advice: str
    column: int | None = None


def decode_line(raw: bytes, file: str = "<line>", number: int | None = None) -> AnyLine:
    """The line that stands in `raw`; `file` and `number` are for the error.

    Raises `BadTrace` when it is not one whole, valid line of version 1. Unknown fields are no fault.
    """
    try:
        line = _decode(raw)
    except UNREADABLE as error:
        fault = explain(raw, error)
        raise BadTrace(file, number, fault.reason, fault.advice, column=fault.column) from error
    for position, message in enumerate(line.send):
        if message.to is None:
            fault = _missing(f"send[{position}].to")
            raise BadTrace(file, number, fault.reason, fault.advice)
    return line


def encode_line(line: AnyLine) -> bytes:
    """The line as JSON, without the line feed; fields that hold their default are left out."""
    return _encode(line)


def is_torn(raw: bytes) -> bool:
    """Whether `raw` is the beginning of a line whose end never reached the disk.

    That is: it is empty but for NULs and blanks, or it breaks off inside a string or an open bracket. What a power
    loss may leave behind it, NUL bytes, is not counted.
    """
    text = raw.strip(b"\0 \t\r\n")
    skeleton = _STRING.sub(b"", text)
    opened = len(_OPENING.findall(skeleton)) - len(_CLOSING.findall(skeleton))
    return not text or (text.startswith(b"{") and (b'"' in skeleton or opened > 0))


def named_in(torn: bytes) -> tuple[str, int] | None:
    """The node and the boot that a torn line still names, if it does."""
    node, boot = _NODE.search(torn), _BOOT.search(torn)
    if node is None or boot is None:
        return None
    try:
        return str(msgspec.json.decode(node[1])), int(boot[1])
    except (*UNREADABLE, ValueError):  # a name that is damaged, a number of thousands of digits
        return None


def explain(raw: bytes, error: Exception) -> Fault:
    """The fault of a line that msgspec refused with `error`."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as wrong:
        column = len(raw[: wrong.start].decode()) + 1
        return Fault(
            "not UTF-8", "write the trace as UTF-8, without a compression or a byte-order mark", column
        )
    try:
        line = json.loads(text.rstrip("\r\n"))
    except RecursionError:
        return Fault("malformed JSON: nested too deeply", SEE_FORMAT)
    except ValueError as wrong:
        return _malformed(raw, wrong)
    if not isinstance(line, dict):
        return Fault("a line must be a JSON object", SEE_FORMAT, 1)
    version = line.get("v", VERSION)
    if version != VERSION or isinstance(version, bool):
        return Fault(
            f"field `v`: {shortened(json.dumps(version))} is not version {VERSION} of the format",
            f"write the trace in version {VERSION}, or read it with a quorate that knows its version",
        )
    return _invalid(str(error))


_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_OPENING, _CLOSING = re.compile(rb"[{\[]"), re.compile(rb"[}\]]")
_NODE = re.compile(rb'"node"\s*:\s*("(?:[^"\\]|\\.)*")')
_BOOT = re.compile(rb'"boot"\s*:\s*(\d+)\s*,')
_MESSAGE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_REQUIRED = re.compile(r"^Object missing required field `(?P<name>.*)`$")
_VALUE = re.compile(r"^Invalid value (?P<value>.*)$")


def _malformed(raw: bytes, wrong: ValueError) -> Fault:
    if is_torn(raw):
        return Fault(
            "malformed JSON: the line breaks off",
            "only the last line of a boot may be torn; put the file back whole",
            len(raw.decode().rstrip("\0\r\n")) + 1,
        )
    column = wrong.pos + 1 if isinstance(wrong, json.JSONDecodeError) else None
    what = wrong.msg if isinstance(wrong, json.JSONDecodeError) else str(wrong)
    return Fault(f"malformed JSON: {what}", "one JSON object a line, nothing else", column)


def _invalid(error: str) -> Fault:
    """A fault in msgspec's words, as `Expected `int`, got `str` - at `$.entries[2][0]``, in ours."""
    found = _MESSAGE.match(error)
    what, path = (found["what"], found["path"] or "") if found else (error, "")
    if missing := _REQUIRED.match(what):
        return _missing(f"{path}.{missing['name']}" if path else missing["name"])
    if unknown := _VALUE.match(what):
        if path == "event":
            return Fault(f"unknown event {shortened(unknown['value'])}", f"write one of {', '.join(EVENTS)}")
        if path.endswith("kind"):
            value = shortened(unknown["value"])
            return Fault(f"field `{path}`: unknown message kind {value}", f"write one of {', '.join(KINDS)}")
    return Fault(f"field `{path}`: {_lower(what)}" if path else _lower(what), SEE_FORMAT)


def _missing(path: str) -> Fault:
    return Fault(f"missing field `{path}`", f"every such line has it: {SEE_FORMAT}")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]

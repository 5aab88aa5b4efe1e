"""A frame is one batch of records on disk, and a reader can tell a torn one from a damaged one.

It does not know files or records: it turns bytes into frames and back. A frame is

    header    32 bytes: magic, checksum of the rest, sequence number, length and checksum of the content, a mark
    content   the records, and a mark
    zeros     up to the next multiple of 32

and the sequence number of a log's batches is 1, 2, 3 ... without gaps.

Torn or damaged?
----------------
A batch is written by one pwrite into an area that holds zeros, and the next batch is written only after
fdatasync said that this one is on disk. So a bad frame that any later frame follows was synced once: it is
*damaged*, and so is everything that a reader would drop with it. What is left to decide is a bad frame with
nothing after it: the last batch, of which nobody may have been told (*torn*), or everybody (*damaged*).

A crash can leave an unfinished pwrite in two ways, also both at once:

- of the sectors that it covers (512 bytes; larger ones only leave coarser pieces) some hold what was
  written and the others still hold zeros, in any order;
- a process that is killed inside pwrite leaves a prefix, and zeros behind it.

A header lies within one sector (32 bytes at a multiple of 32), so it is there, or all zeros, or cut short
with only zeros to follow: its last byte, a mark, is zero. A content that is not whole is cut short (its last
byte, a mark, is zero) or lacks a sector (its part of that sector is all zeros). In every other case the whole
frame was written and some of it has changed since: it is damaged. Any flip of one bit in a frame is damage,
for a mark is more than one bit away from zero. The exception cannot be told apart by anyone: damage to the
*last* frame that reads as torn because its content has a sector of nothing but zeros, or because the damage
itself zeroed a piece.

A disk that tears within a sector would be called damaged, not torn: refused, never silently dropped.

Checksums start from a salt that each segment draws for itself. A frame of another segment, or the picture of
a frame inside some client's value, is therefore never taken for a frame.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

SECTOR: Final = 512
"""Bytes that a disk writes as one, or not at all."""

ALIGN: Final = 32
"""Every frame starts at a multiple of this many bytes, so that no header straddles two sectors."""

BODY_BYTES_MAX: Final = 1 << 30

_MAGIC: Final = b"qFr1"
_FIELDS: Final = struct.Struct("<QII7xB")
"""Of the header, what its checksum covers: sequence number, length and checksum of the content, the mark."""

_MARK: Final = 0xA5  # more than one bit away from zero
_HEADER_BYTES: Final = len(_MAGIC) + 4 + _FIELDS.size

assert _HEADER_BYTES == ALIGN
assert SECTOR % ALIGN == 0


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame: the sequence number of its batch, and the bytes of the records."""

    sequence: int
    body: bytes
    end: int
    """Where the next frame starts, in bytes from the beginning of the segment."""


@dataclass(frozen=True, slots=True)
class BadFrame:
    """No frame, at a place where there are bytes: torn if a crash can have left it so, else damaged."""

    torn: bool
    reason: str


def frame_bytes(body_bytes: int) -> int:
    """How much room a batch of `body_bytes` takes. Raises ValueError if no frame holds so many."""
    if body_bytes > BODY_BYTES_MAX:
        raise ValueError(f"a batch of {body_bytes} bytes is above the limit of {BODY_BYTES_MAX}")
    content_bytes = body_bytes + 1
    return _HEADER_BYTES + -(-content_bytes // ALIGN) * ALIGN


def encode_frame(sequence: int, body: bytes, salt: int) -> bytes:
    """The bytes of a frame, ready to be written at a multiple of `ALIGN`."""
    room = frame_bytes(len(body))
    content = body + bytes((_MARK,))
    fields = _FIELDS.pack(sequence, len(content), zlib.crc32(content, salt), _MARK)
    header = _MAGIC + zlib.crc32(fields, salt).to_bytes(4, "little") + fields
    return (header + content).ljust(room, b"\0")


def read_frame(data: bytes, offset: int, salt: int) -> Frame | BadFrame:
    """The frame at `offset` of a segment's bytes, or what is wrong with it."""
    fields = _read_header(data, offset, salt)
    if fields is None:
        return _no_header(data, offset)
    sequence, content_bytes, content_crc = fields
    start = offset + _HEADER_BYTES
    stop = start + content_bytes
    content = data[start:stop]
    if zlib.crc32(content, salt) == content_crc:
        return Frame(sequence, content[:-1], offset + frame_bytes(content_bytes - 1))
    if content[-1] == 0 or _lacks_a_sector(data, start, stop):
        return BadFrame(True, f"batch {sequence} was not written to its end")
    return BadFrame(False, f"batch {sequence} was written whole and has changed since")


def _read_header(data: bytes, offset: int, salt: int) -> tuple[int, int, int] | None:
    """Sequence number, content length and content checksum; None if there is no header at `offset`."""
    header = data[offset : offset + _HEADER_BYTES]
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        return None
    crc, fields = header[len(_MAGIC) : -_FIELDS.size], header[-_FIELDS.size :]
    if zlib.crc32(fields, salt) != int.from_bytes(crc, "little"):
        return None
    sequence, content_bytes, content_crc, _ = _FIELDS.unpack(fields)
    return sequence, content_bytes, content_crc


def _no_header(data: bytes, offset: int) -> BadFrame:
    """What to call the bytes at `offset`, which are no header."""
    header = data[offset : offset + _HEADER_BYTES]
    if not any(header):
        return BadFrame(True, "the first sector of a batch was not written")
    if header[-1] == 0 and blank(data[offset + _HEADER_BYTES :]):
        return BadFrame(True, "a batch was cut short in its header")
    return BadFrame(False, "the header of a batch was written whole and has changed since")


def _lacks_a_sector(data: bytes, start: int, stop: int) -> bool:
    """Does data[start:stop], in some sector, hold nothing but zeros?"""
    first = start - start % SECTOR
    return any(blank(data[max(start, at) : min(stop, at + SECTOR)]) for at in range(first, stop, SECTOR))


def blank(data: bytes) -> bool:
    """Is there nothing but zeros? A segment is mostly that, and `any` looks at each alone."""
    return data == bytes(len(data))


def later_frame(data: bytes, offset: int, salt: int) -> int | None:
    """Where the next header after `offset` stands, if there is one.

    A header alone is evidence enough: its batch was begun, so the batches before it were synced.
    """
    at = data.find(_MAGIC, offset + 1)
    while at >= 0:
        if at % ALIGN == 0 and _read_header(data, at, salt) is not None:
            return at
        at = data.find(_MAGIC, at + 1)
    return None

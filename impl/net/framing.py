"""Cuts a stream of bytes into frames: length, checksum, payload.

It does not know what a payload says. A length above the limit is refused before a byte of it is kept; bytes are
kept only as they arrive, so a peer that promises much and sends little costs little.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from .errors import MalformedFrame

_HEAD: Final = struct.Struct("<II")

HELLO_BYTES_MAX: Final = 64 << 10
"""What a stranger may send before it has said who it is."""

PEER_BYTES_MAX: Final = 512 << 20
"""A promise carries the log above the checkpoint, so this is well above what a log may hold (`log_bytes_max`)."""

CLIENT_BYTES_MAX: Final = 16 << 20


def encode_frame(payload: bytes) -> bytes:
    """The payload as it goes into a stream."""
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def payload_of(frame: bytes) -> bytes:
    """What `encode_frame` made a frame of; for whoever has it from there, so nothing is checked."""
    return frame[_HEAD.size :]


class FrameDecoder:
    """One direction of one connection."""

    def __init__(self, frame_bytes_max: int) -> None:
        self.frame_bytes_max = frame_bytes_max
        self._kept = bytearray()
        self._wanted = _HEAD.size
        """How many bytes must be there before anything can be done."""

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that `data` completes, in order.

        Raises MalformedFrame; what came with the bad frame is lost, and there is no way to go on in the stream.
        """
        kept = self._kept
        kept += data
        if len(kept) < self._wanted:
            return []
        payloads: list[bytes] = []
        at = 0
        with memoryview(kept) as view:
            while (end := self._end_of_frame(view, at)) <= len(view):
                payloads.append(_checked(bytes(view[at + _HEAD.size : end]), view, at))
                at = end
        del kept[:at]
        self._wanted = end - at
        return payloads

    def _end_of_frame(self, view: memoryview, at: int) -> int:
        """Where the frame that begins at `at` ends; where its head ends, if that is all one can tell."""
        start = at + _HEAD.size
        if start > len(view):
            return start
        length: int = _HEAD.unpack_from(view, at)[0]
        if length > self.frame_bytes_max:
            raise MalformedFrame(f"a frame of {length} bytes is above the limit of {self.frame_bytes_max}")
        return start + length


def _checked(payload: bytes, view: memoryview, at: int) -> bytes:
    if zlib.crc32(payload) != _HEAD.unpack_from(view, at)[1]:
        raise MalformedFrame(f"a frame of {len(payload)} bytes does not match its checksum")
    return payload

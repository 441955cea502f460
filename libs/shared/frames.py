"""Frames: a big-endian u32 length and so many bytes, one after the other; length 0 is the end.

What was cut never looks whole: only the end mark ends a stream of frames.
Used by the agent and the services alike.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Protocol

_LENGTH = struct.Struct(">I")

HEAD_BYTES = _LENGTH.size
END = _LENGTH.pack(0)


class Source(Protocol):
    """What frames are read from; gives fewer bytes than asked for at its end only."""

    def read(self, size: int, /) -> bytes: ...


class FrameBroken(Exception):  # noqa: N818 - named after what happened
    """A source that ends too early, or goes on with something else than a frame; says which."""


def frame(body: bytes) -> bytes:
    """A body behind its length; an empty one would be the end mark."""
    return _LENGTH.pack(len(body)) + body


def read_frame(source: Source, max_bytes: int) -> bytes:
    """The next frame's body, empty for the end mark.

    Raises FrameBroken where the source ends before, or the frame has more than `max_bytes`.
    """
    (length,) = _LENGTH.unpack(read_exactly(source, _LENGTH.size))
    if length > max_bytes:
        raise FrameBroken(f"a frame of {length} bytes, where {max_bytes} are allowed")
    return read_exactly(source, length)


def read_frames(source: Source, max_bytes: int) -> Iterator[bytes]:
    """The bodies of all frames of a source, which holds nothing else; raises FrameBroken."""
    while body := read_frame(source, max_bytes):
        yield body
    check_end(source)


def read_exactly(source: Source, length: int) -> bytes:
    """So many bytes; raises FrameBroken where the source ends before."""
    content = source.read(length)
    if len(content) < length:
        raise FrameBroken("it ended before its end")
    return content


def check_end(source: Source) -> None:
    """Read on to the end of a source; raises FrameBroken if anything is left."""
    if source.read(1):
        raise FrameBroken("something follows its end")

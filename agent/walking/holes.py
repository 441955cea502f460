"""Holes of sparse files: found by asking for them, so that nothing of them is read."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator

# Smaller ones are read as the zeros that they are: a piece of its own would cost more chunks
# than a file of that size may have.
LEAST_BYTES = 8 * 1024 * 1024
_BLOCK_BYTES = 512


def may_have(status: os.stat_result) -> bool:
    """Does a file take so much less room than it is long that holes may be worth looking for?"""
    if sys.platform == "win32":
        return False
    return status.st_size - status.st_blocks * _BLOCK_BYTES >= LEAST_BYTES


def pieces(descriptor: int, size: int) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether it is a hole) of the pieces of an open file, up to a size, in order."""
    if sys.platform == "win32":
        return
    start = at = 0
    while at < size:
        hole = min(_seek(descriptor, at, os.SEEK_HOLE, size), size)
        end = min(_seek(descriptor, hole, os.SEEK_DATA, size), size) if hole < size else size
        if end - hole >= LEAST_BYTES:
            if hole > start:
                yield start, hole, False
            yield hole, end, True
            start = end
        at = end
    if start < size:
        yield start, size, False


def _seek(descriptor: int, at: int, what: int, size: int) -> int:
    """Where the next hole or the next data begins; the size for none."""
    try:
        return os.lseek(descriptor, at, what)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return size

"""Writing contents: all of them, and of a new file only what is no hole."""

from __future__ import annotations

import os

from agent.platforms import folders

_BLOCK_BYTES = 4096
_ZEROS = bytes(_BLOCK_BYTES)


def write_all(descriptor: int, content: bytes | memoryview, offset: int) -> None:
    """Write at a place, however often the system wants to be asked."""
    written = folders.write_at(descriptor, content, offset)
    while written < len(content):
        rest = memoryview(content)[written:]
        written += folders.write_at(descriptor, rest, offset + written)


def write_data(descriptor: int, content: bytes, offset: int) -> None:
    """Write into a file that is new there: blocks of zeros stay holes."""
    if _ZEROS not in content:
        return write_all(descriptor, content, offset)
    view = memoryview(content)
    start = 0
    # Blocks of the file, of which the first and the last may be here in part.
    edges = range(-offset % _BLOCK_BYTES, len(content) - _BLOCK_BYTES + 1, _BLOCK_BYTES)
    for edge in edges:
        if content.startswith(_ZEROS, edge):
            if edge > start:
                write_all(descriptor, view[start:edge], offset + start)
            start = edge + _BLOCK_BYTES
    if start < len(content):
        write_all(descriptor, view[start:], offset + start)
    return None


def fill(descriptor: int, content: bytes) -> None:
    """Write all of a new file; closes it if that can't be."""
    try:
        write_data(descriptor, content, 0)
        if content.endswith(_ZEROS):
            os.ftruncate(descriptor, len(content))
    except OSError:
        os.close(descriptor)
        raise

"""What a process keeps of the memory that it had."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def give_memory_back(beyond_bytes: int) -> None:
    """Makes glibc give buffers of packs back to the system, and use those of chunks again.

    By itself it comes to keep them all, fragmented, a heap for each thread: a busy ingest would
    hold 150 MB more. beyond_bytes: so much of what is free at a heap's end is kept; memory that
    is mapped anew for each chunk costs as much as receiving it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 5 * 1024 * 1024)
        mallopt(_M_TRIM_THRESHOLD, beyond_bytes)
        mallopt(_M_ARENA_MAX, 2)

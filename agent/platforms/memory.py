"""Keeping the process small, and its memory in use rather than mapped anew for each chunk."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def keep_warm() -> None:
    """Tell glibc to use freed megabytes again rather than to map and zero them each time.

    For a process of one thread that handles one chunk after the other.
    """
    with suppress(OSError, AttributeError, TypeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 32 * 1024 * 1024)
        libc.mallopt(_M_TRIM_THRESHOLD, 16 * 1024 * 1024)


def keep_small() -> None:
    """Tell glibc to keep one heap for chunks and to map what is larger; elsewhere do nothing.

    Left alone it raises its threshold to the largest buffer it has seen and keeps a heap for
    each thread: some 30 MB more on a first copy. Mapping chunks one by one costs as much time in
    the system as reading them.
    """
    with suppress(OSError, AttributeError, TypeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, 1024 * 1024)
        libc.mallopt(_M_TRIM_THRESHOLD, 2 * 1024 * 1024)


def collect_rarely() -> None:
    """Have Python look for cycles seldom: what is read of a tree has none, and is in the way."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)

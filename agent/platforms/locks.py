"""A lock on an open file, held until the file is closed or the process is gone."""

from __future__ import annotations

import sys
from typing import IO, Any


def try_lock(file: IO[Any] | int) -> bool:
    """Take the lock; False if another process holds it."""
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - only there

        try:
            descriptor = file if isinstance(file, int) else file.fileno()
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True

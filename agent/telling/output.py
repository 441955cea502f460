"""Standard output that takes nothing more: a full disk, a disk that fails."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def is_full(error: OSError) -> bool:
    """Is it an error of writing to a file that was opened already?"""
    return error.errno in _FULL and error.filename is None


def give_up(error: OSError) -> None:
    """Say that what we tell is lost, and write no more of it."""
    with suppress(OSError):
        print(
            f"coffre-agent: standard output can't be written ({error.strerror}):"
            " what is told there is lost from here on.",
            file=sys.stderr,
            flush=True,
        )
    # What is still to be written must not fail once more at the very end.
    silence()


def silence() -> None:
    """Lead standard output to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

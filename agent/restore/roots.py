"""The folder that a restore writes below: made if need be, and one restore's at a time."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.failures import AlreadyRunning

PATIENCE_SECONDS = 3.0


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A descriptor of the folder, locked until the last process that has it ends.

    Workers of a restore that was killed keep the lock until they notice, so this waits a little;
    AlreadyRunning after that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(descriptor, folder)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    import fcntl  # noqa: PLC0415 - not on Windows

    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network file systems have no locks: then it's the user who must take care.
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                return None
        if time.monotonic() > deadline:
            raise AlreadyRunning(
                f"Another restore is writing below {folder}: wait for its end, or restore "
                "into another folder."
            )
        time.sleep(0.1)

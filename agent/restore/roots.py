"""The folder that a restore writes below: made if need be, and one restore's at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.platforms import folders
from agent.telling.failures import AlreadyRunning
from libs.shared.reasons import Reason

PATIENCE_SECONDS = 3.0


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """The folder, open and locked until the last process that has it ends.

    Workers of a restore that was killed keep the lock until they notice, so this waits a little;
    AlreadyRunning after that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = folders.open_target(str(folder))
    try:
        _lock(root, folder)
        yield root
    finally:
        folders.close(root)


def _lock(root: int, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not folders.try_lock(root):
        if time.monotonic() > deadline:
            raise AlreadyRunning(Reason("restore-goes-on", str(folder)))
        time.sleep(0.1)

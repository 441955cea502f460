"""Services that rest while another process does their work, which holds a lock for as long.

The kernel gives the lock back however suddenly its holder ends, and the services start again.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.processes import StartFailed

LOCK = "resting"
WAIT_SECONDS = 180


def is_wished(folder: Path) -> bool:
    """Says whether somebody wants the services of an installation to rest."""
    try:
        with open(folder / LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def services_at_rest(folder: Path) -> Iterator[None]:
    """Has the services of a running installation rest, and waits for their return at the end.

    Raises StartFailed where they don't, or somebody else works in their place.
    """
    with open(folder / LOCK, "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartFailed("another ./run demo is at work on this installation") from None
        _wait(folder, is_resting=True)
        yield
    _wait(folder, is_resting=False)


def _wait(folder: Path, *, is_resting: bool) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while _said(folder) is not is_resting:
        if time.monotonic() > deadline:
            wanted = "rest" if is_resting else "start again"
            raise StartFailed(f"the services don't {wanted}; look at `./run logs supervisor`")
        time.sleep(0.1)


def _said(folder: Path) -> bool | None:
    """What the supervisor says of it; None where nothing runs."""
    try:
        return bool(json.loads((folder / "stack.json").read_text())["is_resting"])
    except (OSError, ValueError, KeyError):
        return None

"""Servers shared by several processes: each holds a lease, and the last one's end ends them.

A lease is a shared lock of a file; the kernel gives it back however suddenly its holder ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from pathlib import Path
from typing import IO

from devstack.processes import StartFailed, tail

READY = "servers.json"
START_SECONDS = 120


def take(folder: Path) -> tuple[dict[str, object], IO[str]]:
    """Joins the users of the servers in `folder`, starting them for the first one.

    Gives what `Servers.describe` said and the lease: closing it (or ending) leaves.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lease = (folder / "lease").open("a")
    fcntl.flock(lease, fcntl.LOCK_SH)
    with open(folder / "start", "a") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        if not (folder / READY).exists():
            _start(folder)
    return json.loads((folder / READY).read_text()), lease


def _start(folder: Path) -> None:
    log = folder / "servers.log"
    command = [sys.executable, "-P", "-m", "devstack", "servers", f"--dir={folder}", "--shared"]
    pid = os.posix_spawn(  # it outlives us where others still need it, so no Popen watches it
        sys.executable,
        command,
        os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    deadline = time.monotonic() + START_SECONDS
    while not (folder / READY).exists():
        if os.waitpid(pid, os.WNOHANG)[0] or time.monotonic() > deadline:
            raise StartFailed(f"the servers for the tests didn't start:\n{tail(log, 60)}")
        time.sleep(0.1)


def is_unused(folder: Path) -> bool:
    """Says whether nobody holds a lease any more."""
    with open(folder / "lease", "a") as lease:
        try:
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True

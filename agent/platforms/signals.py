"""What tells a process to stop, and whom it is meant for."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any


def stop_signals() -> tuple[signal.Signals, ...]:
    """The signals that ask for a polite end; the last one is the terminal's Ctrl-C."""
    if sys.platform == "win32":
        return (signal.SIGTERM, signal.SIGBREAK, signal.SIGINT)
    return (signal.SIGTERM, signal.SIGINT)


def own_group() -> dict[str, Any]:
    """For subprocess.Popen: a program at the head of a process group, which Ctrl-C leaves alone."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": 0}

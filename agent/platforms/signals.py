"""What tells a process to stop."""

from __future__ import annotations

import signal
import sys


def stop_signals() -> tuple[signal.Signals, ...]:
    """The signals that ask for a polite end; the last one is the terminal's Ctrl-C."""
    if sys.platform == "win32":
        return (signal.SIGTERM, signal.SIGBREAK, signal.SIGINT)
    return (signal.SIGTERM, signal.SIGINT)

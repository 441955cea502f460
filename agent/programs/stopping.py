"""SIGTERM and Ctrl-C: a run ends politely, so that the next one goes on from there."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from agent.platforms.signals import stop_signals
from agent.telling.failures import Interrupted
from libs.shared.reasons import Reason


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise Interrupted here at the first SIGTERM or Ctrl-C; a second Ctrl-C ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        raise Interrupted(Reason("interrupted", signal.Signals(number).name))

    before = {number: signal.signal(number, stop) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

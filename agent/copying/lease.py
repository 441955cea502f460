"""Signs of life: a run without any call for its lease is closed by the server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from agent.server.ingest import Ingest, StartedRun
from agent.telling.failures import AgentError

CALLS_PER_LEASE = 4
LONGEST_PAUSE_SECONDS = 240.0
_ANY_CHUNK = bytes(32)


@contextmanager
def kept(ingest: Ingest, run: StartedRun) -> Iterator[None]:
    """Call the server now and then: a hook or a slow dump may be silent for hours."""
    pause_seconds = min(run.lease_seconds / CALLS_PER_LEASE, LONGEST_PAUSE_SECONDS)
    ended = threading.Event()

    def call() -> None:
        while not ended.wait(pause_seconds):
            # What is wrong with the server or the run, the run's own calls will find.
            with suppress(AgentError):
                ingest.missing(run.run_id, [_ANY_CHUNK])

    threading.Thread(target=call, daemon=True).start()
    try:
        yield
    finally:
        ended.set()

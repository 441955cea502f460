"""What ingest does every so often."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from libs.shared import logs
from libs.shared.errors import Unavailable
from services.ingest import actions

_PAUSE_SECONDS = 10.0
_LISTS_PAUSE_SECONDS = 60.0
_NAMES_PAUSE_SECONDS = 2.0
_BREATH_SECONDS = 0.05


async def close_abandoned_runs(ingest: actions.Ingest) -> None:
    """For ever: ends runs whose lease ran out, within seconds after it did."""
    pause = min(_PAUSE_SECONDS, ingest.lease.total_seconds() / 4)
    while True:
        with _interruptible("close_abandoned_runs"):
            await actions.fail_abandoned(ingest)
        await asyncio.sleep(pause)


async def make_names_findable(ingest: actions.Ingest) -> None:
    """For ever: what a commit brought can be searched for some seconds later."""
    forgotten = True
    while True:
        pause = _NAMES_PAUSE_SECONDS
        with _interruptible("make_names_findable"):
            if forgotten:
                await actions.add_forgotten_names(ingest.pool)
                forgotten = False
            if await actions.add_due_names(ingest.pool):
                # Copies come first: what else wants the processor gets its turn.
                pause = _BREATH_SECONDS
        await asyncio.sleep(pause)


async def tell_ends(ingest: actions.Ingest) -> None:
    """For ever: tells the bucket of runs' ends that a crash or an outage kept from it."""
    while True:
        with _interruptible("tell_ends"):
            await actions.tell_ends(ingest)
        await asyncio.sleep(_PAUSE_SECONDS)


async def write_lists(ingest: actions.Ingest) -> None:
    """For ever: writes whole lists of plans whose deltas outgrew their last one, one at a time."""
    while True:
        with _interruptible("write_lists"):
            await actions.write_due_lists(ingest)
        await asyncio.sleep(_LISTS_PAUSE_SECONDS)


@contextmanager
def _interruptible(job: str) -> Iterator[None]:
    """An outage only makes a job late."""
    try:
        yield
    except Unavailable as trouble:
        logs.get().warning("job.interrupted", job=job, why=str(trouble))

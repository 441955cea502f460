"""Events in, second half: each handled in one transaction with its effects and the mark."""

from __future__ import annotations

import asyncio
import random
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram

from libs.shared import clock, database, heartbeats, logs, tracing
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection, Pool
from libs.shared.errors import Unavailable
from libs.shared.events import EVENTS, Event, ServicePinged
from libs.shared.heartbeats import Heartbeat
from libs.shared.inbox import table
from libs.shared.outbox import blanked

Handler = Callable[[Connection, Any], Awaitable[None]]
"""Called with the transaction's connection and the event; opens no transaction, never retries."""

Handlers = Mapping[type[Event], Handler]

T = TypeVar("T")

MOST_TRIES = 12
LONGEST_PAUSE_SECONDS = 3600.0
POLL_SECONDS = 1.0
_OUTAGE_PAUSE_SECONDS = 1.0

_HANDLED = Counter("coffre_events_handled", "Events handled", ["service", "type"])
_FAILED = Counter("coffre_event_tries_failed", "Tries that failed", ["service", "type"])
_PARKED = Counter("coffre_events_parked", "Events parked", ["service", "type"])
_SECONDS = Histogram(
    "coffre_event_seconds",
    "Duration of handling, to the end of its transaction",
    ["service", "type"],
    buckets=(0.01, 0.05, 0.25, 1, 5),
)


@dataclass(frozen=True, slots=True)
class _Taken:
    event_id: UUID
    type: str
    attempts: int
    traceparent: str
    tenant_id: UUID | None


class NoHandler(Exception):  # noqa: N818 - the reason that a parked event shows
    """An event came that the service has no handler for."""


class Workers:
    """Handles stored events, several at once, as soon as they arrive and at least each second."""

    def __init__(self, service: str, pool: Pool, handlers: Handlers, *, count: int = 4) -> None:
        self.service = service
        self._pool = pool
        self._handlers: dict[str, Handler] = {
            ServicePinged.type: _ignore_ping,
            **{event.type: handler for event, handler in handlers.items()},
        }
        for type_ in self._handlers:
            _FAILED.labels(service, type_)
            _PARKED.labels(service, type_)
        self._wakes = [asyncio.Event() for _ in range(count)]
        self.heartbeats = [Heartbeat(f"worker {place}") for place in range(count)]

    def wake(self) -> None:
        """Tells the workers that something arrived."""
        for wake in self._wakes:
            wake.set()

    async def run(self) -> None:
        """Works until cancelled; what is being handled then is rolled back and stays pending."""
        await self._through_outages(lambda: table.bring_back(self._pool, clock.now()))
        async with asyncio.TaskGroup() as group:
            for place, heartbeat in enumerate(self.heartbeats):
                # One worker looks each second for what became due; it wakes the others.
                poll_seconds = POLL_SECONDS if place == 0 else 30 * POLL_SECONDS
                work = self._work(self._wakes[place], heartbeat, poll_seconds)
                group.create_task(work, name=f"worker-{place}")

    async def _work(self, wake: asyncio.Event, heartbeat: Heartbeat, poll_seconds: float) -> None:
        while True:
            wake.clear()
            with heartbeat.working():
                while await self._through_outages(self.work_one):
                    if poll_seconds == POLL_SECONDS:
                        self.wake()
            with suppress(TimeoutError):
                async with asyncio.timeout(poll_seconds):
                    await wake.wait()

    async def _through_outages(self, work: Callable[[], Awaitable[T]]) -> T:
        """Does the work again and again while PostgreSQL is away; that costs no event a try."""
        reported = False
        while True:
            try:
                return await work()
            except Unavailable as outage:
                if not reported:
                    logs.get().warning("worker.interrupted", why=str(outage))
                    reported = True
                heartbeats.beat()
                await asyncio.sleep(_OUTAGE_PAUSE_SECONDS)

    async def work_one(self) -> bool:
        """Handles the next due event, or records why that failed; False where none is due."""
        taken: list[_Taken] = []
        try:
            return await self._handle_next(taken)
        except Exception as error:
            if not taken:
                raise
            await self._record_failure(taken[0], error)
            return True

    async def _handle_next(self, taken: list[_Taken]) -> bool:
        async with database.transaction(self._pool) as conn:
            row = await table.take(conn, clock.now())
            if row is None:
                return False
            begun = time.perf_counter()
            taken.append(
                _Taken(
                    row["event_id"],
                    row["type"],
                    row["attempts"],
                    row["traceparent"],
                    row["tenant_id"],
                )
            )
            handler = self._handlers.get(row["type"])
            if handler is None:
                raise NoHandler(f"{self.service} has no handler for {row['type']}")
            event = EVENTS[row["type"]].model_validate_json(row["payload"])
            if not event.outlives and await table.is_erased(conn, event.tenant_id):
                # Whatever it tells is of somebody of whom nothing may be kept any more.
                await table.replace_payload(conn, row["event_id"], "{}")
                await table.mark_done(conn, row["event_id"], clock.now())
                return True
            with (
                structlog.contextvars.bound_contextvars(
                    event_id=str(row["event_id"]),
                    event_type=row["type"],
                    tenant_id=str(event.tenant_id),
                ),
                _going_on(row["traceparent"], row["type"]),
            ):
                await handler(conn, event)
            if event.secrets:
                await table.replace_payload(
                    conn, row["event_id"], blanked(row["payload"], event.secrets)
                )
            await table.mark_done(conn, row["event_id"], clock.now())
            crashpoint("inbox.before_commit")
        _HANDLED.labels(self.service, row["type"]).inc()
        _SECONDS.labels(self.service, row["type"]).observe(time.perf_counter() - begun)
        return True

    async def _record_failure(self, taken: _Taken, error: Exception) -> None:
        """In a transaction of its own: the pause to the next try, or the parking.

        Where PostgreSQL was away this fails as well, and costs the event no try.
        """
        text = table.storable("".join(traceback.format_exception(error)))[-4000:]
        outage = isinstance(error, Unavailable)
        attempts = taken.attempts + (0 if outage else 1)
        parked = isinstance(error, NoHandler) or attempts >= MOST_TRIES
        async with database.transaction(self._pool) as conn:
            if parked:
                await table.park(conn, taken.event_id, attempts, text)
            else:
                pause = pause_seconds(attempts)
                next_at = clock.now() + timedelta(seconds=pause)
                await table.postpone(conn, taken.event_id, attempts, next_at, text)
        log = logs.get().bind(
            event_id=str(taken.event_id),
            event_type=taken.type,
            tenant_id=str(taken.tenant_id),
            attempts=attempts,
            **logs.trace_of(taken.traceparent),
        )
        if parked:
            _PARKED.labels(self.service, taken.type).inc()
            log.error("event.parked", exc_info=error)
        elif outage:
            log.warning("event.postponed", why=str(error))
        else:
            _FAILED.labels(self.service, taken.type).inc()
            log.warning("event.failed", why=repr(error), exc_info=error if attempts == 1 else None)


def pause_seconds(attempts: int) -> float:
    """How long an event waits after its Nth failed try: doubling from a second, to an hour.

    A tenth more or less by chance, so that what failed together does not come back together.
    """
    pause = min(2.0 ** max(attempts - 1, 0), LONGEST_PAUSE_SECONDS)
    return pause * random.uniform(0.9, 1.1)  # noqa: S311 - no secret


def _going_on(traceparent: str, event_type: str) -> AbstractContextManager[object]:
    """The trace that the event came with; a ping belongs to none."""
    if not traceparent:
        return nullcontext()
    return tracing.trace(traceparent, f"handle {event_type}", "consumer")


async def _ignore_ping(_conn: Connection, _event: ServicePinged) -> None:
    """Its arrival was the answer."""

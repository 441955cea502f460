"""A service's lifetime: pool, outbox relay, inbox, HTTP, its jobs; all end together."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from fastapi import FastAPI
from prometheus_client import Gauge

from libs.shared import database, inbox, logs, outbox, receipts, signatures, timekeeping, tracing
from libs.shared.database import Pool
from libs.shared.errors import Unavailable
from libs.shared.events import EventsCompared, EventsListed, ParkedDecided
from libs.shared.heartbeats import Heartbeat
from libs.shared.inbox import Handlers, parked
from libs.shared.keys import KeyFileInvalid
from libs.shared.runtime import http
from libs.shared.runtime.jobs import Job, Jobs, Runner
from libs.shared.runtime.opening import open_pool
from libs.shared.runtime.pulse import Pulse
from libs.shared.settings import ServiceSettings
from libs.shared.web import Check, create_monitor

R = TypeVar("R")

SERVE_CLIENTS = ("ingest", "portal")
"""Copies and recovery go on without the broker."""

Loop = Callable[[], Awaitable[None]]
"""Something of ours that runs as long as the process; when it ends or raises, the process ends."""

_END_SECONDS = (2.5, 0.5)
"""How long loops have to end, told once and told again."""
_LATER_SECONDS = 3.0
"""What HTTP may take beyond its own deadlines before it is cut off."""

_UNPUBLISHED = Gauge("coffre_outbox_unpublished", "Events not yet published", ["service"])
_UNPUBLISHED_AGE = Gauge(
    "coffre_outbox_oldest_seconds", "Age of the oldest event not yet published", ["service"]
)
_PENDING = Gauge("coffre_inbox_pending", "Events not yet handled", ["service"])
_PENDING_AGE = Gauge(
    "coffre_inbox_oldest_seconds", "Age of the oldest event not yet handled", ["service"]
)
_PARKED = Gauge("coffre_inbox_parked", "Events that wait for a person", ["service"])
_CONNECTED = Gauge("coffre_consumer_connected", "1 while the queue is consumed", ["service"])
_ACTIVE = Gauge("coffre_relay_active", "1 where this process publishes the outbox", ["service"])
_TIME_DOUBTFUL = Gauge(
    "coffre_time_doubtful", "1 while what is decided by the date waits", ["service"]
)
_POOL_SIZE = Gauge("coffre_pool_connections", "Database connections open", ["service"])
_POOL_IDLE = Gauge("coffre_pool_idle", "Database connections idle", ["service"])
_POOL_MOST = Gauge("coffre_pool_limit", "Database connections at most", ["service"])


class ProcessEnding(Unavailable):
    """This process comes to its end, and takes what comes meanwhile."""

    @property
    def detail(self) -> str:
        return "This process is ending; another one of the service takes over."


class LoopSilent(Unavailable):
    """Loops of this process are at work and have given no sign of life for too long."""

    def __init__(self, loops: Sequence[str]) -> None:
        super().__init__("loops")
        self.loops = loops

    @property
    def detail(self) -> str:
        return f"Stuck, and to be ended by starting the process anew: {', '.join(self.loops)}."


class LoopEnded(Exception):  # noqa: N818 - the reason in the log
    """A loop that should run for ever came to its end."""


class Service:
    """Opens the pool (waiting for PostgreSQL where needed) and closes everything at the end.

    Raises KeyFileInvalid where the keys of events can't be read or don't belong together.
    """

    pool: Pool

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        *,
        pool_size: int = 10,
        ask_store: timekeeping.AskStore | None = None,
    ) -> None:
        """ask_store: tells the store's time, where the service works with it."""
        self._ask_store = ask_store
        self._doubt: timekeeping.TimeDoubtful | None = None
        self.name = name
        self.settings = settings
        self._pool_size = pool_size
        tracing.configure(name, settings.otlp_endpoint)
        self._signer = signatures.read_signer(name, settings.event_key_file)
        self._senders = signatures.read_senders(settings.event_senders_dir)
        if not self._senders.knows(self._signer):
            path = signatures.public_file(settings.event_senders_dir, name)
            raise KeyFileInvalid(f"{path} lacks the public key of {settings.event_key_file}")
        self._stop = asyncio.Event()
        self._relay: outbox.Relay | None = None
        self._consumer: inbox.Consumer | None = None
        self._heartbeats: list[Heartbeat] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):  # Windows
                loop.add_signal_handler(number, self.stop)
        self.pool = await open_pool(
            self.name,
            self.settings.database_url.get_secret_value(),
            self._pool_size,
            self._senders,
            self._stop,
        )
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        tracing.end()
        try:
            async with asyncio.timeout(3):
                await self.pool.close()
        except (TimeoutError, OSError):
            self.pool.terminate()

    def stop(self) -> None:
        """Begins the orderly end, as SIGTERM does."""
        logs.get().info("service.stopping")
        self._stop.set()

    def checks(self) -> list[Check]:
        """Readiness; the broker only for who has no other work than events (decision 59)."""
        return [
            Check("serving", self._check_serving),
            Check("database", self._check_database),
            Check("broker", self._check_broker, required=self.name not in SERVE_CLIENTS),
            Check("time", self._check_doubt, required=False),
            Check("loops", self._check_loops, required=False),
        ]

    async def run(
        self,
        app: FastAPI,
        *,
        jobs: Jobs[R] = (),
        resources: R | None = None,
        handlers: Handlers | None = None,
        workers: int = 4,
    ) -> None:
        """Serves HTTP, handles events and does `jobs`, each with `resources`, until SIGTERM.

        At the end readiness says no first, then all loops are cancelled (a handler or a turn is
        rolled back and comes again), and requests in hand get their time to be answered.
        Raises whatever ended a loop.
        """
        dsn = self.settings.database_url.get_secret_value()
        amqp_url = self.settings.amqp_url.get_secret_value()
        every: Handlers = {
            **(handlers or {}),
            ParkedDecided: partial(parked.follow_decision, self.name, self._senders),
            EventsListed: partial(receipts.compare, self.name),
            EventsCompared: partial(receipts.follow, self.name),
        }
        crew = inbox.Workers(self.name, self.pool, every, count=workers)
        self._relay = outbox.Relay(self.name, dsn, amqp_url, self._signer)
        self._consumer = inbox.Consumer(self.name, self.pool, amqp_url, crew.wake, self._senders)
        pulse = Pulse(self.name, self.pool, self._relay, self._consumer)
        _check_names([*SHARED_JOBS, *jobs])
        runners: list[Runner[Any]] = [
            *(Runner(self.name, dsn, job, self) for job in SHARED_JOBS),
            *(Runner(self.name, dsn, job, cast("R", resources)) for job in jobs),
        ]
        relay, consumer = self._relay, self._consumer
        background: list[Loop] = [relay.run, consumer.run, crew.run, pulse.run]
        self._heartbeats += [relay.heartbeat, consumer.heartbeat, *crew.heartbeats, pulse.heartbeat]
        for runner in runners:
            background.append(runner.run)
            self._heartbeats.append(runner.heartbeat)
        app.state.heartbeats = self._heartbeats
        logs.get().info(
            "service.started",
            listen=self.settings.listen,
            monitor_listen=self.settings.monitor_listen,
        )
        await self._together(app, background)
        logs.get().info("service.stopped")

    async def _together(self, app: FastAPI, background: Sequence[Loop]) -> None:
        """Others take over at once what loops do; requests in hand, nobody can."""
        handover, drain = self.settings.handover_seconds, self.settings.drain_seconds
        served = asyncio.Event()
        monitor = create_monitor(self.name, app)
        public = _serve(app, self.settings.listen, http.Farewell(self._stop, handover, drain))
        seen = _serve(monitor, self.settings.monitor_listen, http.Farewell(served, 0, 1))
        loops = [asyncio.ensure_future(_for_ever(loop)) for loop in background]
        stopping = asyncio.ensure_future(self._stop.wait())
        tasks: list[asyncio.Future[Any]] = [public, seen, stopping, *loops]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._stop.set()
            await asyncio.wait([public], timeout=handover)
            await _end(loops)
            self._heartbeats.clear()  # what is left serves, and nothing else is awaited
            await asyncio.wait([public], timeout=drain + _LATER_SECONDS)
            served.set()
            await asyncio.wait([seen], timeout=_LATER_SECONDS)
            for task in (*done, public, seen):
                if task.done():
                    task.result()
        finally:
            await _end(tasks)

    async def _check_serving(self) -> None:
        if self._stop.is_set():
            raise ProcessEnding("process")

    async def _check_database(self) -> None:
        await database.check(self.pool)

    async def _check_broker(self) -> None:
        if self._consumer is None or not self._consumer.connected:
            raise Unavailable("message broker")
        self._consumer.check_alone()

    async def _check_doubt(self) -> None:
        if self._doubt is not None:
            raise self._doubt

    async def _check_loops(self) -> None:
        silent = [one.loop for one in self._heartbeats if one.is_silent()]
        if silent:
            raise LoopSilent(silent)

    async def _check_time(self) -> None:
        """Believes the time, or keeps why not: for readiness, and for what waits meanwhile."""
        try:
            await timekeeping.check_time(self.pool, self._ask_store)
        except timekeeping.TimeDoubtful as doubt:
            self._doubt = doubt
            _TIME_DOUBTFUL.labels(self.name).set(1)
            raise
        self._doubt = None
        _TIME_DOUBTFUL.labels(self.name).set(0)

    async def _measure_events(self) -> None:
        """Keeps the gauges true; an outage shows as gauges that stand still."""
        _CONNECTED.labels(self.name).set(bool(self._consumer and self._consumer.connected))
        _ACTIVE.labels(self.name).set(bool(self._relay and self._relay.active))
        _POOL_SIZE.labels(self.name).set(self.pool.get_size())
        _POOL_IDLE.labels(self.name).set(self.pool.get_idle_size())
        _POOL_MOST.labels(self.name).set(self.pool.get_max_size())
        waiting, age = await outbox.backlog(self.pool)
        _UNPUBLISHED.labels(self.name).set(waiting)
        _UNPUBLISHED_AGE.labels(self.name).set(age)
        pending, pending_age, waiting_for_a_person = await inbox.backlog(self.pool)
        _PENDING.labels(self.name).set(pending)
        _PENDING_AGE.labels(self.name).set(pending_age)
        _PARKED.labels(self.name).set(waiting_for_a_person)
        await receipts.measure(self.pool, self.name)

    async def _tell_parked(self) -> int:
        """Has the portal show what waits for a person."""
        async with database.transaction(self.pool) as conn:
            return await parked.tell(conn, self.name)

    async def _list_said(self) -> None:
        """Has readers look whether all came that this service said to them."""
        await receipts.list_said(self.pool, self.name)

    async def _prune_events(self) -> int:
        """Forgets some of what is older than the days of replay, if it is as late as it seems."""
        await timekeeping.check_time(self.pool)
        return await outbox.prune(self.pool) + await inbox.prune(self.pool)


SHARED_JOBS: Jobs[Service] = [
    Job("check_time", timedelta(minutes=1), Service._check_time),
    Job("measure_events", timedelta(seconds=10), Service._measure_events),
    Job("tell_parked", timedelta(seconds=10), Service._tell_parked),
    Job("list_said", timedelta(minutes=1), Service._list_said, leader=True),
    Job("prune_events", timedelta(hours=1), Service._prune_events),
]
"""What every service does by the clock."""


def _check_names(jobs: Sequence[Job[Any]]) -> None:
    names = [job.name for job in jobs]
    if len(set(names)) < len(names):
        raise ValueError(f"Two jobs have one name, and so one lock: {', '.join(sorted(names))}.")


def _serve(app: FastAPI, listen: str, ending: http.Farewell) -> asyncio.Future[None]:
    return asyncio.ensure_future(http.serve(app, listen, ending))


async def _end(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Cancels them, and once more what has not ended by then."""
    for seconds in _END_SECONDS:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=seconds)


async def _for_ever(loop: Loop) -> None:
    name = getattr(loop, "__qualname__", repr(loop))
    try:
        await loop()
    except Exception:
        logs.get().exception("loop.died", loop=name)
        raise
    raise LoopEnded(f"{name} came to its end")

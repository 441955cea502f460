"""Work by the clock: a table of jobs, each of them one turn, and what takes the turns of all alike.

A turn for which something is away (Unavailable) is late: that is said once, and it is tried again
within a minute. A turn that fails otherwise met a bug: `job.failed` shows the trace, and the next
one comes later each time, within an hour or after the job's own pause; the other jobs and the
service go on, for a row that one job can't digest must not keep copies out. Neither counts as
a success, so the time of the last one stands still, and that is what to be alarmed by.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, NoReturn, TypeAlias, TypeVar

import structlog
from prometheus_client import Counter, Gauge, Histogram

from libs.shared import clock, database, logs, tracing
from libs.shared.errors import Unavailable
from libs.shared.heartbeats import LONGEST_SILENCE, Heartbeat

R = TypeVar("R")

FIRST_SECONDS = 30.0
BREATH_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 3600.0
_LATE_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

_SECONDS = Histogram(
    "coffre_job_seconds",
    "Duration of turns, whatever became of them",
    ["service", "job_name"],
    buckets=(0.01, 0.1, 1, 10, 60, 600, 3600),
)
_LAST_SUCCESS = Gauge(
    "coffre_job_last_success_timestamp_seconds",
    "When a turn last went well in this process, by the installation's clock",
    ["service", "job_name"],
)
_FAILURES = Counter("coffre_job_failures", "Turns that met a bug", ["service", "job_name"])


@dataclass(frozen=True, slots=True)
class Job(Generic[R]):
    """What a service does every so often, with its resources R: one line of the table in jobs.py.

    name: its own within the service; in log, metrics and lock.
    every: the pause between turns, or what reads it from the resources.
    do: one turn. What it returns says how much it did, or just True: then there may be more, and
        the next turn comes at once. Nothing, 0 and False let the pause begin.
    leader: only one process of the service does it at a time.
    each: every process does it, and leads it under this name of its own, read from the resources:
        its lock tells the others that it lives.
    wake: the channel whose NOTIFY brings the next turn at once; for a job that is led.
    longest_silence: how long a turn may take without a sign of life (`heartbeats`).
    """

    name: str
    every: timedelta | Callable[[R], timedelta]
    do: Callable[[R], Awaitable[int | None]]
    leader: bool = False
    wake: str = ""
    each: Callable[[R], str] | None = None
    longest_silence: timedelta = LONGEST_SILENCE

    def __post_init__(self) -> None:
        if self.wake and not (self.leader or self.each):
            raise ValueError(f"{self.name}: who listens? Only a leader has a session to do so.")


Jobs: TypeAlias = Sequence[Job[R]]


class Runner(Generic[R]):
    """Takes the turns of one job in this process; `dsn` is for the session that leads."""

    def __init__(self, service: str, dsn: str, job: Job[R], resources: R) -> None:
        self._service = service
        self._dsn = dsn
        self._job = job
        self._resources = resources
        every = job.every(resources) if callable(job.every) else job.every
        self._every = every.total_seconds()
        self.heartbeat = Heartbeat(f"job {job.name}", job.longest_silence)
        self._hint = asyncio.Event()
        self._troubles = 0  # turns in a row that were late or failed
        self._is_late = False
        self._stretch = _Stretch()
        self._seconds = _SECONDS.labels(service, job.name)
        self._failures = _FAILURES.labels(service, job.name)

    def wake(self) -> None:
        """Brings the next turn at once, unless the last one failed."""
        self._hint.set()

    async def run(self) -> NoReturn:
        """Takes turns until cancelled; one that is under way then is cancelled too."""
        structlog.contextvars.bind_contextvars(job=self._job.name)
        if not (self._job.leader or self._job.each):
            await self._take_turns()
        while True:
            try:
                await self._lead()
            except Unavailable as outage:
                await asyncio.sleep(self._be_late(outage))

    async def _lead(self) -> None:
        """Waits for the lead, and takes turns until it is lost: somebody else may begin then."""
        work = self._job.each(self._resources) if self._job.each else f"jobs/{self._job.name}"
        async with database.leading(self._dsn, self._service, work) as session:
            if self._job.wake:
                await session.add_listener(self._job.wake, lambda *_: self.wake())
            tasks = [
                asyncio.create_task(self._take_turns()),
                asyncio.create_task(database.watch_lead(session)),
            ]
            try:
                ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_turns(self) -> NoReturn:
        pause = min(self._every / 10, FIRST_SECONDS)
        while True:
            await self._wait(pause)
            pause = await self._take_turn()

    async def _wait(self, seconds: float) -> None:
        """A tenth more or less, so that what began together does not stay together."""
        seconds *= random.uniform(0.9, 1.1)  # noqa: S311 - no secret
        if self._troubles:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hint.wait()

    async def _take_turn(self) -> float:
        """One turn; returns the seconds until the next."""
        self._hint.clear()
        began = time.monotonic()
        try:
            with self.heartbeat.working():
                done = await self._do()
        except Unavailable as outage:
            return self._be_late(outage)
        except Exception:
            return self._fail()
        finally:
            self._seconds.observe(time.monotonic() - began)
        self._troubles, self._is_late = 0, False
        # Only now is there a time to tell: made earlier, the gauge would say 1970.
        success = _LAST_SUCCESS.labels(self._service, self._job.name)
        success.set(clock.now().timestamp())
        if done:
            self._stretch.add(done, began)
            # Copies come first: what else wants the processor gets its turn.
            return BREATH_SECONDS
        self._stretch.end()
        return self._every

    async def _do(self) -> int:
        """A turn as a trace of its own; one without work is no news."""
        with tracing.trace("", f"job {self._job.name}", "internal") as span:
            done = await self._job.do(self._resources) or 0
            if not done:
                span.drop()
        return done

    def _be_late(self, outage: Unavailable) -> float:
        self._stretch.end()
        self._troubles += 1
        if not self._is_late:
            logs.get().warning("job.late", why=str(outage))
        self._is_late = True
        return min(_LATE_SECONDS[min(self._troubles, len(_LATE_SECONDS)) - 1], self._every)

    def _fail(self) -> float:
        self._stretch.end()
        self._troubles += 1
        self._failures.inc()
        logs.get().exception("job.failed", turns=self._troubles)
        longest = max(self._every, LONGEST_PAUSE_SECONDS)
        return min(max(self._every, 1.0) * 2.0 ** min(self._troubles - 1, 12), longest)


class _Stretch:
    """Turns that follow each other at once: one line in the log for all of them."""

    def __init__(self) -> None:
        self._turns = self._done = 0
        self._began = 0.0

    def add(self, done: int, began: float) -> None:
        """Notes a turn that did something."""
        if not self._turns:
            self._began = began
        self._turns += 1
        self._done += done

    def end(self) -> None:
        """Tells what was done, if anything was."""
        if self._turns:
            seconds = round(time.monotonic() - self._began, 3)
            logs.get().info("job.done", done=self._done, turns=self._turns, seconds=seconds)
        self._turns = self._done = 0

"""Jobs: one leader, no turn lost to an outage or a bug, and a clock that tells the last success."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import time_machine
from fastapi import FastAPI
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from libs.shared import database as databases
from libs.shared.database.leading import ANSWER_SECONDS, WATCH_SECONDS
from libs.shared.runtime import Job, Service
from libs.shared.runtime.jobs import Runner
from libs.shared.runtime.service import SHARED_JOBS
from libs.shared.settings import ServiceSettings
from services.ingest import jobs as ingest
from services.portal import jobs as portal
from services.quota import jobs as quota
from services.reporting import jobs as reporting
from services.retention import jobs as retention
from tests.shared.conftest import until
from tests.shared.gate import Gate
from tests.world.senders import write_keys

OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"
SERVICES = Path(__file__).parents[2] / "services"
SOON = timedelta(milliseconds=10)
NEVER = timedelta(days=1)
MAY = datetime(2031, 5, 5, 12, tzinfo=UTC)


class Notes:
    """What a test's turns leave behind."""

    def __init__(self) -> None:
        self.turns = self.under_way = self.most_at_once = self.cut = 0

    async def come(self, turns: int, seconds: float = 60) -> None:
        """Waits until there were so many turns."""

        async def have_come() -> bool:
            return self.turns >= turns

        await until(have_come, seconds)


async def count(notes: Notes) -> None:
    """A turn that does nothing else."""
    notes.turns += 1


async def take_for_ever(notes: Notes) -> None:
    """A turn that only the loss of the lead cuts short, or the end of the process."""
    notes.turns += 1
    notes.under_way += 1
    notes.most_at_once = max(notes.most_at_once, notes.under_way)
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.6)  # cleaning up takes its time
        notes.under_way -= 1
        notes.cut += 1


class Process:
    """A job as a process of quota does it."""

    def __init__(self, runner: Runner[Any]) -> None:
        self.wake = runner.wake
        self.task = asyncio.create_task(runner.run())

    async def end(self) -> None:
        assert not self.task.done(), "no turn may end it"
        self.task.cancel()
        await asyncio.wait([self.task])


Start = Callable[..., Process]


@pytest.fixture
async def start(database: Any) -> AsyncIterator[Start]:
    """Starts processes, which end with the test."""
    processes: list[Process] = []

    def start_one(job: Job[Any], resources: Any, dsn: str = "") -> Process:
        processes.append(Process(Runner("quota", dsn or database.dsn("quota"), job, resources)))
        return processes[-1]

    yield start_one
    for process in processes:
        if not process.task.cancelled():
            await process.end()


@pytest.fixture
async def admin(database: Any) -> AsyncIterator[Any]:
    """A session that may end others."""
    conn = await asyncpg.connect(database.admin_dsn)
    yield conn
    await conn.close()


def sample(name: str, job: str) -> float | None:
    """What `/metrics` tells of a job of quota."""
    return REGISTRY.get_sample_value(f"coffre_job_{name}", {"service": "quota", "job_name": job})


def last_success(job: str) -> float | None:
    return sample("last_success_timestamp_seconds", job)


@asynccontextmanager
async def by_way_of(dsn: str) -> AsyncIterator[tuple[Gate, Any]]:
    """A gate before the database, and a pool that goes through it."""
    async with Gate(dsn) as gate:
        pool = await databases.create_pool(gate.url, "quota", max_size=2)
        yield gate, pool
        pool.terminate()


async def test_two_processes_have_one_leader_and_the_other_takes_over(start: Start) -> None:
    job = Job("led", SOON, count, leader=True)
    leading, waiting = Notes(), Notes()
    leader = start(job, leading)
    await leading.come(1)
    start(job, waiting)
    await leading.come(leading.turns + 20)
    assert waiting.turns == 0
    await leader.end()
    turns = leading.turns
    await waiting.come(1)
    assert leading.turns == turns


async def test_jobs_are_led_apart_from_each_other(start: Start) -> None:
    notes = [Notes(), Notes()]
    for number, one in enumerate(notes):
        start(Job(f"led-{number}", SOON, count, leader=True), one)
    for one in notes:
        await one.come(3)


async def somebody_waits(admin: Any, job: str) -> bool:
    """Whether a process has asked for the lead of a job that another has."""
    waits: bool = await admin.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'coffre-quota-jobs/' || $1
              AND state = 'idle' AND query LIKE '%pg_try_advisory_lock%'
              AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'))
        """,
        job,
    )
    return waits


async def test_a_lost_lead_cuts_the_turn_before_somebody_else_begins(
    start: Start, database: Any, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever led hears it when PostgreSQL does, and has a second to clean up."""
    monkeypatch.setitem(databases.watch_lead.__globals__, "STANDBY_SECONDS", 0.05)
    notes = Notes()
    leads: list[Gate] = []

    async def take(gate: Gate) -> None:
        leads.append(gate)
        await take_for_ever(notes)

    job = Job("cut", SOON, take, leader=True)
    dsn = database.dsn("quota")
    async with Gate(dsn) as one, Gate(dsn) as other:
        for gate in (one, other):
            start(job, gate, gate.url)
        await notes.come(1)
        for turns in (2, 3, 4):
            await until(lambda: somebody_waits(admin, "cut"))
            gate = leads[-1]
            await gate.shut()
            await notes.come(turns)
            await gate.open()
        assert (notes.cut, notes.under_way, notes.most_at_once) == (3, 1, 1)
    assert [gate is leads[0] for gate in leads] == [True, False, True, False]


async def test_a_session_that_postgresql_ends_cuts_the_turn(start: Start, admin: Any) -> None:
    """It gives the lead away first and says so then: who leads next may begin before the cut."""
    notes = Notes()
    start(Job("ended-there", SOON, take_for_ever, leader=True), notes)
    await notes.come(1)
    await admin.execute(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'coffre-quota-jobs/ended-there'
        """
    )
    await notes.come(2)
    assert notes.cut == 1


async def test_a_silent_database_cuts_the_turn_before_it_gives_the_lead_away(
    start: Start, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert WATCH_SECONDS + ANSWER_SECONDS < 25, "its keepalives tell it then"
    monkeypatch.setitem(databases.watch_lead.__globals__, "ANSWER_SECONDS", 0.2)
    notes = Notes()
    async with Gate(database.dsn("quota")) as gate:
        start(Job("unanswered", SOON, take_for_ever, leader=True), notes, gate.url)
        await notes.come(1)
        gate.block()
        await until(lambda: is_so(notes.cut == 1))


async def test_the_end_of_a_process_cuts_its_turn_and_leaves_the_lead_at_once(
    start: Start, database: Any
) -> None:
    notes = Notes()
    process = start(Job("ended", SOON, take_for_ever, leader=True), notes)
    await notes.come(1)
    await process.end()
    assert (notes.cut, notes.under_way) == (1, 0)
    async with (
        asyncio.timeout(30),
        databases.leading(database.dsn("quota"), "quota", "jobs/ended"),
    ):
        pass


@pytest.mark.parametrize("leader", [False, True])
async def test_an_outage_makes_a_job_late_which_is_said_once(
    start: Start, database: Any, leader: bool
) -> None:
    name = f"late-{leader}"
    async with by_way_of(database.dsn("quota")) as (gate, pool):
        with capture_logs() as log, time_machine.travel(MAY, tick=False) as clock:
            process = start(Job(name, SOON, databases.check, leader=leader), pool, gate.url)
            await until(lambda: is_so(last_success(name) == MAY.timestamp()))
            for outage in (1, 2):
                await gate.shut()
                await until(lambda: is_so(said(log, "job.late") == outage))  # noqa: B023
                stood_at = last_success(name)
                clock.shift(timedelta(hours=1))
                await asyncio.sleep(0.2)
                assert last_success(name) == stood_at
                assert said(log, "job.late") == outage, "each outage is told once"
                await gate.open()
                later = (MAY + outage * timedelta(hours=1)).timestamp()
                await until(lambda: is_so(last_success(name) == later))  # noqa: B023
            await process.end()
    assert said(log, "job.failed") == 0
    assert sample("failures_total", name) == 0


async def is_so(whether: bool) -> bool:
    """For `until`, which wants something to await."""
    return whether


def said(log: list[Any], event: str) -> int:
    return sum(line["event"] == event for line in log)


async def test_a_turn_that_has_more_goes_on_without_a_pause(start: Start) -> None:
    left = [3, 2, 1]
    notes = Notes()

    async def take(notes: Notes) -> int:
        notes.turns += 1
        return left.pop() if left else 0

    with capture_logs() as log:
        process = start(Job("more", NEVER, take), notes)
        process.wake()
        await notes.come(4)
        await until(lambda: is_so(said(log, "job.done")))
        [done] = [line for line in log if line["event"] == "job.done"]
        assert (done["done"], done["turns"]) == (6, 3)
        await asyncio.sleep(0.2)
        assert notes.turns == 4, "nothing is left: the pause has begun"


async def test_a_turn_that_did_nothing_says_nothing(start: Start) -> None:
    notes = Notes()
    with capture_logs() as log:
        start(Job("quiet", SOON, count), notes)
        await notes.come(3)
    assert log == []


async def test_the_metrics_tell_when_it_last_went_well(start: Start) -> None:
    notes = Notes()

    async def take(notes: Notes) -> None:
        notes.turns += 1
        if notes.turns == 3:
            raise ValueError("a bug")

    with time_machine.travel(MAY, tick=False) as clock, capture_logs() as log:
        process = start(Job("told", NEVER, take), notes)
        assert last_success("told") is None, "not 1970"
        for turn in (1, 2, 3):
            process.wake()
            await notes.come(turn)
            await until(lambda: is_so(sample("seconds_count", "told") == turn))  # noqa: B023
            clock.shift(timedelta(days=1))
    assert last_success("told") == (MAY + timedelta(days=1)).timestamp()
    assert sample("failures_total", "told") == 1
    [failed] = [line for line in log if line["event"] == "job.failed"]
    assert failed["exc_info"]


async def test_what_failed_is_not_hurried_and_comes_again(start: Start) -> None:
    notes = Notes()
    began: list[float] = []

    async def take(notes: Notes) -> None:
        began.append(time.monotonic())
        notes.turns += 1
        if notes.turns == 1:
            raise ValueError("a bug")

    with capture_logs():
        process = start(Job("failing", SOON, take), notes)
        await notes.come(1)
        process.wake()
        await notes.come(2)
    assert began[1] - began[0] > 0.5, "the wake brought nothing"


async def test_a_notification_brings_the_next_turn_at_once(start: Start, admin: Any) -> None:
    notes = Notes()
    start(Job("woken", NEVER, count, leader=True, wake="quota_test"), notes)

    async def notified(turns: int) -> bool:
        await admin.execute("NOTIFY quota_test")  # again: it may not listen yet
        return notes.turns >= turns

    await until(lambda: notified(1))
    await until(lambda: notified(notes.turns + 1))
    with pytest.raises(ValueError, match="who listens"):
        Job("deaf", NEVER, count, wake="quota_test")


async def test_a_name_is_one_jobs_own(database: Any, amqp_url: str, tmp_path: Path) -> None:
    write_keys(tmp_path)
    settings = ServiceSettings.model_validate(
        {
            "database_url": database.dsn("quota"),
            "amqp_url": amqp_url,
            "event_key_file": tmp_path / "event-key-quota",
            "event_senders_dir": tmp_path,
            "listen": "127.0.0.1:0",
            "monitor_listen": "127.0.0.1:0",
        }
    )
    job = Job("twice", NEVER, count)
    async with Service("quota", settings) as service:
        with pytest.raises(ValueError, match="one name"):
            await service.run(FastAPI(), jobs=[job, job], resources=Notes())


def test_the_operators_table_names_every_job() -> None:
    described = {
        (service, job, bool(led.strip()))
        for service, job, led in re.findall(
            r"^\| (\w+) \| `(\w+)` \| [^|]+ \|([^|]*)\|", OPERATIONS.read_text(), re.MULTILINE
        )
    }
    tables = {"all": SHARED_JOBS, "ingest": ingest.JOBS, "portal": portal.JOBS}
    tables |= {"quota": [*quota.JOBS, *quota.PER_TENANT], "retention": retention.JOBS}
    tables |= {"reporting": [*reporting.JOBS, *reporting.PER_TENANT]}
    assert described == {
        (service, job.name, job.leader) for service, jobs in tables.items() for job in jobs
    }
    assert set(tables) == {"all", *(file.parent.name for file in SERVICES.glob("*/jobs.py"))}

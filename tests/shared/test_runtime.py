"""A whole service process: its start, its signals, its jobs, its commands."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from libs.shared import bus, clock
from tests.servers import free_port
from tests.shared.conftest import Sides, allowance, until, volume
from tests.shared.deliveries import delivery, store
from tests.shared.gate import Gate
from tests.world.senders import write_keys

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio
import os
from datetime import timedelta
from fastapi import APIRouter
from libs.shared import logs, runtime, web, outbox, database
from libs.shared.events import VolumeChanged
from libs.shared.settings import ServiceSettings, load

router = APIRouter()

@router.get("/slow")
async def slow() -> str:
    logs.get().info("slow.began")
    await asyncio.sleep(1.5)
    return "served to the end"

@router.get("/slower")
async def slower() -> str:
    logs.get().info("slower.began")
    await asyncio.sleep(600)
    return "never"

async def on_volume(conn, event):
    await conn.execute("SELECT 1")

async def breaks(word):
    raise RuntimeError(f"the job is broken: {word}")

async def lead(word):
    logs.get().info("led", pid=os.getpid(), word=word)

JOBS = {
    "breaks": runtime.Job("breaks", timedelta(milliseconds=10), breaks),
    "lead": runtime.Job("lead", timedelta(milliseconds=10), lead, leader=True),
}

async def serve():
    settings = load(ServiceSettings)
    async with runtime.Service("quota", settings) as service:
        app = web.create_app("quota", ready=service.checks(), routers=[router])
        jobs = [JOBS[name] for name in os.environ.get("TEST_JOBS", "").split()]
        handlers = {VolumeChanged: on_volume}
        await service.run(app, jobs=jobs, resources="a word", handlers=handlers)

runtime.main("quota", serve)
"""


class Process:
    """A service in a process of its own, on ports of its own."""

    def __init__(self, running: asyncio.subprocess.Process, port: int, monitor: int) -> None:
        self.running = running
        self.url = f"http://127.0.0.1:{port}"
        self.monitor_url = f"http://127.0.0.1:{monitor}"
        self.log: list[str] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.running.stderr is not None
        async for line in self.running.stderr:
            self.log.append(line.decode())

    async def get(self, path: str) -> httpx2.Response:
        async with httpx2.AsyncClient(timeout=30) as client:
            return await client.get(self.url + path)

    async def look(self, path: str) -> httpx2.Response:
        """What its operators see."""
        async with httpx2.AsyncClient(timeout=30) as client:
            return await client.get(self.monitor_url + path)

    async def is_ready(self) -> bool:
        return await self._readiness() == 200

    async def is_unready(self) -> bool:
        return await self._readiness() == 503

    async def _readiness(self) -> int | None:
        """None where nobody listens."""
        try:
            return (await self.get("/health/ready")).status_code
        except httpx2.TransportError:
            return None

    async def broker(self) -> bool:
        answer = await self.look("/health/ready")
        return bool(answer.json()["checks"]["broker"] == "ok")

    async def says(self, text: str) -> bool:
        return any(text in line for line in self.log)

    async def ends(self, seconds: float = 25) -> int:
        code = await asyncio.wait_for(self.running.wait(), seconds)
        await self.reading
        return code


@pytest.fixture
async def start(database: Any, amqp_url: str, tmp_path: Path) -> AsyncIterator[Any]:
    processes: list[Process] = []

    async def start_one(*arguments: str, **environ: str) -> Process:
        program = tmp_path / "program.py"
        program.write_text(PROGRAM)
        write_keys(tmp_path)
        port, monitor = free_port(), free_port()
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            str(program),
            *arguments,
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "COFFRE_DATABASE_URL": database.dsn("quota"),
                "COFFRE_OWNER_DATABASE_URL": database.owner_dsn,
                "COFFRE_AMQP_URL": amqp_url,
                "COFFRE_EVENT_KEY_FILE": str(tmp_path / "event-key-quota"),
                "COFFRE_EVENT_SENDERS_DIR": str(tmp_path),
                "COFFRE_LISTEN": f"127.0.0.1:{port}",
                "COFFRE_MONITOR_LISTEN": f"127.0.0.1:{monitor}",
                **environ,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        processes.append(Process(running, port, monitor))
        return processes[-1]

    yield start_one
    for process in processes:
        if process.running.returncode is None:
            process.running.kill()
        await process.ends()


async def test_sigterm_lets_requests_end_and_leaves_with_0(start: Any) -> None:
    service = await start()
    await until(service.is_ready, 30)
    slow = asyncio.create_task(service.get("/slow"))
    await until(lambda: service.says("slow.began"))
    service.running.send_signal(signal.SIGTERM)
    assert (await slow).json() == "served to the end"
    assert await service.ends() == 0
    assert await service.says("service.stopped")
    assert not await service.says("Traceback"), service.log


async def test_it_hands_over_before_it_ends(start: Any) -> None:
    service = await start(COFFRE_HANDOVER_SECONDS="5", COFFRE_DRAIN_SECONDS="60")
    await until(service.is_ready, 30)
    assert "connection" not in (await service.get("/health/live")).headers
    service.running.send_signal(signal.SIGTERM)
    await until(service.is_unready)
    # Whoever hasn't looked yet is served, on a connection that nothing comes over afterwards.
    late = asyncio.create_task(service.get("/slow"))
    await until(lambda: service.says("slow.began"))
    live = await service.get("/health/live")
    assert (live.status_code, live.headers["connection"]) == (200, "close")
    assert (await late).json() == "served to the end"
    assert await service.ends() == 0


async def test_a_request_that_never_ends_does_not_keep_the_process(start: Any) -> None:
    service = await start()
    await until(service.is_ready, 30)
    slower = asyncio.create_task(service.get("/slower"))
    await until(lambda: service.says("slower.began"))
    service.running.send_signal(signal.SIGTERM)
    assert await service.ends(60) == 0
    await asyncio.gather(slower, return_exceptions=True)


async def test_a_bug_in_a_job_ends_neither_the_process_nor_the_other_jobs(start: Any) -> None:
    service = await start(TEST_JOBS="breaks lead")
    await until(service.is_ready, 30)
    await until(lambda: service.says('"led"'))
    [failed, *_] = [json.loads(line) for line in service.log if '"job.failed"' in line]
    assert failed["job"] == "breaks"
    assert "the job is broken: a word" in failed["exception"]
    assert await service.is_ready()
    metrics = (await service.look("/metrics")).text
    assert 'coffre_job_failures_total{job_name="breaks",service="quota"} ' in metrics
    assert 'coffre_job_last_success_timestamp_seconds{job_name="lead",service="quota"}' in metrics
    assert 'timestamp_seconds{job_name="breaks"' not in metrics, "it never went well"
    service.running.send_signal(signal.SIGTERM)
    assert await service.ends() == 0


async def test_when_the_leader_is_killed_another_process_leads(start: Any) -> None:
    services = [await start(TEST_JOBS="lead") for _ in range(2)]

    async def leader() -> Any:
        leads = [service for service in services if await service.says('"led"')]
        return leads[0] if leads else None

    first = await until(leader, 30)
    [second] = [service for service in services if service is not first]
    await until(second.is_ready, 30)
    assert not await second.says('"led"')
    first.running.kill()
    await until(lambda: second.says('"led"'), 30)


async def test_a_loop_of_ours_that_dies_ends_the_process_with_1(start: Any, database: Any) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute("ALTER TABLE quota.outbox RENAME TO elsewhere")
    await owner.close()
    service = await start()
    assert await service.ends(30) == 1
    assert await service.says("loop.died")


async def test_an_address_in_use_ends_the_process_with_1(start: Any) -> None:
    first = await start()
    await until(first.is_ready, 30)
    for taken in (
        {"COFFRE_LISTEN": first.url.removeprefix("http://")},
        {"COFFRE_MONITOR_LISTEN": first.monitor_url.removeprefix("http://")},
    ):
        second = await start(**taken)
        assert await second.ends(30) == 1
        assert await second.says("in use")


async def test_it_starts_without_a_broker_and_finds_it_later(
    start: Any, amqp_url: str, side: Sides
) -> None:
    quota = await side("quota")
    async with Gate(amqp_url) as gate:
        url = gate.url
        await gate.shut()
        service = await start(COFFRE_AMQP_URL=url)
        await until(service.is_unready, 30)  # for quota has no other work than events
        assert not await service.broker()
        await quota.say(volume(1))
        await gate.open()
        await until(service.broker, 80)
        await until(service.is_ready)
        await until(quota.all_published, 60)


async def test_it_waits_for_a_database_and_says_so(start: Any, database: Any) -> None:
    async with Gate(database.dsn("quota")) as gate:
        url = gate.url
        await gate.shut()
        service = await start(COFFRE_DATABASE_URL=url)
        await until(lambda: service.says("database.awaited"), 30)
        assert not await service.is_ready()
        assert service.running.returncode is None
        await gate.open()
        await until(service.is_ready, 30)
        assert not any("coffre_quota:coffre_quota" in line for line in service.log)


async def test_a_wait_for_migrations_keeps_no_connection(start: Any, database: Any) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    row = await owner.fetchrow("DELETE FROM quota.migrations RETURNING *")
    service = await start()
    tries, most = set(), 0

    async def tried_often() -> bool:
        seen = await owner.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND usename = 'coffre_quota'",
            database.name,
        )
        nonlocal most
        most = max(most, len(seen))
        tries.update(each["pid"] for each in seen)
        return len(tries) >= 3

    await until(tried_often, 30)
    assert most == 1
    assert not await service.is_ready()
    assert row is not None
    await owner.close()


async def test_a_wait_for_the_database_can_be_ended(start: Any) -> None:
    service = await start(COFFRE_DATABASE_URL="postgresql://a:b@127.0.0.1:1/c")
    await until(lambda: service.says("database.awaited"), 30)
    service.running.send_signal(signal.SIGTERM)
    assert await service.ends() == 0


async def test_missing_settings_are_named_and_the_code_is_2(start: Any) -> None:
    service = await start(COFFRE_DATABASE_URL="", COFFRE_AMQP_URL="")
    assert await service.ends() == 2
    assert await service.says("COFFRE_DATABASE_URL, COFFRE_AMQP_URL")


async def test_a_crash_after_publishing_doubles_nothing(start: Any, side: Sides) -> None:
    """The relay dies between the confirm and its mark; the next one publishes again."""
    quota, portal = await side("quota"), await side("portal")
    await quota.say(allowance(1), allowance(2))
    service = await start(COFFRE_CRASHPOINT="outbox.after_publish")
    assert await service.ends(30) == 137
    assert not await quota.all_published()
    service = await start()
    await until(quota.all_published, 30)
    portal.listen()
    await until(lambda: portal.value("SELECT count(*) = 2 FROM inbox"))
    numbers = await quota.value(
        "SELECT array_agg(sequence ORDER BY position) FROM outbox WHERE type <> 'service.pinged.v1'"
    )
    assert numbers == [1, 2]


@pytest.mark.parametrize("place", ["inbox.before_ack", "inbox.before_commit"])
async def test_a_crash_while_handling_loses_and_doubles_nothing(
    start: Any, side: Sides, place: str
) -> None:
    quota, ingest = await side("quota"), await side("ingest")
    ingest.relay()
    await ingest.say(*map(volume, range(10)))
    await until(ingest.all_published)
    crashed = await start(COFFRE_CRASHPOINT=f"{place}:2" if "commit" in place else place)
    assert await crashed.ends(30) == 137
    await start()
    await until(
        lambda: quota.value(
            "SELECT count(*) = 10 FROM inbox WHERE state = 'done' AND type = 'volume.changed.v1'"
        ),
        30,
    )


async def test_its_own_ping_comes_back(start: Any, side: Sides) -> None:
    quota = await side("quota")
    await start()
    await until(
        lambda: quota.value(
            "SELECT 1 FROM inbox WHERE type = 'service.pinged.v1' AND state='done'"
        ),
        30,
    )
    assert await quota.value("SELECT count(*) FROM inbox") == 1


async def test_parked_events_by_command(start: Any, side: Sides) -> None:
    quota = await side("quota")
    ids = [uuid.uuid4() for _ in range(3)]
    good = [delivery(volume(n), message_id=str(event_id)) for n, event_id in enumerate(ids)]
    await store(quota, *good, bus.Delivery(4, "x", "y", b"unreadable \x00\xff"))

    async def command(*arguments: str) -> tuple[int, str, str]:
        process = await start("events", *arguments)
        out = await process.running.stdout.read()
        return await process.ends(), out.decode(), "".join(process.log)

    await quota.pool.execute(
        "UPDATE inbox SET state = 'parked', error = 'broken' WHERE raw IS NULL"
    )
    code, listed, _ = await command("list")
    assert code == 0
    assert len(listed.splitlines()) == 4
    assert all(str(event_id) in listed for event_id in ids)
    raw_id = next(line.split()[0] for line in listed.splitlines() if "unreadable" in line)

    code, shown, _ = await command("show", str(ids[0]))
    assert (code, "broken" in shown, '"sequence": 0' in shown) == (0, True, True)
    code, shown, _ = await command("show", raw_id)
    assert (code, r"unreadable \x00\xff" in shown) == (0, True)

    code, said, problem = await command("replay", str(ids[0]), str(uuid.UUID(int=5)), raw_id)
    assert code == 1
    assert f"{ids[0]} will be handled again." in said
    assert str(uuid.UUID(int=5)) in problem
    assert raw_id in problem
    code, said, _ = await command("drop", str(ids[1]), raw_id)
    assert (code, said.count("was dropped")) == (0, 2)
    states = await quota.pool.fetch("SELECT state, next_at <= $1 AS due FROM inbox", clock.now())
    assert sorted(row["state"] for row in states) == ["done", "done", "parked", "pending"]

    code, _, problem = await command("show", "no-uuid")
    assert (code, "usage" in problem) == (2, True)


async def test_migrate_by_command(start: Any) -> None:
    process = await start("migrate")
    out = await process.running.stdout.read()
    assert (await process.ends(), out.decode()) == (0, "0 applied\n")


@pytest.mark.parametrize("words", [("--help",), ("events", "list")])
async def test_a_reader_that_goes_away_ends_a_command_without_a_word(
    database: Any, words: tuple[str, ...]
) -> None:
    """As after `python -m services.quota events list | head -1`: shells give 141 for that."""
    read, write = os.pipe()
    os.close(read)
    ended = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.quota", *words),
        cwd=ROOT,
        env={
            **os.environ,
            "COFFRE_DATABASE_URL": database.dsn("quota"),
            "PYTHONUNBUFFERED": "",  # argparse minds no error of writing, only that of the flush
        },
        stdout=write,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(write)
    _, told = await ended.communicate()
    assert (ended.returncode, told) == (141, b"")

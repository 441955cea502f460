"""The runtime of a service, as processes: jobs, leaders, ends."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import asyncpg

from tests.shared.conftest import until


async def test_sigterm_lets_requests_end_and_leaves_with_0(start: Any) -> None:
    service = await start()
    await until(service.is_ready, 90)
    slow = asyncio.create_task(service.get("/slow"))
    await until(lambda: service.says("slow.began"))
    service.running.send_signal(signal.SIGTERM)
    assert (await slow).json() == "served to the end"
    assert await service.ends() == 0
    assert await service.says("service.stopped")
    assert not await service.says("Traceback"), service.log


async def test_it_hands_over_before_it_ends(start: Any) -> None:
    service = await start(COFFRE_HANDOVER_SECONDS="8", COFFRE_DRAIN_SECONDS="60")
    await until(service.is_ready, 90)
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
    service = await start(COFFRE_DRAIN_SECONDS="2")
    await until(service.is_ready, 90)
    slower = asyncio.create_task(service.get("/slower"))
    await until(lambda: service.says("slower.began"))
    service.running.send_signal(signal.SIGTERM)
    assert await service.ends() == 0
    await asyncio.gather(slower, return_exceptions=True)


async def test_a_bug_in_a_job_ends_neither_the_process_nor_the_other_jobs(start: Any) -> None:
    service = await start(TEST_JOBS="breaks lead")
    await until(service.is_ready, 90)
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


async def test_a_loop_that_is_stuck_makes_the_process_not_live(start: Any) -> None:
    service = await start(TEST_JOBS="stick lead")
    await until(lambda: service.says('"stuck"'), 90)

    async def is_not_live() -> bool:
        return bool((await service.get("/health/live")).status_code == 503)

    await until(is_not_live, 90)
    assert (await service.get("/health/live")).json() == {"status": "stuck"}
    [stuck] = [json.loads(line) for line in service.log if '"stuck"' in line]
    loops = {"relay", "consumer", "pulse", "job stick", "job lead", "job measure_events"}
    assert {*loops, *(f"worker {place}" for place in range(4))} <= set(stuck["loops"])
    [silent] = [json.loads(line) for line in service.log if '"loop.silent"' in line]
    assert silent["loop"] == "job stick"
    checks = (await service.look("/health/ready")).json()["checks"]
    assert "job stick" in checks["loops"]
    assert await service.is_ready(), "others need not go without it"
    service.running.send_signal(signal.SIGTERM)
    assert await service.ends() == 0


async def test_when_the_leader_is_killed_another_process_leads(start: Any) -> None:
    services = [await start(TEST_JOBS="lead") for _ in range(2)]

    async def leader() -> Any:
        leads = [service for service in services if await service.says('"led"')]
        return leads[0] if leads else None

    first = await until(leader, 90)
    [second] = [service for service in services if service is not first]
    await until(second.is_ready, 90)
    assert not await second.says('"led"')
    first.running.kill()
    await until(lambda: second.says('"led"'), 90)


async def test_a_loop_of_ours_that_dies_ends_the_process_with_1(start: Any, database: Any) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute("ALTER TABLE quota.outbox RENAME TO elsewhere")
    await owner.close()
    service = await start()
    assert await service.ends() == 1
    assert await service.says("loop.died")

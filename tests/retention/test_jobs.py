"""Retention as a process: it forgets by itself, and stops where the time made a leap."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import timedelta
from pathlib import Path

from libs.shared import clock
from tests.retention.house import Client, House

ROOT = Path(__file__).parents[2]
DAYS = 86_400


async def test_a_leap_of_years_deletes_nothing_until_somebody_says_that_it_is_right(
    house: House, client: Client
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"keep": [b"keep"], b"a": [b"first"], b"b": [b"b"], b"c": [b"c"]})
    await client.copy(plan, {b"a": [b"second"]})
    await client.copy(plan, {b"a": [b"third"]})
    await house.fetch("INSERT INTO seen_time VALUES (true, $1) ON CONFLICT DO NOTHING", clock.now())
    versions = "SELECT count(*) FROM catalogue.versions WHERE tenant_id = $1"
    environ = {
        **house.processes.environment("retention"),
        "COFFRE_LOG_FORMAT": "json",
        "COFFRE_COLLECT_HOURS": "0.0001",
        "COFFRE_YOUNG_HOURS": "0",
        "COFFRE_GRACE_DAYS": "0",
        "COFFRE_CLOCK_OFFSET_SECONDS": str(3_650 * DAYS),
    }

    async def start(*arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "services.retention", *arguments),
            cwd=ROOT,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    process = await start()
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            async for line in process.stdout:
                if b"job.late" in line:
                    break
        assert (await house.fetch(versions, client.tenant_id))[0][0] == 6
        accepted = await start("clock", "--accept", "--reason", "the house moved to 2036")
        told, _ = await accepted.communicate()
        assert accepted.returncode == 0, told
        async with asyncio.timeout(60):
            async for line in process.stdout:
                if b"packs.deleted" in line and str(client.tenant_id).encode() in line:
                    break
        assert (await house.fetch(versions, client.tenant_id))[0][0] == 4
        await client.read([b"keep", b"third", b"b", b"c"])
        reasons = await house.fetch("SELECT reason FROM time_acceptances")
        assert "the house moved to 2036" in {row[0] for row in reasons}
        process.send_signal(signal.SIGTERM)
        await process.communicate()
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
        await house.fetch("UPDATE seen_time SET seen_at = $1", clock.now() - timedelta(minutes=1))

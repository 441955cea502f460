"""Retention as a process: it forgets by itself, and stops where the time made a leap."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from libs.shared import clock
from tests.retention.house import Client, House

ROOT = Path(__file__).parents[2]
DAYS = 86_400


async def test_a_leap_of_years_deletes_nothing_until_somebody_says_that_it_is_right(
    house: House, client: Client, amqp_url: str, servers: Any, tmp_path: Path
) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"keep": [b"keep"], b"a": [b"first"], b"b": [b"b"], b"c": [b"c"]})
    await client.copy(plan, {b"a": [b"second"]})
    await client.copy(plan, {b"a": [b"third"]})
    await house.fetch("INSERT INTO clock VALUES (true, $1) ON CONFLICT DO NOTHING", clock.now())
    versions = "SELECT count(*) FROM catalogue.versions WHERE tenant_id = $1"
    (tmp_path / "master.key").write_text("5a" * 32)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("COFFRE_")},
        "COFFRE_DATABASE_URL": house.dsns["retention"],
        "COFFRE_AMQP_URL": amqp_url,
        "COFFRE_LISTEN": "127.0.0.1:0",
        "COFFRE_S3_ENDPOINT": servers.s3_endpoint,
        "COFFRE_S3_ACCESS_KEY": servers.s3_access_key,
        "COFFRE_S3_SECRET_KEY": servers.s3_secret_key,
        "COFFRE_S3_BUCKET": house.bucket,
        "COFFRE_MASTER_KEY_FILE": str(tmp_path / "master.key"),
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
                if b"retention.stopped" in line:
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
        [[reason]] = await house.fetch("SELECT reason FROM clock_acceptances")
        assert reason == "the house moved to 2036"
        process.send_signal(signal.SIGTERM)
        await process.communicate()
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
        await house.fetch("UPDATE clock SET seen_at = $1", clock.now() - timedelta(minutes=1))

"""Quota and retention as processes: ready, fed over the broker, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from libs.shared import bus, clock
from libs.shared.database import connect
from libs.shared.events import Event, Recipient, SubscriptionEnded, TenantChanged

ROOT = Path(__file__).parents[2]
TENANT_ID = uuid4()
CASES: list[tuple[str, Event, str]] = [
    (
        "quota",
        TenantChanged(
            tenant_id=TENANT_ID,
            version=1,
            name="Martin",
            locale="fr",
            timezone="Europe/Paris",
            administrators=(Recipient(name="J", email="j@x.example", locale="fr"),),
            contracted_bytes=1000,
            seats=1,
            subscription="active",
            retention_days=30,
        ),
        "allowance.changed.v1",
    ),
    (
        "retention",
        SubscriptionEnded(
            tenant_id=TENANT_ID,
            version=2,
            ended_at=datetime(2026, 11, 23, tzinfo=UTC),
            reason="left",
        ),
        "destruction.scheduled.v1",
    ),
]


@pytest.mark.parametrize(("service", "event", "answer"), CASES)
async def test_a_service_answers_an_event_with_another(
    database: Any,
    amqp_url: str,
    servers: Any,
    bucket: str,
    tmp_path: Path,
    service: str,
    event: Event,
    answer: str,
) -> None:
    (tmp_path / "master.key").write_text("5a" * 32)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    dsn = database.dsn(service)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", f"services.{service}"),
        cwd=ROOT,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("COFFRE_")},
            "COFFRE_DATABASE_URL": dsn,
            "COFFRE_AMQP_URL": amqp_url,
            "COFFRE_LISTEN": listen,
            "COFFRE_S3_ENDPOINT": servers.s3_endpoint,
            "COFFRE_S3_ACCESS_KEY": servers.s3_access_key,
            "COFFRE_S3_SECRET_KEY": servers.s3_secret_key,
            "COFFRE_S3_BUCKET": bucket,
            "COFFRE_MASTER_KEY_FILE": str(tmp_path / "master.key"),
        },
    )
    conn = await connect(dsn, service)
    try:
        async with bus.publisher(amqp_url, "test") as publisher:
            message = bus.Message(
                event_id=uuid4(),
                type=event.type,
                routing_key=bus.routing_key(event),
                body=event.model_dump_json().encode(),
                source="/tests",
                subject=event.tenant_id,
                time=clock.now(),
                sequence=1,
            )
            assert await publisher.publish([message, message]) == [None, None]
        async with asyncio.timeout(60), httpx2.AsyncClient() as http:
            query = "SELECT count(*) FROM outbox WHERE type = $1 AND published_at IS NOT NULL"
            while not await conn.fetchval(query, answer):
                await asyncio.sleep(0.1)
            ready = await http.get(f"http://{listen}/health/ready")
            assert ready.status_code == 200
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
        assert await conn.fetchval("SELECT count(*) FROM outbox WHERE type = $1", answer) == 1
    finally:
        await conn.close()
        if process.returncode is None:
            process.kill()
            await process.wait()

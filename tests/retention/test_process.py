"""Quota and retention as processes: ready, fed over the broker, stopped."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.shared.events import Event, SubscriptionEnded
from tests.world.house import open_house
from tests.world.tenants import tenant_changed

TENANT_ID = uuid4()
CASES: list[tuple[str, Event, str]] = [
    (
        "quota",
        tenant_changed(TENANT_ID, 1),
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
    servers: Any,
    database_template: str,
    tmp_path: Path,
    service: str,
    event: Event,
    answer: str,
) -> None:
    with open_house(servers, database_template, tmp_path / "house", service) as house:
        await house.publish(event, times=2)
        count = f"SELECT count(*) FROM {service}.outbox WHERE type = $1"
        async with asyncio.timeout(60):
            while not (await house.fetch(f"{count} AND published_at IS NOT NULL", answer))[0][0]:
                await asyncio.sleep(0.1)
        await asyncio.to_thread(house.wait_ready, service)
        await asyncio.to_thread(house.stop, service)
        assert (await house.fetch(count, answer))[0][0] == 1

"""What reporting's gauges show of plans, their last good runs and the mail queue."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from libs.shared import clock, database
from services.reporting import jobs
from tests.reporting.conftest import Client, Desk


def sample(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_plans_by_their_last_good_run(
    desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender: Any = type("Asked", (), {"pool": desk.pool, "resources": desk.office})()
    now = clock.now()
    for plan_id, days_ago in ((client.plan_id, 5), (uuid4(), 0), (uuid4(), None)):
        client.plan_id = plan_id
        await desk.handle(client.tenant(), client.plan(plan_id=plan_id))
        if days_ago is not None:
            monkeypatch.setattr(clock, "now", lambda ago=days_ago: now - timedelta(days=ago))
            await desk.handle(client.run(1))
        monkeypatch.setattr(clock, "now", lambda: now)
        await desk.handle(client.run(2, outcome="failed", restore_point=False))
    await jobs.measure_plans(sender)
    ages = {age: sample("coffre_plans", last_good=age) for age in ("1d", "2d", "7d", "older")}
    assert ages == {"1d": 1, "2d": 0, "7d": 1, "older": 0}
    assert sample("coffre_plans", last_good="new") == 1
    assert sample("coffre_last_good_run_timestamp_seconds") == now.timestamp()
    assert sample("coffre_incidents_open", cause="failed") == 3

    await jobs.measure_queue(sender)
    assert sample("coffre_mails_unfinished", state="queued")
    age = sample("coffre_mail_oldest_seconds")
    assert age is not None
    assert age >= timedelta(days=4).total_seconds()  # written five days ago, by that clock

    await jobs.measure_tenants(sender)
    tenant = str(client.tenant_id)
    assert sample("coffre_tenant_last_good_run_timestamp_seconds", tenant=tenant) == 0  # never
    async with database.transaction(desk.pool) as conn:
        await conn.execute("UPDATE expected SET watched_since = 'epoch'")
    await jobs.measure_plans(sender)
    assert sample("coffre_plans", last_good="never") == 1  # it had its time
    async with database.transaction(desk.pool) as conn:
        await conn.execute("UPDATE expected SET note = 'paused'")
    await jobs.measure_plans(sender)
    assert sample("coffre_plans", last_good="never") == 0  # of plans that are paused nothing

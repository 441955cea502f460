"""The end of a client, step by step, until nothing is left but what proves it."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from libs.shared import certificates, timekeeping
from libs.shared.runtime.jobs import Runner
from services.retention import jobs
from tests.destruction.firm import NOTARY, Firm, moment
from tests.quota.conftest import Calendar, calendar

__all__ = ["calendar"]


async def test_from_the_end_to_the_certificate(firm: Firm) -> None:
    client = await firm.client()
    other = await firm.client("lea@martin.example", name="Menuiserie Martin")
    tenant_id = client.tenant_id
    await firm.end(tenant_id, "moves away")
    shown = await firm.shown(tenant_id)
    due_at = moment(shown["due_at"])
    assert shown["state"] == "scheduled"
    assert not shown["certificate"]

    firm.now = due_at - timedelta(seconds=1)
    await firm.turns()
    assert (await firm.shown(tenant_id))["state"] == "scheduled", "never earlier"
    stored = await firm.left(tenant_id)
    assert f"keys/{tenant_id}" in stored

    firm.now = due_at
    await firm.turns()
    shown = await firm.shown(tenant_id)
    assert (shown["state"], shown["objects_left"]) == ("running", 0)
    assert await firm.left(tenant_id) == []
    assert await firm.step(tenant_id) == "looking", "once found empty is not enough"
    firm.later(minutes=59)
    await firm.turns()
    assert await firm.step(tenant_id) == "looking"
    assert (await firm.get(f"tenants/{tenant_id}/certificate")).status_code == 404
    firm.later(minutes=1)
    await firm.turns()
    assert (await firm.shown(tenant_id))["state"] == "completed"

    answer = await firm.get(f"tenants/{tenant_id}/certificate")
    assert "Boulangerie Dupré" in certificates.verify(answer.content, NOTARY.public_pem)
    told = json.loads(answer.text)["certificate"]
    assert told["subscription"]["reason"] == "moves away"
    assert moment(told["due_at"]) == due_at.replace(microsecond=0)
    assert told["destroyed"]["objects"] == len(stored)
    assert told["destroyed"]["appeared_later"] == 0
    first, second = map(moment, told["found_empty_at"])
    assert second - first >= timedelta(hours=1)
    assert told["rows"]["portal"]["users"] == 1
    assert told["rows"]["ingest"]["agents"] == 1
    assert told["rows"]["retention"]["catalogue.versions"] > 0
    assert {one["ground"] for one in told["kept"]} <= {
        "accounting", "contract", "certificate", "never-again", "until-mailed",
    }  # fmt: skip
    await _is_untouched(firm, other)


async def _is_untouched(firm: Firm, other: Any) -> None:
    """The client beside them reads all it had."""
    async with firm.portal.client(other.token) as api:
        answer = await api.get(
            f"/api/v1/plans/{other.plan_id}/file", params={"path": "srv/paie.ods", "run": 1}
        )
    assert answer.status_code == 200, answer.text
    assert answer.content == b"contents of lea@martin.example"
    assert f"keys/{other.tenant_id}" in await firm.left(other.tenant_id)


async def test_the_operators_list_tells_what_comes(firm: Firm) -> None:
    client = await firm.client()
    await firm.end(client.tenant_id)
    [listed] = (await firm.get("destructions")).json()["destructions"]
    assert (listed["name"], listed["state"]) == ("Boulangerie Dupré", "scheduled")
    assert (await firm.post(f"{client.tenant_id}/reinstate", reason="stays")).status_code == 200
    await firm.settle()
    assert (await firm.shown(client.tenant_id))["state"] == "cancelled"
    firm.later(days=40)
    await firm.turns()
    assert f"keys/{client.tenant_id}" in await firm.left(client.tenant_id)


@pytest.fixture
def loop_of_destructions(firm: Firm, database: Any) -> Runner[Any]:
    """Retention's job, which by the clock alone would take a turn an hour."""
    [destroy] = [job for job in jobs.JOBS if job.name == "destroy"]
    seldom = replace(destroy, every=timedelta(hours=1))
    return Runner("retention", database.dsn("retention"), seldom, firm.keeper)


async def test_what_it_waits_for_brings_the_next_step_at_once(
    firm: Firm, calendar: Calendar, loop_of_destructions: Runner[Any]
) -> None:
    client = await firm.client()
    await firm.end(client.tenant_id)
    running = asyncio.create_task(loop_of_destructions.run())
    try:
        for days, reached in (
            (30, "first_empty_at IS NOT NULL"),
            (30.1, "certificate IS NOT NULL"),
        ):
            calendar.day(days)
            await timekeeping.accept_time(firm.keeper.pool, "a test's date")
            loop_of_destructions.wake()  # the clock's turn
            await _until(firm, reached)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _until(firm: Firm, reached: str) -> None:
    """Carries what is said until a destruction is there."""
    async with asyncio.timeout(60):
        while True:
            await firm.settle()
            if await firm.fetch(f"SELECT 1 FROM retention.inventories WHERE {reached}"):
                return
            await asyncio.sleep(0.05)

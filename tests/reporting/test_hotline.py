"""No failure passes the hotline by: whatever the reason, and whoever said it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from libs.shared import clock, reasons
from libs.shared.events import EVENTS, Event, PlanDeclared, RunFinished
from libs.shared.objects import ObjectStore
from libs.shared.reasons import Reason
from services.ingest import actions
from tests.reporting.conftest import Client, Desk
from tests.world.inside import Ingest
from tests.world.tenants import Tenant, tenant_changed

RUN_CODES = [code for code, meaning in reasons.CODES.items() if "run" in meaning.kinds]


async def told_hotline(desk: Desk, tenant_id: UUID) -> list[str]:
    """To whom mails for the hotline about a client's runs go."""
    mails = await desk.mails(kind="hotline", tenant_id=tenant_id)
    return [mail["recipient"] for mail in mails]


async def test_every_reason_to_fail_reaches_the_hotline(desk: Desk) -> None:
    """In whatever order run, plan and client become known, and if nobody wants reports."""
    newer_than_we = Reason("moon-too-bright")
    told: dict[str, list[str]] = {}
    every = [*map(Reason, RUN_CODES), newer_than_we, None]
    for number, reason in enumerate(every):
        client = Client()
        events: list[Event] = [
            client.tenant(),
            client.plan(reports=False, recipients=()),
            client.failed_run(reason=reason),
        ]
        first = number % 3
        await desk.handle(*events[first:], *events[:first])
        told[reason.code if reason else "none"] = await told_hotline(desk, client.tenant_id)
    untold = [code for code, recipients in told.items() if recipients != list(desk.office.hotline)]
    assert not untold, f"the hotline isn't told of runs that failed for: {untold}"


@pytest.mark.parametrize("outcome", ["succeeded", "succeeded_with_warnings"])
async def test_what_did_not_fail_is_not_the_hotlines(
    desk: Desk, client: Client, outcome: str
) -> None:
    await desk.handle(client.tenant(), client.plan(), client.run(outcome=outcome))
    assert await told_hotline(desk, client.tenant_id) == []


async def test_a_machine_that_falls_silent_is_told_to_the_hotline(
    desk: Desk, database: Any, object_store: ObjectStore
) -> None:
    """From ingest, which notices it, to the mail: nobody else says that such a run failed."""
    ingest = await Ingest(database.dsn("ingest"), object_store, bytes(range(32))).open()
    tenant = Tenant(ingest)
    await tenant.becomes("active")
    agent = await tenant.enrol("srv-compta")
    silent = await agent.start(await agent.declare("silent"))
    working = await agent.start(await agent.declare("working"))
    async with ingest.pool.acquire() as conn:
        await conn.execute(
            "UPDATE runs SET lease_until = $2 WHERE run_id = $1", UUID(silent), clock.now()
        )
    assert await actions.runs.ending.fail_abandoned(ingest.parts) == 1
    async with ingest.pool.acquire() as conn:
        rows = await conn.fetch("SELECT type, payload FROM outbox ORDER BY position")
    await desk.handle(tenant_changed(tenant.tenant_id, 1))
    said = [EVENTS[row["type"]].model_validate_json(row["payload"]) for row in rows]
    await desk.handle(*(one for one in said if isinstance(one, (PlanDeclared, RunFinished))))

    [mail] = await desk.mails(kind="hotline")
    assert mail["recipient"] == desk.office.hotline[0]
    assert "srv-compta" in mail["subject"]
    assert "silent" in mail["subject"]
    told = {json.loads(row["payload"])["run_id"] for row in rows if row["type"] == RunFinished.type}
    assert told == {silent}, f"{working} is at work still"
    await agent.client.aclose()
    await ingest.close()
    await object_store.close()

"""What makes a destruction wait: size, number, machines that send, clocks, holds, operators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.shared import clock, database, timekeeping
from services.portal import store
from services.portal.rules import people
from services.portal.rules.people import Person
from services.retention import jobs
from services.retention.rules.destruction import Guards, Standing, find_objections
from tests.destruction.firm import Firm, open_firm

DUE = datetime(2026, 12, 23, 2, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size_bytes", "largest", "many", "sent_days_before", "codes"),
    [
        (100, 0, 1, None, []),
        (101, 0, 1, None, ["destruction-large"]),
        (101, 101, 1, None, []),
        (102, 101, 1, None, ["destruction-large"]),
        (1, 0, 3, None, []),
        (1, 0, 4, None, ["destructions-many"]),
        (1, 0, 1, 8, []),
        (1, 0, 1, 6, ["still-sends"]),
        (101, 0, 4, 1, ["destruction-large", "destructions-many", "still-sends"]),
    ],
)
def test_what_is_unusual(
    size_bytes: int, largest: int, many: int, sent_days_before: int | None, codes: list[str]
) -> None:
    sent_at = None if sent_days_before is None else DUE - timedelta(days=sent_days_before)
    standing = Standing(DUE, size_bytes, largest, many, sent_at)
    found = find_objections(standing, Guards(most_a_day=3, unasked_bytes=100))
    assert [reason.code for reason in found] == codes


@pytest.fixture
async def careful(database: Any, servers: Any, bucket: str, tmp_path: Path) -> AsyncIterator[Firm]:
    """A firm to which any destruction is a large one."""
    async with open_firm(database, servers, bucket, tmp_path, unasked_bytes=0) as firm:
        yield firm


async def second_operator(firm: Firm) -> str:
    """Another operator of the provider's; returns a bearer token."""
    user_id, token = uuid4(), people.new_token()
    nora = Person(user_id, None, "operator", "Nora", "nora@provider.example", "fr")
    async with database.transaction(firm.portal.parts.pool) as conn:
        now = clock.now()
        await store.people.add(conn, nora, "-", password_expires_at=None, now=now)
        await store.credentials.add(
            conn, user_id, people.token_sha256(token), "token", now, now + timedelta(days=90)
        )
    return token


async def test_a_large_one_waits_for_a_second_operator(careful: Firm) -> None:
    client = await careful.client()
    await careful.end(client.tenant_id)
    careful.later(days=31)
    await careful.destroy()
    shown = await careful.shown(client.tenant_id)
    assert shown["state"] == "waiting"
    assert [reason["code"] for reason in shown["reasons"]] == ["destruction-large"]
    assert f"keys/{client.tenant_id}" in await careful.left(client.tenant_id)
    [[to, subject]] = await careful.fetch(
        "SELECT recipient, subject FROM reporting.mails WHERE kind = 'incident'"
    )
    assert (to, "Destruction" in subject) == ("hotline@provider.example", True)
    own = await careful.post(f"{client.tenant_id}/destruction/confirm", reason="mine")
    assert own.status_code == 403
    assert own.json()["type"].endswith("second-operator-needed")
    await careful.destroy()
    assert (await careful.shown(client.tenant_id))["state"] == "waiting"
    async with careful.portal.client(await second_operator(careful)) as nora:
        path = f"/api/v1/tenants/{client.tenant_id}/destruction/confirm"
        assert (await nora.post(path, json={"reason": "seen"})).status_code == 202
        await careful.settle()
        assert (await nora.post(path, json={"reason": "twice"})).status_code == 409
    await careful.destroy()
    assert (await careful.shown(client.tenant_id))["state"] == "completed"


async def test_a_confirmation_is_for_the_end_that_was_seen(careful: Firm) -> None:
    client = await careful.client()
    await careful.end(client.tenant_id)
    careful.later(days=31)
    await careful.turns()
    token = await second_operator(careful)
    async with careful.portal.client(token) as nora:
        path = f"/api/v1/tenants/{client.tenant_id}/destruction/confirm"
        assert (await nora.post(path, json={"reason": "seen"})).status_code == 202
    # It is taken back before retention hears of it, and ends once more.
    assert (await careful.post(f"{client.tenant_id}/reinstate", reason="no")).status_code == 200
    assert (await careful.post(f"{client.tenant_id}/end", reason="yes")).status_code == 200
    await careful.settle()
    careful.later(days=31)
    await careful.destroy()
    assert (await careful.shown(client.tenant_id))["state"] == "waiting"


async def test_a_hold_stops_it_until_its_end_or_its_release(firm: Firm) -> None:
    client = await firm.client()
    await firm.end(client.tenant_id)
    held = await firm.post(
        f"{client.tenant_id}/destruction/hold",
        reason="litige",
        until=(firm.now + timedelta(days=60)).isoformat(),
    )
    assert held.json()["state"] == "held"
    await firm.settle()
    firm.later(days=31)
    await firm.destroy()
    shown = await firm.shown(client.tenant_id)
    assert (shown["state"], shown["hold"]["reason"]) == ("held", "litige")
    assert f"keys/{client.tenant_id}" in await firm.left(client.tenant_id)
    released = await firm.post(f"{client.tenant_id}/destruction/release", reason="jugé")
    assert released.status_code == 202
    again = await firm.post(f"{client.tenant_id}/destruction/release", reason="jugé")
    assert again.status_code == 409
    await firm.settle()
    await firm.destroy()
    assert (await firm.shown(client.tenant_id))["state"] == "completed"
    late = await firm.post(f"{client.tenant_id}/destruction/hold", reason="too late")
    assert late.json()["type"].endswith("destruction-begun")


async def test_a_hold_in_the_middle_of_the_inventory_still_stops_it(firm: Firm) -> None:
    client = await firm.client()
    await firm.end(client.tenant_id)
    firm.later(days=31)
    await firm.turn()
    assert await firm.step(client.tenant_id) == "inventory"
    assert (await firm.post(f"{client.tenant_id}/destruction/hold", reason="x")).status_code == 202
    # Retention has not heard of it, and asks: the portal says nothing.
    async with database.transaction(firm.pools["portal"]) as conn:
        await conn.execute("UPDATE outbox SET published_at = now() WHERE type LIKE 'destruction%'")
    await firm.destroy()
    assert await firm.step(client.tenant_id) == "asking"
    assert f"keys/{client.tenant_id}" in await firm.left(client.tenant_id)


async def test_a_machine_that_still_sends_is_a_reason_to_look(firm: Firm) -> None:
    client = await firm.client()
    await firm.end(client.tenant_id)
    answer = await client.agent.client.post("/v1/runs", json={
        "plan_id": str(client.plan_id), "run_key": str(uuid4()), "estimated_new_bytes": 0,
    })  # fmt: skip
    assert answer.status_code == 403, answer.text
    await firm.settle()
    [[sent_at]] = await firm.fetch("SELECT last_sent_at FROM retention.destructions")
    assert sent_at is not None
    # That was a month before it is due; one that tries yesterday is another matter.
    await firm.portal.admin.execute(
        "UPDATE retention.destructions SET last_sent_at = due_at - interval '1 day'"
    )
    firm.later(days=31)
    await firm.destroy()
    shown = await firm.shown(client.tenant_id)
    assert [reason["code"] for reason in shown["reasons"]] == ["still-sends"]


async def test_a_clock_that_can_not_be_believed_stops_all(firm: Firm) -> None:
    client = await firm.client()
    await firm.end(client.tenant_id)
    await firm.portal.admin.execute(
        "UPDATE retention.destructions SET ended_at = ended_at - interval '31 days',"
        " due_at = due_at - interval '31 days'"
    )
    await firm.portal.admin.execute(
        "UPDATE portal.tenants SET ended_at = ended_at - interval '31 days'"
    )
    await firm.portal.admin.execute(
        "INSERT INTO retention.seen_time VALUES (true, now() - interval '3 years')"
    )
    with pytest.raises(timekeeping.TimeDoubtful):
        await jobs.destroy(firm.keeper)
    await firm.settle()
    shown = await firm.shown(client.tenant_id)
    assert shown["state"] == "waiting"
    assert [reason["code"] for reason in shown["reasons"]] == ["time-doubted"]
    assert len(await firm.fetch("SELECT 1 FROM reporting.mails WHERE kind = 'incident'")) == 1
    with pytest.raises(timekeeping.TimeDoubtful):
        await jobs.destroy(firm.keeper)
    await firm.settle()
    assert len(await firm.fetch("SELECT 1 FROM reporting.mails WHERE kind = 'incident'")) == 1
    await timekeeping.accept_time(firm.keeper.pool, "it is that late", firm.keeper.objects.date)
    for _ in range(15):
        await jobs.destroy(firm.keeper)
        await firm.settle()
    assert await firm.step(client.tenant_id) == "looking"
    assert await firm.left(client.tenant_id) == []


async def test_too_many_in_a_day_wait_all(firm: Firm) -> None:
    from dataclasses import replace

    firm.keeper = replace(firm.keeper, guards=Guards(most_a_day=1))
    clients = [await firm.client(f"a{number}@x.example") for number in range(2)]
    for client in clients:
        await firm.end(client.tenant_id)
    firm.later(days=31)
    await firm.destroy()
    for client in clients:
        shown = await firm.shown(client.tenant_id)
        assert [reason["code"] for reason in shown["reasons"]] == ["destructions-many"]

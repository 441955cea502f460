"""When an ended subscription is due for destruction, whatever order the words come in."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from libs.shared import database as databases
from libs.shared.events import (
    Event,
    Recipient,
    SubscriptionEnded,
    SubscriptionReinstated,
    TenantChanged,
)
from services.retention.consumers import HANDLERS
from services.retention.rules.destruction import find_destruction_date

ENDED_AT = datetime(2026, 11, 23, 2, 14, tzinfo=UTC)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-11))])))
def test_due_thirty_days_after_the_end_and_never_earlier(ended_at: datetime) -> None:
    assume(2 < ended_at.year < 9998)
    assert find_destruction_date(ended_at) - ended_at == timedelta(days=30)


def test_summer_time_shortens_nothing() -> None:
    from zoneinfo import ZoneInfo

    paris = ZoneInfo("Europe/Paris")
    ended_at = datetime(2026, 3, 15, 2, 30, tzinfo=paris)
    due_at = find_destruction_date(ended_at)
    assert due_at - ended_at.astimezone(UTC) == timedelta(hours=720)
    assert due_at.astimezone(paris).hour == 3


class Keeper:
    """Retention's handlers on the test's own database."""

    def __init__(self, pool: databases.Pool) -> None:
        self.pool = pool

    async def handle(self, *events: Event) -> None:
        for event in events:
            async with databases.transaction(self.pool) as conn:
                await HANDLERS[type(event)](conn, event)

    async def row(self, table: str, tenant_id: UUID) -> dict[str, Any] | None:
        async with self.pool.acquire() as conn:
            found = await conn.fetchrow(f"SELECT * FROM {table} WHERE tenant_id = $1", tenant_id)
        return dict(found) if found else None

    async def scheduled(self, tenant_id: UUID) -> list[dict[str, Any]]:
        async with self.pool.acquire() as conn:
            rows = await conn.fetch(
                "SELECT payload FROM outbox WHERE type = 'destruction.scheduled.v1' "
                "AND tenant_id = $1",
                tenant_id,
            )
        return [json.loads(row["payload"]) for row in rows]


@pytest.fixture
async def keeper(database: Any) -> AsyncIterator[Keeper]:
    pool = await databases.create_pool(database.dsn("retention"), "retention")
    yield Keeper(pool)
    await pool.close()


def ended(tenant_id: UUID, version: int, at: datetime = ENDED_AT) -> SubscriptionEnded:
    return SubscriptionEnded(tenant_id=tenant_id, version=version, ended_at=at, reason="left")


def reinstated(tenant_id: UUID, version: int) -> SubscriptionReinstated:
    return SubscriptionReinstated(
        tenant_id=tenant_id,
        version=version,
        reinstated_at=ENDED_AT + timedelta(days=3),
        reason="a mistake",
    )


async def test_an_end_writes_down_the_day_and_says_so_once(keeper: Keeper) -> None:
    tenant_id = uuid4()
    await keeper.handle(ended(tenant_id, 3), ended(tenant_id, 3))
    row = await keeper.row("destructions", tenant_id)
    assert row is not None
    assert (row["state"], row["due_at"]) == ("scheduled", ENDED_AT + timedelta(days=30))
    [event] = await keeper.scheduled(tenant_id)
    assert datetime.fromisoformat(event["due_at"]) == ENDED_AT + timedelta(days=30)
    assert event["version"] == 3


async def test_a_reinstatement_cancels_and_a_second_end_counts_anew(keeper: Keeper) -> None:
    tenant_id = uuid4()
    later = ENDED_AT + timedelta(days=10)
    await keeper.handle(ended(tenant_id, 3), reinstated(tenant_id, 4))
    row = await keeper.row("destructions", tenant_id)
    assert row is not None
    assert row["state"] == "cancelled"
    await keeper.handle(ended(tenant_id, 5, later))
    row = await keeper.row("destructions", tenant_id)
    assert row is not None
    assert (row["state"], row["due_at"]) == ("scheduled", later + timedelta(days=30))


async def test_any_order_ends_in_the_newest_word(keeper: Keeper) -> None:
    def story(tenant_id: UUID) -> list[Event]:
        return [
            ended(tenant_id, 2),
            reinstated(tenant_id, 3),
            ended(tenant_id, 4, ENDED_AT + timedelta(days=9)),
            reinstated(tenant_id, 5),
        ]

    for order in itertools.permutations(range(4)):
        for length in (3, 4):
            tenant_id = uuid4()
            events = [story(tenant_id)[place] for place in order if place < length]
            await keeper.handle(*events, *events[:2])
            row = await keeper.row("destructions", tenant_id)
            assert row is not None
            assert row["version"] == length + 1
            assert row["state"] == ("cancelled" if length == 4 else "scheduled")
            if length == 3:
                assert row["due_at"] == ENDED_AT + timedelta(days=39)


async def test_a_stranger_is_never_due(keeper: Keeper) -> None:
    tenant_id, stranger_id = uuid4(), uuid4()
    await keeper.handle(ended(tenant_id, 2))
    assert await keeper.row("destructions", stranger_id) is None


async def test_the_retention_days_are_kept_and_the_newer_win(keeper: Keeper) -> None:
    tenant_id = uuid4()

    def changed(version: int, days: int) -> TenantChanged:
        return TenantChanged(
            tenant_id=tenant_id,
            version=version,
            name="Martin",
            locale="fr",
            timezone="Europe/Paris",
            administrators=(Recipient(name="J", email="j@x.example", locale="fr"),),
            contracted_bytes=1,
            seats=1,
            subscription="active",
            retention_days=days,
        )

    await keeper.handle(changed(2, 60), changed(1, 30), changed(2, 60))
    row = await keeper.row("tenants", tenant_id)
    assert row is not None
    assert row["retention_days"] == 60

"""Quota's handlers and jobs on a real database, at whatever date."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.shared import clock, timekeeping
from libs.shared import database as databases
from libs.shared.events import (
    Event,
    OverageAnswered,
    OverageDecided,
    RunFinished,
    TenantChanged,
    VolumeChanged,
)
from services.quota import actions
from services.quota.consumers import HANDLERS
from tests.world.tenants import tenant_changed

DAY = timedelta(days=1)


class Counter:
    """What quota knows and says of tenants."""

    def __init__(self, pool: databases.Pool) -> None:
        self.pool = pool
        self.tenant_id = uuid4()
        self.version = 0
        self.sequence = 0

    def contract(
        self, version: int = 1, contracted_bytes: int = 1000, **changes: Any
    ) -> TenantChanged:
        return tenant_changed(self.tenant_id, version, contracted_bytes=contracted_bytes, **changes)

    def volume(self, sequence: int, stored_bytes: int) -> VolumeChanged:
        return VolumeChanged(
            tenant_id=self.tenant_id,
            stored_bytes=stored_bytes,
            protected_bytes=2 * stored_bytes,
            sequence=sequence,
        )

    def run(self, plan_id: UUID, number: int, **changes: Any) -> RunFinished:
        told: dict[str, Any] = {
            "tenant_id": self.tenant_id,
            "run_id": uuid4(),
            "plan_id": plan_id,
            "plan_name": "documents",
            "agent_id": uuid4(),
            "hostname": "srv-bureau",
            "number": number,
            "outcome": "succeeded",
            "started_at": clock.now(),
            "finished_at": clock.now(),
            "files_total": 1,
            "files_new": 1,
            "files_changed": 0,
            "files_removed": 0,
            "files_not_copied": 0,
            "bytes_protected": 2000,
            "bytes_sent": 100,
            "stored_bytes": 1200,
            "restore_point": True,
        }
        return RunFinished(**(told | changes))

    def answer(self, case_id: str, answer: Any, **changes: Any) -> OverageAnswered:
        told: dict[str, Any] = {"by": "Camille Martin", "answered_at": clock.now()}
        return OverageAnswered(
            tenant_id=self.tenant_id, case_id=UUID(case_id), answer=answer, **(told | changes)
        )

    def decision(self, decision: Any, **changes: Any) -> OverageDecided:
        self.version += 1
        told: dict[str, Any] = {
            "decision_id": uuid4(),
            "version": self.version,
            "until": None,
            "reason": "as agreed by telephone",
            "by": "Operator",
            "decided_at": clock.now(),
        }
        return OverageDecided(tenant_id=self.tenant_id, decision=decision, **(told | changes))

    async def handle(self, *events: Event) -> None:
        for event in events:
            async with databases.transaction(self.pool) as conn:
                await HANDLERS[type(event)](conn, event)

    async def holds(self, stored_bytes: int) -> None:
        """The newest volume comes to that."""
        self.sequence += 1
        await self.handle(self.volume(self.sequence, stored_bytes))

    async def fill_days(self) -> None:
        await timekeeping.accept_time(self.pool, "a test's date")
        await actions.days.fill_days(self.pool)

    async def tell_days(self) -> None:
        await timekeeping.accept_time(self.pool, "a test's date")
        await actions.days.tell_days(self.pool)

    async def forget_sent(self) -> None:
        await timekeeping.accept_time(self.pool, "a test's date")
        await actions.plans.forget_sent(self.pool)

    async def look(self) -> None:
        """A turn of the job that looks what is due, at a date that somebody said is right."""
        await timekeeping.accept_time(self.pool, "a test's date")
        await actions.cases.settle_due(self.pool)

    async def row(self, tenant_id: UUID | None = None) -> dict[str, Any]:
        async with self.pool.acquire() as conn:
            found = await conn.fetchrow(
                "SELECT * FROM allowances WHERE tenant_id = $1", tenant_id or self.tenant_id
            )
        assert found is not None
        return dict(found)

    async def fetch(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        async with self.pool.acquire() as conn:
            return [dict(row) for row in await conn.fetch(query, *arguments)]

    async def events(self, *kinds: str) -> list[dict[str, Any]]:
        """What was published of these kinds, oldest first, each with its kind."""
        rows = await self.fetch(
            "SELECT type, payload FROM outbox WHERE tenant_id = $1 ORDER BY position",
            self.tenant_id,
        )
        told = [{"type": row["type"], **json.loads(row["payload"])} for row in rows]
        return [one for one in told if one["type"].startswith(kinds or ("",))]

    async def story(self) -> list[str]:
        """What was said of cases and levels, in short."""
        words = []
        for told in await self.events("overage.", "volume.approached"):
            kind = told["type"].split(".")[1]
            if kind == "approached":
                words.append(f"{'up' if told['rising'] else 'down'} {told['level_percent']}")
            else:
                words.append(f"{kind} {told['day']}" if kind == "reminded" else kind)
        return words

    async def said(self) -> list[tuple[int, int, bool, str]]:
        """Version, ceiling, blocked and reason of each allowance published."""
        told = await self.events("allowance.changed")
        return [(t["version"], t["ceiling_bytes"], t["blocked"], t["reason"]) for t in told]


class Calendar:
    """The date of the installation, moved as COFFRE_CLOCK_OFFSET_SECONDS does it.

    It begins at the next ten o'clock: minutes later it is still that day.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        ten = clock.now().replace(hour=10, minute=0, second=0, microsecond=0)
        self.began = ten if ten > clock.now() else ten + DAY
        self.day(0)

    def day(self, days: float) -> datetime:
        """Makes it so many days after the beginning, and a moment; returns when that is."""
        moment = self.began + days * DAY + (timedelta(minutes=1) if days else timedelta(0))
        offset = moment - datetime.now(UTC)
        self._monkeypatch.setattr(clock, "_offset", offset)
        return moment


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Calendar:
    return Calendar(monkeypatch)


@pytest.fixture
async def counter(database: Any) -> AsyncIterator[Counter]:
    pool = await databases.create_pool(database.dsn("quota"), "quota")
    yield Counter(pool)
    await pool.close()

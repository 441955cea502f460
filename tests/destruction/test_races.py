"""A reinstatement in time wins, always; one that comes too late is refused. Nothing in between."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from libs.shared import bucket, clock, database
from libs.shared.events import EVENTS, Event, SubscriptionEnded
from services.portal import consumers as portal
from services.portal.actions.clients import subscription
from services.portal.rules.destruction import DestructionBegun
from services.portal.rules.log.chain import COFFRE
from services.retention import actions, store
from services.retention import consumers as retention
from services.retention.rules.destruction import Guards
from tests.destruction.firm import Firm

HANDLERS = (("portal", portal.HANDLERS), ("retention", retention.HANDLERS))
TOGETHER = 8


@pytest.mark.parametrize("races", [200, pytest.param(1_000, marks=pytest.mark.long)])
async def test_hundreds_of_races_leave_nobody_half_destroyed(firm: Firm, races: int) -> None:
    dice = random.Random(20261129)
    firm.now = clock.now() + timedelta(days=31)
    firm.keeper = replace(firm.keeper, guards=Guards(most_a_day=races))
    tenants = [uuid4() for _ in range(races)]
    await _ended(firm, tenants)
    won: set[UUID] = set()
    for first in range(0, races, TOGETHER):
        together = tenants[first : first + TOGETHER]
        results = await asyncio.gather(*(_race(firm, one, dice) for one in together))
        won |= {one for one, is_won in zip(together, results, strict=True) if is_won}
    assert 0.1 < len(won) / races < 0.9, f"{len(won)} of {races}: neither side had a chance"
    states = dict(await firm.fetch("SELECT tenant_id, subscription FROM portal.tenants"))
    keys = {
        UUID(key.removeprefix(bucket.KEYS_PREFIX))
        async for key, _ in firm.keeper.objects.list(bucket.KEYS_PREFIX)
    }
    ledger = {
        UUID(key.removeprefix(bucket.ERASED_PREFIX))
        async for key, _ in firm.keeper.objects.list(bucket.ERASED_PREFIX)
    }
    assert {one for one in tenants if states[one] == "active"} == won
    assert keys == won, "who was reinstated can read, and nobody else"
    assert ledger == set(tenants) - won
    running = await firm.fetch("SELECT tenant_id, state FROM retention.destructions")
    assert {one for one, state in running if state == "cancelled"} == won


async def _ended(firm: Firm, tenants: list[UUID]) -> None:
    """Clients whose subscription ended a month ago, as the portal and retention know them."""
    ended_at = clock.now()
    await firm.portal.admin.executemany(
        """INSERT INTO portal.tenants (tenant_id, name, locale, timezone, contracted_bytes, seats,
           retention_days, subscription, ended_at, version, created_at)
           VALUES ($1, 'Dupré', 'fr', 'Europe/Paris', 1, 1, 30, 'ended', $2, 3, $2)""",
        [(one, ended_at) for one in tenants],
    )
    await asyncio.gather(
        *(firm.keeper.objects.put(bucket.key_of_keys(one), b"wrapped") for one in tenants)
    )
    async with database.transaction(firm.pools["retention"]) as conn:
        for one in tenants:
            event = SubscriptionEnded(tenant_id=one, version=3, ended_at=ended_at, reason="left")
            await retention.HANDLERS[SubscriptionEnded](conn, event)
        await conn.execute("UPDATE outbox SET published_at = $1", clock.now())


@dataclass
class Race:
    """How far retention is."""

    rounds: int = 0
    is_over: bool = False


async def _race(firm: Firm, tenant_id: UUID, dice: random.Random) -> bool:
    """Somebody reinstates while retention works; whether that was in time."""
    race, moment = Race(), dice.randrange(10)

    async def reinstate() -> bool:
        while race.rounds < moment and not race.is_over:
            await asyncio.sleep(0)
        try:
            await subscription.step_subscription(
                firm.portal.parts.pool, COFFRE, tenant_id, "reinstate", "stays"
            )
        except DestructionBegun:
            return False
        return True

    won, _ = await asyncio.gather(reinstate(), _work(firm, tenant_id, dice, race))
    await _work(firm, tenant_id, dice, race)
    return won


async def _work(firm: Firm, tenant_id: UUID, dice: random.Random, race: Race) -> None:
    """Retention's turns up to the destroyed keys, and events in any order, some twice."""
    quiet = 0
    while quiet < 2:
        async with database.transaction(firm.pools["retention"]) as conn:
            due = await store.destruction.days.lock(conn, tenant_id)
        done = 0
        if due is not None and await firm.step(tenant_id) not in {"objects", "looking"}:
            done = await actions.destruction.advancing.advance(firm.keeper, due, firm.now)
        race.rounds += 1
        said = [*await _said(firm, "retention", tenant_id), *await _said(firm, "portal", tenant_id)]
        said += dice.sample(said, len(said) // 2)
        dice.shuffle(said)
        for event in said:
            race.rounds += 1
            for service, handlers in HANDLERS:
                if type(event) in handlers:
                    async with database.transaction(firm.pools[service]) as conn:
                        await handlers[type(event)](conn, event)
        quiet = 0 if done or said else quiet + 1
    race.is_over = True


async def _said(firm: Firm, service: str, tenant_id: UUID) -> list[Event]:
    async with database.transaction(firm.pools[service]) as conn:
        rows = await conn.fetch(
            "UPDATE outbox SET published_at = $2 WHERE tenant_id = $1 AND published_at IS NULL"
            " RETURNING type, payload",
            tenant_id,
            clock.now(),
        )
    return [EVENTS[row["type"]].model_validate_json(row["payload"]) for row in rows]

"""What collection is tried on: contents, what nothing needs any more, and the days of it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from libs.shared import clock
from services.retention import actions, rules
from tests.retention.house import Client

A, B, C, D = (bytes([n]) * 300 + bytes(range(n, 250)) * 3 for n in (1, 2, 3, 4))
NOW = clock.now() + timedelta(hours=12)  # well after whatever a run of all tests made before
LATER = NOW + timedelta(days=2)


async def expire(client: Client, plan: UUID) -> int:
    """Forgets all that any run superseded."""
    forever = rules.expiry.Window(timedelta(days=1), NOW + timedelta(days=9_999))
    keeper = client.house.keeper
    async with keeper.pool.acquire() as conn, conn.transaction():
        await actions.expiry.judge_window(conn, client.tenant_id, plan, forever, NOW)
        await conn.execute(
            "UPDATE expiry_holds SET cleared_at = $1, cleared_reason = 'meant'"
            " WHERE cleared_at IS NULL AND plan_id = $2",
            NOW,
            plan,
        )
    return await actions.expiry.expire_plan(keeper, client.tenant_id, plan, forever, NOW)


async def make_garbage(client: Client, plan: UUID, *contents: bytes) -> bytes:
    """A run's pack that nothing needs any more; returns its id."""
    before = set(await client.packs())
    garbage = {b"garbage%d" % place: [content] for place, content in enumerate(contents)}
    await client.copy(plan, garbage)
    [pack_id] = set(await client.packs()) - before
    await client.copy(plan, {}, removed=list(garbage))
    await expire(client, plan)
    return pack_id


async def condemn(client: Client) -> None:
    keeper = client.house.keeper
    await actions.collection.packs.condemn(
        keeper, await actions.collection.packs.mark_tenant(keeper, client.tenant_id, NOW), NOW
    )

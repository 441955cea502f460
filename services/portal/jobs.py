"""What the portal does by the clock."""

from __future__ import annotations

import asyncio

import structlog

from libs.shared import clock, errors
from libs.shared.database import Pool, transaction
from services.portal import store
from services.portal.actions import subscribing
from services.portal.rules import people
from services.portal.rules.log.chain import COFFRE

EVERY_SECONDS = 30.0


async def end_subscriptions(pool: Pool) -> None:
    """Ends the subscriptions whose agreed last day has come."""
    now = clock.now()
    async with transaction(pool) as conn:
        due = await store.tenants.find_due_ends(conn, now)
    for tenant_id in due:
        async with transaction(pool) as conn:
            tenant = await store.tenants.lock(conn, tenant_id)
            # An operator may have moved the day, or taken it back, meanwhile.
            if tenant is None or tenant.subscription != "ending":
                continue
            if tenant.ends_at is None or tenant.ends_at > now:
                continue
            await subscribing.move_subscription(
                conn, COFFRE, tenant_id, "end", tenant.subscription_reason
            )


async def prune(pool: Pool) -> None:
    """Removes credentials that expired and guesses that no longer count."""
    async with transaction(pool) as conn:
        now = clock.now()
        await store.people.prune(conn, now, people.ACCOUNT_THROTTLE.window)
        await store.log.forget_restores(conn, now - people.TOKEN_LIFE)


async def keep_time(pool: Pool) -> None:
    """Does what is due, again and again; an outage of the database only makes it late."""
    while True:
        try:
            await end_subscriptions(pool)
            await prune(pool)
        except errors.Unavailable as trouble:
            structlog.get_logger().warning("portal.jobs_delayed", why=trouble.detail)
        await asyncio.sleep(EVERY_SECONDS)

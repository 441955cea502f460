"""Reviews: the mail of a week, and of a day's failures, of who wants no more of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID
from zoneinfo import ZoneInfo

from libs.shared import clock, database, logs
from libs.shared.database import Connection, Pool
from libs.shared.errors import Unavailable
from libs.shared.events import Reader
from services.reporting import rules, store
from services.reporting.actions import mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import review
from services.reporting.mail.letters.review import PlanReview, ReviewFacts
from services.reporting.rules.clients import Tenant
from services.reporting.rules.plans import Plan
from services.reporting.rules.reviews import Happened, Review


async def watch(conn: Connection, tenant_id: UUID) -> None:
    """Writes reviews of a client as long as somebody gets them; to be called when that changes."""
    tenant = await store.clients.find(conn, tenant_id)
    if tenant is None:
        return
    readers = [*tenant.administrators]
    for audience in await store.plans.list_audiences(conn, tenant_id):
        readers += audience.people
    if all(one.choice != "weekly" for one in readers):
        await store.reviews.forget(conn, tenant_id)
        return
    now = clock.now()
    next_at = rules.reviews.find_next_morning(now, ZoneInfo(tenant.timezone))
    await store.reviews.watch(conn, tenant_id, now, next_at)


async def write_reviews(pool: Pool, resources: Resources) -> int:
    """Writes to everybody whose morning has come; returns of how many clients."""
    now = clock.now()
    async with database.acquire(pool) as conn:
        due = await store.reviews.list_due(conn, now)
    done = 0
    for tenant_id in due:
        try:
            async with database.transaction(pool) as conn:
                await store.clients.lock(conn, tenant_id)
                await _write_due(conn, resources, tenant_id)
        except Unavailable:
            raise
        except Exception:  # a bug: the others get theirs all the same
            logs.get().exception("review.failed", tenant_id=str(tenant_id))
        else:
            done += 1
    return done


async def _write_due(conn: Connection, resources: Resources, tenant_id: UUID) -> None:
    told = await store.reviews.find(conn, tenant_id)
    tenant = await store.clients.find(conn, tenant_id)
    if told is None or tenant is None:
        return
    now, zone = clock.now(), ZoneInfo(tenant.timezone)
    for due in rules.reviews.find_due(told, now, zone):
        if not tenant.is_over:
            await _write(conn, resources, tenant, due)
        told = replace(told, day_until=max(told.day_until, due.until))
        if due.period == "week":
            told = replace(told, week_until=due.until)
    await store.reviews.put(conn, told, rules.reviews.find_next_morning(now, zone))


async def _write(conn: Connection, resources: Resources, tenant: Tenant, due: Review) -> None:
    """Writes a review to each of its readers: of the plans whose reports they would get."""
    tenant_id = tenant.tenant_id
    happened = await store.reviews.list_happened(conn, tenant_id, due.since, due.until)
    untold = {one.plan_id for one in happened if one.news == "missed"}
    untold -= await store.reviews.list_reported_misses(conn, tenant_id, due.since, due.until)
    written: dict[str, tuple[Reader, list[PlanReview]]] = {}
    for plan in await store.plans.list_of_tenant(conn, tenant_id):
        audience = await store.plans.find_audience(conn, tenant_id, plan.plan_id)
        readers = rules.choices.find_readers(tenant, plan, audience)
        readers = [one for one in readers if one.choice == "weekly"]
        of_plan = [one for one in happened if one.plan_id == plan.plan_id]
        if not readers or not _belongs(due, plan, of_plan, untold):
            continue
        newest = await store.runs.list_before(conn, tenant_id, plan.plan_id, 2**31 - 1, 1)
        reviewed = PlanReview(plan, of_plan, newest[0] if newest else None)
        for one in readers:
            written.setdefault(one.email.lower(), (one, []))[1].append(reviewed)
    for reader, plans in written.values():
        facts = ReviewFacts(tenant, due, reader, plans, resources.portal_url, resources.mail_key)
        await mails.write(conn, resources, tenant_id, review.KIND, facts)
    if written:
        logs.get().info(
            "review.written", tenant_id=str(tenant_id), period=due.period, mails=len(written)
        )


def _belongs(due: Review, plan: Plan, happened: Sequence[Happened], untold: set[UUID]) -> bool:
    """Is a plan told of? In a week's mail each is; in a day's what failed, and what was mended.

    A run that is missed for weeks is told of as seldom as to everybody else.
    """
    if due.period == "week":
        return True
    news = [one.news for one in happened if one.news != "missed" or plan.plan_id not in untold]
    return rules.choices.is_daily(news)

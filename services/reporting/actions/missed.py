"""Runs that never came: what is expected of each plan, and who is told where it doesn't come."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import clock, database, logs, timekeeping
from libs.shared.database import Connection, Pool
from libs.shared.errors import Unavailable
from libs.shared.events import RunFinished
from services.reporting import rules, store
from services.reporting.actions import incidents, mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import missed, silent
from services.reporting.mail.letters.missed import MissedFacts
from services.reporting.mail.letters.silent import SilentFacts
from services.reporting.rules.missed import Expectation, Missed
from services.reporting.rules.plans import Plan

AT_ONCE = 200


async def expect(conn: Connection, resources: Resources, tenant_id: UUID, plan_id: UUID) -> None:
    """Expects runs of a plan by the rhythm that it declared, from now on."""
    plan = await store.plans.find(conn, tenant_id, plan_id)
    assert plan is not None
    now = clock.now()
    expected_at = rules.missed.find_expected(plan.schedule, plan.timezone, now)
    due_at = await _find_due(conn, resources, tenant_id, plan_id, expected_at)
    await store.missed.put_rhythm(conn, tenant_id, plan, expected_at, due_at, now)


async def note_run(
    conn: Connection, resources: Resources, tenant_id: UUID, plan: Plan, run: RunFinished
) -> None:
    """A run ended, well or not: the next one is expected."""
    expected_at = rules.missed.find_after_run(
        plan.schedule, plan.timezone, run.finished_at, clock.now()
    )
    due_at = await _find_due(conn, resources, tenant_id, plan.plan_id, expected_at)
    await store.missed.note_run(conn, tenant_id, plan.plan_id, run.number, expected_at, due_at)


async def _find_due(
    conn: Connection,
    resources: Resources,
    tenant_id: UUID,
    plan_id: UUID,
    expected_at: datetime | None,
) -> datetime | None:
    grace = await _find_grace(conn, resources, tenant_id, plan_id)
    return expected_at + grace if expected_at else None


async def _find_grace(
    conn: Connection, resources: Resources, tenant_id: UUID, plan_id: UUID
) -> timedelta:
    durations = await store.missed.list_durations(
        conn, tenant_id, plan_id, rules.usual.figures.DURATIONS
    )
    return rules.missed.find_grace(durations, resources.missed_grace)


async def tell_missed(pool: Pool, resources: Resources) -> int:
    """Tells of what is due and didn't come; returns of how many plans more is known now.

    Raises TimeDoubtful. Nothing is told while reporting may not have heard of what came.
    """
    now = await timekeeping.check_time(pool)
    async with database.transaction(pool) as conn:
        if not await note_hearing(conn, now):
            return 0
        due = await store.missed.list_due(conn, now, AT_ONCE)
    done = 0
    for tenant_id, plan_id in due:
        try:
            async with database.transaction(pool) as conn:
                await _judge(conn, resources, tenant_id, plan_id, now)
        except Unavailable:
            raise
        except Exception:  # a bug: the others are told of all the same
            logs.get().exception("miss.failed", plan_id=str(plan_id))
        else:
            done += 1
    return done


async def note_hearing(conn: Connection, now: datetime) -> bool:
    """Notes when reporting was last heard by itself; returns whether it has heard all others."""
    heard_at = await store.missed.find_ping(conn)
    if heard_at is None:
        return False
    hearing = rules.missed.follow(await store.missed.find_hearing(conn), heard_at)
    await store.missed.put_hearing(conn, hearing)
    return rules.missed.has_heard_all(hearing, now)


async def _judge(
    conn: Connection, resources: Resources, tenant_id: UUID, plan_id: UUID, now: datetime
) -> None:
    """Counts what was missed of a plan, and expects what comes after it."""
    await store.clients.lock(conn, tenant_id)
    due = await store.missed.find_due(conn, tenant_id, plan_id, now)
    if due is None:
        return
    tenant = await store.clients.find(conn, tenant_id)
    grace = await _find_grace(conn, resources, tenant_id, plan_id)
    if (
        due.expected_at is None
        or tenant is None
        or not rules.missed.is_watched(tenant.subscription)
    ):
        after = rules.missed.find_expected(due.schedule, due.timezone, now)
        await _expect_next(conn, due, after, grace)
        return
    found = rules.missed.find_missed(due.schedule, due.timezone, due.expected_at, grace, now)
    if found is None:  # it takes longer by now than when this was written down
        await _expect_next(conn, due, due.expected_at, grace)
        return
    since = due.since or due.expected_at
    noted = replace(due, since=since, times=due.times + found.times)
    if rules.missed.is_told(since, due.told_at, now):
        noted = replace(noted, told_at=now)
    noted = await _expect_next(conn, noted, found.next_at, grace)
    await _tell(conn, resources, tenant, noted, found, now)


async def _expect_next(
    conn: Connection, expectation: Expectation, at: datetime | None, grace: timedelta
) -> Expectation:
    """Keeps what is expected next; returns it."""
    expected = replace(expectation, expected_at=at, due_at=at + grace if at else None)
    await store.missed.put(conn, expected)
    return expected


async def _tell(
    conn: Connection,
    resources: Resources,
    tenant: rules.clients.Tenant,
    expectation: Expectation,
    found: Missed,
    now: datetime,
) -> None:
    """Writes to the plan's readers if it is time to, and to the hotline as of any incident."""
    tenant_id, plan_id = tenant.tenant_id, expectation.plan_id
    plan = await store.plans.find(conn, tenant_id, plan_id)
    assert plan is not None
    facts = MissedFacts(
        tenant=tenant,
        plan=plan,
        audience=await store.plans.find_audience(conn, tenant_id, plan_id),
        expectation=expectation,
        missed_at=found.at,
        good=await store.runs.find_last_good(conn, tenant_id, plan_id),
        portal_url=resources.portal_url,
    )
    if expectation.told_at == now:
        await mails.write(conn, resources, tenant_id, missed.KIND, facts)
    incident, step = await incidents.note_miss(conn, expectation, found, now)
    if step is not None:
        before = await store.runs.list_before(
            conn, tenant_id, plan_id, expectation.last_run + 1, rules.incidents.LISTED_BEFORE
        )
        told = SilentFacts(facts, incident, step, before, resources.hotline)
        await mails.write(conn, resources, tenant_id, silent.KIND, told)
    logs.get().info(
        "run.missed", tenant_id=str(tenant_id), plan_id=str(plan_id), times=expectation.times
    )

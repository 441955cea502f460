"""Runs that never came: what is expected of each plan, and who is told where it doesn't come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from libs.shared import clock, database, logs, outbox, timekeeping
from libs.shared.database import Connection, Pool
from libs.shared.errors import Unavailable
from libs.shared.events import PlanPaused, RunFinished, RunMissed
from services.reporting import rules, store
from services.reporting.actions import incidents, mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import missed, silent
from services.reporting.mail.letters.missed import MissedFacts
from services.reporting.mail.letters.silent import SilentFacts
from services.reporting.rules.missed import Expectation, Missed, Window
from services.reporting.rules.plans import Plan

AT_ONCE = 200


async def expect(conn: Connection, resources: Resources, tenant_id: UUID, plan_id: UUID) -> None:
    """Expects runs of a plan by the rhythm that it declared, from now on."""
    plan = await store.plans.find(conn, tenant_id, plan_id)
    assert plan is not None
    now = clock.now()
    after = rules.missed.find_expected(plan.schedule, plan.timezone, now)
    expected_at, due_at = await _find_due(conn, resources, tenant_id, plan, after)
    await store.missed.put_rhythm(conn, tenant_id, plan, expected_at, due_at, now)


async def note_run(
    conn: Connection, resources: Resources, tenant_id: UUID, plan: Plan, run: RunFinished
) -> None:
    """A run ended, well or not: the next one is expected."""
    after = rules.missed.find_after_run(plan.schedule, plan.timezone, run.finished_at, clock.now())
    expected_at, due_at = await _find_due(conn, resources, tenant_id, plan, after)
    await store.missed.note_run(conn, tenant_id, plan.plan_id, run.number, expected_at, due_at)


async def pause(conn: Connection, resources: Resources, event: PlanPaused) -> None:
    """Expects no run of a plan before a day, unless one comes; closes the incident about it.

    Raises LookupError where the plan isn't known yet: the event comes again.
    """
    tenant_id, plan_id = event.tenant_id, event.plan_id
    if not await store.missed.put_pause(conn, tenant_id, plan_id, event.version):
        return
    note = f"{event.by}: {event.reason}"
    if not await store.missed.pause(conn, tenant_id, plan_id, event.until, note):
        raise LookupError(f"plan {plan_id} is not known yet")
    closed = await incidents.close_all(
        conn, resources, tenant_id, ["missed"], plan_id=plan_id, by=event.by, note=event.reason
    )
    await mails.write_closed(conn, resources, closed)


async def _find_due(
    conn: Connection,
    resources: Resources,
    tenant_id: UUID,
    plan: Plan,
    at: datetime | None,
) -> tuple[datetime | None, datetime | None]:
    """When a run is expected from a moment on, outside maintenance, and when it is missed."""
    grace = await _find_grace(conn, resources, tenant_id, plan.plan_id)
    windows = await store.notices.list_windows(conn, tenant_id)
    expected_at = rules.missed.find_excused(plan.schedule, plan.timezone, at, windows)
    if expected_at is None:
        return None, None
    return expected_at, rules.missed.find_due(expected_at, grace, windows)


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
    return rules.missed.has_received_all(hearing, now)


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
    windows = await store.notices.list_windows(conn, tenant_id)
    if due.expected_at is None or tenant is None or not _is_expected(tenant):
        after = rules.missed.find_expected(due.schedule, due.timezone, now)
        await _expect_next(conn, due, after, grace, windows)
        return
    at = rules.missed.find_excused(due.schedule, due.timezone, due.expected_at, windows)
    found = at and rules.missed.find_missed(due.schedule, due.timezone, at, grace, now, windows)
    if not found:  # it takes longer by now than when this was written down, or needn't come
        await _expect_next(conn, due, at, grace, windows)
        return
    since = due.since or due.expected_at
    noted = replace(due, since=since, times=due.times + found.times)
    if rules.missed.is_due_again(since, due.told_at, now):
        noted = replace(noted, told_at=now)
    await store.reviews.add_miss(
        conn,
        tenant_id,
        plan_id,
        found.at,
        due.last_run,
        now,
        told=noted.told_at == now,
        forget_before=now - rules.reviews.LONGEST,
    )
    noted = await _expect_next(conn, noted, found.next_at, grace, windows)
    await _tell(conn, resources, tenant, noted, found, now)


def _is_expected(tenant: rules.clients.Tenant) -> bool:
    """Whether a client's runs are expected now: all that suppresses a miss is asked here."""
    return rules.missed.is_watched(tenant.subscription)


async def _expect_next(
    conn: Connection,
    expectation: Expectation,
    after: datetime | None,
    grace: timedelta,
    windows: Sequence[Window],
) -> Expectation:
    """Keeps what is expected next, from a moment on and outside maintenance; returns it."""
    at = rules.missed.find_excused(expectation.schedule, expectation.timezone, after, windows)
    due_at = rules.missed.find_due(at, grace, windows) if at else None
    expected = replace(expectation, expected_at=at, due_at=due_at)
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
        mail_key=resources.mail_key,
    )
    if expectation.told_at == now:
        await mails.write(conn, resources, tenant_id, missed.KIND, facts)
    told = RunMissed(
        tenant_id=tenant_id,
        plan_id=plan_id,
        missed_at=found.at,
        since=expectation.since or found.at,
        times=expectation.times,
        expected_at=found.next_at,
    )
    await outbox.add(conn, told)
    incident, step = await incidents.note_miss(conn, resources, expectation, found)
    if step is not None and step != "repeated":
        before = await store.runs.list_before(
            conn, tenant_id, plan_id, expectation.last_run + 1, rules.incidents.LISTED_BEFORE
        )
        silence = SilentFacts(facts, incident, step, before, resources.hotline)
        await mails.write(conn, resources, tenant_id, silent.KIND, silence)
    logs.get().info(
        "run.missed", tenant_id=str(tenant_id), plan_id=str(plan_id), times=expectation.times
    )

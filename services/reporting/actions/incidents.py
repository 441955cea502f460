"""Incidents: opened by a failed run, counted while it goes on, closed by the next good one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

from libs.shared import clock, database, logs
from libs.shared.database import Connection, Pool
from libs.shared.events import ExpiryHeld, RunFinished
from libs.shared.words.tongue import DEFAULT_TIMEZONE
from services.reporting import rules, store
from services.reporting.actions import mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import morning, recovered
from services.reporting.mail.letters.morning import MorningFacts
from services.reporting.mail.letters.recovered import RecoveredFacts
from services.reporting.rules.incidents import Incident, Step
from services.reporting.rules.missed import Expectation, Missed

EVERYBODY = UUID(int=0)
"""In the place of a client: what is of all of them."""


async def note_failure(
    conn: Connection, tenant_id: UUID, run: RunFinished, now: datetime
) -> tuple[Incident, Step | None] | None:
    """Opens an incident, or counts it once more; and what the hotline is to be told.

    None: a later run went well, and only this one's event came late.
    """
    if await store.runs.is_made_good(conn, tenant_id, run.plan_id, run.number):
        return None
    cause = rules.incidents.find_cause(run.reason)
    at = run.finished_at
    noted = Incident(tenant_id, uuid4(), run.plan_id, cause, at, at, run.number, 1)
    return await _note(conn, noted, now)


async def note_unusual(
    conn: Connection, run: RunFinished, now: datetime
) -> tuple[Incident, Step | None]:
    """The same of a run that is unusual, however it ended."""
    at, plan_id = run.finished_at, run.plan_id
    noted = Incident(run.tenant_id, uuid4(), plan_id, "unusual", at, at, run.number, 1)
    return await _note(conn, noted, now)


async def note_hold(
    conn: Connection, event: ExpiryHeld, now: datetime
) -> tuple[Incident, Step | None]:
    """The same of what retention found by itself: it is no incident of its own."""
    at, plan_id = event.held_at, event.plan_id
    noted = Incident(event.tenant_id, uuid4(), plan_id, "unusual", at, at, event.number, 1)
    known = await store.incidents.find_open(conn, event.tenant_id, plan_id, "unusual")
    if known is not None and known.last_run >= event.number:
        return known, None
    return await _note(conn, noted, now)


async def note_miss(
    conn: Connection, expectation: Expectation, missed: Missed, now: datetime
) -> tuple[Incident, Step | None]:
    """The same of runs that never came."""
    plan_id, since = expectation.plan_id, expectation.since or missed.at
    noted = Incident(
        tenant_id=expectation.tenant_id,
        incident_id=uuid4(),
        plan_id=plan_id,
        cause="missed",
        opened_at=since,
        last_at=missed.at,
        last_run=expectation.last_run,
        times=missed.times,
    )
    return await _note(conn, noted, now)


async def _note(conn: Connection, noted: Incident, now: datetime) -> tuple[Incident, Step | None]:
    """Opens what was noted, or counts it to the incident of its plan and cause that is open."""
    tenant_id = noted.tenant_id
    known = await store.incidents.find_open(conn, tenant_id, noted.plan_id, noted.cause)
    if known is None:
        await store.incidents.add(conn, tenant_id, noted)
        return noted, "opened"
    incident = replace(
        known,
        times=known.times + noted.times,
        last_run=max(known.last_run, noted.last_run),
        last_at=max(known.last_at, noted.last_at),
    )
    step: Step | None = None
    if rules.incidents.is_due_again(incident, now):
        step, incident = "escalated", replace(incident, escalated_at=now)
    await store.incidents.repeat(conn, tenant_id, incident)
    return incident, step


async def note_success(
    conn: Connection,
    resources: Resources,
    tenant: rules.clients.Tenant,
    plan: rules.plans.Plan,
    run: RunFinished,
) -> None:
    """Closes what a good run ends, and writes that to the hotline."""
    tenant_id = tenant.tenant_id
    closed = await store.incidents.close_before(
        conn, tenant_id, run.plan_id, run.number, clock.now()
    )
    for incident in closed:
        facts = RecoveredFacts(incident, run, tenant, plan, resources.portal_url, resources.hotline)
        await mails.write(conn, resources, tenant_id, recovered.KIND, facts)


async def write_morning(pool: Pool, resources: Resources) -> None:
    """Writes to the hotline, once a morning, what is still open."""
    now, zone = clock.now(), ZoneInfo(DEFAULT_TIMEZONE)
    morning_at = rules.incidents.find_digest(now, zone)
    if morning_at is None:
        return
    digest_id = uuid5(EVERYBODY, f"morning {morning_at:%Y-%m-%d}")
    async with database.transaction(pool) as conn:
        await store.clients.lock(conn, EVERYBODY)
        if await store.mails.is_known(conn, EVERYBODY, morning.KIND.name, digest_id):
            return
        incidents = await store.incidents.list_open(conn, now, morning_at)
        if incidents:
            facts = MorningFacts(
                digest_id,
                incidents,
                morning_at,
                DEFAULT_TIMEZONE,
                resources.portal_url,
                resources.hotline,
            )
            await mails.write(conn, resources, EVERYBODY, morning.KIND, facts)
            logs.get().info("morning.written", incidents=len(incidents))

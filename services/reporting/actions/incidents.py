"""Incidents: opened once, counted while they go on, closed once what they are about is over.

Each change is told to the portal; who is mailed of it is the hotline's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from libs.shared import clock, logs, outbox
from libs.shared.database import Connection
from libs.shared.events import (
    IncidentChanged,
    IncidentClosed,
    IncidentDecided,
    IncidentOpened,
    RunFinished,
)
from services.reporting import rules, store
from services.reporting.actions import webhooks
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters.incident import summarize
from services.reporting.rules.incidents import Cause, Incident, Matter, Step
from services.reporting.rules.missed import Expectation, Missed

EACH_IS_TOLD: frozenset[Cause] = frozenset({"help", "undeliverable"})
"""Whose every new matter is told, though the incident is open: another person waits for it."""

ToldStep = Literal["opened", "escalated", "repeated"]


async def note_failure(
    conn: Connection, resources: Resources, run: RunFinished
) -> tuple[Incident, ToldStep | None] | None:
    """Opens an incident, or counts it once more; and what the hotline is to be told.

    None: a later run went well, and only this one's event came late.
    """
    if await store.runs.is_made_good(conn, run.tenant_id, run.plan_id, run.number):
        return None
    cause, at = rules.incidents.find_cause(run.reason), run.finished_at
    noted = Incident(run.tenant_id, uuid4(), run.plan_id, cause, at, at, run.number, 1)
    return await _note(conn, resources, noted)


async def note_miss(
    conn: Connection, resources: Resources, expectation: Expectation, missed: Missed
) -> tuple[Incident, ToldStep | None]:
    """Opens an incident of runs that never came, or counts them to it."""
    noted = Incident(
        tenant_id=expectation.tenant_id,
        incident_id=uuid4(),
        plan_id=expectation.plan_id,
        cause="missed",
        opened_at=expectation.since or missed.at,
        last_at=missed.at,
        last_run=expectation.last_run,
        times=missed.times,
    )
    return await _note(conn, resources, noted)


async def note_matter(
    conn: Connection,
    resources: Resources,
    tenant_id: UUID,
    plan_id: UUID | None,
    matter: Matter,
    at: datetime,
) -> tuple[Incident, ToldStep | None] | None:
    """Opens an incident of a matter, or counts it; None where it is known, or over already."""
    if await store.matters.is_settled(conn, tenant_id, matter):
        return None
    known = await store.incidents.find_open(conn, tenant_id, plan_id, matter.cause)
    incident_id = known.incident_id if known else uuid4()
    kept = await store.matters.put(conn, tenant_id, plan_id, incident_id, matter)
    if kept == "known":
        return None
    noted = Incident(tenant_id, incident_id, plan_id, matter.cause, at, at, last_run=0, times=1)
    incident, step = await _note(conn, resources, noted)
    if step is None and kept == "new" and matter.cause in EACH_IS_TOLD:
        step = "repeated"
    return incident, step


async def _note(
    conn: Connection, resources: Resources, noted: Incident
) -> tuple[Incident, ToldStep | None]:
    """Opens what was noted, or counts it to the incident of its plan and cause that is open."""
    tenant_id, now = noted.tenant_id, clock.now()
    known = await store.incidents.find_open(conn, tenant_id, noted.plan_id, noted.cause)
    if known is None:
        await _keep(conn, resources, noted, "opened")
        return noted, "opened"
    incident = replace(
        known,
        times=known.times + noted.times,
        last_run=max(known.last_run, noted.last_run),
        last_at=max(known.last_at, noted.last_at),
        version=known.version + 1,
    )
    step: ToldStep | None = None
    if rules.incidents.is_due_again(incident, now):
        step, incident = "escalated", replace(incident, escalated_at=now)
    await _keep(conn, resources, incident, "escalated" if step else None)
    return incident, step


async def escalate(
    conn: Connection, resources: Resources, tenant_id: UUID, incident_id: UUID
) -> Incident | None:
    """Escalates one that has been open for long; None where somebody has it in hand by now."""
    now = clock.now()
    known = await store.incidents.find(conn, tenant_id, incident_id)
    if known is None or known.closed_at is not None or not rules.incidents.is_due_again(known, now):
        return None
    incident = replace(known, escalated_at=now, version=known.version + 1)
    await _keep(conn, resources, incident, "escalated")
    return incident


async def settle(
    conn: Connection,
    resources: Resources,
    tenant_id: UUID,
    matter: Matter,
    *,
    plan_id: UUID | None = None,
    is_kept: bool = True,
    note: str = "",
) -> list[Incident]:
    """Something is over; returns the incidents that are closed by that.

    is_kept: also where nothing was heard of it yet, for that may be on its way.
    """
    now = clock.now()
    ids = await store.matters.settle(conn, tenant_id, matter, plan_id, now)
    if not ids and is_kept:
        await store.matters.put_settled(conn, tenant_id, matter, now)
    closed = []
    for incident_id in dict.fromkeys(ids):
        if await store.matters.has_open(conn, tenant_id, incident_id):
            continue
        known = await store.incidents.find(conn, tenant_id, incident_id)
        if known is not None and known.closed_at is None:
            closed.append(await _close(conn, resources, known, now, note=note))
    return closed


async def close_by_run(conn: Connection, resources: Resources, run: RunFinished) -> list[Incident]:
    """Closes all that a good run ends: what older runs of its plan began."""
    found = await store.incidents.list_open_of(
        conn,
        run.tenant_id,
        sorted(rules.incidents.OF_RUNS),
        plan_id=run.plan_id,
        before_run=run.number,
    )
    now = clock.now()
    return [await _close(conn, resources, one, now) for one in found]


async def close_all(
    conn: Connection,
    resources: Resources,
    tenant_id: UUID,
    causes: Collection[Cause],
    *,
    plan_id: UUID | None = None,
    by: str | None = None,
    note: str = "",
) -> list[Incident]:
    """Closes a client's incidents of some causes, or those of one plan."""
    found = await store.incidents.list_open_of(conn, tenant_id, sorted(causes), plan_id=plan_id)
    now = clock.now()
    return [await _close(conn, resources, one, now, by, note) for one in found]


async def _close(
    conn: Connection,
    resources: Resources,
    known: Incident,
    now: datetime,
    by: str | None = None,
    note: str = "",
) -> Incident:
    incident = replace(
        known, closed_at=now, closed_by=by, note=note or known.note, version=known.version + 1
    )
    await store.matters.settle_all(conn, known.tenant_id, known.incident_id, now)
    await _keep(conn, resources, incident, "closed")
    return incident


async def decide(
    conn: Connection, resources: Resources, decided: IncidentDecided
) -> Incident | None:
    """Does what an operator decided; returns the incident if that closed it.

    Nothing where it was closed meanwhile. What was put off is told again if it goes on after that.
    """
    known = await store.incidents.find(conn, decided.tenant_id, decided.incident_id)
    if known is None or known.closed_at is not None:
        return None
    if decided.decision == "close":
        return await _close(conn, resources, known, clock.now(), decided.by, decided.note)
    incident = replace(known, note=decided.note or known.note, version=known.version + 1)
    if decided.decision == "acknowledge":
        incident = replace(incident, acknowledged_by=decided.by)
    elif decided.decision == "snooze":
        incident = replace(incident, snoozed_until=decided.until, escalated_at=None)
    await _keep(conn, resources, incident, None)
    return None


async def _keep(
    conn: Connection, resources: Resources, incident: Incident, step: Step | None
) -> None:
    """Keeps how an incident is now, and tells the portal, and webhooks if it is a step."""
    tenant_id = incident.tenant_id
    await store.incidents.put(conn, tenant_id, incident)
    told = _describe(incident)
    if step == "opened":
        await outbox.add(conn, IncidentOpened(**told))
    elif step == "closed":
        await outbox.add(conn, IncidentClosed(**told))
    else:
        await outbox.add(conn, IncidentChanged(**told))
    if step is None:
        return
    tenant = await store.clients.find(conn, tenant_id)
    plan_id = incident.plan_id
    plan = await store.plans.find(conn, tenant_id, plan_id) if plan_id else None
    about = summarize(tenant, plan, incident, step, resources.portal_url)
    await webhooks.queue(
        conn, resources, tenant_id, incident.cause, *about, is_over=step == "closed"
    )
    logs.get().info(
        f"incident.{step}",
        tenant_id=str(tenant_id),
        incident_id=str(incident.incident_id),
        cause=incident.cause,
        times=incident.times,
    )


def _describe(incident: Incident) -> dict[str, Any]:
    """How it is, as events tell it."""
    told = asdict(incident)
    del told["last_run"]
    return told | {
        "acknowledged_by": incident.acknowledged_by or "",
        "closed_by": incident.closed_by or "",
    }

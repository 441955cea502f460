"""The hotline's incidents, as operators see and decide them; help and pauses, as clients ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from libs.shared import catalogue, clock, errors, outbox
from libs.shared.database import Connection, Pool, tenant_transaction, transaction
from libs.shared.events import HelpAsked, IncidentDecided, IncidentDecision, PlanPaused
from services.portal import store
from services.portal.actions import log, runs
from services.portal.actions.clients import telling
from services.portal.rules import incidents
from services.portal.rules.incidents import Which
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.people import Person
from services.portal.store.clients import Tenant
from services.portal.store.incidents import Incident

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pausable:
    """A plan that may be paused, of which client."""

    tenant: Tenant
    plan: catalogue.CataloguePlan


async def list_some(
    pool: Pool,
    operator: Actor,
    which: Which,
    tenant_id: UUID | None,
    cause: str | None,
    limit: int,
) -> list[Incident]:
    """The open incidents, the worst first, or the closed ones, the newest first."""
    async with transaction(pool) as conn:
        found = await store.incidents.list_some(conn, which, tenant_id, cause, limit)
        await log.note(conn, operator, acts.IncidentsListed(which, len(found)))
    return found


async def view(pool: Pool, operator: Actor, incident_id: UUID) -> Incident:
    """One incident; raises NotFound."""
    async with transaction(pool) as conn:
        found = await _find(conn, incident_id)
        await log.note(conn, operator, acts.IncidentViewed(str(incident_id)), found.tenant_id)
    return found


async def decide(
    pool: Pool,
    operator: Actor,
    incident_id: UUID,
    decision: IncidentDecision,
    note: str,
    until: datetime | None = None,
) -> UUID:
    """Tells reporting what an operator decided; it follows within a moment.

    Raises NotFound for one that isn't open, InvalidRequest for a day that is over.
    """
    now = clock.now()
    if until is not None:
        incidents.check_until(until, now)
    async with transaction(pool) as conn:
        found = await _find(conn, incident_id)
        if found.closed_at is not None:
            raise errors.NotFound("open incident")
        decided = IncidentDecided(
            tenant_id=found.tenant_id,
            decision_id=uuid4(),
            incident_id=incident_id,
            decision=decision,
            until=until,
            note=note,
            by=operator.name,
            decided_at=now,
        )
        await outbox.add(conn, decided)
        await _anticipate(conn, found, decided)
        act = acts.IncidentDecided(str(incident_id), decision, note)
        await log.note(conn, operator, act, found.tenant_id)
    return decided.decision_id


async def _anticipate(conn: Connection, before: Incident, decided: IncidentDecided) -> None:
    """Shows the decision at once to whoever made it; reporting's word follows."""
    what, by = decided.decision, decided.by
    acknowledged_by = by if what == "acknowledge" else before.acknowledged_by
    snoozed_until = decided.until if what == "snooze" else before.snoozed_until
    escalated_at = None if what == "snooze" else before.escalated_at
    in_hand = bool(acknowledged_by or snoozed_until)
    await store.incidents.anticipate(
        conn,
        before.incident_id,
        incidents.rank(before.cause, in_hand=in_hand, is_escalated=escalated_at is not None),
        acknowledged_by,
        snoozed_until,
        decided.note or before.note,
        decided.decided_at if what == "close" else None,
        by if what == "close" else "",
    )


async def _find(conn: Connection, incident_id: UUID) -> Incident:
    found = await store.incidents.find(conn, incident_id)
    if found is None:
        raise errors.NotFound("incident")
    return found


async def ask_for_help(
    pool: Pool, person: Person, actor: Actor, help_id: UUID, run_id: UUID, message: str
) -> None:
    """Tells the hotline who wants help with a run; raises NotFound, HelpSpent.

    help_id: what makes a request count once, however often it is sent.
    """
    tenant_id, now = actor.tenant_id, clock.now()
    async with transaction(pool) as conn:
        await telling.lock_tenant(conn, tenant_id)
        run = await store.incidents.find_run(conn, tenant_id, run_id)
        if run is None:
            raise errors.NotFound("run")
        if await store.incidents.has_help(conn, tenant_id, help_id):
            return
        if await store.incidents.count_help(conn, tenant_id, now - _DAY) >= incidents.HELP_A_DAY:
            raise incidents.HelpSpent
        plan_id, number = run
        asked = HelpAsked(
            tenant_id=tenant_id,
            help_id=help_id,
            run_id=run_id,
            plan_id=plan_id,
            number=number,
            message=message,
            by=actor.name,
            email=person.email,
            asked_at=now,
        )
        await store.incidents.add_help(conn, asked)
        await outbox.add(conn, asked)
        await log.note(conn, actor, acts.HelpAsked(number))


async def view_pause(pool: Pool, actor: Actor, tenant_id: UUID, reference: str) -> Pausable:
    """A plan that may be paused; raises NotFound, PlanAmbiguous."""
    async with tenant_transaction(pool, tenant_id) as conn:
        plan = await runs.find_plan(conn, tenant_id, reference)
        tenant = await store.clients.find(conn, tenant_id)
        if tenant is None:
            raise errors.NotFound("client")
        await log.note(conn, actor, acts.PauseViewed(plan.name), tenant_id)
    return Pausable(tenant, plan)


async def pause(
    pool: Pool, actor: Actor, tenant_id: UUID, reference: str, until: datetime, reason: str
) -> None:
    """Expects no run of a plan before a day, unless one comes: its machine is retired, or off.

    Raises NotFound, PlanAmbiguous, InvalidRequest.
    """
    now = clock.now()
    incidents.check_until(until, now)
    async with tenant_transaction(pool, tenant_id) as conn:
        await telling.lock_tenant(conn, tenant_id)
        plan = await runs.find_plan(conn, tenant_id, reference)
        paused = PlanPaused(
            tenant_id=tenant_id,
            plan_id=plan.plan_id,
            version=await store.incidents.next_pause(conn, tenant_id, plan.plan_id),
            until=until,
            reason=reason,
            by=actor.name,
            paused_at=now,
        )
        await store.incidents.put_pause(conn, paused)
        await outbox.add(conn, paused)
        act = acts.PlanPaused(plan.name, until.isoformat(), reason)
        await log.note(conn, actor, act, tenant_id)

"""Plans of which nothing expires, until somebody says that what happened was meant."""

from __future__ import annotations

from libs.shared import clock
from libs.shared.database import Connection
from libs.shared.events import ExpiryCleared, ExpiryHeld
from libs.shared.words.tongue import DEFAULT_TIMEZONE
from services.reporting import store
from services.reporting.actions import incidents, mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import cleared, held
from services.reporting.mail.letters.cleared import ClearedFacts
from services.reporting.mail.letters.held import HeldFacts


async def report_hold(conn: Connection, resources: Resources, event: ExpiryHeld) -> None:
    """Writes to the hotline that much of a plan is gone, unless it is open already."""
    _, step = await incidents.note_hold(conn, event, clock.now())
    if step is None:
        return
    tenant = await store.clients.find(conn, event.tenant_id)
    plan = await store.plans.find(conn, event.tenant_id, event.plan_id)
    facts = HeldFacts(
        event,
        client=tenant.name if tenant else str(event.tenant_id),
        plan=plan.name if plan else "",
        machine=plan.hostname if plan else "",
        timezone=tenant.timezone if tenant else DEFAULT_TIMEZONE,
        portal_url=resources.portal_url,
        hotline=resources.hotline,
    )
    await mails.write(conn, resources, event.tenant_id, held.KIND, facts)


async def accept(conn: Connection, resources: Resources, event: ExpiryCleared) -> None:
    """What an operator said was meant is usual from now on; the incident is closed, and told of."""
    tenant_id, plan_id, now = event.tenant_id, event.plan_id, clock.now()
    await store.usual.accept(conn, tenant_id, plan_id, event.through, now)
    incident = await store.incidents.close_unusual(
        conn, tenant_id, plan_id, event.through, event.reason, now
    )
    tenant = await store.clients.find(conn, tenant_id)
    plan = await store.plans.find(conn, tenant_id, plan_id)
    if incident is not None and tenant is not None and plan is not None:
        facts = ClearedFacts(incident, event, tenant, plan, resources.portal_url, resources.hotline)
        await mails.write(conn, resources, tenant_id, cleared.KIND, facts)

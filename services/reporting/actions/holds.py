"""Mails about plans of which nothing expires."""

from __future__ import annotations

from libs.shared.database import Connection
from libs.shared.events import ExpiryHeld
from libs.shared.words.tongue import DEFAULT_TIMEZONE
from services.reporting import store
from services.reporting.actions import mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import held
from services.reporting.mail.letters.held import HeldFacts


async def report_hold(conn: Connection, resources: Resources, event: ExpiryHeld) -> None:
    """Writes to the hotline that much of a plan is gone."""
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

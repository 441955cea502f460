"""Mails about damaged storage."""

from __future__ import annotations

from libs.shared.database import Connection
from libs.shared.events import StorageDamaged
from libs.shared.words.tongue import DEFAULT_TIMEZONE
from services.reporting import store
from services.reporting.actions import mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import damage
from services.reporting.mail.letters.damage import DamageFacts


async def report_damage(conn: Connection, resources: Resources, event: StorageDamaged) -> None:
    """Writes to the hotline that stored data is damaged."""
    tenant_id, plan_id = event.tenant_id, event.plan_id
    tenant = await store.clients.find(conn, tenant_id)
    plan = await store.plans.find(conn, tenant_id, plan_id) if plan_id else None
    facts = DamageFacts(
        event,
        client=tenant.name if tenant else str(tenant_id),
        plan=plan.name if plan else "",
        machine=plan.hostname if plan else "",
        timezone=tenant.timezone if tenant else DEFAULT_TIMEZONE,
        portal_url=resources.portal_url,
        hotline=resources.hotline,
    )
    await mails.write(conn, resources, tenant_id, damage.KIND, facts)

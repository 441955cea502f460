"""Mails about orders, and the prices that other mails offer."""

from __future__ import annotations

from libs.shared.database import Connection
from libs.shared.events import OrderConfirmed
from services.reporting import store
from services.reporting.actions import mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import order
from services.reporting.mail.letters.order import OrderFacts


async def confirm(conn: Connection, resources: Resources, event: OrderConfirmed) -> None:
    """Writes to the client's administrators what was ordered, and what it costs."""
    tenant = await store.clients.find(conn, event.tenant_id)
    if tenant is None:
        raise LookupError(f"client {event.tenant_id} is not known yet")
    facts = OrderFacts(event, tenant, resources.portal_url)
    await mails.write(conn, resources, event.tenant_id, order.KIND, facts)

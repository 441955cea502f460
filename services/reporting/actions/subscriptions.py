"""Mails to administrators about their subscription: its steps, what nears, what to accept."""

from __future__ import annotations

from libs.shared.database import Connection
from libs.shared.events import DocumentPublished, MaintenanceNearing, SubscriptionMoved
from services.reporting.actions import clients, mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import document, maintenance, subscription
from services.reporting.mail.letters.document import DocumentFacts
from services.reporting.mail.letters.maintenance import MaintenanceFacts
from services.reporting.mail.letters.subscription import SubscriptionFacts


async def tell_step(conn: Connection, resources: Resources, event: SubscriptionMoved) -> None:
    """Writes what became of the subscription."""
    tenant = await clients.find(conn, event.tenant_id)
    facts = SubscriptionFacts(event, tenant, resources.portal_url)
    await mails.write(conn, resources, event.tenant_id, subscription.KIND, facts)


async def warn_of_maintenance(
    conn: Connection, resources: Resources, event: MaintenanceNearing
) -> None:
    """Writes that the maintenance of the backup software ends."""
    tenant = await clients.find(conn, event.tenant_id)
    facts = MaintenanceFacts(event, tenant, resources.portal_url)
    await mails.write(conn, resources, event.tenant_id, maintenance.KIND, facts)


async def tell_document(conn: Connection, resources: Resources, event: DocumentPublished) -> None:
    """Writes that there is a version to accept."""
    tenant = await clients.find(conn, event.tenant_id)
    facts = DocumentFacts(event, tenant, resources.portal_url)
    await mails.write(conn, resources, event.tenant_id, document.KIND, facts)

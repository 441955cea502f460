"""Mails about who gets reports: to administrators who decide it, and to whom they ask."""

from __future__ import annotations

from libs.shared import clock, signed_links
from libs.shared.database import Connection
from libs.shared.events import RecipientInvited, RecipientsChanged
from services.reporting.actions import clients, mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import invitation, recipients
from services.reporting.mail.letters.invitation import InvitationFacts
from services.reporting.mail.letters.recipients import RecipientsFacts


async def tell_administrators(
    conn: Connection, resources: Resources, event: RecipientsChanged
) -> None:
    """Writes which addresses a machine declares that nobody has confirmed."""
    if event.news:
        tenant = await clients.find(conn, event.tenant_id)
        facts = RecipientsFacts(event, tenant, resources.portal_url, clock.now())
        await mails.write(conn, resources, event.tenant_id, recipients.KIND, facts)


async def invite(conn: Connection, resources: Resources, event: RecipientInvited) -> None:
    """Writes to somebody whom an administrator asks, unless the subscription has ended."""
    tenant = await clients.find(conn, event.tenant_id)
    if tenant.is_over:
        return
    token = signed_links.make_token(
        resources.mail_key, "invitation", event.tenant_id, event.invitation_id, event.email
    )
    facts = InvitationFacts(event, tenant, resources.portal_url, token)
    await mails.write(conn, resources, event.tenant_id, invitation.KIND, facts)

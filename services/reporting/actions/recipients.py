"""Mails about who gets reports: to administrators who decide it, and to whom they ask."""

from __future__ import annotations

from uuid import UUID

from libs.shared import clock, invitations
from libs.shared.database import Connection
from libs.shared.events import RecipientInvited, RecipientsChanged
from services.reporting import rules, store
from services.reporting.actions import mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import invitation, recipients
from services.reporting.mail.letters.invitation import InvitationFacts
from services.reporting.mail.letters.recipients import RecipientsFacts


async def tell_administrators(
    conn: Connection, resources: Resources, event: RecipientsChanged
) -> None:
    """Writes which addresses a machine declares that nobody has confirmed."""
    if event.news:
        tenant = await _find_client(conn, event.tenant_id)
        facts = RecipientsFacts(event, tenant, resources.portal_url, clock.now())
        await mails.write(conn, resources, event.tenant_id, recipients.KIND, facts)


async def invite(conn: Connection, resources: Resources, event: RecipientInvited) -> None:
    """Writes to somebody whom an administrator asks, unless the subscription has ended."""
    tenant = await _find_client(conn, event.tenant_id)
    if tenant.is_over:
        return
    token = invitations.make_token(
        resources.mail_key, event.tenant_id, event.invitation_id, event.email
    )
    facts = InvitationFacts(event, tenant, resources.portal_url, token)
    await mails.write(conn, resources, event.tenant_id, invitation.KIND, facts)


async def _find_client(conn: Connection, tenant_id: UUID) -> rules.clients.Tenant:
    """The client; LookupError where the event came before that of the client: it comes again."""
    tenant = await store.clients.find(conn, tenant_id)
    if tenant is None:
        raise LookupError(f"client {tenant_id} is not known yet")
    return tenant

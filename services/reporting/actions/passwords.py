"""Mails with one-time passwords, and of those who forgot theirs."""

from __future__ import annotations

from libs.shared import keys
from libs.shared.database import Connection
from libs.shared.events import PasswordForgotten, PasswordIssued
from libs.shared.words.tongue import DEFAULT_TIMEZONE
from services.reporting import store
from services.reporting.actions import clients, mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import forgotten, password
from services.reporting.mail.letters.forgotten import ForgottenFacts
from services.reporting.mail.letters.password import PasswordFacts


async def send_password(conn: Connection, resources: Resources, event: PasswordIssued) -> None:
    """Writes the mail with a one-time password, unless that was done: then it can't be read."""
    if await store.mails.is_known(conn, event.tenant_id, password.KIND.name, event.password_id):
        return
    opened = keys.open_text(resources.mail_key, event.sealed_password, event.beside)
    tenant = await store.clients.find(conn, event.tenant_id)
    timezone = tenant.timezone if tenant else DEFAULT_TIMEZONE
    facts = PasswordFacts(event, opened, timezone, resources.portal_url)
    await mails.write(conn, resources, event.tenant_id, password.KIND, facts)


async def tell_forgotten(conn: Connection, resources: Resources, event: PasswordForgotten) -> None:
    """Writes to who can have a new password sent."""
    tenant = await clients.find(conn, event.tenant_id)
    facts = ForgottenFacts(event, tenant, resources.portal_url, resources.hotline)
    await mails.write(conn, resources, event.tenant_id, forgotten.KIND, facts)

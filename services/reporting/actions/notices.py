"""Mails of what operators announce."""

from __future__ import annotations

from libs.shared.database import Connection
from libs.shared.events import NoticePublished, NoticeWithdrawn
from services.reporting import store
from services.reporting.actions import clients, mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import notice
from services.reporting.mail.letters.notice import NoticeFacts


async def tell(conn: Connection, resources: Resources, event: NoticePublished) -> None:
    """Writes it to the administrators; in a maintenance's window no run is missed."""
    tenant = await clients.find(conn, event.tenant_id)
    if await store.notices.put(conn, event.tenant_id, event):
        facts = NoticeFacts(event, tenant, resources.portal_url)
        await mails.write(conn, resources, event.tenant_id, notice.KIND, facts)


async def withdraw(conn: Connection, resources: Resources, event: NoticeWithdrawn) -> None:
    """Writes to the administrators that it does not happen."""
    tenant = await clients.find(conn, event.tenant_id)
    if await store.notices.withdraw(conn, event.tenant_id, event.notice_id, event.version):
        facts = NoticeFacts(event, tenant, resources.portal_url)
        await mails.write(conn, resources, event.tenant_id, notice.KIND, facts)

"""Who a mail is about."""

from __future__ import annotations

from uuid import UUID

from libs.shared.database import Connection
from services.reporting import rules, store


async def find(conn: Connection, tenant_id: UUID) -> rules.clients.Tenant:
    """The client; LookupError where the event came before that of the client: it comes again."""
    tenant = await store.clients.find(conn, tenant_id)
    if tenant is None:
        raise LookupError(f"client {tenant_id} is not known yet")
    return tenant

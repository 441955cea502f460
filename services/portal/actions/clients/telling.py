"""What acts on a client share: its locked row, and the word to others."""

from __future__ import annotations

from uuid import UUID

from libs.shared import errors, outbox
from libs.shared.database import Connection
from libs.shared.events import TenantChanged
from services.portal import store
from services.portal.store.clients import Tenant


async def lock_tenant(conn: Connection, tenant_id: UUID) -> Tenant:
    """Returns a client, locked until the transaction ends; raises NotFound."""
    tenant = await store.clients.lock(conn, tenant_id)
    if tenant is None:
        raise errors.NotFound("tenant")
    return tenant


async def publish_tenant(conn: Connection, tenant: Tenant) -> None:
    """Tells every service how a client is now."""
    await outbox.add(
        conn,
        TenantChanged(
            tenant_id=tenant.tenant_id,
            version=tenant.version,
            name=tenant.name,
            locale=tenant.locale,
            timezone=tenant.timezone,
            administrators=tuple(await store.people.list_administrators(conn, tenant.tenant_id)),
            contracted_bytes=tenant.contracted_bytes,
            seats=tenant.seats,
            subscription=tenant.subscription,
            subscription_reason=tenant.subscription_reason,
            retention_days=tenant.retention_days,
            reports_declined=await store.choices.find_declined(conn, tenant.tenant_id) is not None,
        ),
    )

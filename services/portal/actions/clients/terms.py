"""What a contract says beside volume and seats: name, language, time zone, retention."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from libs.shared.database import Pool, transaction
from libs.shared.events import Locale
from services.portal import store
from services.portal.actions import log
from services.portal.actions.clients import telling
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.store.clients import Tenant


async def change_terms(
    pool: Pool,
    operator: Actor,
    tenant_id: UUID,
    *,
    name: str | None = None,
    locale: Locale | None = None,
    timezone: str | None = None,
    retention_days: int | None = None,
) -> Tenant:
    """Sets what is given, and tells every service; raises NotFound."""
    async with transaction(pool) as conn:
        before = await telling.lock_tenant(conn, tenant_id)
        after = replace(
            before,
            name=name or before.name,
            locale=locale or before.locale,
            timezone=timezone or before.timezone,
            retention_days=retention_days or before.retention_days,
        )
        terms = after.name, after.locale, after.timezone, after.retention_days
        version = await store.clients.change_terms(conn, tenant_id, *terms)
        after = replace(after, version=version)
        await store.clients.tell_ingest(conn, after)
        await telling.publish_tenant(conn, after)
        await log.note(conn, operator, acts.TermsChanged(*terms), tenant_id)
    return after

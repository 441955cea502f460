"""Digests: what went beyond a client's allowance is told in one mail."""

from __future__ import annotations

from uuid import UUID, uuid4

from libs.shared import clock, database, logs
from libs.shared.database import Connection, Pool
from libs.shared.words.tongue import DEFAULT_TIMEZONE
from services.reporting import rules, store
from services.reporting.actions import mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import digest
from services.reporting.mail.letters.digest import DigestFacts


async def write_digests(pool: Pool, resources: Resources) -> None:
    """Writes one to everybody from whom mails were held back for long enough."""
    async with database.acquire(pool) as conn:
        due = await store.digests.list_pending(conn, clock.now() - rules.allowances.DIGEST_AFTER)
    for tenant_id, recipient in due:
        async with database.transaction(pool) as conn:
            await store.clients.lock(conn, tenant_id)
            await _write_digest(conn, resources, tenant_id, recipient)


async def _write_digest(
    conn: Connection, resources: Resources, tenant_id: UUID, recipient: str
) -> None:
    digest_id = uuid4()
    withheld = await store.digests.take_pending(conn, tenant_id, recipient, digest_id)
    if not withheld:
        return
    tenant = await store.clients.find(conn, tenant_id)
    facts = DigestFacts(
        digest_id,
        tenant.name if tenant else str(tenant_id),
        tenant.timezone if tenant else DEFAULT_TIMEZONE,
        recipient,
        withheld,
        resources.portal_url,
    )
    await mails.write(conn, resources, tenant_id, digest.KIND, facts)
    held_back = sum(line.mails for line in withheld)
    logs.get().warning("mails.withheld", tenant_id=str(tenant_id), mails=held_back)

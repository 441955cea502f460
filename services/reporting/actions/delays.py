"""The hotline hears of mails that no server takes."""

from __future__ import annotations

from libs.shared import clock, database, logs
from libs.shared.database import Pool
from libs.shared.words.tongue import DEFAULT_TIMEZONE
from services.reporting import rules, store
from services.reporting.actions import mails
from services.reporting.actions.resources import Resources
from services.reporting.mail import letters
from services.reporting.mail.letters.delayed import DelayedFacts


async def tell_late(pool: Pool, resources: Resources) -> None:
    """Tells the hotline once a day of a client's mails that no server has taken for a day."""
    now = clock.now()
    before = now - rules.mails.LATE_AFTER
    silent = [kind.name for kind in letters.KINDS.values() if not kind.tells_hotline]
    async with database.acquire(pool) as conn:
        clients = await store.delays.list_late_clients(conn, before, silent)
    for tenant_id in clients:
        subject = letters.delayed.name(tenant_id, now.date())
        async with database.transaction(pool) as conn:
            await store.clients.lock(conn, tenant_id)
            if await store.mails.is_known(conn, tenant_id, letters.delayed.KIND.name, subject):
                continue
            late = await store.delays.list_late(conn, tenant_id, before, silent)
            tenant = await store.clients.find(conn, tenant_id)
            facts = DelayedFacts(
                tenant_id,
                tenant.name if tenant else str(tenant_id),
                tenant.timezone if tenant else DEFAULT_TIMEZONE,
                now.date(),
                late,
                resources.portal_url,
                resources.hotline,
            )
            if late:
                await mails.write(conn, resources, tenant_id, letters.delayed.KIND, facts)
                logs.get().warning("mails.late", tenant_id=str(tenant_id), mails=len(late))

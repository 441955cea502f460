"""Mails about destructions, and the end of what reporting knows of a tenant."""

from __future__ import annotations

from libs.shared import clock, database, erasure, logs
from libs.shared.database import Connection, Pool
from libs.shared.events import DestructionCompleted, DestructionProgressed, DestructionStarted
from services.reporting import store
from services.reporting.actions import hotline, mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import certificate
from services.reporting.mail.letters.certificate import CertificateFacts
from services.reporting.rules.incidents import Matter


async def report_progress(
    conn: Connection, resources: Resources, event: DestructionProgressed
) -> None:
    """Tells the hotline what a destruction waits for, until it goes on or is held."""
    tenant_id = event.tenant_id
    if await store.erasure.is_erased(conn, tenant_id):
        return
    matter = Matter("waiting", "destruction", event.version)
    if event.state == "waiting":
        await hotline.tell_matter(conn, resources, tenant_id, None, matter, clock.now(), event)
    else:
        await hotline.tell_over(conn, resources, tenant_id, matter)


async def erase_tenant(conn: Connection, event: DestructionStarted) -> None:
    """Forgets a tenant, but for where its certificate is sent to; all, where it was sent before."""
    now = clock.now()
    await erasure.forget(conn, "reporting", store.erasure.PLAN, event, now)
    await store.erasure.add_farewell(conn, event.tenant_id, now if event.again else None)


async def send_certificate(
    conn: Connection, resources: Resources, event: DestructionCompleted
) -> None:
    """Mails the certificate to the administrators, once."""
    if event.again:
        return
    tenant = await store.clients.find(conn, event.tenant_id)
    if tenant is not None:
        facts = CertificateFacts(event, tenant, resources.portal_url, resources.mail_key)
        await mails.write(conn, resources, event.tenant_id, certificate.KIND, facts)
    await store.erasure.add_farewell(conn, event.tenant_id, clock.now())


async def forget_farewells(pool: Pool) -> None:
    """Forgets the addresses of those whose certificate was mailed, or could not be."""
    async with database.transaction(pool) as conn:
        for tenant_id in await store.erasure.list_over(conn):
            await store.erasure.forget_last(conn, tenant_id)
            logs.get().info("tenant.forgotten", tenant_id=str(tenant_id))

"""Mails about stored volume: heads-ups, overage cases, and a client who wants to be called."""

from __future__ import annotations

from libs.shared.database import Connection
from libs.shared.events import OverageAnswered, OverageClosed, OverageTold, VolumeApproached
from services.reporting import store
from services.reporting.actions import clients, mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import approached, called, overage
from services.reporting.mail.letters.approached import ApproachedFacts
from services.reporting.mail.letters.called import CalledFacts
from services.reporting.mail.letters.overage import OverageFacts


async def tell_approach(conn: Connection, resources: Resources, event: VolumeApproached) -> None:
    """Writes to the administrators that volume comes near to the contract, or left that."""
    tenant = await clients.find(conn, event.tenant_id)
    if not tenant.is_over:
        facts = ApproachedFacts(event, tenant, resources.portal_url)
        await mails.write(conn, resources, event.tenant_id, approached.KIND, facts)


async def tell_case(conn: Connection, resources: Resources, event: OverageTold) -> None:
    """Keeps how a case is, and writes that to the administrators.

    Nothing is written of a case that has been closed since, nor of one that the end of the
    subscription closed: that has its own mail.
    """
    tenant = await clients.find(conn, event.tenant_id)
    is_closing = isinstance(event, OverageClosed)
    is_open = await store.overages.put(conn, event.tenant_id, event, is_open=not is_closing)
    is_corrected = event.stored_bytes <= event.contracted_bytes
    if tenant.is_over or is_open == is_closing or (is_closing and not is_corrected):
        return
    offers = await store.offers.find(conn, event.tenant_id)
    facts = OverageFacts(event, tenant, resources.portal_url, resources.mail_key, offers)
    await mails.write(conn, resources, event.tenant_id, overage.KIND, facts)


async def tell_answer(conn: Connection, resources: Resources, event: OverageAnswered) -> None:
    """Writes to the hotline who wants to be called, with what the client sees.

    Raises LookupError where the answer came before the case: it comes again.
    """
    if event.answer != "call":
        return
    tenant = await clients.find(conn, event.tenant_id)
    case = await store.overages.find(conn, event.tenant_id, event.case_id)
    if case is None:
        raise LookupError(f"case {event.case_id} is not known yet")
    facts = CalledFacts(event, case, tenant, resources.portal_url, resources.hotline)
    await mails.write(conn, resources, event.tenant_id, called.KIND, facts)

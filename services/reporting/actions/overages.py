"""Mails about stored volume: heads-ups, overage cases, and a client who wants to be called."""

from __future__ import annotations

from libs.shared import clock
from libs.shared.database import Connection
from libs.shared.events import OverageAnswered, OverageClosed, OverageReported, VolumeApproached
from services.reporting import store
from services.reporting.actions import clients, hotline, mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import approached, overage
from services.reporting.mail.letters.approached import ApproachedFacts
from services.reporting.mail.letters.matters import Called
from services.reporting.mail.letters.overage import OverageFacts
from services.reporting.rules.incidents import Matter, sequence_of


async def tell_approach(conn: Connection, resources: Resources, event: VolumeApproached) -> None:
    """Writes to the administrators that volume comes near to the contract, or left that."""
    tenant = await clients.find(conn, event.tenant_id)
    if not tenant.is_over:
        facts = ApproachedFacts(event, tenant, resources.portal_url)
        await mails.write(conn, resources, event.tenant_id, approached.KIND, facts)


async def tell_case(conn: Connection, resources: Resources, event: OverageReported) -> None:
    """Keeps how a case is, and writes that to the administrators.

    Nothing is written of a case that has been closed since, nor of one that the end of the
    subscription closed: that has its own mail.
    """
    tenant = await clients.find(conn, event.tenant_id)
    is_closing = isinstance(event, OverageClosed)
    is_open = await store.overages.put(conn, event.tenant_id, event, is_open=not is_closing)
    if is_closing:
        matter = Matter("called", str(event.case_id), sequence_of(clock.now()))
        await hotline.tell_over(conn, resources, event.tenant_id, matter)
    is_corrected = event.stored_bytes <= event.contracted_bytes
    if tenant.is_over or is_open == is_closing or (is_closing and not is_corrected):
        return
    offers = await store.offers.find(conn, event.tenant_id)
    facts = OverageFacts(event, tenant, resources.portal_url, resources.mail_key, offers)
    await mails.write(conn, resources, event.tenant_id, overage.KIND, facts)


async def tell_answer(conn: Connection, resources: Resources, event: OverageAnswered) -> None:
    """Tells the hotline who wants to be called, with what the client sees; another answer ends it.

    Raises LookupError where the answer came before the case: it comes again.
    """
    tenant = await clients.find(conn, event.tenant_id)
    matter = Matter("called", str(event.case_id), sequence_of(event.answered_at))
    if event.answer != "call":
        await hotline.tell_over(conn, resources, event.tenant_id, matter)
        return
    case = await store.overages.find(conn, event.tenant_id, event.case_id)
    if case is None:
        raise LookupError(f"case {event.case_id} is not known yet")
    called = Called(event, case, tenant.administrators)
    await hotline.tell_matter(
        conn, resources, event.tenant_id, None, matter, event.answered_at, called
    )

"""Mails of any kind: put in the queue once for each person, and given up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from libs.shared import clock, outbox
from libs.shared.database import Connection
from services.reporting import rules, store
from services.reporting.actions import composing, incidents
from services.reporting.actions.composing import Written
from services.reporting.actions.resources import Resources
from services.reporting.mail import letters
from services.reporting.mail.letters import Kind
from services.reporting.mail.letters.closed import ClosedFacts
from services.reporting.mail.letters.incident import IncidentFacts
from services.reporting.mail.letters.matters import Undelivered
from services.reporting.rules.incidents import Incident, Matter, sequence_of
from services.reporting.rules.mails import Mail

F = TypeVar("F")


async def write(
    conn: Connection, resources: Resources, tenant_id: UUID, kind: Kind[F], facts: F
) -> int:
    """Puts a kind of mail in the queue for everybody who gets it, once; returns for how many.

    Nobody gets what machines of a client cause after its subscription ended; what they cause
    beyond the allowance is kept as withheld, for a digest. What can't be an address is kept and
    told of at once as undeliverable. The handler holds the client's lock, so counts are exact.
    """
    if kind.by_client(facts) and await store.clients.is_over(conn, tenant_id):
        return 0
    count, lost = await _put(conn, resources, tenant_id, kind, facts)
    for mail in lost:
        await give_up(conn, resources, mail, "")
    return count


async def give_up(conn: Connection, resources: Resources, mail: Mail, answer: str) -> None:
    """Publishes that nobody will get a mail, and opens an incident about its address."""
    kind, tenant_id, now = letters.KINDS[mail.kind], mail.tenant_id, clock.now()
    if kind.refused is not None:
        await outbox.add(conn, kind.refused(mail, answer))
    if not kind.tells_hotline or (mail.by_client and await store.clients.is_over(conn, tenant_id)):
        return
    await store.clients.lock(conn, tenant_id)
    matter = Matter("undeliverable", mail.recipient.lower(), sequence_of(now))
    noted = await incidents.note_matter(conn, resources, tenant_id, None, matter, now)
    if noted is None or noted[1] is None:
        return
    facts = IncidentFacts(
        incident=noted[0],
        step=noted[1],
        about=Undelivered(mail, answer),
        tenant=await store.clients.find(conn, tenant_id),
        plan=None,
        before=(),
        portal_url=resources.portal_url,
        hotline=resources.hotline,
    )
    # What the hotline itself does not get is told to nobody.
    await _put(conn, resources, tenant_id, letters.incident.KIND, facts)


async def _put(
    conn: Connection, resources: Resources, tenant_id: UUID, kind: Kind[F], facts: F
) -> tuple[int, list[Mail]]:
    """Queues a kind of mail; returns for how many, and the mails that no server can be given."""
    known = await store.mails.list_written_to(conn, tenant_id, kind.name, kind.subject(facts))
    written: dict[str, Written] = {}
    count, lost = 0, []
    for addressee in kind.choose(facts):
        count += 1
        address = rules.mails.parse_address(addressee.email)
        if (address or addressee.email) in known:
            continue
        reader = addressee.email if kind.is_personal else addressee.locale
        if reader not in written:
            written[reader] = await asyncio.to_thread(
                composing.write, resources.house, kind, facts, addressee
            )
        mail = composing.compose_mail(resources, tenant_id, kind, facts, addressee, written[reader])
        state = await _find_state(conn, mail)
        is_new = await store.mails.add(conn, tenant_id, mail, state=state, now=clock.now())
        if is_new and state == "undeliverable":
            lost.append(mail)
    return count, lost


async def _find_state(conn: Connection, mail: Mail) -> str:
    """In which state a mail begins."""
    if not mail.body:
        return "undeliverable"
    if not mail.by_client:
        return "queued"
    since = clock.now() - rules.allowances.DAY
    caused = await store.mails.count_caused(
        conn, mail.tenant_id, mail.plan_id, mail.recipient, since
    )
    return "withheld" if caused.is_enough else "queued"


async def write_closed(conn: Connection, resources: Resources, closed: Sequence[Incident]) -> None:
    """Writes to the hotline that incidents are over, but for those that a good run ends."""
    for incident in closed:
        tenant_id, plan_id = incident.tenant_id, incident.plan_id
        facts = ClosedFacts(
            incident,
            await store.clients.find(conn, tenant_id),
            await store.plans.find(conn, tenant_id, plan_id) if plan_id else None,
            resources.portal_url,
            resources.hotline,
        )
        await write(conn, resources, tenant_id, letters.closed.KIND, facts)

"""Mails of any kind: put in the queue once for each person, and what becomes of them."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar
from uuid import UUID, uuid4

from libs.shared import clock, logs, outbox
from libs.shared.database import Connection
from services.reporting import rules, store
from services.reporting.actions.resources import Resources
from services.reporting.mail import compose, letters
from services.reporting.mail.letters import Kind
from services.reporting.mail.letters.undeliverable import RefusedFacts
from services.reporting.mail.smtp import Verdict
from services.reporting.rules.mails import Addressee, Mail

F = TypeVar("F")


async def write(
    conn: Connection, resources: Resources, tenant_id: UUID, kind: Kind[F], facts: F
) -> int:
    """Puts a kind of mail in the queue for everybody who gets it, once; returns for how many.

    What can't be an address is kept and told of at once as undeliverable.
    """
    addressees = list(kind.choose(facts))
    for addressee in addressees:
        now = clock.now()
        mail = _compose(resources, tenant_id, kind, facts, addressee, now)
        state = "queued" if mail.body else "undeliverable"
        is_new = await store.mails.add(conn, tenant_id, mail, state=state, answer="", now=now)
        if is_new and not mail.body:
            await _give_up(conn, resources, mail, "")
    return len(addressees)


def _compose(
    resources: Resources,
    tenant_id: UUID,
    kind: Kind[F],
    facts: F,
    addressee: Addressee,
    now: datetime,
) -> Mail:
    """The mail as it goes out; without a body where its addressee has no address."""
    letter = kind.write(facts, addressee)
    address = rules.mails.parse_address(addressee.email)
    subject_id = kind.subject(facts)
    message_id = rules.mails.make_message_id(
        tenant_id, kind.name, subject_id, addressee.email, compose.sender_domain(resources.sender)
    )
    body = b""
    if address is not None:
        body = compose.compose(
            resources.sender,
            address,
            addressee.name,
            letter.subject,
            letter.content,
            message_id=message_id,
            written_at=now,
        )
    return Mail(
        mail_id=uuid4(),
        tenant_id=tenant_id,
        kind=kind.name,
        subject_id=subject_id,
        plan_id=kind.plan(facts),
        recipient=address or addressee.email,
        message_id=message_id,
        subject=letter.subject,
        body=body,
        secret=kind.is_secret,
        give_up_at=kind.give_up_at(facts, now),
        tries=0,
    )


async def keep_verdict(
    conn: Connection, resources: Resources, mail: Mail, verdict: Verdict
) -> None:
    """Writes down what became of a mail, and what follows from it."""
    now = clock.now()
    log = logs.get().bind(mail_id=str(mail.mail_id), tenant_id=str(mail.tenant_id), kind=mail.kind)
    due_at = rules.mails.find_next_try(mail.tries, now, mail.give_up_at)
    if verdict.outcome == "accepted":
        if await store.mails.mark_sent(conn, mail, verdict.answer, now):
            if accepted := letters.KINDS[mail.kind].accepted:
                await outbox.add(conn, accepted(mail, now))
            log.info("mail.accepted", tries=mail.tries)
    elif verdict.outcome == "refused" or due_at is None:
        if await store.mails.mark_undeliverable(conn, mail, verdict.answer):
            await _give_up(conn, resources, mail, verdict.answer)
            log.warning("mail.undeliverable", answer=verdict.answer, tries=mail.tries)
    else:
        is_uncertain = verdict.outcome == "uncertain"
        await store.mails.mark_later(conn, mail, verdict.answer, due_at, is_uncertain=is_uncertain)
        log.warning("mail.postponed", why=verdict.outcome, answer=verdict.answer, tries=mail.tries)


async def _give_up(conn: Connection, resources: Resources, mail: Mail, answer: str) -> None:
    """Publishes that nobody will get a mail, and writes to the hotline."""
    kind = letters.KINDS[mail.kind]
    if kind.refused is not None:
        await outbox.add(conn, kind.refused(mail, answer))
    if not kind.tells_hotline:
        return
    tenant = await store.clients.find(conn, mail.tenant_id)
    client = tenant.name if tenant else str(mail.tenant_id)
    facts = RefusedFacts(mail, answer, client, resources.hotline)
    await write(conn, resources, mail.tenant_id, letters.undeliverable.KIND, facts)

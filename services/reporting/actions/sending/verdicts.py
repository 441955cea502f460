"""What became of mails is written down, with all that follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from libs.shared import clock, database, logs, outbox, timekeeping
from libs.shared.database import Connection, Pool
from services.reporting import rules, store
from services.reporting.actions import composing, incidents, mails
from services.reporting.actions.resources import Resources
from services.reporting.mail import letters
from services.reporting.mail.smtp import Verdict
from services.reporting.rules.incidents import Matter, sequence_of
from services.reporting.rules.mails import Mail


async def keep_verdicts(
    conn: Connection, resources: Resources, done: Sequence[tuple[Mail, Verdict]]
) -> None:
    """Writes down what became of mails of many clients, and what follows from it.

    Locks the clients of whom an incident may open or close, in one order whoever does so.
    """
    accepted = [(mail, verdict.answer) for mail, verdict in done if verdict.outcome == "accepted"]
    answered = await _list_answered(conn, [mail for mail, _ in accepted])
    failed = {mail.tenant_id for mail, verdict in done if verdict.outcome != "accepted"}
    for tenant_id in sorted(failed | {tenant_id for tenant_id, _ in answered}):
        await store.clients.lock(conn, tenant_id)
    if accepted:
        await _keep_receipts(conn, accepted)
    for tenant_id, name in answered:
        await _trust(conn, resources, tenant_id, name)
    for mail, verdict in done:
        if verdict.outcome != "accepted":
            await _keep_verdict(conn, resources, mail, verdict)


async def _keep_receipts(conn: Connection, receipts: Sequence[tuple[Mail, str]]) -> None:
    now = clock.now()
    kept = await store.sending.verdicts.mark_sent(conn, receipts, now)
    events = []
    for mail, _ in receipts:
        if mail.mail_id not in kept:
            continue
        if accepted := letters.KINDS[mail.kind].accepted:
            events.append(accepted(mail, now))
        logs.get().info(
            "mail.accepted",
            mail_id=str(mail.mail_id),
            tenant_id=str(mail.tenant_id),
            kind=mail.kind,
            tries=mail.tries,
        )
    if events:
        await outbox.add_all(conn, events)


async def _keep_verdict(
    conn: Connection, resources: Resources, mail: Mail, verdict: Verdict
) -> None:
    now = clock.now()
    log = logs.get().bind(mail_id=str(mail.mail_id), tenant_id=str(mail.tenant_id), kind=mail.kind)
    due_at = rules.mails.find_next_try(mail.tries, now, mail.give_up_at)
    if due_at is None and timekeeping.find_objections(await timekeeping.read_clocks(conn)):
        due_at = now + rules.mails.LONGEST_PAUSE
    if verdict.outcome == "too-large" and not (mail.shortened or mail.secret):
        shorter = await asyncio.to_thread(composing.shorten, resources, mail)
        await store.sending.verdicts.mark_shortened(conn, shorter, verdict.answer, now)
        log.warning("mail.shortened", answer=verdict.answer, size_bytes=len(mail.body))
    elif verdict.outcome in {"refused", "too-large"} or due_at is None:
        if await store.sending.verdicts.mark_undeliverable(conn, mail, verdict.answer):
            await mails.give_up(conn, resources, mail, verdict.answer)
            log.warning("mail.undeliverable", answer=verdict.answer, tries=mail.tries)
    else:
        is_uncertain = verdict.outcome == "uncertain"
        await store.sending.verdicts.mark_later(
            conn, mail, verdict.answer, due_at, is_uncertain=is_uncertain
        )
        log.warning("mail.postponed", why=verdict.outcome, answer=verdict.answer, tries=mail.tries)


async def _list_answered(conn: Connection, accepted: Sequence[Mail]) -> list[tuple[UUID, str]]:
    """Which addresses of whom refused mails before, of those that took these: that is over.

    Not where the last came back: its server had taken that one as well.
    """
    taken = {(mail.tenant_id, mail.recipient.lower()) for mail in accepted}
    names = sorted({name for _, name in taken})
    refusing = await store.matters.list_open(conn, "undeliverable", names) if names else []
    return [
        one for one in refusing if one in taken and not await store.bounces.came_back(conn, *one)
    ]


async def trust_again(pool: Pool, resources: Resources) -> None:
    """Closes what is about addresses from which no mail has come back for a while."""
    async with database.acquire(pool) as conn:
        before = clock.now() - rules.mails.TRUSTED_AFTER
        trusted = await store.matters.list_trusted(conn, before)
    for tenant_id, name in trusted:
        async with database.transaction(pool) as conn:
            await store.clients.lock(conn, tenant_id)
            await _trust(conn, resources, tenant_id, name)


async def _trust(conn: Connection, resources: Resources, tenant_id: UUID, name: str) -> None:
    """An address takes mail: what it refused is over. The client is locked."""
    matter = Matter("undeliverable", name, sequence_of(clock.now()))
    closed = await incidents.settle(conn, resources, tenant_id, matter, is_kept=False)
    await mails.write_closed(conn, resources, closed)

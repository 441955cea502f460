"""Bounces: what mail servers send back of mails that they took."""

from __future__ import annotations

import asyncio
from typing import Literal

from prometheus_client import Counter

from libs.shared import clock, database, logs
from libs.shared.database import Connection, Pool
from services.reporting import rules, store
from services.reporting.actions import mails
from services.reporting.actions.resources import Resources
from services.reporting.mail.mailboxes import Mailbox, Session
from services.reporting.rules.bounces import Notice
from services.reporting.rules.mails import Mail

TURN_MESSAGES = 100

Outcome = Literal["bounced", "delayed", "known", "ignored", "unknown", "forged"]

BOUNCES = Counter("coffre_mail_bounces", "Messages in the mailbox of bounces", ["outcome"])


async def take_bounces(pool: Pool, resources: Resources, mailbox: Mailbox) -> int:
    """Reads what came, oldest first; returns how many messages.

    What follows from a message is committed before the message is put aside, and happens once
    however often it is read.
    """
    session = await asyncio.to_thread(mailbox.open)
    try:
        names = await asyncio.to_thread(session.list_names, TURN_MESSAGES)
        for name in names:
            await _take(pool, resources, session, name)
    finally:
        await asyncio.to_thread(session.close)
    return len(names)


async def _take(pool: Pool, resources: Resources, session: Session, name: str) -> None:
    raw = await asyncio.to_thread(session.read, name)
    if raw is None:
        return
    try:
        notice = await asyncio.to_thread(rules.bounces.read_notice, raw)
    except Exception:
        # Anybody may write here anything: what can't be read must not hold up what follows it.
        logs.get().exception("bounce.unreadable", message=name)
        notice = None
    outcome: Outcome = "ignored"
    if notice is not None:
        async with database.transaction(pool) as conn:
            outcome = await _judge(conn, resources, notice)
    await asyncio.to_thread(session.put_aside, name)
    BOUNCES.labels(outcome).inc()
    logs.get().info("bounce.read", outcome=outcome, message=name)


async def _judge(conn: Connection, resources: Resources, notice: Notice) -> Outcome:
    """What follows from a notice; nothing, unless it proves which mail it is about.

    A token proves it, for nobody else can make one; without any, a Message-ID does, which only
    readers of that mail have seen. One that is wrong, or two that differ, are a forgery.
    """
    named = await _find_named(conn, resources, notice)
    if named == "forged":
        logs.get().warning("bounce.forged", message_id=notice.message_id)
        return named
    returned = await store.mails.find_by_message_id(conn, notice.message_id)
    if named and returned and named.mail_id != returned.mail_id:
        logs.get().warning("bounce.forged", message_id=notice.message_id)
        return "forged"
    mail = named or returned
    if mail is None:
        return "unknown"
    log = logs.get().bind(mail_id=str(mail.mail_id), tenant_id=str(mail.tenant_id), kind=mail.kind)
    if notice.action != "failed":
        log.info("mail.delayed", answer=notice.answer, action=notice.action)
        return "delayed" if notice.action == "delayed" else "ignored"
    if not await store.bounces.mark_bounced(conn, mail, notice.answer, clock.now()):
        return "known"
    log.warning("mail.bounced", answer=notice.answer)
    await mails.give_up(conn, resources, mail, notice.answer)
    return "bounced"


async def _find_named(
    conn: Connection, resources: Resources, notice: Notice
) -> Mail | Literal["forged"] | None:
    """The mail whose envelope sender it was sent to, if there is one."""
    found: Mail | None = None
    for token in sorted(notice.tokens):
        mail = await store.mails.find(conn, rules.bounces.read_token(token))
        if mail is None:
            continue  # of a client that is gone, perhaps
        key = resources.mail_key
        if not rules.bounces.is_genuine(token, key, mail.tenant_id, mail.mail_id):
            return "forged"
        if found is not None and found.mail_id != mail.mail_id:
            return "forged"
        found = mail
    return found

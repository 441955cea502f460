"""What reporting does: writes a run's mails, a password's, and the hotline's; keeps verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from libs.shared import clock, keys, logs, outbox
from libs.shared.database import Connection
from libs.shared.events import (
    PasswordIssued,
    ReportSent,
    ReportUndeliverable,
    RunFinished,
    StorageDamaged,
)
from libs.shared.words.tongue import DEFAULT_TIMEZONE
from services.reporting import rules, store
from services.reporting.mail import compose, letters
from services.reporting.mail.letters import Letter, RunFacts
from services.reporting.mail.smtp import Verdict


@dataclass(frozen=True, slots=True)
class Office:
    """Who writes the mails, who is told of failures, where the links lead."""

    sender: str
    hotline: tuple[str, ...]
    portal_url: str
    mail_key: bytes = field(repr=False)


async def report_waiting_runs(conn: Connection, office: Office, tenant_id: UUID) -> None:
    """Writes the mails of every run whose client and plan are known by now.

    Whichever comes last of run, plan and client leads here, so their order does not matter.
    """
    tenant = await store.find_tenant(conn, tenant_id)
    if tenant is None:
        return
    for run in await store.list_waiting_runs(conn, tenant_id):
        plan = await store.find_plan(conn, tenant_id, run.plan_id)
        if plan is None:
            continue
        await _report(conn, office, tenant, plan, run)


async def _report(
    conn: Connection, office: Office, tenant: rules.Tenant, plan: rules.Plan, run: RunFinished
) -> None:
    tenant_id = tenant.tenant_id
    history = await store.list_history(
        conn, tenant_id, run.plan_id, run.number, rules.HISTORY_LENGTH
    )
    facts = RunFacts(run, tenant, plan, history, office.portal_url)
    now = clock.now()
    addressees = rules.choose_addressees(tenant, plan, run.outcome, office.hotline)
    for addressee in addressees:
        await _post(
            conn,
            office,
            tenant_id,
            addressee,
            letters.write_report(facts, addressee),
            subject_id=run.run_id,
            plan_id=run.plan_id,
            give_up_at=now + rules.REPORT_KEPT_TRYING,
        )
    await store.mark_reported(conn, tenant_id, run.run_id, now)
    logs.get().info(
        "run.reported",
        tenant_id=str(tenant_id),
        run_id=str(run.run_id),
        outcome=run.outcome,
        mails=len(addressees),
    )


async def send_password(conn: Connection, office: Office, event: PasswordIssued) -> None:
    """Writes the mail with a one-time password; tried until the password expires."""
    if await store.has_mails(conn, event.tenant_id, "password", event.password_id):
        return
    password = keys.open_text(office.mail_key, event.sealed_password, str(event.password_id))
    tenant = await store.find_tenant(conn, event.tenant_id)
    timezone = tenant.timezone if tenant else DEFAULT_TIMEZONE
    await _post(
        conn,
        office,
        event.tenant_id,
        rules.Addressee("password", event.email, event.name, event.locale),
        letters.write_password(event, password, timezone, office.portal_url),
        subject_id=event.password_id,
        plan_id=None,
        give_up_at=event.expires_at,
    )


async def tell_damage(conn: Connection, office: Office, event: StorageDamaged) -> None:
    """Writes to the hotline that stored data is damaged: once a plan and day, not for each pack."""
    tenant = await store.find_tenant(conn, event.tenant_id)
    plan = await store.find_plan(conn, event.tenant_id, event.plan_id) if event.plan_id else None
    timezone = tenant.timezone if tenant else DEFAULT_TIMEZONE
    letter = letters.write_damage(
        event,
        client=tenant.name if tenant else str(event.tenant_id),
        plan=plan.name if plan else "",
        machine=plan.hostname if plan else "",
        timezone=timezone,
        portal_url=office.portal_url,
    )
    for email in office.hotline:
        await _post(
            conn,
            office,
            event.tenant_id,
            rules.Addressee("damage", email, "", rules.HOTLINE_LOCALE),
            letter,
            subject_id=rules.name_damage(event.plan_id or event.tenant_id, event.found_at),
            plan_id=event.plan_id,
            give_up_at=clock.now() + rules.REPORT_KEPT_TRYING,
        )


async def keep_verdict(
    conn: Connection, office: Office, mail: store.Mail, verdict: Verdict
) -> None:
    """Writes down what became of a mail, and what follows from it."""
    now = clock.now()
    log = logs.get().bind(mail_id=str(mail.mail_id), tenant_id=str(mail.tenant_id), kind=mail.kind)
    due_at = rules.find_next_try(mail.tries, now, mail.give_up_at)
    if verdict.outcome == "accepted":
        if await store.mark_sent(conn, mail, verdict.answer, now):
            await _tell_accepted(conn, mail, now)
            log.info("mail.accepted", tries=mail.tries)
    elif verdict.outcome == "refused" or due_at is None:
        if await store.mark_undeliverable(conn, mail, verdict.answer):
            await _tell_undeliverable(conn, office, mail, verdict.answer)
            log.warning("mail.undeliverable", answer=verdict.answer, tries=mail.tries)
    else:
        is_uncertain = verdict.outcome == "uncertain"
        await store.mark_later(conn, mail, verdict.answer, due_at, is_uncertain=is_uncertain)
        log.warning("mail.postponed", why=verdict.outcome, answer=verdict.answer, tries=mail.tries)


async def _tell_accepted(conn: Connection, mail: store.Mail, now: datetime) -> None:
    if mail.kind == "report" and mail.plan_id is not None:
        event = ReportSent(
            tenant_id=mail.tenant_id,
            run_id=mail.subject_id,
            plan_id=mail.plan_id,
            recipient=mail.recipient,
            sent_at=now,
        )
        await outbox.add(conn, event)


async def _tell_undeliverable(
    conn: Connection, office: Office, mail: store.Mail, answer: str
) -> None:
    """Publishes a report that nobody will get, and writes to the hotline.

    answer: what the mail server said; empty where there is no address to ask one for.
    A mail to the hotline itself is not told to the address that just refused one.
    """
    if mail.kind == "report" and mail.plan_id is not None:
        event = ReportUndeliverable(
            tenant_id=mail.tenant_id,
            run_id=mail.subject_id,
            plan_id=mail.plan_id,
            recipient=mail.recipient,
            reason=answer,
        )
        await outbox.add(conn, event)
    if mail.kind == "undeliverable":
        return
    tenant = await store.find_tenant(conn, mail.tenant_id)
    client = tenant.name if tenant else str(mail.tenant_id)
    letter = letters.write_undeliverable(mail.kind, mail.recipient, mail.subject, answer, client)
    for email in office.hotline:
        if email.lower() == mail.recipient.lower():
            continue
        await _post(
            conn,
            office,
            mail.tenant_id,
            rules.Addressee("undeliverable", email, "", rules.HOTLINE_LOCALE),
            letter,
            subject_id=mail.mail_id,
            plan_id=mail.plan_id,
            give_up_at=clock.now() + rules.REPORT_KEPT_TRYING,
        )


async def _post(
    conn: Connection,
    office: Office,
    tenant_id: UUID,
    addressee: rules.Addressee,
    letter: Letter,
    *,
    subject_id: UUID,
    plan_id: UUID | None,
    give_up_at: datetime,
) -> None:
    """Puts one letter in the queue for one person, once.

    What can't be an address is kept and told of at once as undeliverable.
    """
    now = clock.now()
    address = rules.parse_address(addressee.email)
    message_id = rules.make_message_id(
        tenant_id, addressee.kind, subject_id, addressee.email, compose.sender_domain(office.sender)
    )
    body = b""
    if address is not None:
        body = compose.compose(
            office.sender,
            address,
            addressee.name,
            letter.subject,
            letter.content,
            message_id=message_id,
            written_at=now,
        )
    mail = store.Mail(
        mail_id=uuid4(),
        tenant_id=tenant_id,
        kind=addressee.kind,
        subject_id=subject_id,
        plan_id=plan_id,
        recipient=address or addressee.email,
        message_id=message_id,
        subject=letter.subject,
        body=body,
        secret=addressee.kind == "password",
        give_up_at=give_up_at,
        tries=0,
    )
    state = "queued" if address else "undeliverable"
    is_new = await store.add_mail(conn, tenant_id, mail, state=state, answer="", at=now)
    if is_new and address is None:
        await _tell_undeliverable(conn, office, mail, "")

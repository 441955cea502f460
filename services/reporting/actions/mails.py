"""Mails of any kind: put in the queue once for each person, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import parseaddr
from typing import TypeVar
from uuid import UUID, uuid4

from prometheus_client import Counter

from libs.shared import clock, database, keys, logs, outbox, signed_links, timekeeping, tracing
from libs.shared.database import Connection, Pool
from libs.shared.words.tongue import DEFAULT_TIMEZONE, N_
from services.reporting import rules, store
from services.reporting.actions import incidents
from services.reporting.actions.resources import Resources
from services.reporting.mail import compose, letters, rendering
from services.reporting.mail.letters import Kind, Letter
from services.reporting.mail.letters.closed import ClosedFacts
from services.reporting.mail.letters.delayed import DelayedFacts
from services.reporting.mail.letters.incident import IncidentFacts
from services.reporting.mail.letters.matters import Undelivered
from services.reporting.mail.rendering import House, Rendered, speak
from services.reporting.mail.smtp import Verdict
from services.reporting.rules.incidents import Incident, Matter, sequence_of
from services.reporting.rules.mails import Addressee, Mail

F = TypeVar("F")

_FAILED = Counter(
    "coffre_mail_templates_failed", "Mails said plainly as their template failed", ["kind"]
)

_SHORT_CHARACTERS = 8_000
_CHOICE = N_("Which reports you get, and how often")
_ANYBODYS = "READER".ljust(signed_links.LETTERS, "0")
_SHORTENED = N_(
    "This mail was shortened, as the mail server of your address refused it for its size: all of "
    "it is in the portal, {link}"
)


@dataclass(frozen=True, slots=True)
class Written:
    """A letter in one language, as everybody who reads it gets it."""

    subject: str
    content: bytes
    headers: tuple[tuple[str, str], ...] = ()


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
    known = await store.mails.list_written_to(conn, tenant_id, kind.name, kind.subject(facts))
    written: dict[str, Written] = {}
    count = 0
    for addressee in kind.choose(facts):
        count += 1
        address = rules.mails.parse_address(addressee.email)
        if (address or addressee.email) in known:
            continue
        reader = addressee.email if kind.is_personal else addressee.locale
        if reader not in written:
            written[reader] = await asyncio.to_thread(
                _write, resources.house, kind, facts, addressee
            )
        mail = _compose(resources, tenant_id, kind, facts, addressee, written[reader])
        await _enqueue(conn, resources, mail)
    return count


def _write(house: House, kind: Kind[F], facts: F, addressee: Addressee) -> Written:
    """What all of one language read, or one person, as long as a mail may be; takes a while."""
    for shown in rules.mails.SHOWN:
        letter = _add_choice(kind.write(facts, addressee, shown), addressee)
        content = compose.encode(_lay_out(house, kind.name, letter), letter.log)
        if len(content) <= rules.mails.MOST_BYTES - rules.mails.HEAD_BYTES:
            break
    return Written(letter.subject, content, letter.headers)


def _add_choice(letter: Letter, addressee: Addressee) -> Letter:
    """The letter with a link to which such mails its reader gets, if they have one.

    In the place of each reader's own stands one of the same length, as many may read the letter.
    """
    own = addressee.choice_link
    if not own:
        return letter
    content = letter.content
    link = (content.tongue.say(_CHOICE), own[: -len(_ANYBODYS)] + _ANYBODYS)
    return replace(letter, content=replace(content, links=[*content.links, link]))


def _lay_out(house: House, kind_name: str, letter: Letter) -> Rendered:
    """Both forms of a letter; said plainly where a template is wrong, and operations are told."""
    try:
        return rendering.render(letter.subject, letter.content, house)
    except Exception:  # whatever a template does, its reader is told
        _FAILED.labels(kind_name).inc()
        logs.get().exception("mail.template_failed", kind=kind_name)
        return rendering.say_plainly(letter.subject, letter.content, house)


def _compose(
    resources: Resources,
    tenant_id: UUID,
    kind: Kind[F],
    facts: F,
    addressee: Addressee,
    written: Written,
) -> Mail:
    """The mail as it goes out; without a body where its addressee has no address."""
    now, mail_id = clock.now(), uuid4()
    address = rules.mails.parse_address(addressee.email)
    subject_id, first = kind.subject(facts), kind.thread(facts)

    def name(kind_name: str, about: UUID) -> str:
        domain = compose.sender_domain(resources.sender)
        return rules.mails.make_message_id(
            resources.mail_key, tenant_id, kind_name, about, addressee.email, domain
        )

    message_id = name(kind.name, subject_id)
    body = b""
    if address is not None:
        body = compose.compose(
            resources.sender,
            address,
            addressee.name,
            written.subject,
            compose.fill_in(written.content, _ANYBODYS, addressee.choice_link[-len(_ANYBODYS) :]),
            message_id=message_id,
            written_at=now,
            stop_link=_link_invitation(resources, tenant_id, addressee),
            choice_link=addressee.choice_link,
            answers=name(*first) if first else "",
            replies_to=resources.house.email,
            headers=(*written.headers, *_name_trace()),
        )
    mail = Mail(
        mail_id=mail_id,
        tenant_id=tenant_id,
        kind=kind.name,
        subject_id=subject_id,
        plan_id=kind.plan(facts),
        recipient=address or addressee.email,
        message_id=message_id,
        subject=written.subject,
        body=body,
        secret=kind.is_secret,
        give_up_at=kind.give_up_at(facts, now),
        tries=0,
        locale=addressee.locale,
        by_client=kind.by_client(facts),
    )
    return _seal(resources, mail) if mail.secret and body else mail


def _name_trace() -> list[tuple[str, str]]:
    """A mail is sent by whoever gets to it, and the trace of what made it goes on there."""
    here = logs.traceparent.get()
    return [(compose.TRACE_HEADER, here)] if here and tracing.is_on() else []


def _link_invitation(resources: Resources, tenant_id: UUID, addressee: Addressee) -> str:
    """Where somebody without an account stops what they get; empty for everybody else."""
    if addressee.invitation_id is None:
        return ""
    token = signed_links.make_token(
        resources.mail_key, "invitation", tenant_id, addressee.invitation_id, addressee.email
    )
    return letters.links.link_invitation(resources.portal_url, token)


async def _enqueue(conn: Connection, resources: Resources, mail: Mail) -> None:
    now = clock.now()
    state = "queued" if mail.body else "undeliverable"
    if mail.by_client and mail.body:
        caused = await store.mails.count_caused(
            conn, mail.tenant_id, mail.plan_id, mail.recipient, now - rules.allowances.DAY
        )
        state = "withheld" if caused.is_enough else state
    is_new = await store.mails.add(conn, mail.tenant_id, mail, state=state, now=now)
    if is_new and state == "undeliverable":
        await give_up(conn, resources, mail, "")


def _seal(resources: Resources, mail: Mail) -> Mail:
    """A secret mail as it lies in the queue: for this reader alone, and good for no other mail."""
    sealed = keys.seal_text(resources.mail_key, mail.body.decode("ascii"), _sealed_for(mail))
    return replace(mail, body=sealed.encode())


def open_body(resources: Resources, mail: Mail) -> bytes:
    """The text to hand over; raises KeysUnreadable where a secret one was sealed otherwise."""
    if not mail.secret:
        return mail.body
    return keys.open_text(resources.mail_key, mail.body.decode(), _sealed_for(mail)).encode()


def sign(resources: Resources, body: bytes) -> bytes:
    """The text as it goes out now: what waits is signed by the key of the day that it goes."""
    return resources.signer.sign(body) if resources.signer else body


def find_envelope_sender(resources: Resources, mail: Mail) -> str:
    """Where a bounce of this mail goes."""
    if not resources.bounces_address:
        return parseaddr(resources.sender)[1]
    return rules.bounces.make_envelope_sender(
        resources.bounces_address, resources.mail_key, mail.tenant_id, mail.mail_id
    )


def _sealed_for(mail: Mail) -> str:
    return f"coffre/mail/v1/{mail.tenant_id}/{mail.mail_id}/{mail.message_id}/{mail.recipient}"


async def _keep_receipts(conn: Connection, receipts: Sequence[tuple[Mail, str]]) -> None:
    now = clock.now()
    kept = await store.mails.mark_sent(conn, receipts, now)
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


async def _keep_verdict(
    conn: Connection, resources: Resources, mail: Mail, verdict: Verdict
) -> None:
    now = clock.now()
    log = logs.get().bind(mail_id=str(mail.mail_id), tenant_id=str(mail.tenant_id), kind=mail.kind)
    due_at = rules.mails.find_next_try(mail.tries, now, mail.give_up_at)
    if due_at is None and timekeeping.find_objections(await timekeeping.read_clocks(conn)):
        due_at = now + rules.mails.LONGEST_PAUSE
    if verdict.outcome == "too-large" and not (mail.shortened or mail.secret):
        shorter = await asyncio.to_thread(_shorten, resources, mail)
        await store.mails.mark_shortened(conn, shorter, verdict.answer, now)
        log.warning("mail.shortened", answer=verdict.answer, size_bytes=len(mail.body))
    elif verdict.outcome in {"refused", "too-large"} or due_at is None:
        if await store.mails.mark_undeliverable(conn, mail, verdict.answer):
            await give_up(conn, resources, mail, verdict.answer)
            log.warning("mail.undeliverable", answer=verdict.answer, tries=mail.tries)
    else:
        is_uncertain = verdict.outcome == "uncertain"
        await store.mails.mark_later(conn, mail, verdict.answer, due_at, is_uncertain=is_uncertain)
        log.warning("mail.postponed", why=verdict.outcome, answer=verdict.answer, tries=mail.tries)


def _shorten(resources: Resources, mail: Mail) -> Mail:
    portal = resources.portal_url
    link = letters.links.link_plan(portal, mail.plan_id) if mail.plan_id else portal
    note = speak(mail.locale).say(_SHORTENED, link=link)
    return replace(mail, body=compose.shorten(mail.body, note, _SHORT_CHARACTERS))


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
    await write(conn, resources, tenant_id, letters.incident.KIND, facts)


async def _list_answered(conn: Connection, mails: Sequence[Mail]) -> list[tuple[UUID, str]]:
    """Which addresses of whom refused mails before, of those that took these: that is over.

    Not where the last came back: its server had taken that one as well.
    """
    taken = {(mail.tenant_id, mail.recipient.lower()) for mail in mails}
    names = sorted({name for _, name in taken})
    refusing = await store.matters.list_open(conn, "undeliverable", names) if names else []
    return [one for one in refusing if one in taken and not await store.mails.came_back(conn, *one)]


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
    await write_closed(conn, resources, closed)


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


async def tell_late(pool: Pool, resources: Resources) -> None:
    """Tells the hotline once a day of a client's mails that no server has taken for a day."""
    now = clock.now()
    before = now - rules.mails.LATE_AFTER
    silent = [kind.name for kind in letters.KINDS.values() if not kind.tells_hotline]
    async with database.acquire(pool) as conn:
        clients = await store.mails.list_late_clients(conn, before, silent)
    for tenant_id in clients:
        subject = letters.delayed.name(tenant_id, now.date())
        async with database.transaction(pool) as conn:
            await store.clients.lock(conn, tenant_id)
            if await store.mails.is_known(conn, tenant_id, letters.delayed.KIND.name, subject):
                continue
            late = await store.mails.list_late(conn, tenant_id, before, silent)
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
                await write(conn, resources, tenant_id, letters.delayed.KIND, facts)
                logs.get().warning("mails.late", tenant_id=str(tenant_id), mails=len(late))

"""A letter becomes the mail of one person: laid out, as long as it may be, sealed if secret."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID, uuid4

from prometheus_client import Counter

from libs.shared import clock, keys, logs, signed_links, tracing
from libs.shared.words.tongue import N_
from services.reporting import rules
from services.reporting.actions.resources import Resources
from services.reporting.mail import compose, letters, rendering
from services.reporting.mail.letters import Kind, Letter
from services.reporting.mail.rendering import House, Rendered, speak
from services.reporting.rules.mails import Addressee, Mail

F = TypeVar("F")

_FAILED = Counter(
    "coffre_mail_templates_failed", "Mails said plainly as their template failed", ["kind"]
)
for _name in letters.KINDS:
    _FAILED.labels(_name)

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


def write(house: House, kind: Kind[F], facts: F, addressee: Addressee) -> Written:
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


def compose_mail(
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


def _seal(resources: Resources, mail: Mail) -> Mail:
    """A secret mail as it lies in the queue: for this reader alone, and good for no other mail."""
    sealed = keys.seal_text(resources.mail_key, mail.body.decode("ascii"), _sealed_for(mail))
    return replace(mail, body=sealed.encode())


def open_body(resources: Resources, mail: Mail) -> bytes:
    """The text to hand over; raises KeysUnreadable where a secret one was sealed otherwise."""
    if not mail.secret:
        return mail.body
    return keys.open_text(resources.mail_key, mail.body.decode(), _sealed_for(mail)).encode()


def _sealed_for(mail: Mail) -> str:
    return f"coffre/mail/v1/{mail.tenant_id}/{mail.mail_id}/{mail.message_id}/{mail.recipient}"


def shorten(resources: Resources, mail: Mail) -> Mail:
    portal = resources.portal_url
    link = letters.links.link_plan(portal, mail.plan_id) if mail.plan_id else portal
    note = speak(mail.locale).say(_SHORTENED, link=link)
    return replace(mail, body=compose.shorten(mail.body, note, _SHORT_CHARACTERS))

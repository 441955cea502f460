"""What administrators get of what operators announce, and where it doesn't happen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from libs.shared.events import (
    Locale,
    NoticeDelivered,
    NoticePublished,
    NoticeWithdrawn,
    Texts,
)
from libs.shared.words.notices import NoticeWords, tell_notice
from libs.shared.words.tongue import Tongue
from services.reporting import rules
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.mails import Addressee, Mail


@dataclass(frozen=True, slots=True)
class NoticeFacts:
    """What which client is told."""

    event: NoticePublished | NoticeWithdrawn
    tenant: rules.clients.Tenant
    portal_url: str


def choose(facts: NoticeFacts) -> Iterable[Addressee]:
    """The client's administrators, also those who declined reports."""
    return rules.mails.address_administrators(facts.tenant.administrators)


def write(facts: NoticeFacts, addressee: Addressee, _shown: int) -> Letter:
    """The operators' words in the reader's language, below what they mean."""
    tongue = speak(addressee.locale, facts.tenant.timezone)
    told = _tell(tongue, facts.event, addressee.locale)
    content = lay_out(
        tongue,
        "notice",
        in_short=[each for each in (told.lead, *told.paragraphs) if each],
        headline=told.subject,
        client=title(facts.tenant.name),
        lead=told.lead,
        paragraphs=told.paragraphs,
    )
    return Letter(told.subject, content)


def _tell(tongue: Tongue, event: NoticePublished | NoticeWithdrawn, locale: Locale) -> NoticeWords:
    called = title(_in(event.title, locale))
    if isinstance(event, NoticePublished):
        text = _in(event.text, locale)
        return tell_notice(tongue, event.kind, called, text, event.begins_at, event.ends_at)
    return NoticeWords(
        tongue.say("Does not happen: {title}", title=called),
        tongue.say("What we announced to you does not happen."),
        (_in(event.reason, locale),),
    )


def _in(texts: Texts, locale: Locale) -> str:
    return texts.fr if locale == "fr" else texts.en


def _accepted(mail: Mail, now: datetime) -> NoticeDelivered:
    return NoticeDelivered(
        tenant_id=mail.tenant_id,
        mailing_id=mail.subject_id,
        recipient=mail.recipient,
        outcome="accepted",
        at=now,
    )


def _refused(mail: Mail, answer: str) -> NoticeDelivered:
    return NoticeDelivered(
        tenant_id=mail.tenant_id,
        mailing_id=mail.subject_id,
        recipient=mail.recipient,
        outcome="refused",
        answer=answer,
    )


KIND: Kind[NoticeFacts] = Kind(
    "notice",
    choose,
    write,
    subject=lambda facts: facts.event.mailing_id,
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
    accepted=_accepted,
    refused=_refused,
)

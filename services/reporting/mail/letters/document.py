"""What administrators get of a new version of a document that they have to accept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid5

from libs.shared.events import DocumentPublished
from services.reporting import rules
from services.reporting.mail.letters import announcements
from services.reporting.mail.letters.announcements import Announcement
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_documents
from services.reporting.mail.rendering import speak, title
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """Which version, and who has to accept it."""

    event: DocumentPublished
    tenant: rules.clients.Tenant
    portal_url: str


def choose(facts: DocumentFacts) -> Iterable[Addressee]:
    """The client's administrators."""
    return rules.mails.address_administrators(facts.tenant.administrators)


def write(facts: DocumentFacts, addressee: Addressee, _shown: int) -> Letter:
    """What it is called, from when it counts, and how it is accepted."""
    event = facts.event
    tongue = speak(addressee.locale, facts.tenant.timezone)
    subject = tongue.say(
        "To accept: {document}, {client}",
        document=title(event.title),
        client=title(facts.tenant.name),
    )
    say = tongue.say
    told = Announcement(
        headline=title(event.title),
        about=[title(facts.tenant.name)],
        what=say(
            "Version {version} of this document is in force from {day}.",
            version=title(event.version),
            day=tongue.calendar_day(event.in_force_on),
        ),
        goes_on=say(
            "Everything, whether you have accepted it or not: backups, reports and recovery."
        ),
        to_do=say(
            "Read it in the portal and accept it there by your name. You are asked at your next "
            "sign-in too."
        ),
        leads_to=say("Read and accept it in the portal"),
        link=link_documents(facts.portal_url),
    )
    return announcements.write(tongue, subject, told)


KIND: Kind[DocumentFacts] = Kind(
    "document",
    choose,
    write,
    subject=lambda facts: uuid5(
        facts.event.tenant_id, f"document {facts.event.document} {facts.event.version}"
    ),
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
)

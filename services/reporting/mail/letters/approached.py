"""What administrators get when stored volume comes near to the contract, and when it left that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid5

from libs.shared.events import VolumeApproached
from libs.shared.words import volumes
from libs.shared.words.tongue import N_
from services.reporting import rules
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class ApproachedFacts:
    """How near which client is to what."""

    event: VolumeApproached
    tenant: rules.clients.Tenant
    portal_url: str


def choose(facts: ApproachedFacts) -> Iterable[Addressee]:
    """The client's administrators."""
    return rules.mails.address_administrators(facts.tenant.administrators)


def write(facts: ApproachedFacts, addressee: Addressee, _shown: int) -> Letter:
    """What is held of how much, and when that will be reached."""
    event, tenant = facts.event, facts.tenant
    tongue = speak(addressee.locale, tenant.timezone)
    subject = tongue.say(
        N_("{share} of the contracted volume: {client}")
        if event.rising
        else N_("Below {share} of the contracted volume again: {client}"),
        share=tongue.percent(event.level_percent, 100),
        client=title(tenant.name),
    )
    content = lay_out(
        tongue,
        "approached",
        headline=subject,
        rising=event.rising,
        stored=tongue.size(event.stored_bytes),
        percent=100 * event.stored_bytes // event.contracted_bytes,
        share=tongue.percent(event.stored_bytes, event.contracted_bytes),
        contracted=tongue.size(event.contracted_bytes),
        forecast=volumes.tell_forecast(tongue, event.reached_on),
        link=facts.portal_url,
    )
    return Letter(subject, content)


def name(facts: ApproachedFacts) -> UUID:
    """What the mail is about: one way past a level, at its moment."""
    event = facts.event
    way = "up" if event.rising else "down"
    return uuid5(event.tenant_id, f"{way} {event.level_percent} {event.at.isoformat()}")


KIND: Kind[ApproachedFacts] = Kind(
    "approached",
    choose,
    write,
    subject=name,
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
)

"""What administrators get ahead of the end of their software's maintenance: once each time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid5

from libs.shared.events import DESTRUCTION_AFTER, MaintenanceNearing
from services.reporting import rules
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.rendering import render, speak, title
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class MaintenanceFacts:
    """When it ends, and whose it is."""

    event: MaintenanceNearing
    tenant: rules.clients.Tenant
    portal_url: str


def choose(facts: MaintenanceFacts) -> Iterable[Addressee]:
    """The client's administrators."""
    return rules.mails.address_administrators(facts.tenant.administrators)


def write(facts: MaintenanceFacts, addressee: Addressee, _shown: int) -> Letter:
    """The day, what ends with it, and what to do."""
    event = facts.event
    tongue = speak(addressee.locale, facts.tenant.timezone)
    subject = tongue.count(
        "Maintenance of the backup software ends in {n} day: {client}",
        "Maintenance of the backup software ends in {n} days: {client}",
        event.days_left,
        client=title(facts.tenant.name),
    )
    content = render(
        tongue,
        "maintenance",
        subject=subject,
        client=title(facts.tenant.name),
        until=tongue.calendar_day(event.until),
        days=DESTRUCTION_AFTER.days,
        link=facts.portal_url,
    )
    return Letter(subject, content)


KIND: Kind[MaintenanceFacts] = Kind(
    "maintenance",
    choose,
    write,
    subject=lambda facts: uuid5(
        facts.event.tenant_id, f"maintenance {facts.event.until} {facts.event.days_left}"
    ),
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
)

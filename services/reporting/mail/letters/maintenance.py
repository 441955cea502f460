"""What administrators get ahead of the end of their software's maintenance: once each time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid5

from libs.shared.events import DESTRUCTION_AFTER, MaintenanceNearing
from services.reporting import rules
from services.reporting.mail.letters import announcements
from services.reporting.mail.letters.announcements import Announcement
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.rendering import speak, title
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
    say = tongue.say
    told = Announcement(
        headline=subject,
        what=say(
            "The maintenance of the backup software ends on {until}, and your subscription with "
            "it.",
            until=tongue.calendar_day(event.until),
        ),
        stops=say(
            "After that day nothing is backed up any more, and nothing can be recovered. {days} "
            "days later all of your data is destroyed for good.",
            days=DESTRUCTION_AFTER.days,
        ),
        goes_on=say("Until then everything: backups, reports and recovery."),
        to_do=say(
            "Have the maintenance renewed with your provider. If you don’t want that, recover what "
            "you need in the portal before that day."
        ),
        leads_to=say("Recover files in the portal"),
        link=facts.portal_url,
    )
    return announcements.write(tongue, subject, told)


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

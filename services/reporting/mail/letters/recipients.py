"""What administrators get when a machine names new recipients: once a plan and day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid5

from libs.shared.events import RecipientsChanged
from services.reporting import rules
from services.reporting.mail.letters import announcements
from services.reporting.mail.letters.announcements import Announcement
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_recipients
from services.reporting.mail.rendering import speak, title
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class RecipientsFacts:
    """Which plan of which machine, and who waits; day: on which it was said."""

    event: RecipientsChanged
    tenant: rules.clients.Tenant
    portal_url: str
    day: datetime


def choose(facts: RecipientsFacts) -> Iterable[Addressee]:
    """The client's administrators."""
    return rules.mails.address_administrators(facts.tenant.administrators)


def write(facts: RecipientsFacts, addressee: Addressee, shown: int) -> Letter:
    """Which addresses wait for a decision, and where it is made."""
    event = facts.event
    tongue = speak(addressee.locale, facts.tenant.timezone)
    subject = tongue.say(
        "New recipients to confirm: {plan}, {client}",
        plan=title(event.plan_name),
        client=title(facts.tenant.name),
    )
    say, plan, machine = tongue.say, title(event.plan_name), title(event.hostname)
    listed = event.news[:shown]
    told = Announcement(
        headline=say("New recipients to confirm"),
        about=[title(facts.tenant.name), machine, plan],
        what=say(
            "The machine {machine} wants the reports of its plan {plan} sent to these addresses. "
            "Nobody has confirmed them, so nothing is sent there; the reports go to the "
            "administrators.",
            machine=machine,
            plan=plan,
        ),
        listed=listed,
        more=max(event.pending - len(listed), 0),
        to_do=say(
            "Add those whom you know, and remove the others. If nobody of yours changed the "
            "settings of this machine, have it looked at."
        ),
        leads_to=say("Decide who gets the reports"),
        link=link_recipients(facts.portal_url, event.plan_id),
    )
    return announcements.write(tongue, subject, told)


def name(facts: RecipientsFacts) -> UUID:
    """What the mail is about: all that is declared of a plan on one day."""
    return uuid5(facts.event.plan_id, f"recipients {facts.day.astimezone(UTC):%Y-%m-%d}")


KIND: Kind[RecipientsFacts] = Kind(
    "recipients",
    choose,
    write,
    subject=name,
    plan=lambda facts: facts.event.plan_id,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
    by_client=lambda _facts: True,
)

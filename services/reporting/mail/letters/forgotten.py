"""What administrators get of somebody who forgot a password; the hotline of one of those."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from libs.shared.events import PasswordForgotten
from services.reporting import rules
from services.reporting.mail.letters import announcements
from services.reporting.mail.letters.announcements import Announcement
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_client, link_people
from services.reporting.mail.rendering import speak, title
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class ForgottenFacts:
    """Whose password, and who can have a new one sent."""

    event: PasswordForgotten
    tenant: rules.clients.Tenant
    portal_url: str
    hotline: tuple[str, ...]


def choose(facts: ForgottenFacts) -> Iterable[Addressee]:
    """The administrators; the hotline for one of those, whose password the provider sends."""
    if facts.event.is_administrator:
        return rules.mails.address_hotline(facts.hotline)
    return rules.mails.address_administrators(facts.tenant.administrators)


def write(facts: ForgottenFacts, addressee: Addressee, _shown: int) -> Letter:
    """Who it is said to be, that anybody can say so, and where a new password is sent."""
    event = facts.event
    tongue = speak(addressee.locale, facts.tenant.timezone)
    say, name = tongue.say, title(event.name)
    told = Announcement(
        headline=say("{name} has forgotten their password", name=name),
        about=[title(facts.tenant.name), title(event.email)],
        what=say(
            "On {moment}, somebody said so on the sign-in page.",
            moment=tongue.moment(event.asked_at),
        ),
        goes_on=say("Backups and reports; the present password is still good."),
        to_do=say(
            "Anybody can type an address there: ask {name} by telephone whether it was them, "
            "then have a new one-time password sent. If it was not, do nothing.",
            name=name,
        ),
        leads_to=say("Open the client")
        if event.is_administrator
        else say("Open the people of your company"),
        link=link_client(facts.portal_url, event.tenant_id)
        if event.is_administrator
        else link_people(facts.portal_url),
    )
    subject = say(
        "Password forgotten: {name}, {client}", name=name, client=title(facts.tenant.name)
    )
    return announcements.write(tongue, subject, told)


KIND: Kind[ForgottenFacts] = Kind(
    "forgotten",
    choose,
    write,
    subject=lambda facts: facts.event.asked_id,
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.MORNING_KEPT_TRYING,
)

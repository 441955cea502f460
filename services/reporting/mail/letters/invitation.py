"""What somebody gets whom an administrator asks: one mail, with a link to accept or to decline.

Its reader is a stranger: no word of a machine stands in it, neither of its plans nor of its files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from libs.shared.events import RecipientInvited
from services.reporting import rules
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_invitation
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class InvitationFacts:
    """Who asks whom; token: the last part of the link."""

    event: RecipientInvited
    tenant: rules.clients.Tenant
    portal_url: str
    token: str = field(repr=False)


def choose(facts: InvitationFacts) -> Iterable[Addressee]:
    """Who is asked."""
    return [Addressee(facts.event.email, "", facts.event.locale)]


def write(facts: InvitationFacts, addressee: Addressee, _shown: int) -> Letter:
    """Who asks, for what, and the link."""
    tongue = speak(addressee.locale, facts.tenant.timezone)
    client = title(facts.tenant.name)
    subject = tongue.say("Backup reports of {client}: do you want them?", client=client)
    content = lay_out(
        tongue,
        "invitation",
        headline=subject,
        client=client,
        invited_by=title(facts.event.invited_by),
        expires=tongue.moment(facts.event.expires_at),
        link=link_invitation(facts.portal_url, facts.token),
    )
    return Letter(subject, content)


KIND: Kind[InvitationFacts] = Kind(
    "invitation",
    choose,
    write,
    subject=lambda facts: facts.event.invitation_id,
    plan=lambda _facts: None,
    give_up_at=lambda facts, now: min(facts.event.expires_at, now + rules.mails.REPORT_KEPT_TRYING),
)

"""What the hotline gets of mails that no server has taken for a day: once a client and day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID, uuid5

from services.reporting import rules
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_client
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.mails import Addressee, Late


@dataclass(frozen=True, slots=True)
class DelayedFacts:
    """Whose mails wait, on which day that is said, and which."""

    tenant_id: UUID
    client: str
    timezone: str
    day: date
    late: list[Late]
    portal_url: str
    hotline: tuple[str, ...]


def choose(facts: DelayedFacts) -> Iterable[Addressee]:
    """The hotline, but for addresses that take no mail themselves."""
    refusing = {one.recipient.lower() for one in facts.late}
    return rules.mails.address_hotline(
        email for email in facts.hotline if email.lower() not in refusing
    )


def write(facts: DelayedFacts, addressee: Addressee, shown: int) -> Letter:
    """Who waits for what since when, what the server says, and when it is given up."""
    tongue = speak(addressee.locale, facts.timezone)
    subject = tongue.say("[Hotline] Mails are not accepted: {client}", client=title(facts.client))
    content = lay_out(
        tongue,
        "delayed",
        to_hotline=True,
        client=facts.client,
        late=[
            (one, tongue.moment(one.written_at), tongue.moment(one.give_up_at))
            for one in facts.late[:shown]
        ],
        more=len(facts.late[shown:]),
        link=link_client(facts.portal_url, facts.tenant_id),
    )
    return Letter(subject, content)


def name(tenant_id: UUID, day: date) -> UUID:
    """What the mail is about: all that waits of a client's on one day."""
    return uuid5(tenant_id, f"delayed {day:%Y-%m-%d}")


KIND: Kind[DelayedFacts] = Kind(
    "delayed",
    choose,
    write,
    subject=lambda facts: name(facts.tenant_id, facts.day),
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.MORNING_KEPT_TRYING,
    tells_hotline=False,
)

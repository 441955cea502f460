"""What the hotline gets of a destruction that waits for somebody, or for the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid5

from libs.shared.events import DestructionProgressed
from services.reporting import rules
from services.reporting.mail.causes import Teller
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_client
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class WaitingFacts:
    """What is waited for, and whose data it is."""

    event: DestructionProgressed
    client: str
    timezone: str
    portal_url: str
    hotline: tuple[str, ...] = ()


def choose(facts: WaitingFacts) -> Iterable[Addressee]:
    """Each address of the hotline, once."""
    return rules.mails.address_hotline(facts.hotline)


def write(facts: WaitingFacts, addressee: Addressee, _shown: int) -> Letter:
    """Why it waits, and what to do."""
    event = facts.event
    tongue = speak(addressee.locale, facts.timezone)
    subject = tongue.say("[Hotline] A destruction waits: {client}", client=title(facts.client))
    teller = Teller(tongue, hotline=True)
    content = lay_out(
        tongue,
        "waiting",
        to_hotline=True,
        client=facts.client,
        event=event,
        due_at=tongue.moment(event.due_at) if event.due_at else "-",
        reasons=[(teller.explain(reason), reason.code) for reason in event.reasons],
        link=link_client(facts.portal_url, event.tenant_id),
    )
    return Letter(subject, content)


KIND: Kind[WaitingFacts] = Kind(
    "waiting",
    choose,
    write,
    subject=lambda facts: uuid5(facts.event.tenant_id, f"waiting {facts.event.version}"),
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
)

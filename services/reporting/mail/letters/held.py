"""What the hotline gets of a plan of which so much is gone that nothing of it expires."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid5

from libs.shared.events import ExpiryHeld
from services.reporting import rules
from services.reporting.mail.causes import Teller
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_client
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class HeldFacts:
    """What is gone, and whose it was."""

    event: ExpiryHeld
    client: str
    plan: str
    machine: str
    timezone: str
    portal_url: str
    hotline: tuple[str, ...] = ()


def choose(facts: HeldFacts) -> Iterable[Addressee]:
    """Each address of the hotline, once."""
    return rules.mails.address_hotline(facts.hotline)


def write(facts: HeldFacts, addressee: Addressee, _shown: int) -> Letter:
    """How much is gone since when, and what to do."""
    event = facts.event
    tongue = speak(addressee.locale, facts.timezone)
    subject = tongue.say(
        "[Hotline] Much is gone: {client}, {plan}",
        client=title(facts.client),
        plan=title(facts.plan) or "-",
    )
    content = lay_out(
        tongue,
        "held",
        to_hotline=True,
        client=facts.client,
        plan=facts.plan,
        machine=facts.machine,
        event=event,
        told=Teller(tongue, hotline=True).explain(event.reason),
        held_at=tongue.moment(event.held_at),
        link=link_client(facts.portal_url, event.tenant_id),
    )
    return Letter(subject, content)


KIND: Kind[HeldFacts] = Kind(
    "held",
    choose,
    write,
    subject=lambda facts: uuid5(facts.event.plan_id, f"held {facts.event.number}"),
    plan=lambda facts: facts.event.plan_id,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
)

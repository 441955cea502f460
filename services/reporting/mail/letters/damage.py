"""What the hotline gets of damaged storage: once a plan and day, not for each pack."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from uuid import UUID, uuid5

from libs.shared.events import StorageDamaged
from services.reporting import rules
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_client
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class DamageFacts:
    """What was found, and whose it is; plan and machine are empty where no plan is concerned."""

    event: StorageDamaged
    client: str
    plan: str
    machine: str
    timezone: str
    portal_url: str
    hotline: tuple[str, ...] = ()


def choose(facts: DamageFacts) -> Iterable[Addressee]:
    """Each address of the hotline, once."""
    return rules.mails.address_hotline(facts.hotline)


def write(facts: DamageFacts, addressee: Addressee, shown: int) -> Letter:
    """Which files are concerned, and what to do."""
    event = facts.event
    tongue = speak(addressee.locale, facts.timezone)
    subject = tongue.say(
        "[Hotline] Damaged storage: {client}, {plan}",
        client=title(facts.client),
        plan=title(facts.plan) or "-",
    )
    content = lay_out(
        tongue,
        "damage",
        to_hotline=True,
        client=facts.client,
        plan=facts.plan,
        machine=facts.machine,
        event=event,
        paths=event.paths[:shown],
        found_at=tongue.moment(event.found_at),
        more=max(event.files - len(event.paths[:shown]), 0),
        link=link_client(facts.portal_url, event.tenant_id),
    )
    return Letter(subject, content)


def name(event: StorageDamaged) -> UUID:
    """What the mail is about: all that is found of a plan, or of a client, on one day."""
    day = f"damage {event.found_at.astimezone(UTC):%Y-%m-%d}"
    return uuid5(event.plan_id or event.tenant_id, day)


KIND: Kind[DamageFacts] = Kind(
    "damage",
    choose,
    write,
    subject=lambda facts: name(facts.event),
    plan=lambda facts: facts.event.plan_id,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
)

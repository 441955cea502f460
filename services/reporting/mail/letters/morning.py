"""What the hotline gets each morning: all that is still open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.reporting import rules
from services.reporting.mail.letters import matters
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_client
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.incidents import NamedIncident
from services.reporting.rules.mails import Addressee
from services.reporting.rules.webhooks import Failing


@dataclass(frozen=True, slots=True)
class MorningFacts:
    """The open incidents of a morning, longest first, and the webhooks that take nothing."""

    digest_id: UUID
    incidents: Sequence[NamedIncident]
    webhooks: Sequence[Failing]
    at: datetime
    timezone: str
    portal_url: str
    hotline: tuple[str, ...]


def choose(facts: MorningFacts) -> Iterable[Addressee]:
    """Each address of the hotline, once."""
    return rules.mails.address_hotline(facts.hotline)


def write(facts: MorningFacts, addressee: Addressee, shown: int) -> Letter:
    """One line an incident: whose, what, since when, who has it in hand."""
    tongue = speak(addressee.locale, facts.timezone)
    subject = tongue.count(
        "[Hotline] {n} incident is open",
        "[Hotline] {n} incidents are open",
        len(facts.incidents),
    )
    listed = facts.incidents[:shown]
    content = lay_out(
        tongue,
        "morning",
        to_hotline=True,
        headline=subject.removeprefix("[Hotline] "),
        lines=[
            {
                "client": title(one.client) or matters.name_client(tongue, None, one.incident),
                "plan": title(one.plan) or str(one.incident.plan_id or ""),
                "machine": title(one.machine),
                "cause": tongue.say(matters.CAUSES[one.incident.cause]),
                "times": one.incident.times,
                "since": tongue.moment(one.incident.opened_at),
                "by": one.incident.acknowledged_by or "",
                "note": one.incident.note,
                "incident_id": one.incident.incident_id,
                "link": link_client(facts.portal_url, one.incident.tenant_id),
            }
            for one in listed
        ],
        webhooks=[
            {
                "kind": one.kind,
                "calls": one.calls,
                "since": tongue.moment(one.since),
                "error": one.error,
            }
            for one in facts.webhooks
        ],
        more=len(facts.incidents) - len(listed),
        link=facts.portal_url,
    )
    return Letter(subject, content)


KIND: Kind[MorningFacts] = Kind(
    "morning",
    choose,
    write,
    subject=lambda facts: facts.digest_id,
    plan=lambda _facts: None,
    give_up_at=lambda facts, _now: facts.at + rules.mails.MORNING_KEPT_TRYING,
    tells_hotline=False,
)

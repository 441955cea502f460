"""What the hotline gets where somebody said that what was unusual of a plan was meant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid5

from libs.shared.events import ExpiryCleared
from services.reporting import rules
from services.reporting.mail.letters import hotline, tickets
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_client
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.incidents import Incident
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class ClearedFacts:
    """The incident that is over, and what an operator said."""

    incident: Incident
    event: ExpiryCleared
    tenant: rules.clients.Tenant
    plan: rules.plans.Plan
    portal_url: str
    hotline: tuple[str, ...]


def choose(facts: ClearedFacts) -> Iterable[Addressee]:
    """Each address of the hotline, once."""
    return rules.mails.address_hotline(facts.hotline)


def write(facts: ClearedFacts, addressee: Addressee, _shown: int) -> Letter:
    """Since when it was unusual, how often, and why that was meant."""
    tongue = speak(addressee.locale, facts.tenant.timezone)
    incident = facts.incident
    subject = tongue.say(
        "[Hotline] CLEARED: plan {plan} of {client} on {machine}",
        plan=title(facts.plan.name),
        client=title(facts.tenant.name),
        machine=title(facts.plan.hostname),
    )
    content = lay_out(
        tongue,
        "cleared",
        to_hotline=True,
        ticket=tickets.head(facts.tenant, facts.plan, incident),
        plan=title(facts.plan.name),
        client=title(facts.tenant.name),
        machine=title(facts.plan.hostname),
        before=tongue.count(
            "Since {since} {n} run had been unusual.",
            "Since {since} {n} runs had been unusual.",
            incident.times,
            since=tongue.moment(incident.opened_at),
        ),
        reason=facts.event.reason,
        cleared_at=tongue.moment(facts.event.cleared_at),
        link=link_client(facts.portal_url, incident.tenant_id),
    )
    return Letter(subject, content)


KIND: Kind[ClearedFacts] = Kind(
    "cleared",
    choose,
    write,
    subject=lambda facts: uuid5(facts.incident.incident_id, "cleared"),
    plan=lambda facts: facts.incident.plan_id,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
    thread=lambda facts: hotline.thread(facts.incident),
)

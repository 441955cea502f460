"""What the hotline gets where an incident is over, but for one that a good run ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid5

from libs.shared.words.foreign import inert
from libs.shared.words.tongue import DEFAULT_TIMEZONE
from services.reporting import rules
from services.reporting.mail.letters import hotline, matters, tickets
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_client
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.incidents import Incident
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class ClosedFacts:
    """The incident that is over; tenant, plan: None where not known, or none is concerned."""

    incident: Incident
    tenant: rules.clients.Tenant | None
    plan: rules.plans.Plan | None
    portal_url: str
    hotline: tuple[str, ...]


def choose(facts: ClosedFacts) -> Iterable[Addressee]:
    """Each address of the hotline, once."""
    return rules.mails.address_hotline(facts.hotline)


def write(facts: ClosedFacts, addressee: Addressee, _shown: int) -> Letter:
    """Since when it was open, how often it was seen, and who closed it or that it is over."""
    incident, plan = facts.incident, facts.plan
    timezone = facts.tenant.timezone if facts.tenant else DEFAULT_TIMEZONE
    tongue = speak(addressee.locale, timezone)
    what = tongue.say(matters.CAUSES[incident.cause])
    client = matters.name_client(tongue, facts.tenant, incident)
    subject = tongue.say("[Hotline] Closed: {client}, {what}", client=client, what=what)
    content = lay_out(
        tongue,
        "closed",
        to_hotline=True,
        ticket=tickets.head(facts.tenant, plan, incident),
        client=client,
        plan=title(plan.name) if plan else "",
        machine=title(plan.hostname) if plan else "",
        what=what,
        times=incident.times,
        since=tongue.moment(incident.opened_at),
        by=inert(incident.closed_by or ""),
        note=inert(incident.note),
        link=link_client(facts.portal_url, incident.tenant_id),
    )
    return Letter(subject, content)


KIND: Kind[ClosedFacts] = Kind(
    "closed",
    choose,
    write,
    subject=lambda facts: uuid5(facts.incident.incident_id, "closed"),
    plan=lambda facts: facts.incident.plan_id,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
    by_client=lambda facts: facts.incident.cause in rules.incidents.OF_RUNS,
    tells_hotline=False,
    thread=lambda facts: hotline.thread(facts.incident),
)

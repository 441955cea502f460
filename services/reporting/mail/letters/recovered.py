"""What the hotline gets where a plan that failed runs well again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid5

from libs.shared.events import RunFinished
from libs.shared.words.tongue import Tongue
from services.reporting import rules
from services.reporting.mail.letters import hotline, tickets
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_client
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.incidents import Incident
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class RecoveredFacts:
    """The incident that is over, and the run that ended it."""

    incident: Incident
    run: RunFinished
    tenant: rules.clients.Tenant
    plan: rules.plans.Plan
    portal_url: str
    hotline: tuple[str, ...]


def choose(facts: RecoveredFacts) -> Iterable[Addressee]:
    """Each address of the hotline, once."""
    return rules.mails.address_hotline(facts.hotline)


def write(facts: RecoveredFacts, addressee: Addressee, _shown: int) -> Letter:
    """Since when it failed, how often, and when it ran well."""
    tongue = speak(addressee.locale, facts.tenant.timezone)
    incident, run = facts.incident, facts.run
    subject = tongue.say(
        "[Hotline] [RECOVERED]: plan {plan} of {client} on {machine}",
        plan=title(facts.plan.name),
        client=title(facts.tenant.name),
        machine=title(run.hostname),
    )
    content = lay_out(
        tongue,
        "recovered",
        to_hotline=True,
        ticket=tickets.head(facts.tenant, facts.plan, incident),
        plan=title(facts.plan.name),
        client=title(facts.tenant.name),
        machine=title(run.hostname),
        number=run.number,
        before=_tell_before(incident, tongue),
        recovered_at=tongue.moment(run.finished_at),
        link=link_client(facts.portal_url, run.tenant_id),
    )
    return Letter(subject, content)


def _tell_before(incident: Incident, tongue: Tongue) -> str:
    since = tongue.moment(incident.opened_at)
    if incident.cause == "missed":
        return tongue.count(
            "Since {since} {n} run had not come.",
            "Since {since} {n} runs had not come.",
            incident.times,
            since=since,
        )
    return tongue.count(
        "Since {since} {n} run had failed.",
        "Since {since} {n} runs had failed.",
        incident.times,
        since=since,
    )


KIND: Kind[RecoveredFacts] = Kind(
    "recovered",
    choose,
    write,
    subject=lambda facts: uuid5(facts.incident.incident_id, "recovered"),
    plan=lambda facts: facts.run.plan_id,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
    by_client=lambda _facts: True,
    thread=lambda facts: hotline.thread(facts.incident),
)
